"""Kernels against closed forms and scikit-learn, and their random Fourier features."""

import math

import pytest
import torch
from sklearn.gaussian_process import kernels as peer
from torch.autograd import gradcheck

from jointlaw.functional._features import (
    fourier_features,
    gaussian_frequencies,
    student_frequencies,
    uniform_phases,
)
from jointlaw.functional._kernels import linear, matern12, matern32, matern52, rbf, squared_distances

STATIONARY = (
    (rbf, peer.RBF(0.7), lambda n, g: gaussian_frequencies(3, n, g)),
    (matern12, peer.Matern(0.7, nu=0.5), lambda n, g: student_frequencies(3, n, 0.5, g)),
    (matern32, peer.Matern(0.7, nu=1.5), lambda n, g: student_frequencies(3, n, 1.5, g)),
    (matern52, peer.Matern(0.7, nu=2.5), lambda n, g: student_frequencies(3, n, 2.5, g)),
)
each_stationary = pytest.mark.parametrize(("kernel", "reference", "draw"), STATIONARY, ids=lambda k: str(k)[:20])


def points(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@each_stationary
def test_equals_scikit_learn(kernel, reference, draw):
    x, y = points(9, 3), points(5, 3) + 1
    torch.testing.assert_close(kernel(x, y, 0.7), torch.from_numpy(reference(x.numpy(), y.numpy())))
    torch.testing.assert_close(kernel(x, length=0.7), torch.from_numpy(reference(x.numpy())))


def test_linear_kernel_is_the_inner_product():
    x, y = points(2, 9, 3), points(2, 5, 3)
    torch.testing.assert_close(linear(x, y), torch.einsum("vbd,vmd->vbm", x, y))


@each_stationary
def test_one_length_per_coordinate_scales_that_coordinate(kernel, reference, draw):
    x, y, length = points(6, 3), points(4, 3) - 1, torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(kernel(x, y, length), kernel(x / length, y / length))


@each_stationary
def test_gradient_is_exact_and_zero_where_points_coincide(kernel, reference, draw):
    x, length = points(5, 2).requires_grad_(), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y = points(4, 2) + 0.3
    assert gradcheck(lambda a, s: kernel(a, y, s), (x, length))
    assert gradcheck(lambda a, s: kernel(a, length=s), (x, length))
    twice = points(1, 2).repeat(3, 1).requires_grad_()
    kernel(twice).sum().backward()
    torch.testing.assert_close(twice.grad, torch.zeros_like(twice))


@each_stationary
def test_float32_far_from_the_origin_keeps_its_digits(kernel, reference, draw):
    x = points(40, 8)
    far = (x + 100).float()
    torch.testing.assert_close(kernel(far), kernel(far.double()).float(), rtol=0, atol=2e-5)
    assert (kernel(far).diagonal() == 1).all()
    assert (squared_distances(far, far) >= 0).all()


@each_stationary
def test_half_precision_and_autocast_compute_in_float32(kernel, reference, draw):
    x = points(20, 4, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(kernel(x), kernel(x), rtol=0, atol=0)
        inside = kernel(x)
    torch.testing.assert_close(inside, kernel(x), rtol=0, atol=0)
    assert kernel(x.bfloat16()).dtype == linear(x.bfloat16()).dtype == torch.float32


@each_stationary
def test_random_fourier_features_converge_to_the_kernel(kernel, reference, draw):
    x, y, errors = points(30, 3), points(20, 3) + 0.5, []
    for count in (200, 20_000):
        generator = torch.Generator().manual_seed(0)
        w, b = draw(count, generator).double() / 0.7, uniform_phases(count, generator).double()
        error = fourier_features(x, w, b) @ fourier_features(y, w, b).mT - kernel(x, y, 0.7)
        errors.append(error.square().mean().sqrt().item())
    assert errors[1] < 1.2 / math.sqrt(20_000)
    assert 5 < errors[0] / errors[1] < 20  # 1 / sqrt(R) says 10


def test_frequencies_are_uncorrelated_with_the_spectral_law_of_their_kernel():
    w = gaussian_frequencies(2, 100_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cov(w), torch.eye(2), rtol=0, atol=0.02)
    t = student_frequencies(2, 100_000, 2.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cov(t), torch.eye(2) * 5 / 3, rtol=0, atol=0.06)  # df / (df - 2)


def test_smoothness_between_half_integers_is_refused():
    with pytest.raises(ValueError, match="expected smoothness 1/2"):
        student_frequencies(2, 8, 0.7)

"""HSIC: exact values, invariances, and what it sees that a covariance does not."""

import math

import pytest
import torch
from torch import Tensor

from jointlaw.functional import hsic, nhsic
from jointlaw.functional._dependence import gaussian_kernel, mean_nhsic


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference_hsic(x: Tensor, y: Tensor) -> Tensor:
    """The trace formula, written out with matrices."""
    count = x.shape[0]
    centring = torch.eye(count, dtype=torch.float64) - 1 / count
    kernels = []
    for z in (x, y):
        distance = torch.linalg.vector_norm(z[:, None] - z[None, :], dim=-1)
        width = distance[distance > 0].median()
        kernels.append(torch.exp(-distance.square() / (2 * width.square())))
    return torch.trace(kernels[0] @ centring @ kernels[1] @ centring) / (count - 1) ** 2


@pytest.mark.parametrize(("dim_x", "dim_y"), [(1, 1), (3, 1), (5, 7)])
def test_value_is_the_trace_formula(dim_x: int, dim_y: int) -> None:
    x, y = normal(40, dim_x), normal(40, dim_y, seed=1)
    torch.testing.assert_close(hsic(x, y), reference_hsic(x, y))


def test_two_samples_have_a_closed_value() -> None:
    x, y = torch.tensor([[0.0], [2.0]], dtype=torch.float64), torch.tensor([[5.0], [-1.0]], dtype=torch.float64)
    # The only distance is the width: k = exp(-1/2) off the diagonal, H K H = (1 - k)/2 [[1, -1], [-1, 1]].
    torch.testing.assert_close(hsic(x, y).item(), (1 - math.exp(-0.5)) ** 2)
    torch.testing.assert_close(nhsic(x, y).item(), 1.0)


def test_kernel_takes_a_given_width() -> None:
    kernel = gaussian_kernel(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), width=5.0)
    torch.testing.assert_close(kernel, torch.tensor([[1.0, math.exp(-0.5)], [math.exp(-0.5), 1.0]]))


def test_a_variable_depends_wholly_on_itself() -> None:
    x = normal(100, 4)
    torch.testing.assert_close(nhsic(x, x).item(), 1.0)


def test_sees_dependence_without_correlation() -> None:
    x, noise = torch.linspace(-1, 1, 1000, dtype=torch.float64)[:, None], normal(1000, 1)
    square = x.square()
    assert torch.corrcoef(torch.cat([x, square], dim=1).T)[0, 1].abs() < 1e-12
    assert nhsic(x, noise) < 0.01
    assert nhsic(x, square) > 0.2


def test_invariant_under_shift_scale_rotation_and_joint_permutation() -> None:
    x, y = normal(60, 3), normal(60, 2, seed=1) + normal(60, 3)[:, :2]
    rotation = torch.linalg.qr(normal(3, 3, seed=2)).Q
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    value = nhsic(x, y)
    torch.testing.assert_close(nhsic(7 * x @ rotation - 4, y / 1000 + 5), value, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(nhsic(x[order], y[order]), value)
    torch.testing.assert_close(nhsic(y, x), value)


def test_a_constant_variable_is_independent_of_everything() -> None:
    x, constant = normal(50, 1).float(), torch.full((50, 1), 0.3)
    assert nhsic(x, constant) == 0
    assert nhsic(constant, constant) == 0
    assert hsic(x, constant) == 0


def test_sparse_units_keep_a_sensible_kernel_width() -> None:
    # 90 % zeros: the plain median of the distances is zero, a kernel of which would be the identity.
    x = (normal(500, 1) - 1.28).relu()
    kernel = gaussian_kernel(x)
    assert kernel.isfinite().all()
    assert kernel[kernel < 1].median() > 0.1
    assert nhsic(x, (normal(500, 1, seed=1) - 1.28).relu()) < 0.02
    assert nhsic(x, x + 0.1 * normal(500, 1, seed=2).abs() * (x > 0)) > 0.9


def test_leading_dimensions_are_separate_problems() -> None:
    x, y = normal(3, 30, 2), normal(3, 30, 1, seed=1)
    torch.testing.assert_close(nhsic(x, y), torch.stack([nhsic(a, b) for a, b in zip(x, y, strict=True)]))
    torch.testing.assert_close(nhsic(x[0], y), torch.stack([nhsic(x[0], b) for b in y]))


def test_gradient_is_the_numerical_one_where_the_width_is_given() -> None:
    x = normal(6, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: gaussian_kernel(a, 1.5), (x,))


@pytest.mark.parametrize("dim", [1, 3])
def test_gradient_is_finite_with_ties_and_constants(dim: int) -> None:
    x = torch.zeros(8, dim).index_fill(0, torch.tensor([2, 5]), 1.0).requires_grad_()
    y = torch.ones(8, dim, requires_grad=True)
    (nhsic(x, y) + nhsic(x, normal(8, 1).float())).backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert y.grad is not None
    assert (y.grad == 0).all()


@pytest.mark.parametrize("dim", [1, 16])
def test_half_precision_and_autocast_compute_in_float32(dim: int) -> None:
    x, y = normal(64, dim).bfloat16(), normal(64, dim, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = nhsic(x, y)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, nhsic(x.float(), y.float()))


def test_mean_over_pairs_tells_independent_from_copied_units() -> None:
    independent = normal(400, 16).float()
    copied = normal(400, 1).float() * torch.arange(1.0, 17.0)
    assert mean_nhsic(independent) < 0.02
    assert mean_nhsic(copied) == pytest.approx(1.0, abs=1e-5)


def test_mean_over_pairs_counts_dead_units_as_zero() -> None:
    half_dead = torch.cat([normal(100, 1).float().expand(-1, 2), torch.zeros(100, 2)], dim=1)
    value = mean_nhsic(half_dead, pairs=400)
    assert value == pytest.approx(1 / 6, abs=0.06)  # one pair of the six has two living units, and those are equal


def test_mean_over_pairs_repeats_with_its_seed_and_takes_a_subset() -> None:
    z = normal(300, 12).float()
    assert mean_nhsic(z, pairs=9, rows=50, seed=3) == mean_nhsic(z, pairs=9, rows=50, seed=3)
    assert mean_nhsic(z, pairs=9, rows=50, seed=3) != mean_nhsic(z, pairs=9, rows=50, seed=4)


def test_mean_over_pairs_of_two_units_is_their_nhsic() -> None:
    z = normal(80, 2)
    assert mean_nhsic(z, pairs=5) == pytest.approx(nhsic(z[:, :1], z[:, 1:]).item())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hsic(torch.zeros(4, 1), torch.zeros(5, 1)), "paired samples"),
        (lambda: nhsic(torch.zeros(1, 1), torch.zeros(1, 1)), "at least 2 samples"),
        (lambda: mean_nhsic(torch.zeros(4, 1)), "dim >= 2"),
        (lambda: mean_nhsic(torch.zeros(4, 3), pairs=0), "pairs >= 1"),
        (lambda: mean_nhsic(torch.zeros(4, 3), rows=1), "rows >= 2"),
    ],
)
def test_bad_input_is_a_clear_error(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()

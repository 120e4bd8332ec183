import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import gradcheck

from jointlaw.functional import _slicing as slicing
from jointlaw.functional import _sphere as sphere
from jointlaw.functional import sigreg
from jointlaw.functional._characteristic import NODES, sliced_characteristic, sphere_characteristic
from jointlaw.regularizers import Uniform

CPU = torch.device("cpu")


def embeddings(*shape: int, seed: int = 0, scale: float = 1.0, loc: float = 0.0) -> Tensor:
    return scale * torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64) + loc


def slices(count: int, dim: int, seed: int = 1) -> Tensor:
    like = torch.zeros(1, dtype=torch.float64)
    return slicing.unit_rows((count, dim), like, Generator().manual_seed(seed))


def lejepa(z: Tensor, directions: Tensor) -> float:
    """The published statistic in plain float64, number by number: per view, times the batch size."""
    t = np.linspace(0, 3, 17)
    window = np.exp(-(t**2) / 2)
    weight = np.full(17, 2 * 3 / 16)
    weight[[0, -1]] = 3 / 16
    values = []
    for direction in directions.numpy():
        angles = np.outer(z.numpy() @ direction, t)
        real, imaginary = np.cos(angles).mean(0), np.sin(angles).mean(0)
        values.append(((real - window) ** 2 + imaginary**2) @ (weight * window) * len(z))
    return float(np.mean(values))


def streamed(z: Tensor, directions: Tensor, rows: int = 5) -> Tensor:
    blocks = ((1 / len(directions), slicing.Dense(part)) for part in directions.to(z.dtype).split(rows))
    views = z if z.ndim == 3 else z.unsqueeze(0)
    return sliced_characteristic(views.reshape(-1, z.shape[-1]).T.contiguous(), len(views), blocks)


def exact(z: Tensor) -> Tensor:
    views = z if z.ndim == 3 else z.unsqueeze(0)
    return sphere_characteristic(views, views.detach())


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 6.0])
def test_injected_slices_give_the_published_value(scale: float) -> None:
    z, directions = embeddings(40, 7, scale=scale, loc=0.2), slices(12, 7)
    expected = lejepa(z, directions)
    assert streamed(z, directions).item() == pytest.approx(expected, rel=1e-12)
    assert sigreg(z, directions).item() == pytest.approx(expected, rel=1e-12)
    assert streamed(z.float(), directions).item() == pytest.approx(expected, rel=1e-5)


def test_views_are_measured_apart_and_averaged() -> None:
    z, directions = embeddings(3, 20, 6), slices(8, 6)
    apart = torch.stack([streamed(view, directions) for view in z])
    torch.testing.assert_close(streamed(z, directions), apart.mean())
    torch.testing.assert_close(exact(z), torch.stack([exact(view) for view in z]).mean())


@pytest.mark.parametrize("batch", [64, 512])
def test_samples_of_the_law_score_about_one_whatever_the_batch(batch: int) -> None:
    null = sum(w * (1 - g**2) for w, g in zip(NODES.weight, NODES.normal, strict=True))
    assert null == pytest.approx(1.05, abs=0.005)
    draws = [exact(embeddings(batch, 32, seed=seed)).item() for seed in range(8)]
    assert np.mean(draws) == pytest.approx(null, abs=0.1)


@pytest.mark.parametrize("batch", [16, 256])
def test_a_batch_at_the_origin_scores_two_fifths_of_its_size(batch: int) -> None:
    z = torch.zeros(batch, 8, dtype=torch.float64)
    assert streamed(z, slices(3, 8)).item() == pytest.approx(0.402 * batch, rel=1e-3)
    torch.testing.assert_close(exact(z), streamed(z, slices(3, 8)), rtol=1e-6, atol=0)


def test_gradient_of_the_streamed_form_is_that_of_the_plain_one() -> None:
    z, directions = embeddings(30, 9, scale=1.4).requires_grad_(), slices(17, 9)
    (ours,), (plain,) = (torch.autograd.grad(form(z, directions), z) for form in (streamed, sigreg))
    torch.testing.assert_close(ours, plain)
    narrow = z.detach().float().requires_grad_()
    torch.testing.assert_close(
        torch.autograd.grad(streamed(narrow, directions), narrow)[0].double(), plain, rtol=1e-4, atol=1e-6
    )


def test_gradients_equal_finite_differences() -> None:
    directions = slices(4, 20)
    z = embeddings(2, 6, 20, scale=1.2, loc=0.1).requires_grad_()
    assert gradcheck(lambda x: streamed(x, directions), z)


@pytest.mark.parametrize("dim", [2, 3, 20, 80])
def test_gradient_of_the_sphere_average_equals_finite_differences(dim: int) -> None:
    z = embeddings(1, 5, dim, scale=1.2, loc=0.1).requires_grad_()
    # The batch moves along, though the function takes it as a constant: a row's gradient is that of the whole.
    (gradient,) = torch.autograd.grad(exact(z), z)
    step = 1e-4 * embeddings(1, 5, dim, seed=5)
    with torch.no_grad():
        difference = exact(z + step) - exact(z - step)
    assert float(difference) == pytest.approx(2 * float((gradient * step).sum()), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3, 8, 64, 512])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_sphere_average_is_the_limit_of_very_many_slices(dim: int, scale: float) -> None:
    z = embeddings(48, dim, scale=scale, loc=0.1)
    columns = z.T.contiguous().float()
    draws = [
        sliced_characteristic(columns, 1, Uniform(10_000).blocks(columns, Generator().manual_seed(seed))).item()
        for seed in range(20)
    ]
    error = np.std(draws, ddof=1) / math.sqrt(len(draws))
    assert exact(z).item() == pytest.approx(np.mean(draws), abs=4 * error)
    assert error < 3e-3 * np.mean(draws)


def test_slices_scatter_around_the_sphere_average_without_bias() -> None:
    z = embeddings(32, 24, scale=1.3, loc=0.1)
    draws = [streamed(z, slices(500, 24, seed=seed), rows=500).item() for seed in range(20)]
    error = np.std(draws, ddof=1) / math.sqrt(len(draws))
    assert exact(z).item() == pytest.approx(np.mean(draws), abs=4 * error)
    assert error < 0.01 * np.mean(draws)


def test_orthogonal_matrices_leave_the_sphere_average_alone() -> None:
    z = embeddings(32, 24, scale=1.3, loc=0.1)
    rotation = slicing.haar(24, z, Generator().manual_seed(3))
    torch.testing.assert_close(exact(z @ rotation), exact(z))


def test_rows_share_the_value_out_and_each_has_the_gradient_of_the_whole() -> None:
    z = embeddings(2, 24, 12).requires_grad_()
    whole = exact(z)
    (gradient,) = torch.autograd.grad(whole, z)
    parts = [sphere_characteristic(part, z.detach()) for part in z.split(8, dim=1)]
    torch.testing.assert_close(sum(parts), whole)
    torch.testing.assert_close(torch.autograd.grad(sum(parts), z)[0], gradient)


def test_rows_are_streamed() -> None:
    z = embeddings(1, 600, 12)
    torch.testing.assert_close(exact(z), sphere_characteristic(z[:, :100], z) + sphere_characteristic(z[:, 100:], z))


def test_float32_loses_little_even_far_from_the_origin() -> None:
    z = embeddings(2, 200, 256, loc=3.0)
    wide = z.clone().requires_grad_()
    narrow = z.float().requires_grad_()
    values = exact(wide), exact(narrow)
    torch.testing.assert_close(values[1].double(), values[0], rtol=1e-5, atol=0)
    gradients = [torch.autograd.grad(value, of)[0].double() for value, of in zip(values, (wide, narrow), strict=True)]
    assert (gradients[1] - gradients[0]).norm() < 1e-4 * gradients[0].norm()


def test_a_width_of_one_has_no_sphere() -> None:
    with pytest.raises(ValueError, match="at least 2 units"):
        exact(embeddings(4, 1))


def test_a_diverged_batch_gives_no_number_rather_than_an_error() -> None:
    z = embeddings(8, 16)
    z[3, 2] = math.nan
    assert exact(z).isnan()
    assert streamed(z, slices(4, 16)).isnan()
    z[3, 2] = 1e12
    assert exact(z).isfinite()


@pytest.mark.parametrize("form", ["streamed", "exact"])
def test_half_precision_and_autocast_are_computed_in_float32(form: str) -> None:
    directions = slices(6, 24)

    def value(z: Tensor) -> Tensor:
        return (
            exact(z)
            if form == "exact"
            else sliced_characteristic(z.T.contiguous(), 1, [(1 / 6, slicing.Dense(directions.float()))])
        )

    z = embeddings(32, 24).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        half = value(z)
    assert half.dtype == torch.float32
    assert torch.equal(half, value(z.detach().float()))
    half.backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("dim", [2, 3, 8, 17, 64, 65, 256, 2048])
def test_mean_cosines_are_the_hypergeometric_function(dim: int) -> None:
    s = np.linspace(0, 8 * math.sqrt(dim), 25)
    with mpmath.workdps(60):
        expected = [float(mpmath.hyp0f1(mpmath.mpf(dim) / 2, -(mpmath.mpf(x) ** 2) / 4)) for x in s]
    np.testing.assert_allclose(sphere.mean_cosine(s, dim), expected, rtol=0, atol=1e-12)


def test_mean_cosines_of_two_and_three_units_are_elementary() -> None:
    s = np.linspace(0.1, 90, 200)
    np.testing.assert_allclose(sphere.mean_cosine(s, 3), np.sin(s) / s, rtol=0, atol=1e-13)
    np.testing.assert_allclose(sphere.mean_cosine(s, 2), [float(mpmath.besselj(0, x)) for x in s], rtol=0, atol=1e-12)


def test_mean_cosines_tend_to_the_normal_law_with_an_error_of_one_over_the_width() -> None:
    errors = []
    for dim in (128, 256, 512, 1024):
        a = np.linspace(0, 12, 200)
        errors.append(np.abs(sphere.mean_cosine(np.sqrt(2 * dim * a), dim) - np.exp(-a)).max())
    ratios = [first / second for first, second in itertools.pairwise(errors)]
    np.testing.assert_allclose(ratios, 2, atol=0.05)
    assert errors[-1] == pytest.approx(4 * math.exp(-2) / 1026, rel=0.05)  # a^2 exp(-a) / (D + 2) at its top


@pytest.mark.parametrize("dim", [2, 9, 16, 40, 64, 130, 512, 4096])
def test_tables_hold_kernel_and_slope(dim: int) -> None:
    (kernel,) = sphere.radials(dim, NODES.t, (NODES.weight,), CPU, torch.float64)
    r = torch.rand(500, dtype=torch.float64, generator=Generator().manual_seed(0)) * 3 * math.sqrt(dim)
    value, slope = kernel.at(r.square())
    mean = [w * sphere.mean_cosine(t * r.numpy(), dim) for t, w in zip(NODES.t, NODES.weight, strict=True)]
    fall = [
        -w * t**2 / (2 * dim) * sphere.mean_cosine(t * r.numpy(), dim + 2)
        for t, w in zip(NODES.t, NODES.weight, strict=True)
    ]
    np.testing.assert_allclose(value.numpy(), np.sum(mean, axis=0), rtol=0, atol=1e-8)
    np.testing.assert_allclose(slope.numpy(), np.sum(fall, axis=0), rtol=0, atol=1e-9)


def test_beyond_the_table_kernels_are_zero() -> None:
    (kernel,) = sphere.radials(32, NODES.t, (NODES.weight,), CPU, torch.float64)
    end = kernel.step * kernel.cubics.shape[1]
    square = torch.tensor([end**2, 1e6 * end**2, math.inf], dtype=torch.float64)
    value, slope = kernel.at(square)
    assert not value.any()
    assert not slope.any()
    inside, _ = kernel.at(torch.tensor([(0.98 * end) ** 2], dtype=torch.float64))
    assert inside.abs().item() < 1e-7

import math

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import gradcheck

from jointlaw.functional import covariance_penalty, log_det_entropy, variance_hinge

SHAPES = [(24, 5), (6, 17)]


def batch(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64) * 0.7 + 0.3


@pytest.mark.parametrize("shape", SHAPES)
def test_hinge_and_covariance_are_those_of_the_official_code(shape: tuple[int, int]) -> None:
    x = batch(*shape)
    count, dim = shape
    spread = torch.sqrt(x.var(dim=0) + 0.0001)
    torch.testing.assert_close(variance_hinge(x), torch.relu(1 - spread).mean())
    centred = x - x.mean(dim=0)
    covariance = centred.T @ centred / (count - 1)
    off_diagonal = covariance.flatten()[:-1].view(dim - 1, dim + 1)[:, 1:]
    torch.testing.assert_close(covariance_penalty(x), off_diagonal.square().sum() / dim)


def test_a_collapsed_batch_scores_the_full_hinge_and_no_covariance() -> None:
    z = torch.full((8, 4), 3.0, dtype=torch.float64, requires_grad=True)
    assert variance_hinge(z).item() == pytest.approx(0.99)
    assert covariance_penalty(z).item() == 0
    variance_hinge(z).backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_units_that_vary_enough_score_no_hinge() -> None:
    assert variance_hinge(batch(64, 4) * 3) == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_log_det_entropy_is_half_a_log_determinant(shape: tuple[int, int]) -> None:
    x = batch(*shape)
    moment = x.T @ x / shape[0] + 0.01 * torch.eye(shape[1], dtype=torch.float64)
    torch.testing.assert_close(log_det_entropy(x, 0.01), -torch.logdet(moment) / 2)


def test_log_det_entropy_falls_by_log_two_per_unit_where_embeddings_double() -> None:
    x = batch(200, 5)
    difference = log_det_entropy(2 * x, 1e-12) - log_det_entropy(x, 1e-12)
    torch.testing.assert_close(difference, torch.tensor(-5 * math.log(2), dtype=torch.float64))


@pytest.mark.parametrize("term", [variance_hinge, covariance_penalty, log_det_entropy])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_equal_finite_differences(term, shape: tuple[int, int]) -> None:
    assert gradcheck(term, batch(*shape).requires_grad_())


@pytest.mark.parametrize("term", [variance_hinge, covariance_penalty, log_det_entropy])
def test_leading_dimensions_are_kept(term) -> None:
    x = batch(3, 2, 9, 4)
    values = term(x)
    assert values.shape == (3, 2)
    torch.testing.assert_close(values[1, 0], term(x[1, 0]))


@pytest.mark.parametrize("term", [variance_hinge, covariance_penalty, log_det_entropy])
def test_half_precision_and_autocast_are_computed_in_float32(term) -> None:
    x = batch(32, 12).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        value = term(x)
        from_wide = term(x.float())
    assert value.dtype == from_wide.dtype == torch.float32
    torch.testing.assert_close(value, term(x.double()).float(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(from_wide, value)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="eps > 0"):
        log_det_entropy(batch(4, 2), eps=0.0)
    with pytest.raises(ValueError, match="at least 2 samples"):
        covariance_penalty(batch(1, 2))

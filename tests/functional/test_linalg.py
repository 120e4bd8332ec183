"""Triangular factors: a Cholesky that reports its jitter, and products that copy no shared factor."""

import warnings

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from jointlaw.functional import _linalg as linalg
from jointlaw.functional._linalg import cholesky, gram, lower_factor, multiply, whiten
from jointlaw.functional._triangular import lower_inverse, lower_product, times_lower, times_lower_transposed


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covariance(*shape: int) -> Tensor:
    root = normal(*shape, shape[-1])
    return root @ root.mT + torch.eye(shape[-1])


def factor(*shape: int) -> Tensor:
    return torch.linalg.cholesky(covariance(*shape))


def test_positive_definite_matrices_are_factored_as_they_stand() -> None:
    matrix = covariance(4, 3, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = cholesky(matrix)
    torch.testing.assert_close(root @ root.mT, matrix)
    assert torch.equal(root, root.tril())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_singular_matrices_get_the_least_jitter_that_helps_and_one_warning_says_how_much(dtype: torch.dtype) -> None:
    samples = normal(3, 8).to(dtype)
    matrix = torch.stack([samples.T @ samples, torch.eye(8, dtype=dtype)])
    with pytest.warns(RuntimeWarning, match=r"1 of 2 .* added up to .*e-\d+ times the mean") as caught:
        root = cholesky(matrix)
    assert len(caught) == 1
    torch.testing.assert_close(root @ root.mT, matrix, rtol=0, atol=2e-3)
    torch.testing.assert_close(root[1], torch.eye(8, dtype=dtype), rtol=0, atol=0)


def test_jitter_is_relative_to_the_diagonal() -> None:
    samples = normal(3, 8)
    with pytest.warns(RuntimeWarning):
        small = cholesky(1e-12 * samples.T @ samples)
    with pytest.warns(RuntimeWarning):
        large = cholesky(1e12 * samples.T @ samples)
    assert small.isfinite().all()
    assert large.isfinite().all()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.tensor([[1.0, 0.0], [0.0, -1.0]]), "positive definite"),
        (torch.zeros(2, 2), "positive definite"),
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (torch.tensor([[1.0, torch.nan], [torch.nan, 1.0]]), "NaN"),
        (torch.tensor([[torch.inf, 0.0], [0.0, 1.0]]), "infinity"),
        (torch.ones(2, 3), "square"),
        (torch.ones(3), "square"),
    ],
)
def test_hopeless_matrices_are_refused_with_a_reason(matrix: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cholesky(matrix)


def test_cholesky_runs_in_float32_under_autocast_and_has_gradients() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert cholesky(covariance(4).bfloat16()).dtype == torch.float32
        x = whiten(normal(3, 4).float(), factor(4).float())
        torch.testing.assert_close(multiply(x, factor(4).float()), normal(3, 4).float())
    root = normal(3, 4).requires_grad_()
    assert gradcheck(lambda a: cholesky(a @ a.mT + torch.eye(3)), [root])


@pytest.mark.parametrize("x", [(5,), (7, 5), (2, 7, 5), (6, 2, 7, 5), (6, 1, 7, 5), (0, 2, 7, 5)], ids=str)
@pytest.mark.parametrize("batch", [(), (1,), (7,), (2, 1), (1, 7), (2, 7), (1, 1)], ids=str)
def test_solves_and_products_broadcast_like_matrices(x: tuple[int, ...], batch: tuple[int, ...]) -> None:
    value, root = normal(*x), factor(*batch, 5)
    wide = normal(*batch, 3, 5)
    expected = torch.linalg.solve(root, value.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(whiten(value, root), expected)
    torch.testing.assert_close(multiply(value, wide), (wide @ value.unsqueeze(-1)).squeeze(-1))


def test_a_shared_factor_is_never_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    solve = torch.linalg.solve_triangular

    def spy(a: Tensor, b: Tensor, *, upper: bool, left: bool = True) -> Tensor:
        seen.append((tuple(a.shape), tuple(b.shape)))
        return solve(a, b, upper=upper, left=left)

    monkeypatch.setattr(linalg.torch.linalg, "solve_triangular", spy)
    whiten(normal(50, 4, 5), factor(1, 1, 5))
    whiten(normal(50, 4, 5), factor(1, 4, 5))
    assert seen == [((5, 5), (200, 5)), ((4, 5, 5), (4, 50, 5))]


def test_qr_gives_the_cholesky_factor_without_the_product() -> None:
    root = normal(2, 4, 6)
    torch.testing.assert_close(lower_factor(root), torch.linalg.cholesky(gram(root)))


@pytest.mark.parametrize("width", [1, 5, 33, 130])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_triangular_blocks_give_the_full_products(width: int, batch: tuple[int, ...]) -> None:
    x, y, root = normal(*batch, 9, width), normal(*batch, 9, width, seed=1), factor(*batch, width)
    torch.testing.assert_close(times_lower(x, root), x @ root)
    torch.testing.assert_close(times_lower_transposed(x, root), x @ root.mT)
    torch.testing.assert_close(lower_product(x, y), (x.mT @ y).tril())
    torch.testing.assert_close(lower_inverse(root), torch.linalg.inv(root))

"""Triangular factors of covariances: a reported Cholesky, products and solves that copy no shared factor."""

import math
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Size, Tensor

LARGEST_JITTER = 1e-3

P = ParamSpec("P")
R = TypeVar("R")


def without_autocast(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function of tensors with autocast off on the device of its first one."""

    @wraps(function)
    def exact(*args: P.args, **kwargs: P.kwargs) -> R:
        tensors: Any = (*args, *kwargs.values())
        device = next(value.device.type for value in tensors if isinstance(value, Tensor))
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return exact


def wide(x: Tensor) -> Tensor:
    """Return ``x`` in float32 or better."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def lead(x: Tensor, ndim: int) -> Tensor:
    """Prepend dimensions of size 1 up to ``ndim`` dimensions."""
    return x[(None,) * (ndim - x.ndim)] if x.ndim < ndim else x


@without_autocast
def cholesky(matrix: Tensor) -> Tensor:
    r"""Lower factor L with L L^T = matrix + j I; j is 0 where the matrix is positive definite as it stands.

    Where it is not, j climbs a ladder of powers of ten times the mean of the diagonal, from 10 machine epsilons to
    1e-3, matrix by matrix, and one warning says how far it went. Half precision is factored in float32.

    Args:
        matrix: symmetric ``[*, E, E]``; the lower triangle is read.

    Raises:
        ValueError: if a matrix is not square, holds NaN or infinity, or is not positive definite at the ladder's end.

    >>> cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"cholesky: expected square matrices [*, E, E], found shape {list(matrix.shape)}. Pass a covariance."
        )
    matrix = wide(matrix)
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(matrix)
    if not info.any():
        return factor
    if not matrix.isfinite().all():
        raise ValueError(
            "cholesky: expected finite covariances, found NaN or infinity. Look for NaN rows or infinite values in "
            "the data, or for a diverged training."
        )
    return _climb(matrix, info > 0)


def _climb(matrix: Tensor, failed: Tensor) -> Tensor:
    """Add jitter to the failed matrices until all are positive definite, and say how much."""
    factor: Tensor
    size = matrix.detach().diagonal(dim1=-2, dim2=-1).mean(-1)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    count, relative = int(failed.sum()), torch.zeros_like(size)
    rung = 10 * torch.finfo(matrix.dtype).eps
    while rung <= 1.001 * LARGEST_JITTER:
        relative = torch.where(failed, rung, relative)
        factor, info = torch.linalg.cholesky_ex(matrix + (relative * size)[..., None, None] * identity)
        failed = info > 0
        if not failed.any():
            warnings.warn(
                f"cholesky: {count} of {size.numel()} matrices were not positive definite; added up to {rung:.0e} "
                "times the mean of the diagonal. Fewer dimensions, more samples or a ridge would avoid it.",
                RuntimeWarning,
                stacklevel=4,
            )
            return factor
        rung = min(10 * rung, LARGEST_JITTER) if rung < LARGEST_JITTER else 2 * LARGEST_JITTER
    raise ValueError(
        f"cholesky: expected positive definite covariances, found {int(failed.sum())} of {size.numel()} that are not, "
        f"even with {LARGEST_JITTER:g} times the mean of the diagonal added. Check that they are symmetric and come "
        "from enough samples, or add a ridge."
    )


@without_autocast
def whiten(x: Tensor, factor: Tensor) -> Tensor:
    """L^-1 x by one triangular solve per distinct factor; a factor of batch size 1 is never copied.

    Args:
        x: vectors ``[*, E]``.
        factor: lower triangular ``[*, E, E]``, its batch broadcast against that of ``x``.
    """
    rows, restore = arrange(x, factor.shape[:-2])
    triangle = squeeze(factor, 2)
    return restore(torch.linalg.solve_triangular(triangle.mT, rows, upper=True, left=False))


@without_autocast
def multiply(x: Tensor, matrix: Tensor) -> Tensor:
    """A x by one matrix product per distinct matrix; a matrix of batch size 1 is never copied.

    Args:
        x: vectors ``[*, E]``.
        matrix: ``[*, F, E]``, its batch broadcast against that of ``x``.
    """
    rows, restore = arrange(x, matrix.shape[:-2])
    return restore(rows @ squeeze(matrix, 2).mT)


@without_autocast
def gram(factor: Tensor) -> Tensor:
    """L L^T for ``[*, E, F]``."""
    return factor @ factor.mT


@without_autocast
def lower_factor(root: Tensor) -> Tensor:
    """The Cholesky factor of A A^T by QR of A^T, which never forms the product: ``[*, E, F]``, F >= E."""
    upper: Tensor = torch.linalg.qr(root.mT).R
    sign = upper.detach().diagonal(dim1=-2, dim2=-1).sign()
    return (upper * torch.where(sign == 0, 1, sign)[..., None]).mT


def arrange(x: Tensor, batch: Size) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Turn ``[*, E]`` into ``[*distinct, rows, E]`` beside parameters of batch shape ``batch``.

    Dimensions in which the parameters have size 1 (or none) become rows; the others stay batch dimensions. The second
    result undoes it for any tensor ``[*distinct, rows, F]``, giving ``[*, F]``.
    """
    x = lead(x, len(batch) + 1)
    own = (1,) * (x.ndim - 1 - len(batch)) + tuple(batch)
    distinct = [i for i, size in enumerate(own) if size != 1]
    shared = [i for i, size in enumerate(own) if size == 1]
    x = x.expand(*(size if size != 1 else x.shape[i] for i, size in enumerate(own)), x.shape[-1])
    shape = [x.shape[i] for i in (*distinct, *shared)]
    count = math.prod(shape[len(distinct) :])
    rows = x.permute(*distinct, *shared, x.ndim - 1).reshape(*shape[: len(distinct)], count, x.shape[-1])
    back = sorted(range(len(shape)), key=(distinct + shared).__getitem__)

    def restore(y: Tensor) -> Tensor:
        return y.reshape(*shape, y.shape[-1]).permute(*back, len(shape))

    return rows, restore


def squeeze(x: Tensor, event: int) -> Tensor:
    """Drop the batch dimensions of size 1, all but the last ``event`` dimensions."""
    kept = [size for size in x.shape[: x.ndim - event] if size != 1]
    return x.reshape(*kept, *x.shape[x.ndim - event :])

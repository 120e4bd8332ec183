"""Products with lower triangular matrices that skip most of the zeros, column block by column block."""

import torch
from torch import Tensor

BLOCKS = 4
NARROWEST = 32


def times_lower_transposed(x: Tensor, lower: Tensor) -> Tensor:
    """X P^T of ``[C, N, E]`` and lower triangular ``[C, E, E]``."""
    result = torch.empty_like(x)
    for start, stop in _columns(x):
        torch.matmul(x[..., :stop], lower[..., start:stop, :stop].mT, out=result[..., start:stop])
    return result


def times_lower(x: Tensor, lower: Tensor) -> Tensor:
    """X P of ``[C, N, E]`` and lower triangular ``[C, E, E]``."""
    result = torch.empty_like(x)
    for start, stop in _columns(x):
        torch.matmul(x[..., start:], lower[..., start:, start:stop], out=result[..., start:stop])
    return result


def lower_product(x: Tensor, y: Tensor) -> Tensor:
    """The lower triangle of X^T Y, ``[C, E, E]``, of two ``[C, N, E]``."""
    result = x.new_zeros(*x.shape[:-2], x.shape[-1], x.shape[-1])
    for start, stop in _columns(x):
        torch.matmul(x[..., start:].mT, y[..., start:stop], out=result[..., start:, start:stop])
    return result.tril_()


def lower_inverse(factor: Tensor) -> Tensor:
    """L^-1 of lower triangular ``[*, E, E]``, half by half, so that nearly all of it is matrix products."""
    dim = factor.shape[-1]
    if dim <= 2 * NARROWEST:
        identity = torch.eye(dim, dtype=factor.dtype, device=factor.device)
        small: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
        return small
    half = dim // 2
    result = torch.zeros_like(factor)
    result[..., :half, :half] = lower_inverse(factor[..., :half, :half])
    result[..., half:, half:] = lower_inverse(factor[..., half:, half:])
    left = result[..., half:, half:] @ factor[..., half:, :half]
    result[..., half:, :half] = -(left @ result[..., :half, :half])
    return result


def _columns(x: Tensor) -> list[tuple[int, int]]:
    width = x.shape[-1]
    step = max(NARROWEST, -(-width // BLOCKS))
    return [(start, min(start + step, width)) for start in range(0, width, step)]

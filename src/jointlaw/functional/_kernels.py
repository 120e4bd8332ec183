r"""Positive definite kernels of two sets of points.

All but the linear one see the points through r = ||(x - y) / length||, in which ``length`` (embedding units) is one
number or one per coordinate. Half precision is computed in float32, under autocast too.
"""

import math

import torch
from torch import Tensor

from jointlaw.functional._linalg import wide, without_autocast


def rbf(x: Tensor, y: Tensor | None = None, length: Tensor | float = 1.0) -> Tensor:
    r"""Radial basis function kernel, k(x, y) = exp(-r^2 / 2).

    Args:
        x: ``[*, B, d]``.
        y: ``[*, M, d]`` (default: ``x``, which makes the diagonal exactly one).
        length: above zero; one number or ``[d]``.

    Returns:
        ``[*, B, M]``.

    Source: Rasmussen and Williams (2006), "Gaussian processes for machine learning", eq. 4.9.

    >>> rbf(torch.zeros(1, 2), torch.ones(1, 2)).log()
    tensor([[-1.]])
    """
    return squared_distances(x, y, length).mul(-0.5).exp()


def matern12(x: Tensor, y: Tensor | None = None, length: Tensor | float = 1.0) -> Tensor:
    r"""Matern kernel of smoothness 1/2, k(x, y) = exp(-r): continuous, nowhere differentiable functions.

    Arguments and result as for :func:`rbf`.

    Source: Rasmussen and Williams (2006), eq. 4.17.
    """
    return (-_distances(x, y, length)).exp()


def matern32(x: Tensor, y: Tensor | None = None, length: Tensor | float = 1.0) -> Tensor:
    r"""Matern kernel of smoothness 3/2, k(x, y) = (1 + s) exp(-s), s = sqrt(3) r: once differentiable functions.

    Arguments and result as for :func:`rbf`.

    Source: Rasmussen and Williams (2006), eq. 4.17.
    """
    s = math.sqrt(3) * _distances(x, y, length)
    return (1 + s) * (-s).exp()


def matern52(x: Tensor, y: Tensor | None = None, length: Tensor | float = 1.0) -> Tensor:
    r"""Matern kernel of smoothness 5/2, k(x, y) = (1 + s + s^2 / 3) exp(-s), s = sqrt(5) r: twice differentiable.

    Arguments and result as for :func:`rbf`.

    Source: Rasmussen and Williams (2006), eq. 4.17.
    """
    s = math.sqrt(5) * _distances(x, y, length)
    return (1 + s + s.square() / 3) * (-s).exp()


@without_autocast
def linear(x: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Linear kernel, k(x, y) = x^T y: linear functions through the origin.

    Args:
        x: ``[*, B, d]``.
        y: ``[*, M, d]`` (default: ``x``).

    Returns:
        ``[*, B, M]``.
    """
    return wide(x) @ wide(x if y is None else y).mT


@without_autocast
def squared_distances(x: Tensor, y: Tensor | None = None, length: Tensor | float = 1.0) -> Tensor:
    """Squared distances r^2 ``[*, B, M]`` by one matrix product, never negative; arguments as for :func:`rbf`."""
    # Distances do not see a common shift; taking out the mean keeps the product's cancellation small.
    centre = x.detach().mean(-2, keepdim=True)
    a = (wide(x) - centre) / length
    b = a if y is None else (wide(y) - centre) / length
    sizes = a.square().sum(-1)[..., :, None] + b.square().sum(-1)[..., None, :]
    square = (sizes - 2 * (a @ b.mT)).clamp_min(0)
    if y is None:
        same = torch.eye(square.shape[-1], dtype=torch.bool, device=square.device)
        square = square.masked_fill(same, 0)
    return square


def _distances(x: Tensor, y: Tensor | None, length: Tensor | float) -> Tensor:
    """Distances r, with gradient zero where two points coincide (a kernel has its top there)."""
    square = squared_distances(x, y, length)
    return square.clamp_min(torch.finfo(square.dtype).tiny).sqrt()

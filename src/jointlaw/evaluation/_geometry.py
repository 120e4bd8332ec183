"""The shape of a cloud of embeddings on the unit sphere: alignment and uniformity."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from jointlaw import _check as check

_ROWS = 2048  # samples per step of the sums below: bounds the memory, does not change the values


@torch.no_grad()
def alignment(context: Tensor, target: Tensor) -> float:
    r"""Mean squared distance of positive pairs on the unit sphere, ``mean_b ||c_b / |c_b| - t_b / |t_b| ||^2``.

    Between 0 (equal directions) and 4 (opposite ones): mean over samples, sum over width. An embedding of zeros has no
    direction and stays at the origin.

    Args:
        context: ``[B, D]``.
        target: ``[B, D]``, of the same samples.

    Raises:
        ValueError: if the shapes differ.

    Source: Wang and Isola (2020), arXiv 2005.10242, eq. 2 with exponent 2.

    Differs from the authors' code in: it normalises its arguments itself.

    >>> alignment(torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.tensor([[2.0, 0.0], [0.0, -1.0]]))
    2.0
    """
    check.embeddings("alignment", context, least_batch=1)
    if context.shape != target.shape:
        raise ValueError(
            f"alignment: expected pairs, found shapes {list(context.shape)} and {list(target.shape)}. "
            "Embed two views of the same samples."
        )
    squared = (_directions(context) - _directions(target)).square().sum(dim=-1)
    return squared.mean().item()


@torch.no_grad()
def uniformity(z: Tensor, t: float = 2.0) -> float:
    r"""``log mean_{i < j} exp(-t ||u_i - u_j||^2)``, ``u = z / |z|``, in nats: the lower, the more evenly spread.

    Between ``-4 t`` and 0 (all directions equal). The mean is over all pairs of samples, which costs ``B^2 D``
    operations in memory linear in B. An embedding of zeros has no direction and stays at the origin.

    Args:
        z: embeddings ``[B, D]``, B >= 2.
        t: above zero.

    Source: Wang and Isola (2020), arXiv 2005.10242, eq. 3.

    Differs from the authors' code in: it normalises its argument itself.

    >>> uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]))
    -8.0
    """
    check.embeddings("uniformity", z)
    check.positive("uniformity", t=t)
    points = _directions(z)
    squares = points.square().sum(dim=-1)  # one, or zero at the origin
    total = 0.0
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        squared = squares[rows, None] + squares[start:] - 2 * points[rows] @ points[start:].T
        total += squared.mul(-t).exp().triu(diagonal=1).sum().item()  # pairs i < j only
    return math.log(total / math.comb(len(points), 2))


def _directions(z: Tensor) -> Tensor:
    return F.normalize(z.double(), dim=-1, eps=torch.finfo(torch.float64).tiny)

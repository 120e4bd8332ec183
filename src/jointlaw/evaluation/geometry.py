"""The shape of a cloud of embeddings: its spectrum, effective rank, alignment and uniformity."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from jointlaw import check

_ROWS = 2048  # samples per step of the sums below: bounds the memory, does not change the values


@torch.no_grad()
def spectrum(z: Tensor, centre: bool = True) -> Tensor:
    r"""Singular values of the batch, descending, ``[min(B, D)]`` in float64 and embedding units.

    They are the roots of the eigenvalues of the smaller of ``Z^T Z`` and ``Z Z^T``, summed in float64 a few samples
    at a time. Values below ``1e-8 sqrt(max(B, D))`` of the largest are lost to rounding and come back as 0.

    Args:
        z: embeddings ``[B, D]``.
        centre: subtract the mean over samples first.
    """
    check.embeddings("spectrum", z, least_batch=1)
    mean = z.mean(dim=0, dtype=torch.float64) if centre else z.new_zeros(z.shape[1], dtype=torch.float64)
    if z.shape[0] < z.shape[1]:
        rows = z.double() - mean
        gram = rows @ rows.T  # [B, B]
    else:
        gram = sum((rows.T @ rows for rows in _centred(z, mean)), start=torch.zeros_like(mean).diag())  # [D, D]
    values = torch.linalg.eigvalsh(gram).flip(0)
    noise = values[0].clamp_min(0) * max(z.shape) * torch.finfo(torch.float64).eps
    return torch.where(values > noise, values, 0.0).sqrt()


@torch.no_grad()
def rankme(z: Tensor) -> float:
    r"""Effective rank ``exp(-sum_k p_k log p_k)``, ``p_k = s_k / sum_j s_j``, ``s`` the singular values of the batch.

    Between 1 (all samples on one line through the origin) and ``min(B, D)``. The batch is *not* centred and no
    epsilon is added (``0 log 0 = 0``). A batch of zeros has rank 0.

    Args:
        z: embeddings ``[B, D]``; more samples than D, or the value is bounded by their number.

    Source: Garrido et al. (2023), arXiv 2210.02885, eq. 1-3.

    Differs from the authors' code in: no epsilon (they add 1e-7 to every ``p_k``), so a batch of rank one gives
    exactly 1.

    Example:
        >>> round(rankme(torch.eye(5)), 6)
        5.0
    """
    values = spectrum(z, centre=False)
    total = values.sum()
    if total == 0:
        return 0.0
    return math.exp(torch.special.entr(values / total).sum().item())


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


def _centred(z: Tensor, mean: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(z), _ROWS):
        yield z[start : start + _ROWS].double() - mean

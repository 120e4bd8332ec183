"""The spectrum of a cloud of embeddings, and its effective rank."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from jointlaw import _check as check

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


def _centred(z: Tensor, mean: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(z), _ROWS):
        yield z[start : start + _ROWS].double() - mean

"""Singular vectors of a batch, by the cheaper of two ways where it is exact."""

import torch
from torch import Tensor

UNITS_PER_SAMPLE = 4


def singular_vectors(
    columns: Tensor, samples: int | None, generator: torch.Generator, *, lower: bool = False
) -> Tensor:
    """Right singular vectors of a centred view, descending, ``[n, D]``; with ``lower`` the half of the least values.

    Args:
        columns: ``[D, B]``, one sample per column.
        samples: at most so many of them are looked at, and four units for each, drawn anew; None is all.
        generator: draws samples and units.
        lower: only the lower half.
    """
    if samples is None:
        return _of_all(columns, lower)
    dim, rows = columns.shape[0], columns.T  # columns are a view of contiguous samples
    if samples < len(rows):
        rows = rows[torch.randperm(len(rows), generator=generator, device=rows.device)[:samples]]
    most = UNITS_PER_SAMPLE * len(rows)
    if most >= dim:
        return _of_all(rows.T, lower)
    units = torch.randperm(dim, generator=generator, device=rows.device)[:most]
    vectors = _of_all(rows.T[units], lower)
    return vectors.new_zeros(len(vectors), dim).index_copy_(1, units, vectors)


def _of_all(columns: Tensor, lower: bool) -> Tensor:
    """The vectors of all samples and units, ``min(D, M - 1)`` or the lower half of them.

    They are orthonormal also for collapsed and for non-finite samples: it is the loss that has to tell of these.
    """
    dim, samples = columns.shape
    finite = columns.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    centred = finite - finite.mean(dim=1, keepdim=True)
    given = min(samples - 1, dim)
    first = given // 2 if lower else 0
    vectors = _by_products(centred, given - first)
    if vectors is None:
        vectors = torch.linalg.svd(centred, full_matrices=False).U.T[first:given]
    return vectors.contiguous()


def _by_products(centred: Tensor, count: int) -> Tensor | None:
    """The last singular vectors, from eigenvectors of the samples' products; ``None`` where inexact.

    Two thirds of the cost of a decomposition. Squared in float64, singular values keep their digits down to 1e-5 of
    the largest. Lower are those of silent samples, which are all alike; on some LAPACK's solver did not even converge.
    """
    dim, samples = centred.shape
    if not 2 <= samples <= dim:
        return None
    exact = centred.double()
    try:
        squares, weights = torch.linalg.eigh(exact.T @ exact)  # ascending; the first is zero, that of the mean
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return None
    if not squares[1] > 1e-10 * squares[-1]:
        return None
    wanted = slice(1, count + 1)
    vectors: Tensor = (weights[:, wanted] / squares[wanted].sqrt()).T @ exact.T
    return vectors.flip(0).to(centred.dtype)

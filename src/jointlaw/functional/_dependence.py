"""Dependence between variables by kernels: the Hilbert-Schmidt independence criterion."""

import torch
from torch import Tensor

from jointlaw import _check as check


def gaussian_kernel(x: Tensor, width: Tensor | float | None = None) -> Tensor:
    r"""Gaussian kernel matrix of the samples, ``k(a, b) = exp(-||a - b||^2 / (2 width^2))``.

    Without a width it is the median of the *non-zero* pairwise distances, taken without gradient. Zeros are left out
    because in sparse embeddings most pairs of samples coincide, which would make the plain median zero. Where all
    samples coincide the kernel is one everywhere.

    Args:
        x: ``[..., B, d]``; leading dimensions are a batch of independent problems. Half precision is computed in
            float32, under autocast too.
        width: above zero, in embedding units; broadcasts against the leading dimensions.

    Returns:
        ``[..., B, B]``.
    """
    distance = _distances(x)
    if width is None:
        width = _median_distance(distance.detach())
    scale = torch.as_tensor(width, dtype=distance.dtype, device=distance.device)[..., None, None]
    # In place where autograd keeps nothing: fresh matrices of this size cost as much as the arithmetic.
    return (distance / scale).square().mul_(-0.5).exp_()


def hsic(x: Tensor, y: Tensor) -> Tensor:
    r"""Hilbert-Schmidt independence criterion of paired samples, with Gaussian kernels of median width.

    ``HSIC = tr(K_x H K_y H) / (B - 1)^2``, ``H = I - 11^T / B``. The estimate is biased: under independence its
    expectation is of order ``1 / B``, not zero. Dimensionless, between 0 and 1; differentiable in both arguments.

    Args:
        x: ``[..., B, d_x]``.
        y: ``[..., B, d_y]`` with the same B, samples paired with those of ``x``; leading dimensions broadcast.

    Returns:
        ``[...]``, one value per problem (no reduction over leading dimensions).

    Raises:
        ValueError: fewer than two samples, or different numbers of samples.

    Source: Gretton et al. (2005), "Measuring statistical dependence with Hilbert-Schmidt norms", eq. 9;
        as an objective: Huang (2026), arXiv 2603.26799, appendix I.

    Differs from the authors' code in: the median leaves out zero distances.

    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> bool(hsic(x, x.square()) > 0.01 > hsic(x, torch.randn(50, 1, generator=torch.Generator().manual_seed(0))))
    True
    """
    _check_pair("hsic", x, y)
    return _inner(_centred_kernel(x), _centred_kernel(y)) / (x.shape[-2] - 1) ** 2


def nhsic(x: Tensor, y: Tensor) -> Tensor:
    r"""Normalised HSIC: ``HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y))``, between 0 (independent) and 1 (``x = y``).

    It does not change when ``x`` or ``y`` is shifted, scaled or rotated. A constant variable is independent of
    everything: its value is 0. The bias of :func:`hsic` stays: independent normal variables give about 0.04 with 64
    samples, 0.002 with 1,000.

    Args:
        x: ``[..., B, d_x]``.
        y: ``[..., B, d_y]``, samples paired with those of ``x``; leading dimensions broadcast.

    Returns:
        ``[...]``, one value per problem (no reduction over leading dimensions).

    Raises:
        ValueError: fewer than two samples, or different numbers of samples.

    Source: Gretton et al. (2005), eq. 9, normalised as a correlation; a measure of Kuang et al. (2026),
        arXiv 2602.01456.

    Differs from the authors' code in: the median leaves out zero distances.

    Example:
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> round(nhsic(x, x).item(), 6), bool(nhsic(x, x.square()) > 0.1)
        (1.0, True)
    """
    _check_pair("nhsic", x, y)
    kernel_x, kernel_y = _centred_kernel(x), _centred_kernel(y)
    square = _inner(kernel_x, kernel_x) * _inner(kernel_y, kernel_y)
    alive = square > 0
    # The inner `where` keeps the gradient of a constant variable at zero instead of nan.
    return torch.where(alive, _inner(kernel_x, kernel_y) / torch.where(alive, square, 1.0).sqrt(), 0.0)


@torch.no_grad()
def mean_nhsic(z: Tensor, pairs: int = 64, rows: int = 1000, seed: int = 0) -> float:
    r"""Mean :func:`nhsic` over random pairs of different coordinates: 0 if they are pairwise independent.

    Pairs are drawn with replacement, samples (at most ``rows`` of them, because the kernels cost ``rows^2``) without.
    Pairs with a dead unit count as 0, so read it next to the share of dead units; and compare only values of equal
    ``min(B, rows)``, for the bias depends on it.

    Args:
        z: embeddings ``[B, D]``, D >= 2.
        pairs: number of pairs of coordinates.
        rows: number of samples used, at most.
        seed: determines which samples and pairs, whatever the device.

    Raises:
        ValueError: ``z`` has fewer than two coordinates or two samples, or a number is below 1 (``rows``: 2).

    Source: Kuang et al. (2026), arXiv 2602.01456 (there over pairs of coordinates of the embeddings).

    Differs from the authors' code in: number of pairs and samples, and the median leaves out zero distances.
    """
    check.embeddings("mean_nhsic", z)
    check.at_least("mean_nhsic", 2, dim=z.shape[-1], rows=rows)
    check.at_least("mean_nhsic", 1, pairs=pairs)
    generator = torch.Generator().manual_seed(seed)
    kept = torch.randperm(z.shape[0], generator=generator)[:rows].to(z.device)
    first = torch.randint(z.shape[1], (pairs,), generator=generator)
    second = (first + 1 + torch.randint(z.shape[1] - 1, (pairs,), generator=generator)) % z.shape[1]
    units = z[kept].T.unsqueeze(-1)  # [D, B, 1]
    # One pair at a time: its kernels stay in the cache, and several take 1.7 times as long each.
    values = [nhsic(units[i], units[j]) for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    return torch.stack(values).double().mean().item()


def _check_pair(where: str, x: Tensor, y: Tensor) -> None:
    check.embeddings(where, x)
    check.embeddings(where, y)
    if x.shape[-2] != y.shape[-2]:
        raise ValueError(
            f"{where}: expected paired samples, found {x.shape[-2]} and {y.shape[-2]} of them. "
            "Pass the same samples in the same order."
        )


def _distances(x: Tensor) -> Tensor:
    """Euclidean distances ``[..., B, B]`` between samples, exactly zero between equal ones."""
    exact = x if x.dtype == torch.float64 else x.float()
    if x.shape[-1] == 1:
        return (exact - exact.mT).abs()
    # Not by matrix product: rounding would leave equal samples a little apart, and the median would count them.
    return torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist")


def _median_distance(distance: Tensor) -> Tensor:
    """Median ``[...]`` of the non-zero distances, 1 where there are none."""
    size = distance.shape[-1]
    row, column = torch.triu_indices(size, size, device=distance.device)
    pairs = distance.flatten(-2).index_select(-1, row.mul_(size).add_(column))  # each once, half the time
    return pairs.masked_fill_(pairs == 0, torch.nan).nanmedian(dim=-1).values.nan_to_num(nan=1.0)


def _centred_kernel(x: Tensor) -> Tensor:
    """``H K H``."""
    kernel = gaussian_kernel(x)
    rows = kernel.mean(dim=-1, keepdim=True)
    return (kernel - rows).sub_(rows.mT).add_(rows.mean(dim=-2, keepdim=True))


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(-2, -1))

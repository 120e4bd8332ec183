"""How sparse embeddings are. High values of ``l0`` and ``l1`` mean dense embeddings."""

import math

import numpy as np
import torch
from scipy.stats import differential_entropy
from torch import Tensor

from jointlaw import _check as check


@torch.no_grad()
def l0(z: Tensor) -> float:
    r"""Share of non-zero coordinates, ``mean_b ||z_b||_0 / D``, between 0 and 1 (dense): mean over samples and width.

    Under a law its expectation is the law's ``activity``.

    Args:
        z: embeddings ``[B, D]``.

    Source: Kuang et al. (2026), arXiv 2602.01456.

    Differs from the authors' code in: nothing.

    Example:
        >>> l0(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
        0.25
    """
    check.embeddings("l0", z, least_batch=1)
    return torch.count_nonzero(z).item() / z.numel()


@torch.no_grad()
def l1(z: Tensor) -> float:
    r"""Soft sparsity ``mean_b (||z_b||_1 / ||z_b||_2)^2 / D``, between 1/D (one unit) and 1 (all equally active).

    The mean is over samples; it does not change when a sample is scaled. A sample of zeros counts as 0.

    Args:
        z: embeddings ``[B, D]``.

    Source: Kuang et al. (2026), arXiv 2602.01456.

    Differs from the authors' code in: samples of zeros are defined, as 0.

    Example:
        >>> l1(torch.tensor([[3.0, 3.0], [0.0, 5.0]]))
        0.75
    """
    check.embeddings("l1", z, least_batch=1)
    exact = z.double()
    # Scaled to a largest entry of one first, so that tiny samples do not underflow when squared.
    exact = exact / exact.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    squared = exact.square().sum(dim=-1)
    ratio = exact.abs().sum(dim=-1).square() / torch.where(squared > 0, squared, 1.0)
    return ratio.mean().item() / z.shape[-1]


@torch.no_grad()
def unit_activity(z: Tensor) -> Tensor:
    """Share of samples for which each unit is not zero, ``[D]`` in float64: mean over samples.

    Args:
        z: embeddings ``[B, D]``.

    >>> unit_activity(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
    tensor([0.0000, 0.5000], dtype=torch.float64)
    """
    check.embeddings("unit_activity", z, least_batch=1)
    return torch.count_nonzero(z, dim=0).double() / z.shape[0]


@torch.no_grad()
def dead_units(z: Tensor) -> float:
    """Share of units that are zero for every sample: the dead units of rectified embeddings.

    A rare unit looks dead in a small sample: under activity ``a`` a healthy one is silent with probability
    ``(1 - a)^B``. Count over 5,000 samples or more.

    Args:
        z: embeddings ``[B, D]``.

    >>> dead_units(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
    0.5
    """
    check.embeddings("dead_units", z, least_batch=1)
    return (~(z != 0).any(dim=0)).double().mean().item()


FEWEST_VALUES = 8
"""Fewer non-zero values than this say nothing about a density."""


@torch.no_grad()
def unit_entropy(z: Tensor) -> Tensor:
    r"""Estimated d-dimensional (Renyi) entropy of each unit, ``H2(pi_j) + pi_j h_j``, ``[D]`` in float64 and nats.

    ``pi_j`` is the measured share of non-zero values, H2 the binary entropy and ``h_j`` the differential entropy of
    those values, by spacings (SciPy's ``differential_entropy``). Units with fewer than eight non-zero values, or with
    values so often repeated that a spacing vanishes, give NaN: there is no density to estimate ``h_j`` from. Under a
    law the mean over units approaches its ``renyi_entropy``.

    Args:
        z: embeddings ``[B, D]``.

    Source: Kuang et al. (2026), arXiv 2602.01456 (the entropy that their law maximises).

    >>> z = torch.rand(10_000, 2, generator=torch.Generator().manual_seed(0))
    >>> unit_entropy(z * torch.tensor([1.0, 0.0])).round(decimals=2)  # of uniform values; of none
    tensor([-0.0100,     nan], dtype=torch.float64)
    """
    check.embeddings("unit_entropy", z)
    return torch.tensor([_entropy(unit[unit != 0], len(unit)) for unit in z.double().T], dtype=torch.float64)


def _entropy(values: Tensor, count: int) -> float:
    share = len(values) / count
    if len(values) < FEWEST_VALUES:
        return float("nan")
    weights = torch.tensor([share, 1 - share], dtype=torch.float64)
    binary = -torch.special.xlogy(weights, weights).sum().item()
    with np.errstate(divide="ignore"):  # a spacing of zero has a logarithm of -inf
        spread = float(differential_entropy(values.numpy(force=True)))
    return binary + share * spread if math.isfinite(spread) else float("nan")

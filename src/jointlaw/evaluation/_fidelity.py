"""Whether each unit of a batch follows the law it was matched to.

All functions take embeddings ``[B, D]`` on the law's device, and a law whose batch shape is ``[]`` (one for all units)
or ``[D]`` (one for each); a law may have an atom at zero, and nowhere else.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from jointlaw import _check as check

_ROWS = 1024  # samples per evaluation of a law: bounds the memory, does not change the values


class Quantiles(NamedTuple):
    """Quantiles of the units against those of their law, for a quantile-quantile plot.

    Attributes:
        probability: ``[P]``, ascending, inside (0, 1).
        law: ``[P]``, the law's quantiles, in embedding units.
        pooled: ``[P]``, quantiles of all units' values together.
        lower: ``[P]``, the lower edge of the band: for a band of 90 %, the quantiles of 5 % of the units lie below it.
        upper: ``[P]``, the upper edge of the band: the quantiles of as many units lie above it.
    """

    probability: Tensor
    law: Tensor
    pooled: Tensor
    lower: Tensor
    upper: Tensor


@torch.no_grad()
def unit_quantiles(z: Tensor, law: Distribution, points: int = 200, band: float = 0.9) -> Quantiles:
    r"""Sample quantiles, pooled over units and as a band of single units, beside the law's.

    A sample quantile is the inverse of the empirical distribution function, ``x_(ceil(n q))``, just as the law's
    quantile is the inverse of its distribution function: nothing is interpolated between an atom and the values above
    it. Half of the probabilities are spread evenly over (0, 1), the others over the part of the law above zero, which
    would get too few of them where the law is sparse.

    Args:
        z: embeddings ``[B, D]``.
        law: of batch shape ``[]`` or ``[1]``.
        points: number of probabilities P.
        band: share of the units between ``lower`` and ``upper``; the others lie half below and half above.

    Returns:
        Float64 tensors ``[P]``.

    Raises:
        ValueError: if units have laws of their own, or a number is out of range.

    >>> law = torch.distributions.Normal(0.0, 1.0)
    >>> quantiles = unit_quantiles(law.icdf(torch.linspace(0.01, 0.99, 99)[:, None]), law, points=2)
    >>> (quantiles.pooled - quantiles.law).abs().max() < 1e-3
    tensor(True)
    """
    _check("unit_quantiles", z, law)
    check.at_least("unit_quantiles", 2, points=points)
    check.fraction("unit_quantiles", band=band)
    if law.batch_shape.numel() != 1:
        raise ValueError(
            f"unit_quantiles: expected one law for all units, found batch shape {list(law.batch_shape)}. "
            "Call it with the units of one law at a time."
        )
    above_zero = 1 - _cdf(law, z.new_zeros(1, dtype=torch.float64))
    everywhere, above = (_midpoints(count, z) for count in (points // 2, points - points // 2))
    probability = torch.cat([everywhere, 1 - above_zero * (1 - above)]).sort().values
    units = _at(_sorted(z), probability)  # [P, D]
    lower, upper = (_at(units.T.sort(dim=0).values, z.new_tensor([tail])) for tail in ((1 - band) / 2, (1 + band) / 2))
    pooled = _at(_sorted(z.reshape(-1, 1)), probability)
    expected = law.icdf(probability[:, None])
    return Quantiles(probability, *(part.double().flatten() for part in (expected, pooled, lower, upper)))


@torch.no_grad()
def ks_distance(z: Tensor, law: Distribution) -> Tensor:
    r"""Kolmogorov-Smirnov distance of each unit, ``sup_x |F_B(x) - F(x)|``, ``[D]`` in float64 (maximum over samples).

    The supremum is taken on both sides of every sample, with the law's left limit at its atom: zeros add nothing to the
    distance if their share is the law's. Dimensionless, between 0 and 1. For samples of a continuous law it exceeds
    ``1.36 / sqrt(B)`` with probability 5 %, and more rarely for a law with an atom.

    Args:
        z: embeddings ``[B, D]``.
        law: of batch shape ``[]`` or ``[D]``.

    >>> ks_distance(torch.zeros(10, 2), torch.distributions.Normal(0.0, 1.0))
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    _check("ks_distance", z, law)
    values = _sorted(z)
    count = len(values)
    before_zero = _cdf(law, z.new_full((1,), -torch.finfo(torch.float64).tiny, dtype=torch.float64))
    worst = z.new_zeros(z.shape[1], dtype=torch.float64)
    for start in range(0, count, _ROWS):
        x = values[start : start + _ROWS].double()
        rank = torch.arange(start, start + len(x), device=z.device, dtype=torch.float64)[:, None]
        at = _cdf(law, x)
        before = torch.where(x == 0, before_zero, at)
        # Among equal samples the last has the true value of F_B, the first its left limit; the others are no worse.
        worst = torch.stack([worst, ((rank + 1) / count - at).amax(dim=0), (before - rank / count).amax(dim=0)]).amax(0)
    return worst


@torch.no_grad()
def wasserstein_units(z: Tensor, law: Distribution) -> Tensor:
    r"""2-Wasserstein distance of each unit to its law, ``[D]`` in float64 and embedding units.

    ``sqrt(mean_i (x_(i) - F^-1((i - 1/2) / B))^2)``: the mean is over the sorted samples, the law's quantile function
    taken at the middle of each sample's share. Samples of the law itself do not reach 0, but a floor that falls with B.

    Args:
        z: embeddings ``[B, D]``.
        law: of batch shape ``[]`` or ``[D]``.

    >>> law = torch.distributions.Normal(0.0, 1.0)
    >>> wasserstein_units(law.icdf(torch.linspace(0.05, 0.95, 10)[:, None]) + 3, law)
    tensor([3.0000], dtype=torch.float64)
    """
    _check("wasserstein_units", z, law)
    values, middle = _sorted(z), _midpoints(len(z), z)[:, None]  # [B, D], [B, 1]
    total = z.new_zeros(z.shape[1], dtype=torch.float64)
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        total += (values[rows].double() - law.icdf(middle[rows]).double()).square().sum(dim=0)
    return (total / len(values)).sqrt()


def _check(where: str, z: Tensor, law: Distribution) -> None:
    check.embeddings(where, z)
    if z.ndim != 2 or law.event_shape or tuple(law.batch_shape) not in ((), (1,), (z.shape[1],)):
        raise ValueError(
            f"{where}: expected embeddings [batch, dim] and a law of batch shape [] or [dim], found {list(z.shape)}, "
            f"batch shape {list(law.batch_shape)} and event shape {list(law.event_shape)}. Expand the law to the units."
        )


def _cdf(law: Distribution, x: Tensor) -> Tensor:
    """The law's distribution function, with 0 below and 1 above its support, where the law itself raises an error."""
    median = law.icdf(x.new_tensor(0.5)).to(x.dtype)
    support: Any = law.support  # torch declares it optional for laws that have none
    inside = support.check(x)
    return torch.where(inside, law.cdf(torch.where(inside, x, median)).to(x.dtype), (x > median).to(x.dtype))


def _sorted(z: Tensor) -> Tensor:
    """Every column ascending, ``[B, D]``."""
    return z.detach().T.contiguous().sort(dim=1).values.T  # sorting rows is faster than sorting columns


def _midpoints(count: int, like: Tensor) -> Tensor:
    return (torch.arange(count, device=like.device, dtype=torch.float64) + 0.5) / count


def _at(ascending: Tensor, probability: Tensor) -> Tensor:
    """Values ``x_(ceil(n q))`` of sorted columns ``[n, D]`` at the probabilities ``[P]``: ``[P, D]``."""
    count = len(ascending)
    # Without the small number, rounding could make 3.0000000001 of n q = 3, and choose the 4th value.
    rank = (probability.double() * count - 1e-9).ceil().long()
    return ascending[rank.clamp(1, count) - 1]

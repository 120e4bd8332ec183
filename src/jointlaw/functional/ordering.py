"""Expected order statistics of projections of independent units, without drawing a sample.

Everything here is computed once per law and batch size, on the CPU in float64.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

REACH = 8.0  # nodes lie in [-8, 8] standard deviations of a normal score: the mass beyond is 1e-15


def scores(step: float) -> Tensor:
    """Equally spaced normal scores t; their levels are ``u = Phi(t)``."""
    half = math.ceil(REACH / step)
    return torch.linspace(-REACH, REACH, 2 * half + 1, dtype=torch.float64)


def expected_order_statistics(quantile: Callable[[Tensor], Tensor], batch: int) -> Tensor:
    r"""Expected values of the sorted sample of size B of a law with quantile function Q.

    .. math:: E X_{(i)} = \int Q(\Phi(t)) \, \beta_{i, B - i + 1}(\Phi(t)) \, \phi(t) \, dt

    by the trapezoid rule in t with steps of a sixth of the narrowest density (relative error 1e-12 for smooth Q,
    about 1e-4 deviations where Q has a kink).

    Args:
        quantile: maps normal scores t ``[T]`` to ``Q(Phi(t))``, ``[..., T]`` (float64).
        batch: B.

    Returns:
        ``[..., B]`` ascending, float64.
    """
    t = scores(min(0.02, 0.2 / math.sqrt(batch)))
    values = quantile(t)
    below, above = torch.special.log_ndtr(t), torch.special.log_ndtr(-t)
    parts = []
    for ranks in torch.arange(batch, dtype=torch.float64).split(256):  # type: ignore[no-untyped-call]  # bounds memory for large batches
        log_weights = ranks[:, None] * below + (batch - 1 - ranks)[:, None] * above - t.square() / 2
        weights = torch.softmax(log_weights, dim=1)  # the normalising constants drop out
        parts.append(values @ weights.T)
    return torch.cat(parts, dim=-1)


def cornish_fisher_basis(batch: int) -> Tensor:
    """Expected ``1, x, x^2 - 1, x^3 - 3x, 2x^3 - 5x`` of the sorted normal sample: ``[5, B]``."""
    return expected_order_statistics(lambda x: torch.stack((x**0, x, x**2 - 1, x**3 - 3 * x, 2 * x**3 - 5 * x)), batch)


def cornish_fisher(power_sums: Tensor, cumulants: Tensor) -> Tensor:
    """Coefficients ``[n, 5]`` of the fourth-order Cornish-Fisher expansion of c^T y on `cornish_fisher_basis`.

    Args:
        power_sums: ``sum_j c_j^r``, r = 1 ... 4, ``[n, 4]``.
        cumulants: of one unit, ``[4]``.
    """
    mean, variance, third, fourth = (power_sums * cumulants).unbind(1)
    scale = variance.sqrt()
    skewness, excess = third / scale**3, fourth / variance**2
    return torch.stack((mean, scale, scale * skewness / 6, scale * excess / 24, -scale * skewness**2 / 36), dim=1)


def cumulants(raw: Tensor) -> Tensor:
    """First four cumulants ``[4]`` from the first four raw moments ``[4]``."""
    first, second, third, fourth = raw.unbind()
    variance = second - first**2
    return torch.stack(
        (
            first,
            variance,
            third - 3 * first * second + 2 * first**3,
            fourth - 4 * first * third - 3 * second**2 + 12 * first**2 * second - 6 * first**4,
        )
    )


def sign_sums(quantile: Callable[[Tensor], Tensor], nonzeros: int, plus: Sequence[int], batch: int) -> Tensor:
    """Expected order statistics of ``c^T y`` where c has k weights +-1/sqrt(k), m of them positive.

    The law of one unit is put on a fine grid (its mass split between neighbouring nodes so that the mean is kept),
    the m-fold and (k - m)-fold convolutions are products of Fourier transforms, and quantiles are read from the
    summed mass. Error about a grid step, 1e-3 deviations of c^T y or less.

    Args:
        quantile: maps normal scores t ``[T]`` to the quantiles of one unit.
        nonzeros: k.
        plus: the numbers m of positive weights.
        batch: B.

    Returns:
        ``[len(plus), B]``.
    """
    t = scores(5e-4)
    unit = quantile(t)
    mass = torch.softmax(-t.square() / 2, dim=0)
    mean = mass @ unit
    centred = unit - mean
    deviation = (mass @ centred.square()).sqrt()
    # Beyond this reach a sum of k units has no mass that matters: one extreme unit plus ten deviations of the rest.
    reach = centred.abs().max() + 10 * math.sqrt(nonzeros) * deviation
    nodes = 1 << 17
    step = 2 * reach / nodes
    place = centred / step
    lower = place.floor()
    share = place - lower
    grid = torch.zeros(nodes, dtype=torch.float64)
    index = lower.long() % nodes
    grid.index_add_(0, index, mass * (1 - share)).index_add_(0, (index + 1) % nodes, mass * share)
    transform = torch.fft.rfft(grid)
    points = (torch.arange(nodes, dtype=torch.float64) - nodes // 2 + 0.5) * step  # right edges of the cells

    def quantiles(x: Tensor) -> Tensor:
        rows = []
        for m in plus:
            law = torch.fft.irfft(transform**m * transform.conj() ** (nonzeros - m), n=nodes).clamp_min(0)
            cumulative = torch.roll(law, nodes // 2).cumsum(0)
            rows.append(
                _inverse(cumulative / cumulative[-1], points, torch.special.ndtr(x)) + (2 * m - nonzeros) * mean
            )
        return torch.stack(rows) / math.sqrt(nonzeros)

    return expected_order_statistics(quantiles, batch)


def _inverse(cumulative: Tensor, points: Tensor, levels: Tensor) -> Tensor:
    """Invert a distribution function given at ``points``, linearly in between."""
    after = torch.searchsorted(cumulative, levels).clamp(1, len(points) - 1)
    low, high = cumulative[after - 1], cumulative[after]
    share = ((levels - low) / (high - low).clamp_min(1e-300)).clamp(0, 1)
    return points[after - 1] + share * (points[after] - points[after - 1])

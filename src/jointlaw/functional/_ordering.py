"""Expected order statistics of projections of independent, identically distributed units, without drawing a sample.

Everything here is computed once per law, width and batch size, on the CPU in float64.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Quantile = Callable[[Tensor], Tensor]  # normal scores t [T] -> Q(Phi(t)) [..., T]

NODES = 1 << 15  # of the grid on which laws are convolved
NEGLIGIBLE = -45.0  # e^-45 of every frequency together moves no probability by 1e-15
LEVELS = 32  # sizes of weights that stand for those of a dense slice


def expected_order_statistics(quantile: Quantile, batch: int) -> Tensor:
    r"""Expected values of the sorted sample of size B of a law with quantile function Q.

    .. math:: E X_{(i)} = \int Q(\Phi(t)) \, \beta_{i, B - i + 1}(\Phi(t)) \, \phi(t) \, dt

    by the trapezoid rule in t, with steps of a sixth of the narrowest density: exact to rounding for smooth Q, and to
    about 1e-4 where Q has a kink.

    Args:
        quantile: maps normal scores t ``[T]`` to ``Q(Phi(t))``, ``[..., T]``, in float64.
        batch: B.

    Returns:
        ``[..., B]`` ascending, float64.

    >>> uniform = expected_order_statistics(torch.special.ndtr, batch=3)
    >>> uniform.allclose(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))
    True
    """
    t = scores(8.0, min(0.02, 0.2 / math.sqrt(batch)))
    values = quantile(t)
    below, above, density = torch.special.log_ndtr(t), torch.special.log_ndtr(-t), -t.square() / 2
    parts = []
    for ranks in torch.arange(batch, dtype=torch.float64).split(256):  # type: ignore[no-untyped-call]
        log_weights = ranks[:, None] * below + (batch - 1 - ranks)[:, None] * above + density
        parts.append(values @ torch.softmax(log_weights, dim=1).T)  # the beta function drops out
    return torch.cat(parts, dim=-1)


def scores(reach: float, step: float) -> Tensor:
    """Equally spaced normal scores in ``[-reach, reach]``."""
    half = math.ceil(reach / step)
    return torch.linspace(-reach, reach, 2 * half + 1, dtype=torch.float64)


class Unit(NamedTuple):
    """The law of one unit as point masses.

    Attributes:
        centred: places ``[T]``, less the mean.
        mass: ``[T]``, sums to one.
        mean: mean of the law.
        deviation: standard deviation of the law.
    """

    centred: Tensor
    mass: Tensor
    mean: Tensor
    deviation: Tensor

    @classmethod
    def discretise(cls, quantile: Quantile) -> "Unit":
        """Put masses on 26,001 quantiles; beyond 6.5 normal deviations lies a mass of 1e-10."""
        t = scores(6.5, 5e-4)
        places, mass = quantile(t), torch.softmax(-t.square() / 2, dim=0)
        mean = mass @ places
        centred = places - mean
        return cls(centred, mass, mean, (mass @ centred.square()).sqrt())


def weighted_sums(unit: Unit, sizes: Tensor, plus: Tensor, minus: Tensor, batch: int) -> Tensor:
    """Expected order statistics of centred sums of units, ``sum_l sizes_l (sum of plus_l units - sum of minus_l)``.

    The law of ``sizes_l y`` is put on a grid (each mass split between two neighbouring nodes so that the mean is
    kept), convolutions are products of Fourier transforms, and quantiles are read from the summed mass. The error is
    about half a grid step, below 2e-3 deviations unless single values lie 50 deviations of the sum away.

    Args:
        unit: law of one unit.
        sizes: ``[L]`` positive.
        plus: ``[R, L]`` whole numbers of units added, one row per sum.
        minus: ``[R, L]`` whole numbers of units subtracted.
        batch: B.

    Returns:
        ``[R, B]``.
    """
    counts = (plus + minus).double()
    spread = (counts @ sizes.square()).max().sqrt() * unit.deviation
    # No mass that matters lies beyond one extreme unit plus ten deviations of the sum.
    step = 2 * (sizes.max() * unit.centred.abs().max() + 10 * spread) / NODES
    transform = torch.fft.rfft(torch.stack([_on_grid(size * unit.centred / step, unit.mass) for size in sizes]))
    # Characteristic functions multiply, so that the logarithms of their moduli add up by the number of units ...
    modulus = (transform.real.square() + transform.imag.square()).clamp_min(1e-300).log() / 2  # [L, F]
    product = counts @ modulus  # [R, F]
    # ... and a sum of many units has none to speak of beyond a few hundred frequencies.
    heard = (product.amax(0) > NEGLIGIBLE).nonzero().squeeze(1)
    # Phases add up likewise; their branch is irrelevant, because it is multiplied by whole numbers.
    phase = (plus - minus).double() @ transform[:, heard].angle()
    joint = transform.new_zeros(product.shape)
    joint[:, heard] = torch.polar(product[:, heard].exp(), phase)
    mass = torch.fft.irfft(joint, n=NODES).clamp_min(0)
    cumulative = torch.roll(mass, NODES // 2, dims=1).cumsum(1)
    cumulative = cumulative / cumulative[:, -1:]
    edges = (torch.arange(NODES, dtype=torch.float64) - NODES // 2 + 0.5) * step  # a node's mass fills its cell
    return expected_order_statistics(lambda t: _inverse(cumulative, edges, torch.special.ndtr(t)), batch)


def sign_sums(unit: Unit, nonzeros: int, plus: Sequence[int], batch: int) -> Tensor:
    """Expected order statistics ``[len(plus), B]`` of centred ``c^T y``, c with k weights +-1/sqrt(k).

    Args:
        unit: law of one unit.
        nonzeros: k.
        plus: numbers of positive weights.
        batch: B.
    """
    positive = torch.tensor(list(plus))[:, None]
    size = torch.full((1,), 1 / math.sqrt(nonzeros), dtype=torch.float64)
    return weighted_sums(unit, size, positive, nonzeros - positive, batch)


class Response(NamedTuple):
    """Order statistics of centred ``c^T y`` as a function of ``S3 = sum c^3`` and ``S4 = sum c^4``, ||c|| = 1.

    The law of ``c^T y`` is determined by its cumulants, which are those of y times ``sum c^r``. With ``sum c^2 = 1``
    skewness and kurtosis are the first that depend on the slice, by S3 and S4; a few template slices with known answers
    therefore serve for all others. Between them the answer is a polynomial in S3 and piecewise linear in S4; S3 and S4
    outside the templates' range are moved to its edge.

    Attributes:
        coefficients: of the powers of ``S3 / reach``, ``[T, R, B]``.
        reach: largest S3 of the templates ``[T]``.
        fourths: S4 of the templates ``[T]``, ascending.
    """

    coefficients: Tensor
    reach: Tensor
    fourths: Tensor

    @classmethod
    def through(cls, values: Tensor, thirds: Tensor, fourths: Tensor) -> "Response":
        """Interpolate values ``[T, R, B]`` at S3 ``[T, R]`` and S4 ``[T]``."""
        reach = thirds.abs().amax(dim=1)
        powers = torch.arange(thirds.shape[1])
        vandermonde = (thirds / reach.unsqueeze(1)).unsqueeze(2) ** powers
        return cls(torch.linalg.solve(vandermonde, values), reach, fourths)

    def at(self, thirds: Tensor, fourths: Tensor) -> Tensor:
        """Evaluate for n slices: ``[n, B]``."""
        powers = torch.arange(self.coefficients.shape[1], device=thirds.device)
        # The weight of template t and power r is (share of t by S4) * (S3 / reach_t)^r: one product does the rest.
        scaled = (thirds.unsqueeze(1) / self.reach).clamp(-1, 1)
        weights = _hats(fourths, self.fourths).unsqueeze(2) * scaled.unsqueeze(2) ** powers  # [n, T, R]
        return weights.flatten(1) @ self.coefficients.flatten(0, 1)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Response":
        """Move to a device and dtype."""
        return Response(*(part.to(device, dtype) for part in self))


def sign_response(unit: Unit, nonzeros: int, batch: int) -> Response:
    """Response of slices with k weights +-1/sqrt(k): through seven counts within five deviations of k / 2."""
    reach = min(nonzeros / 2, 2.5 * math.sqrt(nonzeros))
    plus = sorted({round(nonzeros / 2 + reach * node / 3) for node in range(-3, 4)})
    thirds = (2 * torch.tensor(plus, dtype=torch.float64) - nonzeros) / nonzeros**1.5
    fourths = torch.full((1,), 1 / nonzeros, dtype=torch.float64)
    return Response.through(sign_sums(unit, nonzeros, plus, batch).unsqueeze(0), thirds.unsqueeze(0), fourths)


def dense_response(unit: Unit, dim: int, batch: int) -> Response:
    """Response of dense slices, through templates whose weights are powers of half-normal quantiles.

    The first power stands for uniform slices; .7 and 1.4 for their scatter, 2 and 3 for slices with some large
    weights. Signs are balanced differently in the templates, so that S3 covers what independent signs give.
    """
    # Weights of a dense slice are put into some 32 groups of one size each: then its sum is one of few kinds of units.
    counts = torch.linspace(0, dim, min(LEVELS, dim) + 1, dtype=torch.float64).round().long().diff()
    half_normal = torch.special.ndtri(0.5 + torch.arange(1, dim + 1, dtype=torch.float64).sub(0.5) / (2 * dim))
    # From all weights positive to all negative, or as far as independent signs go: (1 + balance) / 2 are positive.
    balance = min(1.0, 12 / math.sqrt(dim)) * torch.linspace(-1, 1, 5, dtype=torch.float64)
    running = (counts.cumsum(0) * (1 + balance[:, None]) / 2).round().long()
    plus = running.diff(dim=1, prepend=running.new_zeros(len(balance), 1))  # [R, L]
    values, thirds, fourths = [], [], []
    for power in (0.7, 1.0, 1.4, 2.0, 3.0):
        # A group's size is such that S4 is kept; then ||c|| = 1 is restored.
        groups = (half_normal**power).split(counts.tolist())
        sizes = torch.stack([group.pow(4).mean().pow(0.25) for group in groups])
        sizes = sizes / (counts * sizes.square()).sum().sqrt()
        values.append(weighted_sums(unit, sizes, plus, counts - plus, batch))
        thirds.append((2 * plus - counts).double() @ sizes**3)
        fourths.append((counts * sizes**4).sum())
    return Response.through(torch.stack(values), torch.stack(thirds), torch.stack(fourths))


def _on_grid(places: Tensor, mass: Tensor) -> Tensor:
    lower = places.floor()
    upper = mass * (places - lower)
    index = lower.long() + NODES // 2  # the step leaves room at both ends
    grid = mass.new_zeros(NODES).index_add_(0, index, mass - upper).index_add_(0, index + 1, upper)
    return grid.roll(-(NODES // 2))  # zero comes first, as the transform wants it


def _inverse(cumulative: Tensor, edges: Tensor, levels: Tensor) -> Tensor:
    """Invert distribution functions ``[R, X]`` given at ``edges`` [X], linearly in between."""
    after = torch.searchsorted(cumulative, levels.expand(len(cumulative), -1).contiguous()).clamp(1, len(edges) - 1)
    low, high = cumulative.gather(1, after - 1), cumulative.gather(1, after)
    share = ((levels - low) / (high - low).clamp_min(1e-300)).clamp(0, 1)
    return edges[after - 1] + share * (edges[1] - edges[0])


def _hats(x: Tensor, nodes: Tensor) -> Tensor:
    """Weights ``[n, T]`` of the piecewise linear function through T ascending nodes, constant beyond them."""
    risen = ((x.unsqueeze(1) - nodes[:-1]) / nodes.diff()).clamp(0, 1)  # from each node to the next
    edge = x.new_ones(len(x), 1)
    return torch.cat((edge, risen), dim=1) - torch.cat((risen, 0 * edge), dim=1)

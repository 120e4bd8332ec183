"""Mixtures of Gaussians on the line: probabilities, quantiles and level sets, in float64 and without gradients."""

from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.functional._mixtures import LOG_2PI

BISECTIONS = 64
CLOSE = 1e-11  # error of the mass at which a threshold is good enough
CHUNK = 2**22  # numbers held at once by the level sets
CELL_BISECTIONS = 12
CELL_STEPS = 3
LEVEL_STEPS = 20
NODES = (0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 3.6, 4.4, 5.5, 6.8, 8.2)  # deviations; no mass to speak of lies beyond


class Line(NamedTuple):
    """sum_k w_k N(m_k, s_k^2), a batch of them.

    Attributes:
        log_weights: normalised, ``[*, K]``.
        loc: ``[*, K]``.
        scale: ``[*, K]``.
    """

    log_weights: Tensor
    loc: Tensor
    scale: Tensor

    def spread(self) -> "Line":
        """The same laws with room for points in a last batch dimension, ``[*, 1, K]``."""
        return Line(*(part.unsqueeze(-2) for part in self))

    def log_density(self, x: Tensor) -> Tensor:
        """Log-density at ``x`` ``[*]``."""
        t = (x.unsqueeze(-1) - self.loc) / self.scale
        return (self.log_weights - 0.5 * (t.square() + LOG_2PI) - self.scale.log()).logsumexp(-1)

    def slope(self, x: Tensor) -> Tensor:
        """Derivative of the log-density at ``x`` ``[*]``."""
        t = (x.unsqueeze(-1) - self.loc) / self.scale
        share = torch.softmax(self.log_weights - 0.5 * t.square() - self.scale.log(), -1)
        return -(share * t / self.scale).sum(-1)

    def probability(self, x: Tensor) -> Tensor:
        """Mass of (-inf, x] ``[*]``."""
        t = (x.unsqueeze(-1) - self.loc) / self.scale
        mass: Tensor = (self.log_weights.exp() * torch.special.ndtr(t)).sum(-1)
        return mass

    def quantile(self, q: Tensor) -> Tensor:
        """The x at which the probability is ``q`` ``[*]``, by bisection between the quantiles of the components."""
        own: Tensor = self.loc + self.scale * torch.special.ndtri(q.unsqueeze(-1))
        empty = self.log_weights == -torch.inf
        low = own.masked_fill(empty, torch.inf).amin(-1)
        high = own.masked_fill(empty, -torch.inf).amax(-1)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = self.probability(middle) < q
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


def highest_density(line: Line, level: float) -> tuple[Tensor, Tensor]:
    """The smallest set of mass ``level``: ends ``[*, R]`` of its intervals, ascending, NaN where there are fewer.

    That set is where the density exceeds a threshold. Three steps find it:

    1. Points that resolve every component, with all peaks among them (`_nodes`): between two neighbours the density is
       monotone, so that it crosses a threshold at most once there.
    2. A first threshold, as if log-densities were linear between the points (`_coarse`).
    3. Newton steps on the threshold's logarithm, kept inside a bracket: each finds the crossings (`_ends`) and compares
       the exact mass between them with the level.
    """
    batch, count = line.loc.shape[:-1], line.loc.shape[-1]
    if not line.loc.numel():
        return (line.loc.new_empty(*batch, 1),) * 2
    flat = Line(*(part.reshape(-1, count) for part in line))
    step = max(1, CHUNK // (2 * len(NODES) * count * count))
    starts = range(0, flat.loc.shape[0], step)
    pieces = [_level_set(Line(*(part[start : start + step] for part in flat)), level) for start in starts]
    most = max(piece.shape[1] for piece in pieces)
    ends = torch.cat([_padded(piece, most) for piece in pieces]).reshape(*batch, most, 2)
    return ends[..., 0], ends[..., 1]


def _padded(ends: Tensor, most: int) -> Tensor:
    return torch.nn.functional.pad(ends, (0, 0, 0, most - ends.shape[1]), value=torch.nan)


def _level_set(line: Line, level: float) -> Tensor:
    """``[B, R, 2]`` for a flat batch."""
    spread = line.spread()
    x = _nodes(line)
    height, mass = spread.log_density(x), spread.probability(x).diff()
    high, low = height.amax(-1), height.amin(-1)
    threshold = _coarse(height, mass, level)
    for _ in range(LEVEL_STEPS):
        ends = _ends(spread, x, height, threshold)
        # A higher threshold moves both ends of every interval inwards, by d(threshold) / |slope of the log-density|;
        # at the ends the density is the threshold, so that the mass falls by threshold / |slope| at each of them.
        probability = spread.probability(ends.flatten(1)).view_as(ends)
        excess = (probability[..., 1] - probability[..., 0]).nansum(-1) - level
        if excess.abs().max() < CLOSE:
            return ends
        fall = (threshold.exp()[:, None] / spread.slope(ends.flatten(1)).abs()).nansum(-1)
        # Too much mass: the threshold sought is higher. A step that leaves the bracket is replaced by bisection.
        low, high = torch.where(excess > 0, threshold, low), torch.where(excess > 0, high, threshold)
        newton = threshold + excess / fall
        inside = (newton >= low) & (newton <= high)
        threshold = torch.where(inside, newton, (low + high) / 2)
    return _ends(spread, x, height, threshold)


def _nodes(line: Line) -> Tensor:
    """Ascending points ``[B, G]`` that resolve every component, with every peak of the density among them."""
    half = torch.tensor(NODES, dtype=line.loc.dtype, device=line.loc.device)
    unit = torch.cat([-half[1:], half])
    x = (line.loc.unsqueeze(-1) + line.scale.unsqueeze(-1) * unit).flatten(1).sort(-1).values
    # A peak lies between the neighbours of a point that is no lower than they: bisect the sign of the slope there.
    rise = line.spread().log_density(x).diff()
    order = _first((rise[:, :-1] >= 0) & (rise[:, 1:] <= 0))
    low, high = x.gather(-1, order), x.gather(-1, order + 2)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        rising = line.spread().slope(middle) > 0
        low, high = torch.where(rising, middle, low), torch.where(rising, high, middle)
    return torch.cat([x, low], -1).sort(-1).values


def _first(mask: Tensor) -> Tensor:
    """Places ``[B, R]`` of the True entries of every row, in order; rows with fewer than R go on with False ones."""
    most = max(1, int(mask.sum(-1).max()))
    return mask.int().argsort(stable=True, dim=-1, descending=True)[:, :most]


def _coarse(height: Tensor, mass: Tensor, level: float) -> Tensor:
    """Threshold ``[B]`` if log-densities were linear between the nodes, and mass evenly spread in each cell."""
    left, right = height[:, :-1], height[:, 1:]
    top, bottom = torch.maximum(left, right), torch.minimum(left, right)
    high, low = height.amax(-1), height.amin(-1)
    for _ in range(BISECTIONS // 2):
        middle = (low + high) / 2
        share = ((top - middle[:, None]) / (top - bottom).clamp(min=1e-300)).clamp(0, 1)
        above = (share * mass).sum(-1) > level
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return low


def _ends(spread: Line, x: Tensor, height: Tensor, threshold: Tensor) -> Tensor:
    """Where the log-density crosses the threshold, ``[B, R, 2]``; NaN where there is no interval."""
    above = height > threshold[:, None]
    crossings = [~above[:, :-1] & above[:, 1:], above[:, :-1] & ~above[:, 1:]]  # upwards, downwards
    ends = []
    for crossing, upwards in zip(crossings, (True, False), strict=True):
        order = _first(crossing)
        end = _crossing(spread, x.gather(-1, order), x.gather(-1, order + 1), threshold[:, None], upwards)
        ends.append(torch.where(crossing.gather(-1, order), end, torch.nan))
    return torch.stack(ends, -1)


def _crossing(spread: Line, low: Tensor, high: Tensor, threshold: Tensor, upwards: bool) -> Tensor:
    """Where the log-density passes the threshold between two points: bisection, then Newton steps kept inside."""
    for _ in range(CELL_BISECTIONS):
        middle = (low + high) / 2
        before = (spread.log_density(middle) <= threshold) == upwards
        low, high = torch.where(before, middle, low), torch.where(before, high, middle)
    end = (low + high) / 2
    for _ in range(CELL_STEPS):
        step = (threshold - spread.log_density(end)) / spread.slope(end)
        end = torch.maximum(low, torch.minimum(high, end + step.nan_to_num(0.0)))
    return end

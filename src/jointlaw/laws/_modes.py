"""The peaks of a mixture."""

from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.functional._mixtures import component_log_densities
from jointlaw.laws._roots import Root

NUDGE = 1e-3  # of a deviation: off the saddles and valleys on which a start may lie
RADIUS = 0.1  # of a deviation: closer peaks are one
STEPS = 1000
STILL = 1e-9  # of a deviation


class Modes(NamedTuple):
    """Local maxima of the density, the highest first.

    Attributes:
        points: ``[*batch, K, E]``.
        log_prob: ``[*batch, K]``, descending.
        found: ``[*batch, K]``, False where the entry repeats a mode: there are at most as many as there are True.

    >>> from jointlaw.laws import JointMixture
    >>> modes = JointMixture(torch.zeros(2), torch.tensor([[0.0], [9.0]]), torch.ones(1, 1)).modes()
    >>> modes.points[modes.found].sort(0).values.round().tolist()
    [[0.0], [9.0]]
    """

    points: Tensor
    log_prob: Tensor
    found: Tensor


@torch.no_grad()
def climb(log_weights: Tensor, loc: Tensor, root: Root) -> Modes:
    """Mean-shift from every component's mean until nothing moves, then peaks reached twice are marked; no gradient.

    x <- (sum_k r_k S_k^-1)^-1 sum_k r_k S_k^-1 m_k with r_k the responsibilities at x, which never descends.

    Args:
        log_weights: normalised, ``[*, K]``.
        loc: ``[*, K, E]``.
        root: of batch shape ``[*, K or 1]``.

    Source: Carreira-Perpinan (2000), Mode-finding for mixtures of Gaussian distributions.
    """
    loc, root = loc.double(), root.double()
    unit = root.variance().sqrt().amin(-2, keepdim=True)  # [*, 1, E]
    side = torch.arange(loc.shape[-1], device=loc.device) % 2 * 2 - 1
    points = (loc + NUDGE * unit * side).expand(*log_weights.shape, loc.shape[-1])
    for _ in range(STEPS):
        density = component_log_densities(points, loc.unsqueeze(-3), root.spread().tensor)
        share = torch.softmax(log_weights.unsqueeze(-2) + density, -1)  # [*, point, K]
        moved = root.attract(share, loc)
        still = ((moved - points) / unit).abs().amax() < STILL if moved.numel() else True
        points = moved
        if still:
            break
    density = component_log_densities(points, loc.unsqueeze(-3), root.spread().tensor)
    height, order = (log_weights.unsqueeze(-2) + density).logsumexp(-1).sort(-1, descending=True)
    points = points.gather(-2, order.unsqueeze(-1).expand_as(points))
    return Modes(points, height, _distinct(points / unit))


def _distinct(points: Tensor) -> Tensor:
    """Whether each point is further than ``RADIUS`` from the distinct ones before it, ``[*, K]``."""
    near = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist") < RADIUS
    found = torch.ones_like(near[..., 0])
    for i in range(1, points.shape[-2]):
        found[..., i] = ~(near[..., i, :i] & found[..., :i]).any(-1)
    return found

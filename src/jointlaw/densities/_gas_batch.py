"""A growing neural gas by batches: what a batch does to the graph, in expectation over the order of its samples.

Winners are those about the vertices as they are before the batch, and vertices pull along the edges that there are
then. Given these, positions and errors become exactly the mean of the sample-by-sample form over all orders; ages are
those of the order at hand.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from jointlaw.densities._gas_graph import NO_EDGE
from jointlaw.functional._mixtures import squared_distances

NODES = 64  # of the quadrature over orders: exact for up to 127 samples of a vertex, to rounding for thousands


class Winners(NamedTuple):
    """The two nearest vertices of each of n samples.

    Attributes:
        first: the winner ``[n]``.
        second: the runner-up ``[n]``.
        nearest: squared distance from the winner ``[n]``, float64.
        farther: squared distance from the runner-up ``[n]``, float64.
        won: 1 where the sample (row) was won by the vertex (column) ``[n, K]``, float64.
    """

    first: Tensor
    second: Tensor
    nearest: Tensor
    farther: Tensor
    won: Tensor


def winners(x: Tensor, position: Tensor, alive: Tensor) -> Winners:
    """The two nearest of the vertices ``[K, E]`` that are alive, for samples ``[n, E]``."""
    distance = squared_distances(x, position).masked_fill(~alive, torch.inf)
    found = distance.topk(2, largest=False)
    (first, second), (nearest, farther) = found.indices.mT, found.values.mT
    return Winners(first, second, nearest, farther, F.one_hot(first, len(position)).double())


def moved(position: Tensor, x: Tensor, won: Tensor, linked: Tensor, rates: tuple[float, float]) -> Tensor:
    """Positions after the batch, float64.

    Args:
        position: of the vertices before the batch ``[K, E]``.
        x: samples ``[n, E]``.
        won: which sample each vertex won ``[n, K]``.
        linked: which vertices are neighbours ``[K, K]``.
        rates: share of the way that a winner moves towards a sample, and that its neighbours move.
    """
    position, x, linked = position.double(), x.double(), linked.double()
    wins, pull = won.sum(0), won.mT @ x  # [K], [K, E]
    calls, tug = linked @ wins, linked @ pull  # what neighbours won
    own, shared = (step.unsqueeze(1) for step in _steps(wins, calls, rates))
    return position + own * (pull - wins[:, None] * position) + shared * (tug - calls[:, None] * position)


def _steps(wins: Tensor, calls: Tensor, rates: tuple[float, float]) -> tuple[Tensor, Tensor]:
    r"""Mean weight that one sample has in the end: of those won, and of those that a neighbour won.

    Sample i of rate e_i keeps the share of its step that later ones leave, :math:`e_i \prod_{j > i} (1 - e_j)`. In a
    random order every other sample comes later with probability t, where t is uniform and the same for all:

    .. math:: \epsilon_b \int_0^1 (1 - \epsilon_b t)^{n - 1} (1 - \epsilon_n t)^{n'} dt
    """
    nodes, weights = (torch.from_numpy(part).to(wins.device) for part in np.polynomial.legendre.leggauss(NODES))
    t = (nodes + 1) / 2
    keeps_own, keeps_shared = (1 - rate * t for rate in rates)  # [NODES]
    kept = keeps_own ** wins[:, None] * keeps_shared ** calls[:, None] * weights / 2  # [K, NODES]
    return rates[0] * (kept / keeps_own).sum(1), rates[1] * (kept / keeps_shared).sum(1)


def accumulated(total: Tensor, won: Tensor, value: Tensor, decay: float) -> Tensor:
    """Sums of the vertices ``[K]`` after a batch of values ``[n]``, all of which decay with every sample; float64."""
    n = len(value)
    left = 1.0 if decay == 1 else decay * (1 - decay**n) / (n * (1 - decay))  # mean of decay^1, ..., decay^n
    return total.double() * decay**n + left * (won.mT @ value)


def aged(age: Tensor, found: Winners) -> Tensor:
    """Ages of the edges ``[K, K]`` after the batch: wins of either end since winner and runner-up were its two ends."""
    vertices, order = len(age), torch.arange(len(found.first), device=age.device)
    wins = found.won.long().cumsum(0).mT  # [K, n]
    last = age.new_full((vertices * vertices,), -1)
    last = last.scatter_reduce(0, found.first * vertices + found.second, order, "amax").view(vertices, vertices)
    last = torch.maximum(last, last.mT)  # the position of the sample that renewed the edge last; -1 for none
    renewed, total = last >= 0, wins[:, -1:]
    since = torch.where(renewed, total - wins.gather(1, last.clamp(min=0)), total)  # [K, K], wins of the row's vertex
    grown = since + since.mT
    return torch.where(renewed, grown, torch.where(age == NO_EDGE, NO_EDGE, age + grown))

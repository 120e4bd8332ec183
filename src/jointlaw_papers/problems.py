"""Alignment problems whose conditional law is known: one context, several right targets."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Samples of a problem.

    Attributes:
        context: ``[N, c]``.
        target: ``[N, d]``.
        branch: ``[N]``, which branch each target came from.
    """

    context: Tensor
    target: Tensor
    branch: Tensor


@dataclass(frozen=True)
class Problem:
    """A context, a branch chosen with equal probability, and a target on that branch with Gaussian noise.

    Attributes:
        name: what it is called on the page.
        branches: contexts ``[N, c]`` to the true targets of all branches ``[N, M, d]``.
        contexts: draws ``[N, c]``.
        grid: N test contexts ``[N, c]``, evenly spread.
        noise: standard deviation of each target coordinate.
    """

    name: str
    branches: Callable[[Tensor], Tensor]
    contexts: Callable[[int, torch.Generator], Tensor]
    grid: Callable[[int], Tensor]
    noise: float = 0.05

    def pairs(self, context: Tensor, generator: torch.Generator) -> Pairs:
        """One target for each context ``[N, c]``."""
        truth = self.branches(context)  # [N, M, d]
        count, branches, dim = truth.shape
        branch = torch.randint(branches, (count,), generator=generator)
        noise = torch.randn(count, dim, generator=generator, dtype=truth.dtype)
        return Pairs(context, truth[torch.arange(count), branch] + self.noise * noise, branch)

    def sample(self, count: int, generator: torch.Generator) -> Pairs:
        """Training pairs."""
        return self.pairs(self.contexts(count, generator), generator)


def _curves(*functions: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.stack([function(x) for function in functions], dim=1)


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return 2 * torch.rand(count, 1, generator=generator) - 1


def _line(count: int) -> Tensor:
    return torch.linspace(-1, 1, count)[:, None]


def separated() -> Problem:
    """Dataset A: three branches apart from one another (x^2 + 1/2, -x^2 - 1/2, x^3).

    Source: Huang (2026), arXiv 2603.26799, section 5.1; the branches' constants are ours, the source lost them.
    """
    return Problem(
        "A, separated", _curves(lambda x: x**2 + 0.5, lambda x: -(x**2) - 0.5, lambda x: x**3), _uniform, _line
    )


def crossing() -> Problem:
    """Dataset B: three branches that meet at zero (sin 3x, -sin 3x, 0).

    Source: Huang (2026), arXiv 2603.26799, section 5.1; the branches' constants are ours, the source lost them.
    """
    return Problem(
        "B, crossing",
        _curves(lambda x: torch.sin(3 * x), lambda x: -torch.sin(3 * x), torch.zeros_like),
        _uniform,
        _line,
    )


UPPER, LOWER = 0.8, 0.2
"""Lengths of the arm's links."""


def arm() -> Problem:
    """The inverse kinematics of a two-joint arm: the hand's place is the context, two elbow poses reach it.

    Context (x, y), target (shoulder, elbow) in radians. Contexts are the places that shoulders in (0.3, 1.2) and elbows
    in (0.2, 1.5) reach; the mirror pose turns the elbow the other way and the shoulder to match.

    Source: Bishop (1994), Mixture density networks, section 5 (lengths 0.8 and 0.2, shoulders in (0.3, 1.2)). Elbows
    near the stretched arm, where both poses meet, are left out; the noise is on the angles.
    """
    return Problem("arm", _poses, _places, _spread)


def _hand(shoulder: Tensor, elbow: Tensor) -> Tensor:
    x = UPPER * shoulder.cos() + LOWER * (shoulder + elbow).cos()
    y = UPPER * shoulder.sin() + LOWER * (shoulder + elbow).sin()
    return torch.stack([x, y], dim=-1)


def _places(count: int, generator: torch.Generator) -> Tensor:
    turn = torch.rand(2, count, generator=generator)
    return _hand(0.3 + 0.9 * turn[0], 0.2 + 1.3 * turn[1])


def _spread(count: int) -> Tensor:
    """A rank-one lattice of golden-ratio steps: N places, evenly spread over the reachable ones."""
    step = torch.arange(count, dtype=torch.float32)
    return _hand(0.3 + 0.9 * (step + 0.5) / count, 0.2 + 1.3 * ((step * (math.sqrt(5) - 1) / 2) % 1))


def _poses(place: Tensor) -> Tensor:
    """Both poses ``[N, 2, 2]`` that reach a place ``[N, 2]``."""
    cosine = (place.square().sum(-1) - UPPER**2 - LOWER**2) / (2 * UPPER * LOWER)
    bend = cosine.clamp(-1, 1).acos()
    elbow = torch.stack([bend, -bend], dim=-1)  # [N, 2]
    reach = torch.atan2(LOWER * elbow.sin(), UPPER + LOWER * elbow.cos())
    shoulder = torch.atan2(place[:, 1], place[:, 0])[:, None] - reach
    return torch.stack([shoulder, elbow], dim=-1)

"""The graph of a growing neural gas in NumPy arrays: the loop over samples makes too many small steps for tensors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jointlaw import _check as check

NO_EDGE = -1


@dataclass(frozen=True)
class Growth:
    """The constants of a growing neural gas.

    Attributes:
        winner: share of the way that the winner moves towards the sample.
        neighbour: share of the way that its neighbours move.
        every: samples between two new nodes.
        age: above which an edge is dropped.
        split: what errors are multiplied with where a node is added.
        decay: what all errors are multiplied with after a sample.

    Raises:
        ValueError: if a constant is out of range.

    Source: Fritzke (1995), "A growing neural gas network learns topologies", section 2.

    >>> Growth(every=50).age
    50
    """

    winner: float = 0.05
    neighbour: float = 0.006
    every: int = 100
    age: int = 50
    split: float = 0.5
    decay: float = 0.995

    def __post_init__(self) -> None:
        check.fraction("Growth", winner=self.winner, split=self.split)
        check.non_negative("Growth", neighbour=self.neighbour, age=self.age)
        check.positive("Growth", decay=self.decay)
        check.at_least("Growth", 1, every=self.every)
        if self.decay > 1 or self.neighbour >= self.winner:
            raise ValueError(
                f"Growth: expected decay <= 1 and neighbour < winner, found decay {self.decay}, neighbour "
                f"{self.neighbour} and winner {self.winner}. Neighbours follow more slowly than the winner."
            )


@dataclass
class Graph:
    """Nodes and edges, padded to a limit; a removed node leaves its place to the next new one.

    Attributes:
        position: of the nodes ``[limit, E]``.
        error: accumulated squared distances ``[limit]``.
        age: of the edges, symmetric ``[limit, limit]``; ``NO_EDGE`` where there is none.
        alive: which places hold a node ``[limit]``.
        seen: samples presented so far.
    """

    position: NDArray[np.floating]
    error: NDArray[np.floating]
    age: NDArray[np.int64]
    alive: NDArray[np.bool_]
    seen: int

    def found(self, x: NDArray[np.floating]) -> int:
        """Make the first samples the first two nodes; return how many were used."""
        used = min(max(0, 2 - int(self.alive.sum())), len(x))
        for sample in x[:used]:
            self._add(sample, 0.0)
        return used

    def present(self, x: NDArray[np.floating], growth: Growth) -> None:
        """Adapt to samples ``[N, E]``, one after another."""
        gap = np.empty_like(self.position)
        distance = np.empty_like(self.error)
        absent = np.where(self.alive, 0, np.inf).astype(self.error.dtype)
        for sample in x:
            np.subtract(sample, self.position, out=gap)
            np.einsum("ij,ij->i", gap, gap, out=distance)
            distance += absent
            first = int(distance.argmin())
            nearest = distance[first]
            distance[first] = np.inf
            second = int(distance.argmin())
            changed = self._adapt(first, second, gap, nearest, growth)
            self.seen += 1
            if self.seen % growth.every == 0 and not self.alive.all():
                self._grow(growth)
                changed = True
            self.error *= growth.decay
            if changed:
                absent = np.where(self.alive, 0, np.inf).astype(self.error.dtype)

    def _adapt(self, first: int, second: int, gap: NDArray[np.floating], nearest: np.floating, growth: Growth) -> bool:
        """Move the winner and its neighbours, renew its edges; True if a node was removed."""
        edges = self.age[first]
        neighbours = np.flatnonzero(edges != NO_EDGE)
        self.error[first] += nearest
        self.position[first] += growth.winner * gap[first]
        if len(neighbours):
            self.position[neighbours] += growth.neighbour * gap[neighbours]
            edges[neighbours] += 1
            self.age[neighbours, first] += 1
        edges[second] = self.age[second, first] = 0
        old = neighbours[edges[neighbours] > growth.age]
        if not len(old):
            return False
        edges[old] = self.age[old, first] = NO_EDGE
        lonely = old[(self.age[old] == NO_EDGE).all(1)]
        self.alive[lonely] = False
        self.error[lonely] = 0
        return len(lonely) > 0

    def _grow(self, growth: Growth) -> None:
        """Put a node between the worst node and its worst neighbour."""
        worst = int(np.where(self.alive, self.error, -np.inf).argmax())
        other = int(np.where(self.age[worst] != NO_EDGE, self.error, -np.inf).argmax())
        self.error[[worst, other]] *= growth.split
        new = self._add((self.position[worst] + self.position[other]) / 2, float(self.error[worst]))
        self.age[worst, other] = self.age[other, worst] = NO_EDGE
        for node in (worst, other):
            self.age[new, node] = self.age[node, new] = 0

    def _add(self, position: NDArray[np.floating], error: float) -> int:
        place = int(self.alive.argmin())
        self.alive[place] = True
        self.position[place], self.error[place] = position, error
        return place

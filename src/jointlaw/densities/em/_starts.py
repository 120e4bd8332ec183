"""Where expectation-maximisation starts: which component each sample belongs to at first."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional._mixtures import squared_distances
from jointlaw.laws import JointMixture


class Start(ABC):
    """First responsibilities of the components.

    >>> x = torch.tensor([[0.0], [0.1], [5.0]])
    >>> Means(torch.tensor([[0.0], [5.0]])).responsibilities(x, torch.ones(3), components=2, seed=0)
    tensor([[1., 0.],
            [1., 0.],
            [0., 1.]])
    """

    restarts: ClassVar[bool]  # whether another seed gives another start

    @abstractmethod
    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """Shares of the components in the samples, ``[N, K]``, rows summing to one.

        Args:
            x: samples ``[N, E]``, float64 unless the fit has another dtype.
            weight: of the samples ``[N]``.
            components: K, into how many groups the samples are divided.
            seed: determines what is drawn, if anything is.

        Raises:
            ValueError: if the start does not fit the samples or K.
        """


class KMeans(Start):
    """Lloyd's iterations from k-means++ seeds; every sample belongs to its nearest centre.

    Args:
        iterations: number of Lloyd's iterations at most. They end when no sample changes its centre; 0 leaves the
            k-means++ seeds as they are.

    Source: Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding".

    >>> x = torch.tensor([[0.0], [0.1], [5.0]])
    >>> KMeans().responsibilities(x, torch.ones(3), components=2, seed=0).sum(0).sort().values
    tensor([1., 2.])
    """

    restarts = True

    def __init__(self, iterations: int = 100) -> None:
        check.at_least("KMeans", 0, iterations=iterations)
        self.iterations = iterations

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """One-hot."""
        centres = _seeds(x, weight, components, seed)
        label = _nearest(x, centres)
        for _ in range(self.iterations):
            share = _one_hot(label, components, x.dtype) * weight[:, None]
            count = share.sum(0)[:, None]
            centres = torch.where(count > 0, share.T @ x / count, centres)
            before, label = label, _nearest(x, centres)
            if torch.equal(before, label):
                break
        return _one_hot(label, components, x.dtype)


class Means(Start):
    """Every sample belongs to the nearest of given means.

    Args:
        loc: ``[K, E]``.

    >>> from jointlaw.densities.em import ExpectationMaximization
    >>> x = torch.tensor([[0.0], [0.2], [5.0], [5.2]])
    >>> fit = ExpectationMaximization(2).fit(x, start=Means(torch.tensor([[5.0], [0.0]])))
    >>> fit.law.loc.flatten()
    tensor([5.1000, 0.1000])
    """

    restarts = False

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """One-hot."""
        _fits("Means", "loc", self.loc, (components, x.shape[1]))
        return _one_hot(_nearest(x, self.loc.detach().to(x)), components, x.dtype)


class Responsibilities(Start):
    """Given shares.

    Args:
        share: ``[N, K]``, non-negative; rows are scaled to sum to one.

    >>> Responsibilities(torch.tensor([[3.0, 1.0]])).responsibilities(torch.zeros(1, 1), torch.ones(1), 2, seed=0)
    tensor([[0.7500, 0.2500]])
    """

    restarts = False

    def __init__(self, share: Tensor) -> None:
        self.share = share

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """As given."""
        _fits("Responsibilities", "share", self.share, (len(x), components))
        share = self.share.detach().to(x)
        total = share.sum(1, keepdim=True)
        if not bool((share >= 0).all() & (total > 0).all() & total.isfinite().all()):
            raise ValueError(
                "Responsibilities: expected finite shares >= 0 with a positive sum in every row, found others. "
                "Pass the probability of each component for each sample."
            )
        return share / total


class FromLaw(Start):
    """The responsibilities of another mixture: a fit goes on from it.

    Args:
        law: over the same coordinates, of no batch shape.

    >>> from jointlaw.densities.em import ExpectationMaximization
    >>> x = torch.tensor([[0.0], [0.2], [5.0], [5.2]])
    >>> first = ExpectationMaximization(2).fit(x)
    >>> again = ExpectationMaximization(2).fit(x + 0.1, start=FromLaw(first.law))
    >>> torch.allclose(again.law.loc, first.law.loc + 0.1)
    True
    """

    restarts = False

    def __init__(self, law: JointMixture) -> None:
        self.law = law

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """By Bayes' rule."""
        _fits("FromLaw", "loc", self.law.loc, (components, x.shape[1]))
        with torch.no_grad():
            return self.law.to(x.device, x.dtype).responsibilities(x)


def _seeds(x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
    """Samples ``[K, E]`` far from each other: greedy k-means++, which tries ``2 + log K`` candidates for each."""
    generator = torch.Generator().manual_seed(seed)

    def draw(mass: Tensor, count: int) -> Tensor:
        """Positions of samples, drawn in proportion to their mass."""
        cumulative = mass.double().cumsum(0)
        level = torch.rand(count, generator=generator, dtype=torch.float64).to(x.device) * cumulative[-1]
        return torch.searchsorted(cumulative, level, right=True).clamp(max=len(x) - 1)

    chosen = [draw(weight, 1)]
    nearest = squared_distances(x, x[chosen[0]])[:, 0]  # [N], of each sample to the seeds so far
    for _ in range(components - 1):
        mass = weight * nearest.clamp(min=0)
        candidates = draw(mass if bool(mass.sum() > 0) else weight, 2 + int(math.log(components)))
        closer = torch.minimum(nearest[:, None], squared_distances(x, x[candidates]))  # [N, candidates]
        best = (weight.to(closer.dtype) @ closer).argmin()  # distances are float64
        nearest = closer[:, best]
        chosen.append(candidates[best, None])
    return x[torch.cat(chosen)]


def _nearest(x: Tensor, centres: Tensor) -> Tensor:
    return squared_distances(x, centres).argmin(1)


def _one_hot(label: Tensor, components: int, dtype: torch.dtype) -> Tensor:
    return torch.nn.functional.one_hot(label, components).to(dtype)


def _fits(where: str, name: str, found: Tensor, expected: tuple[int, int]) -> None:
    if tuple(found.shape) != expected:
        raise ValueError(
            f"{where}: expected {name} of shape {list(expected)}, found {list(found.shape)}. "
            "Give the start as many components as the fit and the coordinates of the samples."
        )

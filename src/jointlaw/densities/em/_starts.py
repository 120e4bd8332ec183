"""Where expectation-maximisation starts: which component each sample belongs to at first."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional._mixtures import squared_distances
from jointlaw.laws._mixture import JointMixture


class Start(ABC):
    """First responsibilities of the components."""

    restarts: ClassVar[bool]  # whether another seed gives another start

    @abstractmethod
    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """Shares of the components in the samples, ``[N, K]``, rows summing to one.

        Args:
            x: samples ``[N, E]``, float64 unless the fit has another dtype.
            weight: of the samples ``[N]``.
            components: K.
            seed: of whatever is drawn.

        Raises:
            ValueError: if the start does not fit the samples or K.
        """


class KMeans(Start):
    """Lloyd's iterations from k-means++ seeds; every sample belongs to its nearest centre.

    Args:
        iterations: of Lloyd's at most; it ends earlier when no sample changes its centre. 0 leaves the seeds.

    Source: Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
    """

    restarts = True

    def __init__(self, iterations: int = 100) -> None:
        check.at_least("KMeans", 0, iterations=iterations)
        self.iterations = iterations

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """One-hot."""
        from sklearn.cluster import kmeans_plusplus  # here alone: the mathematics loads without it

        arrays = (part.cpu().numpy() for part in (x, weight))
        points, sample_weight = arrays
        seeds, _ = kmeans_plusplus(points, components, sample_weight=sample_weight, random_state=seed)
        centres = torch.as_tensor(seeds).to(x)
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
    """

    restarts = False

    def __init__(self, law: JointMixture) -> None:
        self.law = law

    def responsibilities(self, x: Tensor, weight: Tensor, components: int, seed: int) -> Tensor:
        """By Bayes' rule."""
        _fits("FromLaw", "loc", self.law.loc, (components, x.shape[1]))
        with torch.no_grad():
            return self.law.to(x.device, x.dtype).responsibilities(x)


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

"""The covariances that the components of a mixture may have, and how each is estimated."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from jointlaw.functional.linalg import cholesky
from jointlaw.functional.mixtures import LOG_2PI, component_log_densities

ROWS = 2048  # samples whitened at once by the loop over components: large enough for the product, small for the cache


class Covariance(ABC):
    """One kind of covariance: its second moment, its estimate and its square root.

    A kind has no state. ``scale`` below is the square root in the form a ``JointMixture`` takes as ``scale_tril``.
    """

    name: ClassVar[str]

    @abstractmethod
    def second(self, x: Tensor, share: Tensor) -> Tensor:
        """Sum over samples of share times the part of x x^T that this kind needs.

        Args:
            x: samples ``[N, E]``.
            share: of each component in each sample ``[N, K]``.
        """

    @abstractmethod
    def estimate(self, second: Tensor, count: Tensor, loc: Tensor) -> Tensor:
        """Maximum-likelihood covariances (no floor yet).

        Args:
            second: sums as ``second`` returns them.
            count: sums of the shares ``[K]``.
            loc: means ``[K, E]``.
        """

    @abstractmethod
    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Square root, as a ``scale_tril``, after ``floor`` is added to every variance."""

    @abstractmethod
    def log_density(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Log N(x; m_k, S_k) ``[N, K]`` in nats."""

    @abstractmethod
    def parameters(self, components: int, dim: int) -> int:
        """Free numbers in the covariances."""

    @abstractmethod
    def least(self, dim: int) -> int:
        """Fewest samples for which a covariance is not singular."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Full(Covariance):
    """Every component has a covariance matrix of its own."""

    name = "full"

    def second(self, x: Tensor, share: Tensor) -> Tensor:
        """``[K, E, E]``; samples of which a component has no share are passed over."""
        total = x.new_zeros(share.shape[1], x.shape[1], x.shape[1])
        for start in range(0, len(x), ROWS):
            rows = x[start : start + ROWS]
            columns = share[start : start + ROWS].T.contiguous()
            for k, column in enumerate(columns):
                held = column.nonzero().squeeze(1)
                part, weight = (rows[held], column[held]) if 2 * len(held) < len(rows) else (rows, column)
                total[k].addmm_((part * weight[:, None]).T, part)
        return total

    def estimate(self, second: Tensor, count: Tensor, loc: Tensor) -> Tensor:
        """``[K, E, E]``."""
        return second / count[:, None, None] - loc[:, :, None] * loc[:, None, :]

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Cholesky factors ``[K, E, E]``."""
        covariance.diagonal(dim1=-2, dim2=-1).add_(floor)
        return cholesky(covariance)

    def log_density(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """By products with the inverse factors: no gradient is needed here, and a solve costs twice as much."""
        whitening = _inverse(scale).mT.contiguous()
        shift = -(loc.unsqueeze(1) @ whitening).squeeze(1)  # [K, E]
        distance = x.new_empty(len(loc), len(x))
        for start in range(0, len(x), ROWS):
            part = x[start : start + ROWS]
            for k in range(len(loc)):
                white = torch.addmm(shift[k], part, whitening[k])
                distance[k, start : start + ROWS] = torch.linalg.vecdot(white, white)
        log_det = scale.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (distance.T + x.shape[1] * LOG_2PI) - log_det

    def parameters(self, components: int, dim: int) -> int:
        """K E (E + 1) / 2."""
        return components * dim * (dim + 1) // 2

    def least(self, dim: int) -> int:
        """E + 1."""
        return dim + 1


class Shared(Covariance):
    """One covariance matrix for all components (scikit-learn: tied)."""

    name = "shared"

    def second(self, x: Tensor, share: Tensor) -> Tensor:
        """``[1, E, E]``."""
        return ((x * share.sum(1, keepdim=True)).T @ x).unsqueeze(0)

    def estimate(self, second: Tensor, count: Tensor, loc: Tensor) -> Tensor:
        """``[1, E, E]``: the mean over all samples."""
        return (second - (loc * count[:, None]).T @ loc) / count.sum()

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Cholesky factor ``[1, E, E]``."""
        covariance.diagonal(dim1=-2, dim2=-1).add_(floor)
        return cholesky(covariance)

    def log_density(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """Whiten by a product with the inverse factor, then one product of samples and means."""
        whitening = _inverse(scale)[0].mT
        identity = torch.ones(1, 1, dtype=x.dtype, device=x.device)
        log_det = scale.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return component_log_densities(x @ whitening, loc @ whitening, identity) - log_det

    def parameters(self, components: int, dim: int) -> int:
        """E (E + 1) / 2."""
        return dim * (dim + 1) // 2

    def least(self, dim: int) -> int:
        """E + 1."""
        return dim + 1


class Diagonal(Covariance):
    """Every component has a variance of its own for every coordinate."""

    name = "diagonal"

    def second(self, x: Tensor, share: Tensor) -> Tensor:
        """``[K, E]``."""
        return share.T @ x.square()

    def estimate(self, second: Tensor, count: Tensor, loc: Tensor) -> Tensor:
        """``[K, E]``."""
        return (second / count[:, None] - loc.square()).clamp(min=0)

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Deviations ``[K, E]``."""
        return _deviation(covariance, floor)

    def log_density(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """By two matrix products."""
        return component_log_densities(x, loc, scale)

    def parameters(self, components: int, dim: int) -> int:
        """K E."""
        return components * dim

    def least(self, dim: int) -> int:
        """Two."""
        return 2


class Spherical(Covariance):
    """Every component has one variance for all coordinates."""

    name = "spherical"

    def second(self, x: Tensor, share: Tensor) -> Tensor:
        """``[K, 1]``."""
        return share.T @ x.square().sum(1, keepdim=True)

    def estimate(self, second: Tensor, count: Tensor, loc: Tensor) -> Tensor:
        """``[K, 1]``: the mean over coordinates."""
        spread = second / count[:, None] - loc.square().sum(1, keepdim=True)
        return (spread / loc.shape[1]).clamp(min=0)

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Deviations ``[K, 1]``."""
        return _deviation(covariance, floor)

    def log_density(self, x: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
        """By one matrix product."""
        return component_log_densities(x, loc, scale)

    def parameters(self, components: int, dim: int) -> int:
        """K."""
        return components

    def least(self, dim: int) -> int:
        """Two."""
        return 2


COVARIANCES: dict[str, Covariance] = {kind.name: kind for kind in (Full(), Shared(), Diagonal(), Spherical())}


def _inverse(factor: Tensor) -> Tensor:
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    inverse: Tensor = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
    return inverse


def _deviation(variance: Tensor, floor: float) -> Tensor:
    raised = variance + floor
    if not bool((raised > 0).all()):
        raise ValueError(
            "Covariance: expected positive variances, found a coordinate that does not vary within a component. "
            "Pass a positive floor, drop constant coordinates or use fewer components."
        )
    return raised.sqrt()

"""The covariances that the components of a mixture may have, and how each is estimated."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from jointlaw.densities.em._screening import Whitened
from jointlaw.functional._linalg import cholesky
from jointlaw.functional._mixtures import LOG_2PI
from jointlaw.functional._triangular import lower_inverse

LogDensity = Callable[[Tensor], Tensor]


class Covariance(ABC):
    """One kind of covariance: its second moment, its estimate, its square root and its density.

    A kind has no state. Its square root has the form a ``JointMixture`` takes as ``scale_tril``.

    >>> [kind.parameters(components=10, dim=3) for kind in (Full(), Shared(), Diagonal(), Spherical())]
    [60, 6, 30, 10]
    """

    name: ClassVar[str]
    pooled: ClassVar[bool] = False  # whether the second moment is that of all samples, whatever the shares

    def __eq__(self, other: object) -> bool:
        """All of one kind are equal."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @abstractmethod
    def shape(self, components: int, dim: int) -> tuple[int, ...]:
        """Shape of the second moment."""

    @abstractmethod
    def add_second(self, total: Tensor, x: Tensor, share: Tensor) -> None:
        """Add a block of samples to the second moment, in place: the sum of share times x x^T, or what is kept of it.

        Args:
            total: the second moment so far, of the shape of ``shape``.
            x: samples ``[N, E]``.
            share: of each component in each sample ``[N, K]``.
        """

    @abstractmethod
    def estimate(self, second: Tensor, mass: Tensor, loc: Tensor) -> Tensor:
        """Maximum-likelihood covariances, of the shape of the second moment.

        Args:
            second: the second moment.
            mass: sums of the shares ``[K]``.
            loc: means ``[K, E]``.
        """

    @abstractmethod
    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Square root, as a ``scale_tril``, after ``floor`` is added to every variance."""

    @abstractmethod
    def log_density(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """The function from samples ``[n, E]`` to log N(x; m_k, S_k) ``[n, K]``, in nats.

        It may give -inf to a component whose share is below rounding.
        """

    def relative(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """Like ``log_density``, but for a term that all components of a sample have in common: ``common``.

        By default there is none.
        """
        return self.log_density(loc, scale)

    def common(self, second: Tensor, scale: Tensor) -> float:
        """Mean over the samples of what ``relative`` leaves out, from their second moment, in nats."""
        return 0.0

    @abstractmethod
    def parameters(self, components: int, dim: int) -> int:
        """Free numbers in the covariances."""

    @abstractmethod
    def least(self, dim: int) -> int:
        """Fewest samples for which a covariance is not singular."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Full(Covariance):
    """Every component has a covariance matrix of its own.

    >>> Full().shape(components=4, dim=3)
    (4, 3, 3)
    """

    name = "full"

    def shape(self, components: int, dim: int) -> tuple[int, ...]:
        """``[K, E, E]``."""
        return components, dim, dim

    def add_second(self, total: Tensor, x: Tensor, share: Tensor) -> None:
        """Samples of which a component has no share are passed over."""
        for k, column in enumerate(share.T.contiguous()):
            rows = column.nonzero().squeeze(1)
            part, weight = (x[rows], column[rows]) if 2 * len(rows) < len(x) else (x, column)
            total[k].addmm_((part * weight[:, None]).T, part)

    def estimate(self, second: Tensor, mass: Tensor, loc: Tensor) -> Tensor:
        """E x x^T - m m^T."""
        return second / mass[:, None, None] - loc[:, :, None] * loc[:, None, :]

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Cholesky factors ``[K, E, E]``."""
        return _factor(covariance, floor)

    def log_density(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """Component by component."""
        return Whitened(loc, scale)

    def parameters(self, components: int, dim: int) -> int:
        """K E (E + 1) / 2."""
        return components * dim * (dim + 1) // 2

    def least(self, dim: int) -> int:
        """E + 1."""
        return dim + 1


class Shared(Covariance):
    """One covariance matrix for all components (scikit-learn: tied).

    >>> Shared().shape(components=4, dim=3)
    (1, 3, 3)
    """

    name = "shared"
    pooled = True

    def shape(self, components: int, dim: int) -> tuple[int, ...]:
        """``[1, E, E]``."""
        return 1, dim, dim

    def add_second(self, total: Tensor, x: Tensor, share: Tensor) -> None:
        """Of all components together."""
        total[0].addmm_((x * share.sum(1, keepdim=True)).T, x)

    def estimate(self, second: Tensor, mass: Tensor, loc: Tensor) -> Tensor:
        """E x x^T less that of the means."""
        return (second - (loc * mass[:, None]).T @ loc) / mass.sum()

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Cholesky factor ``[1, E, E]``."""
        return _factor(covariance, floor)

    def log_density(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """Whiten once; all distances by one product."""
        whitening = lower_inverse(scale[0]).mT.contiguous()
        means = loc @ whitening
        log_det = scale[0].diagonal().log().sum()
        peak = -0.5 * (means.square().sum(1) + loc.shape[1] * LOG_2PI) - log_det

        def evaluate(x: Tensor) -> Tensor:
            white = x @ whitening
            return torch.addmm(peak, white, means.T).sub_(0.5 * torch.linalg.vecdot(white, white)[:, None])

        return evaluate

    def relative(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """x^T P m_k less what depends on k alone: x^T P x is common to all components, so that nothing is whitened."""
        inverse = lower_inverse(scale[0])
        means = loc @ inverse.mT
        log_det = scale[0].diagonal().log().sum()
        peak = -0.5 * (means.square().sum(1) + loc.shape[1] * LOG_2PI) - log_det
        pull = (means @ inverse).mT.contiguous()  # P m_k, [E, K]
        return lambda x: torch.addmm(peak, x, pull)

    def common(self, second: Tensor, scale: Tensor) -> float:
        """-tr(P E x x^T) / 2."""
        inverse = lower_inverse(scale[0])
        return -0.5 * float((inverse @ second[0] @ inverse.mT).trace())

    def parameters(self, components: int, dim: int) -> int:
        """E (E + 1) / 2."""
        return dim * (dim + 1) // 2

    def least(self, dim: int) -> int:
        """E + 1."""
        return dim + 1


class Diagonal(Covariance):
    """Every component has a variance of its own for every coordinate.

    >>> Diagonal().shape(components=4, dim=3)
    (4, 3)
    """

    name = "diagonal"

    def shape(self, components: int, dim: int) -> tuple[int, ...]:
        """``[K, E]``."""
        return components, dim

    def add_second(self, total: Tensor, x: Tensor, share: Tensor) -> None:
        """Squares only."""
        total.addmm_(share.T, x.square())

    def estimate(self, second: Tensor, mass: Tensor, loc: Tensor) -> Tensor:
        """E x^2 - m^2."""
        return (second / mass[:, None] - loc.square()).clamp(min=0)

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Deviations ``[K, E]``."""
        return _deviation(covariance, floor)

    def log_density(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """By two products."""
        precision = scale**-2
        slope = (loc * precision).T
        peak = -0.5 * ((loc.square() * precision).sum(1) + loc.shape[1] * LOG_2PI) - scale.log().sum(1)
        return lambda x: torch.addmm(peak, x, slope).addmm_(x.square(), precision.T, alpha=-0.5)

    def parameters(self, components: int, dim: int) -> int:
        """K E."""
        return components * dim

    def least(self, dim: int) -> int:
        """Two."""
        return 2


class Spherical(Covariance):
    """Every component has one variance for all coordinates.

    >>> Spherical().shape(components=4, dim=3)
    (4, 1)
    """

    name = "spherical"

    def shape(self, components: int, dim: int) -> tuple[int, ...]:
        """``[K, 1]``."""
        return components, 1

    def add_second(self, total: Tensor, x: Tensor, share: Tensor) -> None:
        """Squared lengths only."""
        total.addmm_(share.T, torch.linalg.vecdot(x, x)[:, None])

    def estimate(self, second: Tensor, mass: Tensor, loc: Tensor) -> Tensor:
        """(E |x|^2 - |m|^2) / E."""
        spread = second / mass[:, None] - loc.square().sum(1, keepdim=True)
        return (spread / loc.shape[1]).clamp(min=0)

    def root(self, covariance: Tensor, floor: float) -> Tensor:
        """Deviations ``[K, 1]``."""
        return _deviation(covariance, floor)

    def log_density(self, loc: Tensor, scale: Tensor) -> LogDensity:
        """By one product."""
        precision = scale**-2
        slope = (loc * precision).T
        dim = loc.shape[1]
        size = loc.square().sum(1) * precision.squeeze(1)
        peak = -0.5 * (size + dim * LOG_2PI) - dim * scale.log().squeeze(1)
        return lambda x: torch.addmm(peak, x, slope).addmm_(torch.linalg.vecdot(x, x)[:, None], precision.T, alpha=-0.5)

    def parameters(self, components: int, dim: int) -> int:
        """K."""
        return components

    def least(self, dim: int) -> int:
        """Two."""
        return 2


COVARIANCES: dict[str, Covariance] = {kind.name: kind for kind in (Full(), Shared(), Diagonal(), Spherical())}


def _factor(covariance: Tensor, floor: float) -> Tensor:
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return cholesky(covariance + floor * identity)


def _deviation(variance: Tensor, floor: float) -> Tensor:
    raised = variance + floor
    if not bool((raised > 0).all()):
        raise ValueError(
            "Covariance: expected positive variances, found a coordinate that does not vary within a component. "
            "Pass a positive floor, drop constant coordinates or use fewer components."
        )
    return raised.sqrt()

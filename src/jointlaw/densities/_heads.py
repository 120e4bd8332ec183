"""How a network's raw outputs become the scales of the components of a mixture."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional._linalg import cholesky

Positive = Callable[[Tensor], Tensor]  # torch.exp or torch.nn.functional.softplus


class Head(ABC):
    """Turns raw outputs into standard deviations or Cholesky factors.

    Args:
        positive: maps raw outputs to positive numbers: ``torch.exp`` or ``torch.nn.functional.softplus``.
        floor: added to every deviation, in embedding units. Without one, a component that closes in on a single
            sample has a likelihood without bound.

    Raises:
        ValueError: if the floor is negative.

    >>> head = DiagonalHead(floor=0.5)
    >>> head(torch.zeros(2, 3, head.size(4)), dim=4).shape, float(head.deviations(torch.zeros(())))
    (torch.Size([2, 3, 4]), 1.5)
    """

    def __init__(self, positive: Positive = torch.exp, floor: float = 1e-3) -> None:
        check.non_negative(type(self).__name__, floor=floor)
        self.positive, self.floor = positive, floor

    @abstractmethod
    def size(self, dim: int) -> int:
        """Number of raw outputs per component for a target of width ``dim``."""

    @abstractmethod
    def __call__(self, raw: Tensor, dim: int) -> Tensor:
        """Map ``[*, K, size]`` to deviations ``[*, K, 1 or dim]`` or lower factors ``[*, K, dim, dim]``."""

    def deviations(self, raw: Tensor) -> Tensor:
        """Positive numbers above the floor."""
        return self.floor + self.positive(raw)


class SphericalHead(Head):
    """One deviation per component. Arguments as for :class:`Head`.

    >>> SphericalHead().size(dim=4)
    1
    """

    def size(self, dim: int) -> int:
        """One."""
        return 1

    def __call__(self, raw: Tensor, dim: int) -> Tensor:
        """Deviations, as many as raw outputs."""
        return self.deviations(raw)


class DiagonalHead(Head):
    """One deviation per component and coordinate. Arguments as for :class:`Head`.

    >>> DiagonalHead().size(dim=4)
    4
    """

    def size(self, dim: int) -> int:
        """``dim``."""
        return dim

    def __call__(self, raw: Tensor, dim: int) -> Tensor:
        """Deviations, as many as raw outputs."""
        return self.deviations(raw)


class LowRankHead(Head):
    """Covariance W W^T + diag(s^2) per component, W of ``rank`` columns.

    The law holds a factor of ``dim x dim`` numbers for each sample and component: meant for narrow targets.

    Args:
        rank: columns of W.
        positive: maps raw outputs to positive numbers.
        floor: added to every s, in embedding units.

    Raises:
        ValueError: if the rank is below 1 or the floor is not above zero.

    >>> head = LowRankHead(rank=1)
    >>> head(torch.zeros(2, 3, head.size(4)), dim=4).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, rank: int, positive: Positive = torch.exp, floor: float = 1e-3) -> None:
        super().__init__(positive, floor)
        check.at_least("LowRankHead", 1, rank=rank)
        check.positive("LowRankHead", floor=floor)
        self.rank = rank

    def size(self, dim: int) -> int:
        """``dim * (1 + rank)``."""
        return dim * (1 + self.rank)

    def __call__(self, raw: Tensor, dim: int) -> Tensor:
        """Lower factors ``[*, K, dim, dim]``."""
        variance = self.deviations(raw[..., :dim]).square()
        columns = raw[..., dim:].reshape(*raw.shape[:-1], dim, self.rank)
        return cholesky(columns @ columns.mT + torch.diag_embed(variance))

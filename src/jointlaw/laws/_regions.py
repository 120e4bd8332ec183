"""Credible regions of laws on the line."""

from typing import NamedTuple

import torch
from torch import Tensor


class Region(NamedTuple):
    """A union of up to R intervals for every law of a batch; where one has fewer, its last ones are NaN.

    Attributes:
        lower: ``[*batch, R]``, ascending.
        upper: ``[*batch, R]``.

    >>> from jointlaw.laws import JointMixture
    >>> law = JointMixture(torch.zeros(2), torch.tensor([[0.0], [9.0]]), torch.ones(1, 1))
    >>> region = law.highest_density_region(0.9)
    >>> region.parts.item(), region.contains(torch.tensor([[0.5], [4.5]])).tolist()
    (2, [True, False])
    """

    lower: Tensor
    upper: Tensor

    def contains(self, value: Tensor) -> Tensor:
        """Whether values ``[*, 1]`` of the law lie inside, ``[*]``."""
        return ((self.lower <= value) & (value <= self.upper)).any(-1)

    @property
    def length(self) -> Tensor:
        """Total length of the intervals, ``[*batch]``."""
        return (self.upper - self.lower).nansum(-1)

    @property
    def parts(self) -> Tensor:
        """How many intervals there are, ``[*batch]``."""
        return torch.isfinite(self.lower).sum(-1)

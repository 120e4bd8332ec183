"""What every regularizer promises."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.laws import Law


class Regularizer(nn.Module, ABC):
    """A distance between the batch and a law, as a scalar to minimise.

    The batch is that of all processes: the mean of the values of all processes is the value on one process with all
    of the batch, and so is the mean of their gradients by a shared parameter.

    >>> import torch
    >>> from jointlaw.regularizers import SphereSIGReg
    >>> z = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    >>> regularizer = SphereSIGReg()
    >>> bool(regularizer(z) < regularizer(2 * z)), regularizer.law
    (True, GeneralizedGaussian(p: 2.0, loc: 0.0, scale: 1.0))
    """

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``; changes no state."""

    @property
    def law(self) -> Law | None:
        """The law of one unit; None where what is asked of the batch, such as moments, does not make a law."""
        return None

    def update(self) -> None:
        """Advance what changes from step to step; called once per batch, after the backward pass."""


def as_views(where: str, z: Tensor) -> Tensor:
    """Embeddings ``[V, B, D]``, with one view where none was given.

    Raises:
        ValueError: for fewer than two samples, or several dimensions of views.
    """
    check.embeddings(where, z)
    if z.ndim > 3:
        raise ValueError(
            f"{where}: expected [batch, dim] with at most one dimension of views before them, found shape "
            f"{list(z.shape)}. Flatten the views into one dimension."
        )
    return z if z.ndim == 3 else z.unsqueeze(0)

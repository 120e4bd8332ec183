"""A law in a module."""

from typing import Any

import torch
from torch import Tensor

from jointlaw.densities._density import Density
from jointlaw.laws import JointGaussian, JointMixture, Law


class Fitted(Density):
    """A density that is known: it holds a law whose tensors are buffers, so that they follow ``to`` and checkpoints.

    ``density()`` is the law; of a joint law ``density(context)`` is that of the target. Nothing is remembered between
    calls: the law is put together anew, without checks, which its tensors passed when it was built.

    Args:
        law: fitted or otherwise known, of one unit or of joint embeddings.

    >>> density = Fitted(JointGaussian(torch.zeros(2), torch.eye(2), split=1)).double()
    >>> density(torch.zeros(3, 1)).batch_shape
    torch.Size([3])
    """

    def __init__(self, law: Law) -> None:
        super().__init__()
        for name, tensor in law.tensors.items():
            self.register_buffer(name, tensor.detach().clone())
        self._constants = law.constants
        self._kind: Any = type(law)

    @property
    def law(self) -> Law:
        """The law on the device of the module, in float32 or float64 (half precision rounds parameters, not draws)."""
        wide = {name: x if x.dtype == torch.float64 else x.float() for name, x in self.named_buffers()}
        law: Law = self._kind(**wide, **self._constants, validate_args=False)
        return law

    def forward(self, context: Tensor | None = None) -> Law:
        """Return the law, or that of the target given the ``context`` ``[B, d_c]``.

        Raises:
            ValueError: if there is a context but the law is not a joint one, has no split, or the context has another
                width.
        """
        law = self.law
        if context is None:
            return law
        if not isinstance(law, JointGaussian | JointMixture):
            raise ValueError(
                f"Fitted: expected no context for a {type(law).__name__}, which is no law of context and target, found "
                f"one of shape {list(context.shape)}. Call it without."
            )
        return law.given(context)


def held_unit(where: str, law: Law) -> Fitted:
    """The law of one unit, held by a module.

    Raises:
        ValueError: if the law has a batch of parameters.
    """
    for name, tensor in law.tensors.items():
        if tensor.ndim:
            raise ValueError(
                f"{where}: expected the law of one unit (scalar parameters), found {name} of shape "
                f"{list(tensor.shape)}. All units share one law."
            )
    return Fitted(law)

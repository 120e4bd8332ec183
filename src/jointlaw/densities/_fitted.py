"""A joint law as a density."""

from collections.abc import Callable

from torch import Tensor

from jointlaw.densities._density import Density
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._law import Law
from jointlaw.laws._mixture import JointMixture


class Fitted(Density):
    """Holds a joint law: its tensors are buffers, so that they follow ``to`` and go into checkpoints.

    Args:
        law: over context and target, fitted or otherwise known.

    >>> import torch
    >>> density = Fitted(JointGaussian(torch.zeros(2), torch.eye(2), split=1)).double()
    >>> density(torch.zeros(3, 1)).batch_shape
    torch.Size([3])
    """

    def __init__(self, law: JointGaussian | JointMixture) -> None:
        super().__init__()
        for name, tensor in law.tensors.items():
            self.register_buffer(name, tensor.detach().clone())
        self._constants = law.constants
        self._kind: Callable[..., JointGaussian | JointMixture] = type(law)

    @property
    def law(self) -> JointGaussian | JointMixture:
        """The joint law on the device of the module."""
        # The tensors were checked when the law was built.
        return self._kind(**dict(self.named_buffers()), **self._constants, validate_args=False)

    def forward(self, context: Tensor | None = None) -> Law:
        """Return the joint law, or the law of the target given the context ``[B, d_c]``.

        Raises:
            ValueError: if there is a context but the law has no split, or the context another width.
        """
        return self.law if context is None else self.law.given(context)

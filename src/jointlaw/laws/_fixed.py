"""A law that lives in a module and moves with it."""

from collections.abc import Callable

import torch
from torch import nn

from jointlaw.laws._law import Law


class Fixed(nn.Module):
    """Holds the law of one unit: its tensors are buffers, so they follow ``to`` and go into checkpoints.

    Args:
        law: with scalar parameters.

    Raises:
        ValueError: if the law has a batch of parameters.
    """

    def __init__(self, law: Law) -> None:
        super().__init__()
        for name, tensor in law.tensors.items():
            if tensor.ndim:
                raise ValueError(
                    f"Fixed: expected the law of one unit (scalar parameters), found {name} of shape "
                    f"{list(tensor.shape)}. All units share one law."
                )
            self.register_buffer(name, tensor.detach().clone())
        self._kind: Callable[..., Law] = type(law)
        self._held: tuple[list[tuple[torch.Tensor, int]], Law] | None = None

    @property
    def device(self) -> torch.device:
        """Where the law is."""
        return next(self.buffers()).device

    @property
    def law(self) -> Law:
        """The law on the device of the module: the same object until its tensors change (tables hang on it)."""
        buffers = dict(self.named_buffers())
        if self._held is not None:
            pairs = zip(buffers.values(), self._held[0], strict=True)
            if all(now is then and now._version == version for now, (then, version) in pairs):
                return self._held[1]
        # A half-precision module rounds the parameters, but never the draws.
        wide = {name: x if x.dtype == torch.float64 else x.float() for name, x in buffers.items()}
        law = self._kind(**wide)
        self._held = ([(buffer, buffer._version) for buffer in buffers.values()], law)
        return law

"""What every bank promises."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.distributed import gather
from jointlaw.types import Memory


class Bank(nn.Module, ABC):
    """Remembers embeddings of past batches in a fixed number of slots.

    ``read`` hands out the slots themselves, without a copy: all of them or, where a bank keeps its real ones together,
    the first so many; their log-weights say which are real. ``update`` is the only place that changes them. Read first,
    update after the backward pass: then no query finds its own key among its negatives.

    The batch of all processes enters, in the order of their ranks, and every process remembers the same. All state is
    in the checkpoint.

    Args:
        size: M, the number of slots.
        dim: D, the width of an embedding.

    >>> from jointlaw.banks import FIFO
    >>> bank = FIFO(size=100, dim=2)
    >>> bank.update(torch.zeros(30, 2))
    >>> bank.filled, bank.statistics["filled"].item()
    (30, 0.3)
    """

    weighs: ClassVar[bool] = False
    """Whether ``update`` wants to know what the queries made of the pool."""

    embeddings: Tensor
    log_weights: Tensor
    entered: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        check.at_least(type(self).__name__, 1, size=size, dim=dim)
        self.size = size
        self.dim = dim
        self.step = 0  # updates so far
        self.count = 0  # embeddings that have entered so far
        self.register_buffer("embeddings", torch.zeros(size, dim))
        self.register_buffer("log_weights", torch.full((size,), -torch.inf))
        self.register_buffer("entered", torch.zeros(size, dtype=torch.int64))

    @property
    def filled(self) -> int:
        """How many embeddings are remembered, clones counted: all that entered, up to the size."""
        return min(self.count, self.size)

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Detached scalars to log: the share of the bank that is filled, and the mean age in updates."""
        weights = self.log_weights.double().exp()
        ages = (self.step - self.entered).double()
        age = (weights * ages).sum() / weights.sum().clamp(min=1)
        return {"filled": age.new_tensor(self.filled / self.size), "age": age}

    def read(self) -> Memory:
        """The slots as they are; a later update changes them in place."""
        return Memory(self.embeddings, self.log_weights)

    @torch.no_grad()
    def update(self, z: Tensor, posterior: Tensor | None = None) -> None:
        """Let a batch enter.

        Args:
            z: ``[B, D]``, the new embeddings of this process.
            posterior: ``[m + n]``, unnormalised log-weights of the pool, the slots that ``read`` hands out first and
                then the n new embeddings of all processes, after this process's queries have been seen. Only a bank
                that ``weighs`` looks at them.

        Raises:
            ValueError: for other shapes.
        """
        where = type(self).__name__
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(
                f"{where}: expected embeddings [batch, {self.dim}], found shape {list(z.shape)}. "
                "Give the bank the width of the projector's output, and flatten views into the batch."
            )
        entrants = gather(z.detach().to(self.embeddings.dtype))
        slots = len(self.read().log_weights)
        if posterior is not None and posterior.shape != (slots + len(entrants),):
            raise ValueError(
                f"{where}: expected a log-weight for each of {slots} slots and {len(entrants)} new embeddings, "
                f"found shape {list(posterior.shape)}. Judge the whole pool."
            )
        self._enter(entrants, posterior)
        self.step += 1
        self.count += len(entrants)

    @abstractmethod
    def _enter(self, entrants: Tensor, posterior: Tensor | None) -> None:
        """Store the new embeddings ``[n, D]`` of all processes."""

    def get_extra_state(self) -> Tensor:
        """The counters."""
        return torch.tensor([self.step, self.count], dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the counters."""
        self.step, self.count = (int(value) for value in state)

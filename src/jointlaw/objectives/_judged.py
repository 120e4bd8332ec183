"""What a batch made of a bank, kept from the forward pass for the update."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from jointlaw.banks import Bank


class Judged(NamedTuple):
    """Sums over a batch of queries, and what tells whether they still hold.

    No result depends on whether they are kept: who does not find them forms them again, to the same numbers.

    Attributes:
        context: the embeddings that were judged.
        version: of their memory.
        edition: of the bank and of whatever else had a part in the judgement.
        posterior: ``[M]``, the log-weights of the slots.
    """

    context: Tensor
    version: int
    edition: tuple[int, ...]
    posterior: Tensor

    def recall(self, context: Tensor, edition: tuple[int, ...]) -> Tensor | None:
        """The sums, if they are of this very batch (its memory unchanged) and of this edition."""
        mine = self.context
        same = mine.data_ptr() == context.data_ptr() and mine.shape == context.shape
        same = same and mine.stride() == context.stride() and mine.dtype == context.dtype
        same = same and self.version == context._version and self.edition == edition
        return self.posterior if same else None


def judged(context: Tensor, edition: tuple[int, ...], posterior: Tensor) -> Judged | None:
    """Keep sums; none in inference mode, whose tensors have no version."""
    if torch.is_inference_mode_enabled():
        return None
    context = context.detach()
    return Judged(context, context._version, edition, posterior.detach())


def edition(bank: Bank, *others: nn.Module) -> tuple[int, ...]:
    """Changes with every update of the bank, every optimiser step of the others and every loaded checkpoint."""
    parts = [tensor for other in others for tensor in (*other.parameters(), *other.buffers())]
    return bank.step, bank.embeddings._version, *(tensor._version for tensor in parts)

"""The queue."""

import torch
from torch import Tensor

from jointlaw.banks._bank import Bank


class FIFO(Bank):
    """First in, first out: the newest M embeddings, all of weight 1.

    A batch may have any size; it wraps around the end, and of one larger than the bank the last M stay.

    Args:
        size: M, how many embeddings are remembered.
        dim: D, the width of an embedding.

    Raises:
        ValueError: for a size or width below 1.

    Source: He et al. (2020), arXiv 1911.05722, section 3.1.
    Differs from the authors' code in: no random embeddings before the bank is full; batches need not divide the size.

    >>> bank = FIFO(size=3, dim=1)
    >>> bank.update(torch.tensor([[1.0], [2.0]]))
    >>> bank.read().log_weights
    tensor([0., 0., -inf])
    >>> bank.update(torch.tensor([[3.0], [4.0]]))
    >>> bank.read().embeddings.squeeze(1)
    tensor([4., 2., 3.])
    """

    def _enter(self, entrants: Tensor, posterior: Tensor | None) -> None:
        last = entrants[-self.size :]
        start = self.count + len(entrants) - len(last)
        slots = torch.arange(start, start + len(last), device=last.device) % self.size
        self.embeddings[slots] = last
        self.log_weights[slots] = 0.0
        self.entered[slots] = self.step

"""Banks: memories of past embeddings, to contrast new ones with.

A `Bank` holds M embeddings in buffers. ``read`` hands them out with log-weights, and copies nothing; ``update`` lets a
batch enter, and is called after the backward pass, so that no query ever finds its own key among its negatives. The
batch is that of all processes, in one order on each of them. A bank that is not full serves what it has.

`FIFO` is the usual queue: the newest embeddings, all of one weight. `Particles` keeps embeddings for as long as they
explain new queries, by sequential Monte Carlo: it weighs the pool of old and new by what the queries say, and
resamples.

>>> import torch
>>> bank = FIFO(size=4, dim=2)
>>> bank.update(torch.ones(3, 2))
>>> bank.read().log_weights  # nats: three embeddings of weight one and an empty slot
tensor([0., 0., 0., -inf])

``MoCo(FIFO(...))`` is MoCo v2 and ``MoCo(Particles(...))`` is SMC-GMJE; ``jointlaw.objectives.SMCGMJE`` remembers joint
embeddings.
"""

from jointlaw.banks._bank import Bank
from jointlaw.banks._fifo import FIFO
from jointlaw.banks._particles import Particles

__all__ = ["FIFO", "Bank", "Particles"]

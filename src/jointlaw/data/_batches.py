"""Batches in an order that survives an interruption."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from jointlaw import _check as check
from jointlaw.data._samples import Source


class RawBatch(NamedTuple):
    """B samples as their source holds them.

    Attributes:
        images: uint8 images ``[B, C, H, W]``, or float32 vectors ``[B, F]``.
        label: int64 ``[B]``, -1 where unknown.
        index: int64 ``[B]``, positions of the samples in their source.
    """

    images: Tensor
    label: Int[Tensor, " batch"]
    index: Int[Tensor, " batch"]  # type: ignore[assignment]  # hides tuple.index, which nobody calls


class Batches:
    """Iterates over a source, epoch after epoch, and can go on after any batch.

    The order of an epoch is a permutation drawn from ``(seed, epoch)``. It is cut into pieces of ``batch * world``
    samples, of which every rank takes its own ``batch``: together the ranks see what one process with the larger batch
    would see. A source that decodes files is read one batch ahead in a thread.

    The position is where the next batch will come from: ``state_dict`` counts what the consumer has received, not what
    was read ahead. A new ``iter`` begins the next epoch if a batch of the present one was received; directly
    after ``load_state_dict`` it goes on within the epoch. Only the newest iterator may be used.

    Attributes:
        epoch: the epoch that the next batch belongs to.
        batch: how many of its batches the consumer has received.
        size: samples per batch and rank.

    Args:
        source: what to read.
        batch: samples per batch and rank.
        seed: determines the order of every epoch.
        shuffle: whether to permute; otherwise every epoch has the source's order. To evaluate, set both this and
            ``drop_last`` to False: then every sample comes exactly once.
        drop_last: whether to leave out the samples of an epoch that fill no batch on every rank. If kept, the ranks
            share them (their last batches then differ by at most one sample, and may be empty).
        rank: index of this process.
        world: number of processes.

    Raises:
        ValueError: if a number is impossible, or the source fills no batch.

    >>> from jointlaw.data import load
    >>> batches = Batches(load("digits").train, 256, seed=0)
    >>> len(batches), next(iter(batches)).images.shape, batches.state_dict()
    (5, torch.Size([256, 1, 8, 8]), {'epoch': 0, 'batch': 1})
    """

    def __init__(
        self,
        source: Source,
        batch: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = True,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        check.at_least("Batches", 1, batch=batch, world=world)
        check.at_least("Batches", 0, seed=seed, rank=rank)
        if rank >= world:
            raise ValueError(f"Batches: expected rank < world, found rank {rank} of {world}. Number ranks from 0.")
        piece = batch * world
        least = piece if drop_last else 1
        if len(source) < least:
            raise ValueError(
                f"Batches: expected at least {least} samples ({batch} for each of {world} processes), found "
                f"{len(source)}. Choose a smaller batch, or drop_last=False."
            )
        self.source = source
        self.size = batch
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world = world
        self._length = len(source) // piece if drop_last else -(-len(source) // piece)
        self.epoch = 0
        self.batch = 0
        self._begun = False  # whether a batch was received since the epoch or the position was set
        self._walk: object = None  # the iterator made last

    def __len__(self) -> int:
        """Batches in an epoch, the same on all ranks."""
        return self._length

    @property
    def sampler(self) -> "Batches":
        """Itself: Lightning announces each epoch through ``loader.sampler.set_epoch``."""
        return self

    @property
    def batch_sampler(self) -> None:
        """None, as in a ``DataLoader`` that makes its batches itself (Lightning looks at it next to ``sampler``)."""

    def set_epoch(self, epoch: int) -> None:
        """Let the next batch be the first of ``epoch``; a position just loaded within this very epoch is kept."""
        check.at_least("Batches", 0, epoch=epoch)
        if self._begun or epoch != self.epoch:
            self._go_to(epoch, 0)

    def state_dict(self) -> dict[str, int]:
        """The position: the epoch, and how many of its batches the consumer has received."""
        finished = self.batch == len(self)
        return {"epoch": self.epoch + finished, "batch": 0 if finished else self.batch}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go to a position: the next batch is the one that would have come.

        Raises:
            ValueError: if there is no such position.
        """
        epoch, batch = state_dict["epoch"], state_dict["batch"]
        if epoch < 0 or not 0 <= batch < len(self):
            raise ValueError(
                f"Batches: expected a position within epochs of {len(self)} batches, found epoch {epoch}, batch "
                f"{batch}. Resume with the data and the batch size that the run began with."
            )
        self._go_to(epoch, batch)

    def _go_to(self, epoch: int, batch: int) -> None:
        if self._begun:  # the iterator in use has the order of the old epoch: it must not go on
            self._walk = None
        self.epoch, self.batch, self._begun = epoch, batch, False

    def __iter__(self) -> Iterator[RawBatch]:
        """Iterate over what is left of the epoch, or over the next one."""
        if self._begun:
            self._go_to(self.epoch + 1, 0)
        self._walk = token = object()
        return self._ahead(token) if self.source.lazy else self._through(token)

    def _through(self, token: object) -> Iterator[RawBatch]:
        parts = self._parts()  # only now: Lightning sets the epoch after it has made the iterator
        while self.batch < len(parts):
            yield self._hand_out(token, self._read(parts[self.batch]))

    def _ahead(self, token: object) -> Iterator[RawBatch]:
        parts = self._parts()
        with ThreadPoolExecutor(1) as thread:
            coming: Future[RawBatch] = thread.submit(self._read, parts[self.batch])
            while self.batch < len(parts):
                batch = coming.result()
                if self.batch + 1 < len(parts):
                    coming = thread.submit(self._read, parts[self.batch + 1])
                yield self._hand_out(token, batch)

    def _hand_out(self, token: object, batch: RawBatch) -> RawBatch:
        if token is not self._walk:
            raise RuntimeError(
                "Batches: expected the iterator that was made last, found an older one. Use one iterator at a time."
            )
        self.batch, self._begun = self.batch + 1, True
        return batch

    def _read(self, index: Tensor) -> RawBatch:
        return RawBatch(self.source.read(index), self.source.label[index], index)

    def _parts(self) -> list[Tensor]:
        """This rank's positions, batch by batch."""
        samples = len(self.source)
        order = torch.randperm(samples, generator=self._generator()) if self.shuffle else torch.arange(samples)
        pieces = torch.split(order, self.size * self.world)[: len(self)]
        return [piece.tensor_split(self.world)[self.rank] for piece in pieces]

    def _generator(self) -> torch.Generator:
        # SeedSequence mixes the two numbers: neighbouring seeds and epochs share no order.
        mixed = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(mixed) >> 1)

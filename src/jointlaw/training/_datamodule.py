"""Feeds a learner: raw batches from a source, turned into views on the training device."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from jointlaw.data._batches import Batches, RawBatch
from jointlaw.data._samples import Data, Source
from jointlaw.distributed import rank, world_size
from jointlaw.types import Views
from jointlaw.views._makers import ViewMaker


class ViewedData(pl.LightningDataModule):
    """Batches of views for training, and of clean samples for validation.

    Every random draw of a step is a function of (seed, epoch, batch, rank), so a resumed run draws what an
    uninterrupted one would have drawn: the views from their own generator, and whatever the network draws
    (dropout, stochastic depth) from torch's global one, reseeded here.

    Args:
        data: training and held-out source.
        views: makes views of raw batches.
        batch: number of samples per process and step.
        seed: determines the order of samples, the drawn views, and what the network itself draws.

    Raises:
        ValueError: if the training source fills no batch.

    >>> from jointlaw import data, views
    >>> viewed = ViewedData(data.load("digits"), views.view_maker(views.digits()), batch=256, seed=0)
    >>> len(viewed.train_dataloader()), len(viewed.val_dataloader())
    (5, 2)
    """

    def __init__(self, data: Data, views: ViewMaker, batch: int, seed: int) -> None:
        super().__init__()
        if len(data.train) < batch:  # found here, before a run folder is made, rather than by the first epoch
            raise ValueError(
                f"data: expected at least one batch of {batch} samples to train on, found {len(data.train)} in "
                f"{data.name}. Choose a smaller --run.batch."
            )
        self.data = data
        self.views = views
        self.batch = batch
        self.seed = seed
        self._loader: Batches | None = None
        self._position: dict[str, int] | None = None

    def train_dataloader(self) -> Batches:
        """Shuffled batches of the training source; this process's share, from the position of a checkpoint on."""
        self._loader = Batches(self.data.train, self.batch, seed=self.seed, rank=rank(), world=world_size())
        if self._position is not None:
            self._loader.load_state_dict(self._position)
            self._position = None
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch comes from."""
        return {} if self._loader is None else dict(self._loader.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there.

        Lightning restores a loader's position too, but no longer once `estimated_stepping_batches` was read, and every
        schedule reads it.
        """
        self._position = state_dict or None

    def val_dataloader(self) -> Batches:
        """The held-out source in order; this process's share."""
        share = {"rank": rank(), "world": world_size()}
        return Batches(self.data.held_out, self.batch, shuffle=False, drop_last=False, **share)

    def on_after_batch_transfer(self, batch: RawBatch, dataloader_idx: int) -> Views:
        """Make views on the device that the batch was moved to."""
        if self._loader is None or self.trainer is None or not self.trainer.training:
            return Views([self.views.clean(batch.images)], batch.label, batch.index)
        position = self._loader.state_dict()
        seed = step_seed(self.seed, position["epoch"], position["batch"], rank())
        torch.manual_seed(seed)
        return Views(self.views(batch.images, torch.Generator().manual_seed(seed)), batch.label, batch.index)


def step_seed(*numbers: int) -> int:
    """Mix several small numbers into one seed, so that neighbours have nothing in common."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1  # NumPy 1 shifts no uint64


def clean_views(source: Source, maker: ViewMaker, batch: int) -> Iterator[Views]:
    """Every sample of a source once, as its one clean view."""
    for raw in Batches(source, batch, shuffle=False, drop_last=False):
        yield Views([maker.clean(raw.images)], raw.label, raw.index)


def drawn_views(source: Source, maker: ViewMaker, batch: int, seed: int) -> Iterator[Views]:
    """Every sample of a source once, in views drawn as in training."""
    generator = torch.Generator().manual_seed(step_seed(seed, 1))
    for raw in Batches(source, batch, shuffle=False, drop_last=False):
        yield Views(maker(raw.images, generator), raw.label, raw.index)

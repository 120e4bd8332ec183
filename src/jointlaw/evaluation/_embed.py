"""Runs a frozen learner over data."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from jointlaw.data import Source
from jointlaw.evaluation._table import Table
from jointlaw.training import Learner
from jointlaw.training._datamodule import clean_views, drawn_views
from jointlaw.training._tracking import Track, untracked
from jointlaw.types import Views
from jointlaw.views import ViewMaker


@torch.no_grad()
def embed(learner: Learner, loader: Iterable[Views]) -> Table:
    """Features and embeddings of every view, in evaluation mode and float32, gathered on the CPU.

    Args:
        learner: its encoder and projector compute on their own device; its mode is put back afterwards.
        loader: gives views of samples, labelled or not. With V views per sample the table has V rows for each.

    Raises:
        ValueError: if there are no samples.

    >>> from jointlaw import MLP, VICReg
    >>> learner, views = Learner(MLP((4, 3)), MLP((3, 2)), VICReg()), [torch.rand(5, 4)] * 2
    >>> embed(learner, [Views(views, label=torch.full((5,), -1), index=torch.arange(5))]).embeddings.shape
    torch.Size([10, 2])
    """
    was_training = learner.training
    learner.eval()
    rows: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for views in loader:
        for images in views.images:
            features = learner(images.to(learner.device))
            z = learner.project(features)
            rows.append((features.float().cpu(), z.cpu(), views.label.cpu(), views.index.cpu()))
    learner.train(was_training)
    if not rows:
        raise ValueError("embed: expected at least one batch, found none. Is the source empty?")
    features, embeddings, label, index = (torch.cat(column) for column in zip(*rows, strict=True))
    return Table(features=features, embeddings=embeddings, label=label, index=index)


@dataclass(frozen=True, eq=False)
class Embedder:
    """A frozen learner with the views that trained it: from sources to tables.

    Attributes:
        learner: the trained learner.
        views: the maker of views that trained it.
        batch: number of samples in one pass.
        track: shows how far it is: is given items, what is done with them and their number, and hands them on.

    >>> from jointlaw import MLP, VICReg, data, views
    >>> embedder = Embedder(Learner(MLP((4, 3)), MLP((3, 2)), VICReg()), views.view_maker(views.tensor()))
    >>> source = data.as_source(torch.rand(5, 4))
    >>> len(embedder.clean(source)), len(embedder.drawn(source, seed=0))
    (5, 10)
    """

    learner: Learner
    views: ViewMaker
    batch: int = 256
    track: Track = untracked

    def clean(self, source: Source) -> Table:
        """Every sample once, as its one clean view."""
        views = clean_views(source, self.views, self.batch)
        return embed(self.learner, self.track(views, f"embedding {len(source):,} samples", self._batches(source)))

    def drawn(self, source: Source, seed: int, view: int | None = None, rows: int = 0) -> Table:
        """Every sample in views drawn as in training.

        Args:
            source: the samples.
            seed: determines the drawn views.
            view: position of the one view of each sample that is kept (default: all are).
            rows: the source is gone through again, with other draws, until the table has this many rows.
        """
        each = 1 if view is not None else len(self.views(source.read(torch.arange(1)), torch.Generator()))
        turns = max(1, -(-rows // (each * len(source))))
        views = (
            drawn if view is None else drawn._replace(images=[drawn.images[view]])
            for turn in range(turns)
            for drawn in drawn_views(source, self.views, self.batch, seed + turn)
        )
        return embed(
            self.learner,
            self.track(views, f"embedding views of {len(source):,} samples", turns * self._batches(source)),
        )

    def _batches(self, source: Source) -> int:
        return -(-len(source) // self.batch)

"""Runs a frozen learner over data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from jointlaw.data import Source
from jointlaw.evaluation._table import Table
from jointlaw.training import Learner
from jointlaw.training._datamodule import clean_views, drawn_views
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

    >>> from jointlaw import MLP, VICReg, data, views
    >>> embedder = Embedder(Learner(MLP((4, 3)), MLP((3, 2)), VICReg()), views.view_maker(views.tensor()))
    >>> source = data.as_source(torch.rand(5, 4))
    >>> len(embedder.clean(source)), len(embedder.drawn(source, seed=0))
    (5, 10)
    """

    learner: Learner
    views: ViewMaker
    batch: int = 256

    def clean(self, source: Source) -> Table:
        """Every sample once, as its one clean view."""
        return embed(self.learner, clean_views(source, self.views, self.batch))

    def drawn(self, source: Source, seed: int, view: int | None = None, rows: int = 0) -> Table:
        """Every sample in views drawn as in training.

        Args:
            source: the samples.
            seed: determines the drawn views.
            view: position of the one view of each sample that is kept (default: all are).
            rows: the source is gone through again, with other draws, until the table has this many rows.
        """
        return embed(self.learner, self._draws(source, seed, view, rows))

    def _draws(self, source: Source, seed: int, view: int | None, rows: int) -> Iterator[Views]:
        seen, turn = 0, 0
        while turn == 0 or seen < rows:
            for drawn in drawn_views(source, self.views, self.batch, seed + turn):
                chosen = drawn if view is None else drawn._replace(images=[drawn.images[view]])
                seen += len(chosen.images) * len(chosen.index)
                yield chosen
            turn += 1

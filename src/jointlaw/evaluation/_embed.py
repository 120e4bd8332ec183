"""Runs a frozen learner over data."""

from collections.abc import Iterable

import torch
from torch import Tensor

from jointlaw.evaluation._table import Table
from jointlaw.training._learner import Learner
from jointlaw.types import Views


@torch.no_grad()
def embed(learner: Learner, loader: Iterable[Views]) -> Table:
    """Features and embeddings of every view, in evaluation mode and float32, gathered on the CPU.

    Args:
        learner: its encoder and projector are used on their device; its mode is put back afterwards.
        loader: views of labelled or unlabelled samples. With V views per sample the table has V rows for each.

    Raises:
        ValueError: if there are no samples.
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

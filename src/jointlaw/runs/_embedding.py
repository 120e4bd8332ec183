"""From samples to a run's table of embeddings, and into a file."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt
import torch
from torch import Tensor

from jointlaw.data import Data, Source, as_source
from jointlaw.evaluation._table import Table, Which, check_output, write_table
from jointlaw.runs._console import say, track

if TYPE_CHECKING:
    from jointlaw.runs._run import Run


class Split(StrEnum):
    """Which samples of the data: those trained on, those held out, or all."""

    train = "train"
    held_out = "held_out"
    all = "all"


def embed_sources(run: "Run", sources: Sequence[Source]) -> Table:
    """Features and embeddings of the samples of several sources, one after the other, with a progress bar."""
    from jointlaw.evaluation import embed
    from jointlaw.training._datamodule import clean_views

    views, batch = run.views, run.setup.run.batch
    total = sum(-(-len(source) // batch) for source in sources)
    batches = (one for source in sources for one in clean_views(source, views, batch))  # read as they are needed
    return embed(run.learner, track(batches, "embedding", total))


def embed_data(run: "Run", data: Data) -> Table:
    """Features and embeddings of all samples of other data, in the order of their file or of their names."""
    sources = [data.train, data.held_out]
    table = embed_sources(run, sources)
    order = torch.arange(len(table))
    if all(source.origin is not None for source in sources):  # one file, which was divided
        order = torch.cat([source.positions for source in sources]).argsort()
    elif all(source.names for source in sources):
        names = [*sources[0].names, *sources[1].names]
        order = torch.tensor(sorted(range(len(names)), key=names.__getitem__))
    return Table(table.features[order], table.embeddings[order], table.label[order], torch.arange(len(table)))


def source_for(run: "Run", x: Tensor | npt.ArrayLike | Source) -> Source:
    """Samples of the shape that the network takes; images of another size are resized.

    Raises:
        ValueError: if there are none, or they have another number of channels or features.
    """
    source = x if isinstance(x, Source) else as_source(x)
    shape = run.shape or run.data.train.shape
    if len(shape) == 3 and source.shape[:-2] == shape[:-2] and source.shape != shape:
        source = source.resized(shape[-1])
    if source.shape != shape:
        raise ValueError(f"embed: expected samples of shape {shape} as in training, found {source.shape}.")
    if not len(source):
        raise ValueError("embed: expected at least one sample, found none.")
    return source


def write_embeddings(run: "Run", output: Path, split: Split, which: Which, overwrite: bool) -> Table:
    """See ``Run.write_embeddings``."""
    output, which, split = check_output(output, which, overwrite), Which(which), Split(split)
    data = run.data
    if run.elsewhere:
        table = embed_data(run, data)
    else:
        parts = {Split.train: [data.train], Split.held_out: [data.held_out], Split.all: [data.train, data.held_out]}
        table = embed_sources(run, parts[split])
    write_table(table, output, which, overwrite)
    width = table.features.shape[1] if which == Which.features else table.embeddings.shape[1]
    say(f"{len(table):,} rows of width {width} in {output}")
    return table

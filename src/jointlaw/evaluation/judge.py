"""All figures of a trained learner: what ``results.json`` holds and a report shows."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from jointlaw.evaluation import geometry, probes, sparsity
from jointlaw.evaluation.embed import embed
from jointlaw.evaluation.table import Table
from jointlaw.functional.dependence import mean_nhsic
from jointlaw.regularizers import SlicedWasserstein
from jointlaw.training.datamodule import clean_views, drawn_views
from jointlaw.training.learner import Learner
from jointlaw.training.samples import Data, Source
from jointlaw.training.views import ViewMaker
from jointlaw.types import Views

DEAD_UNITS_ROWS = 5_000
"""A unit that is silent in this many embeddings is called dead; fewer would call rare units dead."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was measured, and the tables it was measured on.

    Attributes:
        figures: dotted name -> number; None where there is nothing to measure (such as probes without labels).
        clean: held-out samples, one clean view each.
        drawn: held-out samples in views drawn as in training: what the law was asked of.
        notes: sentences for the reader, such as why there is no probe.
    """

    figures: dict[str, float | None]
    clean: Table
    drawn: Table
    notes: tuple[str, ...]


def judge(learner: Learner, data: Data, probe: Data | None, views: ViewMaker, batch: int, seed: int = 0) -> Judgement:
    """Measure a learner on held-out data.

    Sparsity, dead units, dependence and the distance to the law are measured on held-out samples in views drawn as
    in training, repeated until there are 5,000 of them; RankMe on clean held-out samples. Probes learn on clean
    samples of ``probe.probe`` and are judged on ``probe.held_out``.

    Args:
        learner: trained.
        data: what it was trained on.
        probe: labelled data; None leaves the probes out.
        views: the maker of views that trained it.
        batch: samples at a time, and the batch size of the distance to the law.
        seed: of views, probes and pairs.
    """
    clean = embed(learner, clean_views(data.held_out, views, batch))
    drawn = embed(learner, _drawn(data.held_out, views, batch, seed))
    figures: dict[str, float | None] = {
        "sparsity.l0": sparsity.l0(drawn.embeddings),
        "sparsity.l0_clean": sparsity.l0(clean.embeddings),
        "sparsity.l1": sparsity.l1(drawn.embeddings),
        "dead_units": sparsity.dead_units(drawn.embeddings),
        "dead_units_rows": float(len(drawn)),
        "rankme.backbone": geometry.rankme(clean.features),
        "rankme.projector": geometry.rankme(clean.embeddings),
        "nhsic": mean_nhsic(drawn.embeddings, seed=seed),
    }
    figures |= law_figures(learner.objective.matcher, drawn, batch)
    found, notes = probe_figures(learner, probe, views, batch, seed)
    return Judgement(figures | found, clean, drawn, notes)


def law_figures(matcher: SlicedWasserstein | None, drawn: Table, batch: int) -> dict[str, float | None]:
    """Distance to the law beside its two anchors, and the activity that the law plans."""
    names = ("sparsity.l0_expected", "matching.value", "matching.floor", "matching.collapse")
    if matcher is None:
        return dict.fromkeys(names)
    size = min(batch, len(drawn) // 2)
    device = matcher.get_buffer(f"law_{matcher.names[0]}").device
    order = torch.randperm(len(drawn), generator=torch.Generator().manual_seed(0))
    groups = [order[start : start + size] for start in range(0, len(order) - size + 1, size)][:8]
    with torch.no_grad():
        values = [float(matcher(drawn.embeddings[group].to(device))) for group in groups]
    floor, collapse = matcher.anchors(size, drawn.embeddings.shape[1])
    planned = float(matcher.law.activity)
    return dict(zip(names, (planned, sum(values) / len(values), floor, collapse), strict=True))


def probe_figures(
    learner: Learner, probe: Data | None, views: ViewMaker, batch: int, seed: int
) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Linear, nearest-neighbour and few-shot probes, where there are labels."""
    names = ("probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy", "few_shot.1", "few_shot.10")
    if probe is None:
        return dict.fromkeys(names), ("No labels: no probe. Give labelled data by --probe-data.",)
    train = embed(learner, clean_views(probe.probe, views, batch))
    test = embed(learner, clean_views(probe.held_out, views, batch))
    backbone = probes.linear_probe(train.features, train.label, test.features, test.label, seed=seed)
    projector = probes.linear_probe(train.embeddings, train.label, test.embeddings, test.label, seed=seed)
    neighbours = probes.knn_probe(train.features, train.label, test.features, test.label)
    few = probes.few_shot(train.features, train.label, test.features, test.label, seed=seed)
    values = (backbone.accuracy, projector.accuracy, neighbours.accuracy, few[1].mean, few[10].mean)
    return dict(zip(names, values, strict=True)), ()


def _drawn(source: Source, views: ViewMaker, batch: int, seed: int) -> Iterator[Views]:
    """Drawn views of the whole source, again and again until there are enough rows."""
    rows, turn = 0, 0
    while rows < DEAD_UNITS_ROWS:
        for drawn in drawn_views(source, views, batch, seed + turn):
            rows += len(drawn.images) * len(drawn.index)
            yield drawn
        turn += 1

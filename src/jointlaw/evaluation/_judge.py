"""All figures of a trained learner: what ``results.json`` holds and a report shows."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from jointlaw.data import Data
from jointlaw.evaluation import _probes as probes
from jointlaw.evaluation import _sparsity as sparsity
from jointlaw.evaluation._duality import duality_figures
from jointlaw.evaluation._embed import Embedder
from jointlaw.evaluation._figures import PROBES
from jointlaw.evaluation._geometry import alignment, uniformity
from jointlaw.evaluation._table import Table
from jointlaw.functional._dependence import mean_nhsic
from jointlaw.functional._spectrum import rankme
from jointlaw.objectives import Objective
from jointlaw.regularizers import SlicedWasserstein
from jointlaw.training._collapse import planned_activity
from jointlaw.training._health import health, health_figures, symptoms

PAIRED_ROWS = 2_000
"""Held-out samples of whose pairs there is a matrix, as for uniformity: the cost grows with their square."""

ROWS = 1_000
"""Embeddings whose components are looked up at a time."""

DEAD_UNITS_ROWS = 5_000
"""A unit that is silent in this many embeddings is called dead; fewer would call rare units dead."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was measured, and the tables it was measured on.

    Attributes:
        figures: dotted name -> number; None where there is nothing to measure (such as probes without labels).
        clean: held-out samples, one clean view of each.
        drawn: held-out samples in views drawn as in training, which the law is meant for.
        notes: remarks for the reader of a report, such as why there is no probe.
    """

    figures: dict[str, float | None]
    clean: Table
    drawn: Table
    notes: tuple[str, ...]


def judge(embedder: Embedder, data: Data, probe: Data | None = None, seed: int = 0) -> Judgement:
    """Measure a learner on held-out data.

    Sparsity, dependence, entropy (mean over units, nats) and the distance to the law are measured on held-out samples
    in views drawn as in training, repeated until there are 5,000 of them; RankMe on clean held-out samples. Alignment
    is that of two drawn views of each held-out sample, uniformity that of up to 2,000 clean ones, both of the
    projector. A dual objective with a linear kernel is computed in its primal form, too, on two drawn views of up to
    2,000 held-out samples. A unit is dead if it is zero for all these drawn views and, where fewer than 5,000 samples
    are held out, for those of the training samples, too; a component of a learned joint law is dead if none of these
    embeddings belongs to it more than to every other. Probes learn on clean samples of ``probe.probe`` and are judged
    on ``probe.held_out``.

    Args:
        embedder: the trained learner with its views; its batch is also the batch size of the distance to the law.
        data: the data that the learner was trained on.
        probe: labelled data for the probes; None leaves them out.
        seed: determines the drawn views, the probes' validation rows and the pairs of coordinates.

    >>> from jointlaw import MLP, VICReg, data, training, views
    >>> learner = training.Learner(MLP((4, 4)), MLP((4, 3)), VICReg())
    >>> source = data.as_source(torch.rand(200, 4))
    >>> judgement = judge(Embedder(learner, views.view_maker(views.tensor())), Data("mine", source, source, source))
    >>> judgement.figures["sparsity.l0"], len(judgement.clean)
    (1.0, 200)
    """
    learner = embedder.learner
    clean = embedder.clean(data.held_out)
    drawn = embedder.drawn(data.held_out, seed, rows=DEAD_UNITS_ROWS)
    awake = drawn.embeddings
    if len(data.held_out) < DEAD_UNITS_ROWS:
        awake = torch.cat([awake, embedder.drawn(data.train, seed).embeddings])
    pairs = _two_views(drawn)
    measures: dict[str, Callable[[], float | None]] = {
        "sparsity.l0": lambda: sparsity.l0(drawn.embeddings),
        "sparsity.l0_clean": lambda: sparsity.l0(clean.embeddings),
        "sparsity.l1": lambda: sparsity.l1(drawn.embeddings),
        "dead_units": lambda: sparsity.dead_units(awake),
        "dead_units_rows": lambda: float(len(awake)),
        "rankme.backbone": lambda: rankme(clean.features),
        "rankme.projector": lambda: rankme(clean.embeddings),
        "nhsic": lambda: mean_nhsic(drawn.embeddings, seed=seed) if drawn.embeddings.shape[1] > 1 else None,
        "alignment": lambda: None if pairs is None else alignment(*pairs),
        "uniformity": lambda: uniformity(_some(clean.embeddings, PAIRED_ROWS)),
        "entropy.value": lambda: _finite_mean(sparsity.unit_entropy(drawn.embeddings)),
    }
    measuring = embedder.track(measures.items(), "measuring embeddings", len(measures))
    figures = {name: measure() for name, measure in measuring}
    figures |= law_figures(learner.objective.matcher, drawn, embedder.batch)
    figures |= joint_figures(learner.objective, awake)
    if pairs is not None:
        figures |= duality_figures(learner.objective, *(_some(view, PAIRED_ROWS) for view in pairs))
    found, notes = probe_figures(embedder, probe, seed)
    signs = health(clean.features, clean.embeddings, planned_activity(learner.objective))
    figures |= health_figures(signs, learner.limits)
    alarms = symptoms(signs, learner.limits)
    return Judgement(figures | found, clean, drawn, (*alarms.values(), *notes))


@torch.no_grad()
def joint_figures(objective: Objective, z: Tensor) -> dict[str, float | None]:
    """How many components the joint law has that was learned, and how many of them no embedding belongs to."""
    law = objective.joint_law
    if law is None:
        return {}
    owners = [law.responsibilities(rows.to(law.loc.device)).argmax(1) for rows in torch.split(z, ROWS)]
    held = int((torch.cat(owners).bincount() > 0).sum())
    figures: dict[str, float | None] = {"joint.components": float(law.count), "joint.dead": float(law.count - held)}
    parts = objective.statistics.get("parts")
    return figures if parts is None else {**figures, "joint.parts": float(parts)}


def law_figures(matcher: SlicedWasserstein | None, drawn: Table, batch: int) -> dict[str, float | None]:
    """Distance to the law, its floor and its value at collapse, and the activity that the law plans."""
    names = ("sparsity.l0_expected", "entropy.expected", "matching.value", "matching.floor", "matching.collapse")
    if matcher is None:
        return dict.fromkeys(names)
    size = min(batch, len(drawn) // 2)
    order = torch.randperm(len(drawn), generator=torch.Generator().manual_seed(0))
    groups = [order[start : start + size] for start in range(0, len(order) - size + 1, size)][:8]
    with torch.no_grad():
        values = [float(matcher(drawn.embeddings[group].to(next(matcher.buffers()).device))) for group in groups]
    floor, collapse = matcher.anchors(size, drawn.embeddings.shape[1])
    law = matcher.law
    found = (float(law.activity), float(law.entropy()), sum(values) / len(values), floor, collapse)
    return dict(zip(names, found, strict=True))


def probe_figures(embedder: Embedder, probe: Data | None, seed: int) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Figures of linear, nearest-neighbour and few-shot probes, and a note for each that could not be computed."""
    if probe is None:
        return dict.fromkeys(PROBES), ("No labels: no probe. Give labelled data by --probe-data.",)
    train, test = embedder.clean(probe.probe), embedder.clean(probe.held_out)
    backbone = (train.features, train.label, test.features, test.label)
    projector = (train.embeddings, train.label, test.embeddings, test.label)
    figures: dict[str, float | None] = {}
    notes: list[str] = []

    def linear(name: str, tables: tuple[Tensor, Tensor, Tensor, Tensor]) -> float:
        result = probes.linear_probe(*tables, seed=seed)
        if not result.converged:
            notes.append(f"{name}: the fit reached its limit of steps; a longer one could be a little better.")
        return result.accuracy

    attempts: dict[str, Callable[[], float]] = {
        PROBES[0]: lambda: linear(PROBES[0], backbone),
        PROBES[1]: lambda: linear(PROBES[1], projector),
        PROBES[2]: lambda: probes.knn_probe(*backbone).accuracy,
        PROBES[3]: lambda: probes.few_shot(*backbone, shots=(1,), seed=seed)[1].mean,
        PROBES[4]: lambda: probes.few_shot(*backbone, shots=(10,), seed=seed)[10].mean,
    }
    for name, attempt in embedder.track(attempts.items(), "fitting probes", len(attempts)):
        try:
            figures[name] = attempt()
        except ValueError as error:  # too few samples for this probe: the text says which and why
            figures[name] = None
            notes.append(f"{name}: not measured. {error}")
    return figures, tuple(notes)


def _finite_mean(values: Tensor) -> float | None:
    """The mean over the units that have a finite value; None where there is no such unit."""
    mean = values.nanmean().item()
    return None if math.isnan(mean) else mean


def _two_views(drawn: Table) -> tuple[Tensor, Tensor] | None:
    """Embeddings ``[N, D]`` of two drawn views of each sample; None where there is only one view."""
    order = drawn.index.argsort(stable=True)
    counts = drawn.index.bincount()
    counts = counts[counts > 0]
    if counts.min() < 2:
        return None
    first = counts.cumsum(0) - counts  # where each sample's rows begin
    return drawn.embeddings[order[first]], drawn.embeddings[order[first + 1]]


def _some(rows: Tensor, most: int) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:most]]

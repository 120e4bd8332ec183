"""The report's numbers in words: headline tiles, the verdict on the dial, the probe table."""

from dataclasses import dataclass

import torch

from jointlaw.evaluation._sparsity import dead_units, l0
from jointlaw.report._contents import Contents

PROBES = {
    "probe.backbone.accuracy": "Linear probe on the backbone",
    "probe.projector.accuracy": "Linear probe on the projector",
    "knn.accuracy": "Nearest neighbours on the backbone",
}


@dataclass(frozen=True)
class Tile:
    """One big figure and what it means in plain words."""

    value: str
    name: str
    caption: str


@dataclass(frozen=True)
class Row:
    """One line of a table; ``share`` is its bar's length in percent, None where there is no bar."""

    name: str
    value: str
    share: float | None = None


def percent(share: float) -> str:
    """A share as percent: one decimal, two below one percent."""
    value = 100 * share
    return f"{value:.2f}\u00a0%" if 0 < abs(value) < 1 else f"{value:.1f}\u00a0%"


def verdict(contents: Contents) -> str:
    """Whether the measured share of active units is the planned one, in a sentence."""
    planned, measured = contents.planned_activity, measured_activity(contents)
    if planned is None:
        return "No law was given, so there is no plan to compare with."
    allowed = min(0.01, max(0.002, 0.05 * planned))
    gap = abs(measured - planned)
    found = f"Off by {100 * gap:.2f} points; up to {100 * allowed:.2f} counts as exact"
    return f"{found}: the dial holds." if gap <= allowed else f"{found}: the dial does not hold."


def measured_activity(contents: Contents) -> float:
    """The run's measured share of active units, or the share in the embeddings at hand."""
    logged = contents.figure("sparsity.l0")
    return l0(torch.from_numpy(contents.matched)) if logged is None else logged


def tiles(contents: Contents) -> list[Tile]:
    """The headline: planned against measured activity first, then whatever the run has figures for."""
    planned = contents.planned_activity
    made = [
        Tile("none" if planned is None else percent(planned), "planned activity", "Share of units the law lets fire."),
        Tile(percent(measured_activity(contents)), "measured activity", verdict(contents)),
    ]
    dead, samples = _dead_units(contents)
    words = f"{round(dead * contents.embeddings.shape[1]):,} of {contents.embeddings.shape[1]:,} units never fire"
    made.append(Tile(percent(dead), "dead units", f"{words} in {samples:,} embeddings."))
    return [*made, *_accuracies(contents), *_rest(contents)]


def _dead_units(contents: Contents) -> tuple[float, int]:
    """The share of units that never fire, and in how many embeddings: the run's figure or that of those at hand."""
    logged, rows = contents.figure("dead_units"), contents.figure("dead_units_rows")
    if logged is not None and rows is not None:
        return logged, int(rows)
    return dead_units(torch.from_numpy(contents.matched)), len(contents.matched)


def _accuracies(contents: Contents) -> list[Tile]:
    captions = {
        "probe.backbone.accuracy": ("backbone probe", "Classes a linear classifier reads off the features."),
        "probe.projector.accuracy": ("projector probe", "The same, read off the embeddings."),
        "knn.accuracy": ("nearest neighbours", "Samples whose neighbours vote for the right class."),
    }
    found = {key: contents.figure(key) for key in captions}
    return [Tile(percent(value), *captions[key]) for key, value in found.items() if value is not None]


def _rest(contents: Contents) -> list[Tile]:
    made = []
    value, floor, collapse = (contents.figure(f"matching.{end}") for end in ("value", "floor", "collapse"))
    if value is not None and floor is not None and collapse is not None and collapse > floor:
        way = max(0.0, (value - floor) / (collapse - floor))
        made.append(Tile(percent(way), "distance to the law", "0 % is the sampling floor, 100 % a collapsed batch."))
    rank = contents.figure("rankme.backbone")
    if rank is not None:
        width = contents.features.shape[1]
        made.append(Tile(f"{rank:.0f}", "effective dimensions", f"RankMe of the features, {width} wide."))
    return made


def probe_table(contents: Contents) -> list[Row]:
    """Every accuracy the run measured, chance first; empty without labels."""
    names = dict(PROBES)
    for key in contents.figures:
        if key.startswith("few_shot."):
            count = key.removeprefix("few_shot.")
            names[key] = f"Linear probe on the backbone, {count} {'label' if count == '1' else 'labels'} per class"
    found = [(name, contents.figure(key)) for key, name in names.items()]
    rows = [Row(name, percent(value), 100 * value) for name, value in found if value is not None]
    if rows and len(contents.classes) > 1:
        chance = 1 / len(contents.classes)
        rows.insert(0, Row(f"Chance, {len(contents.classes)} classes", percent(chance), 100 * chance))
    return rows


def every_figure(contents: Contents) -> list[Row]:
    """The run's results as they stand in its file."""
    return [Row(key, "not measured" if value is None else f"{value:.6g}") for key, value in contents.figures.items()]

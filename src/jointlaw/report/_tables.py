"""A run's numbers in words: headline tiles, the verdict on the dial, tables of figures and of probes."""

from collections.abc import Mapping

import torch

from jointlaw.evaluation._figures import FIGURES, PROBES, figure_of
from jointlaw.evaluation._sparsity import dead_units, l0
from jointlaw.report._blocks import FigureTable, Tile
from jointlaw.report._contents import Contents


def figure_table(
    figures: Mapping[str, float | None], title: str = "Figures", note: str = "", keys: bool = False
) -> FigureTable:
    """Figures of a run by name, with their units and meanings, as `jointlaw.evaluation.FIGURES` words them.

    Args:
        figures: values by their keys in results.json.
        title: what the table shows, for who cannot see it.
        note: a line under it.
        keys: whether a column says what a figure is called in results.json.

    >>> figure_table({"sparsity.l0": 0.101, "seed": None}).rows
    [['measured activity', '10.10 %'], ['seed', 'not measured']]
    """
    known = {key: figure_of(key) for key in figures}
    rows = [[figure.name, figure.text(figures[key]), *([key] if keys else [])] for key, figure in known.items()]
    columns = ["figure", "value", *(["in results.json"] if keys else [])]
    return FigureTable(title, columns, rows, note, [figure.meaning for figure in known.values()])


def probe_table(contents: Contents) -> FigureTable | None:
    """Every accuracy that the run measured, chance first; None where there is none."""
    keys = [key for key in dict.fromkeys((*PROBES, *contents.figures)) if key in PROBES or key.startswith("few_shot.")]
    found = {figure_of(key).name: value for key in keys if (value := contents.figure(key)) is not None}
    if not found:
        return None
    if len(contents.classes) > 1:
        found = {f"chance, {len(contents.classes)} classes": 1 / len(contents.classes), **found}
    rows = [[name, percent(value)] for name, value in found.items()]
    return FigureTable("Probe accuracies", ["classifier", "accuracy"], rows, bars=list(found.values()))


def duality_table(contents: Contents) -> FigureTable | None:
    """Dual and primal form of a linear Gaussian process's loss, side by side; None where the run has no such loss."""
    rows = []
    for key in (key for key in FIGURES if key.startswith("duality.") and key.endswith(".samples")):
        dual, primal = contents.figure(key), contents.figure(key.removesuffix("samples") + "units")
        if dual is None or primal is None:
            return None
        gap = abs(dual - primal) / (max(abs(dual), abs(primal)) or 1.0)
        rows.append([FIGURES[key].name.removesuffix(", dual"), f"{dual:.9f}", f"{primal:.9f}", f"{gap:.1e}"])
    columns = ["nats per sample", "over samples (dual)", "over units (primal)", "relative difference"]
    return FigureTable("Dual and primal form of the loss", columns, rows)


def tiles(contents: Contents) -> list[Tile]:
    """The headline: planned against measured activity first, then whatever the run has figures for."""
    planned = contents.planned_activity
    made = [
        _tile("sparsity.l0_expected", "none" if planned is None else percent(planned)),
        _tile("sparsity.l0", percent(measured_activity(contents)), verdict(contents)),
        _dead_units(contents),
    ]
    found = {key: contents.figure(key) for key in PROBES[:3]}
    made += [_tile(key, percent(value)) for key, value in found.items() if value is not None]
    return [*made, *_distance(contents), *_rank(contents)]


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


def percent(share: float) -> str:
    """A share as percent: one decimal, two below one percent."""
    value = 100 * share
    return f"{value:.2f} %" if 0 < abs(value) < 1 else f"{value:.1f} %"


def _tile(key: str, value: str, caption: str = "") -> Tile:
    return Tile(value, FIGURES[key].name, caption or FIGURES[key].meaning)


def _dead_units(contents: Contents) -> Tile:
    """The share of units that never fire, and in how many embeddings: the run's figure or that of those at hand."""
    share, rows = contents.figure("dead_units"), contents.figure("dead_units_rows")
    if share is None or rows is None:
        share, rows = dead_units(torch.from_numpy(contents.matched)), len(contents.matched)
    width = contents.embeddings.shape[1]
    words = f"{round(share * width):,} of {width:,} units never fire in {int(rows):,} embeddings."
    return _tile("dead_units", percent(share), words)


def _distance(contents: Contents) -> list[Tile]:
    value, floor, collapse = (contents.figure(f"matching.{end}") for end in ("value", "floor", "collapse"))
    if value is None or floor is None or collapse is None or collapse <= floor:
        return []
    way = max(0.0, (value - floor) / (collapse - floor))
    return [_tile("matching.value", percent(way), "0 % is the sampling floor, 100 % a collapsed batch.")]


def _rank(contents: Contents) -> list[Tile]:
    rank = contents.figure("rankme.backbone")
    width = contents.features.shape[1]
    return [] if rank is None else [_tile("rankme.backbone", f"{rank:.0f}", f"RankMe of the features, {width} wide.")]

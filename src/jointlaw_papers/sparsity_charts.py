"""The pictures of the sparsity experiment."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from jointlaw.report import Chart
from jointlaw.report.drawing import FOURTH, LAW, MEASURED, QUIET, THIRD, canvas, dots, line, logarithmic
from jointlaw_papers.seeds import Found
from jointlaw_papers.sparsity import Elsewhere, SparsityResult
from jointlaw_papers.sparsity_cases import Case, Dial
from jointlaw_papers.sparsity_claims import ABLATED, THEIRS
from jointlaw_papers.trials import BACKBONE, L0, PROJECTOR

COLOURS = {0.5: FOURTH, 1.0: MEASURED, 2.0: THIRD}
"""Of the shapes p."""

SYMBOLS = ("square", "triangle-up", "triangle-down", "cross", "hexagram")
"""Of the baselines."""


class Mark(NamedTuple):
    """A point with its words."""

    x: float
    y: float
    label: str


def dial(result: SparsityResult) -> Chart:
    """Planned against measured share of active units."""
    figure = canvas("planned share of active units (%)", "measured (%)")
    rows = result.dials
    ends = [100 * value for one in rows if one.case.dial and (value := one.case.dial.planned)]
    line(figure, [(min(ends), min(ends)), (max(ends), max(ends))], "planned", QUIET, dash="dash")
    for name, part, colour, symbol in _families(rows):
        _marks(figure, _against_plan(part), name, colour, symbol)
    _marks(figure, _against_plan(result.published), "published", LAW, "x-thin-open")
    theirs = [Mark(100 * key.planned, 100 * row.l0, key.label) for key, row in THEIRS.items() if isinstance(key, Dial)]
    _marks(figure, theirs, "paper", LAW, "star-open")
    logarithmic(figure, "x", "y")
    _columns(figure)
    reading = (
        "On the dashed line the dial does what it says. Both axes are logarithmic; units that are never active lie "
        "nowhere. Diamonds: variance 1 after the rectifier (σRGN). Stars: the paper's own table."
    )
    return Chart("dial", "The dial", figure, reading, "Planned against measured share of active units.", wide=True)


def entropies(result: SparsityResult) -> Chart:
    """Entropy of a unit: the law's against the measured one."""
    figure = canvas("entropy of the law (nats)", "measured, mean over units (nats)")
    rows = [one for one in result.dials if one.mean("entropy.value") is not None]
    points = [(one, _value(one, "entropy.expected"), _value(one, "entropy.value")) for one in rows]
    ends = [x for _, x, _ in points]
    line(figure, [(min(ends), min(ends)), (max(ends), max(ends))], "equal", QUIET, dash="dash")
    for name, part, colour, symbol in _families(rows):
        kept = [Mark(x, y, one.case.label) for one, x, y in points if one in part]
        _marks(figure, kept, name, colour, symbol)
    reading = (
        "Rényi entropy of a coordinate with its atom at zero. The law has the most that its moments allow; below the "
        "dashed line units carry less."
    )
    return Chart("entropy", "Entropy of a unit", figure, reading, "Entropy of the law against the measured one.")


def dead(result: SparsityResult) -> Chart:
    """Dead units against the planned share."""
    figure, most = canvas("planned share of active units (%)", "dead units (%)"), []
    for name, rows, colour, symbol in (
        ("thresholds, default slices", result.dials, MEASURED, "circle"),
        ("published form", result.published, LAW, "x-thin-open"),
    ):
        marks = [
            Mark(100 * one.case.dial.planned, 100 * value, one.case.label)
            for one in rows
            if one.case.dial is not None and (value := one.mean("dead_units")) is not None
        ]
        _marks(figure, marks, name, colour, symbol)
        most.append(f"{max((mark.y for mark in marks), default=0.0):.1f} % ({name})")
    logarithmic(figure, "x")
    figure.update_yaxes(rangemode="tozero")
    reading = f"Units that no view of any sample wakes: at most {' and '.join(most)}."
    return Chart("dead", "Dead units", figure, reading, "Share of dead units against the planned share of active ones.")


def front(result: SparsityResult, key: str) -> Chart:
    """Accuracy against sparsity, with the settings that no other one beats in both."""
    name = "backbone" if key == BACKBONE else "projector"
    figure = canvas("measured share of active units (%)", f"linear probe of the {name} (%)")
    rows = result.dials
    others, plain = result.baselines, result.published
    best = undominated(_sparse_and_accurate([*rows, *others, *plain], key))
    line(figure, [(mark.x, mark.y) for mark in best], "front", QUIET, dash="dot")
    for words, part, colour, symbol in _families(rows):
        _marks(figure, _sparse_and_accurate(part, key), words, colour, symbol)
    _marks(figure, _sparse_and_accurate(plain, key), "published", LAW, "x-thin-open")
    for one, symbol in zip(others, SYMBOLS, strict=False):
        _marks(figure, _sparse_and_accurate([one], key), one.case.label, QUIET, symbol)
    logarithmic(figure, "x")
    _columns(figure)
    there = [mark.label for mark in best if mark.label in {one.case.label for one in others}]
    reading = (
        f"Up and to the left is better. On the front, beaten in both by none: {len(best)} of the points, "
        f"{'with ' + ', '.join(there) if there else 'no baseline'} among them."
    )
    return Chart(f"front-{name}", f"Accuracy against sparsity, {name}", figure, reading, reading, wide=True)


def undominated(marks: Sequence[Mark]) -> list[Mark]:
    """The marks than which no other one is both sparser and more accurate, from sparse to dense.

    >>> [mark.label for mark in undominated([Mark(1, 5, "a"), Mark(2, 4, "b"), Mark(3, 6, "c")])]
    ['a', 'c']
    """
    kept: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.x, -mark.y)):
        if not kept or mark.y > kept[-1].y:
            kept.append(mark)
    return kept


def ablations(result: SparsityResult) -> Chart:
    """The four combinations of features and law."""
    figure = canvas("law, features", "%")
    rows = result.ablated
    labels = [words.removesuffix(" features").replace(" law, ", "<br>") for words in ABLATED]
    for words, key, colour in (
        ("backbone", BACKBONE, MEASURED),
        ("projector", PROJECTOR, THIRD),
        ("active units", L0, LAW),
    ):
        heights = [100 * (one.mean(key) or 0.0) for one in rows]
        figure.add_trace(go.Bar(x=labels, y=heights, name=words, marker={"color": colour}))
    figure.update_layout(bargap=0.3)
    figure.update_xaxes(tickangle=0)
    reading = (
        f"At p = {result.plan.ablated.p:g}, loc = {result.plan.ablated.loc:g}. Wanted: high accuracy, few active units."
    )
    return Chart(
        "ablations", "Rectify what?", figure, reading, "Bars of accuracy and activity of four ablations.", True
    )


def slices(result: SparsityResult) -> list[Chart]:
    """Accuracy and seconds against the number of slices.

    Seconds of the library's form are not shown: they are no longer those of the same hour and load.
    """
    rows, default = result.sliced, result.compared
    made = []
    for name, title, keys, unit in (
        ("accuracy", "Accuracy by number of slices", {"backbone": BACKBONE, "projector": PROJECTOR}, 100),
        ("seconds", "Time by number of slices", {"training": "seconds"}, 1),
    ):
        figure = canvas("slices", "accuracy (%)" if unit == 100 else "seconds to train")
        for (words, key), colour in zip(keys.items(), (MEASURED, THIRD), strict=False):
            points = [(float(count), unit * value) for count, one in rows if (value := one.mean(key)) is not None]
            line(figure, points, words, colour)
            figure.data[-1].mode = "lines+markers"
            level = default.mean(key) if unit == 100 else None
            if level is not None and points:
                ends = [(points[0][0], unit * level), (points[-1][0], unit * level)]
                line(figure, ends, f"{words}, library's form", colour, dash="dash")
        logarithmic(figure, "x")
        counts = [count for count, _ in rows]
        figure.update_xaxes(tickvals=counts, ticktext=[str(count) for count in counts], tickangle=0)
        reading = f"The published form at {result.plan.compared.label}"
        if name == "seconds":
            figure.update_yaxes(rangemode="tozero")
            reading += ", in seconds of wall time."
        else:
            reading += "; dashed: the library's form, whose slices do not change in number."
        made.append(Chart(f"slices-{name}", title, figure, reading, f"{title}: a line over the number of slices."))
    return made


def elsewhere(result: SparsityResult, place: Elsewhere) -> list[Chart]:
    """Accuracy and sparsity on other data."""
    key = f"transfer.{place.name}"
    rows, others = result.dials, result.baselines
    accuracy = canvas("share of active units on the training data (%)", f"linear probe on {place.name} (%)")
    for words, part, colour in (("projector", "projector", THIRD), ("backbone", "backbone", MEASURED)):
        _marks(accuracy, _sparse_and_accurate(rows, f"{key}.{part}"), words, colour, "circle")
        _marks(accuracy, _sparse_and_accurate(others, f"{key}.{part}"), f"{words}, baselines", colour, "square-open")
    logarithmic(accuracy, "x")
    there = canvas("share of active units, training data (%)", f"on {place.name} (%)")
    marks = [
        Mark(100 * a, 100 * b, one.case.label)
        for one in [*rows, *others]
        if (a := one.mean("sparsity.l0_clean")) and (b := one.mean(f"{key}.l0"))
    ]
    ends = [mark.x for mark in marks]
    line(there, [(min(ends), min(ends)), (max(ends), max(ends))], "equal", QUIET, dash="dash")
    _marks(there, marks, "settings and baselines", MEASURED, "circle")
    logarithmic(there, "x", "y")
    name = "".join(letter if letter.isalnum() else "-" for letter in place.name)
    return [
        Chart(
            f"elsewhere-{name}",
            f"Accuracy on {place.name}",
            accuracy,
            "The encoders saw the training data only; a new probe reads the other data's classes off.",
            f"Accuracy on {place.name} against sparsity.",
        ),
        Chart(
            f"sparsity-{name}",
            f"Sparsity on {place.name}",
            there,
            "Clean samples of both. Off the dashed line, sparsity tells the data apart.",
            f"Share of active units on {place.name} against that on the training data.",
        ),
    ]


def _families(rows: Sequence[Found[Case]]) -> list[tuple[str, list[Found[Case]], str, str]]:
    """Rows by shape and scale, with name, colour and symbol."""
    kept: dict[tuple[float, str], list[Found[Case]]] = {}
    for one in rows:
        if one.case.dial is not None:
            kept.setdefault((one.case.dial.p, one.case.dial.scale), []).append(one)
    return [
        (
            f"p = {p:g}" if scale == "GN" else f"{p:g}, σRGN",
            part,
            COLOURS[p],
            "circle" if scale == "GN" else "diamond-open",
        )
        for (p, scale), part in sorted(kept.items())
    ]


def _against_plan(rows: Sequence[Found[Case]]) -> list[Mark]:
    return [
        Mark(100 * one.case.dial.planned, 100 * value, one.case.label)
        for one in rows
        if one.case.dial is not None and (value := one.mean(L0))
    ]


def _sparse_and_accurate(rows: Sequence[Found[Case]], key: str) -> list[Mark]:
    return [
        Mark(100 * l0, 100 * value, one.case.label)
        for one in rows
        if (l0 := one.mean(L0)) and (value := one.mean(key)) is not None
    ]


def _value(one: Found[Case], key: str) -> float:
    value = one.mean(key)
    return float("nan") if value is None else value


def _marks(figure: Any, marks: Sequence[Mark], name: str, colour: str, symbol: str) -> None:
    if not marks:
        return
    x, y, labels = zip(*marks, strict=True)
    dots(figure, np.array(x), np.array(y), name, colour, labels, size=9, symbol=symbol)
    figure.data[-1].marker.line = {"color": colour, "width": 2}


def _columns(figure: Any) -> None:
    """Three columns of names, so that they leave room for the plot on a small screen."""
    figure.update_layout(legend={"entrywidth": 0.32, "entrywidthmode": "fraction", "font": {"size": 11}})

"""The plots of a run's history: each takes the contents and returns a chart, or a sentence why there is none."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from jointlaw.report._blocks import Absent, Chart
from jointlaw.report._contents import Contents
from jointlaw.report.drawing import LAW, MEASURED, QUIET, THIRD, canvas, cycle, line, logarithmic

Points: TypeAlias = Sequence[tuple[float, float]]

BANK = ("ess", "age", "survival", "distinct", "filled")
"""What a memory bank logs of itself (`jointlaw.banks`); it has charts of its own."""


GRAPH = ("vertices", "parts", "idle")
"""What growing prototypes log of their graph; it has a chart of its own."""


def losses(contents: Contents) -> Chart | Absent:
    """The loss and its unweighted terms over the run, logarithmic."""
    title = "Loss and terms"
    apart = {"train/activity", "train/matching", *(f"train/{name}" for name in (*BANK, *GRAPH))}
    names = [name for name in contents.history if name == "loss" or (name.startswith("train/") and name not in apart)]
    names.sort(key=lambda name: not name.endswith("loss"))  # the loss first: it takes the first colour
    figure, shown = canvas("optimiser step", "value (log scale)"), []
    for name, colour in zip(names, cycle(len(names)), strict=True):
        points = [(step, value) for step, value in contents.curve(name) if value > 0]
        if points:
            line(figure, points, name.removeprefix("train/"), colour)
            shown.append(f"{name.removeprefix('train/')} from {points[0][1]:.3g} to {points[-1][1]:.3g}")
    if not shown:
        return Absent(title, "No loss was logged: no training curve.")
    logarithmic(figure, "y")
    reading = "Once curves flatten, training has settled. Terms are shown before they are weighted into the loss."
    return Chart("losses", title, figure, reading, f"Line chart of {', '.join(shown)}.")


def matching(contents: Contents) -> Chart | Absent:
    """The matching term between its two anchors: the sampling floor and the value of a collapsed batch."""
    title = "Distance to the law"
    points = [(step, value) for step, value in contents.curve("train/matching") if value > 0]
    if not points:
        return Absent(title, "No matching term was logged: no distance to the law over the run.")
    figure = canvas("optimiser step", "squared units (log scale)")
    line(figure, points, "matching", MEASURED)
    steps = (points[0][0], points[-1][0])
    for key, name, colour in (("floor", "floor", THIRD), ("collapse", "collapse", LAW)):
        value = contents.figure(f"matching.{key}")
        if value is not None and value > 0:
            line(figure, [(step, value) for step in steps], f"{name} {value:.3g}", colour, dash="dash")
    logarithmic(figure, "y")
    reading = (
        "In squared embedding units. Floor: what perfect embeddings score at this batch size. Collapse: the score of "
        "all-zero embeddings. A curve close to the floor is as good as it gets; below the floor, a batch "
        "is spread more evenly than chance would spread it."
    )
    return Chart("matching", title, figure, reading, f"Line chart: matching ends at {points[-1][1]:.3g}.")


def probes(contents: Contents) -> Chart | Absent:
    """The online probes' accuracy over the run, in percent."""
    title = "Probe accuracy while training"
    names = [name for name in contents.history if name.startswith("probe/") and contents.curve(name)]
    if not names:
        return Absent(title, "No labels, or no probe was logged: no accuracy over the run.")
    figure, ends = canvas("optimiser step", "accuracy (%)"), []
    for name, colour in zip(names, cycle(len(names)), strict=True):
        points = [(step, 100 * value) for step, value in contents.curve(name)]
        line(figure, points, name.removeprefix("probe/"), colour)
        ends.append(f"{name.removeprefix('probe/')} ends at {points[-1][1]:.1f} %")
    reading = "Higher is better. A linear classifier reads the classes off; its gradients never reach the encoder."
    return Chart("probes", title, figure, reading, f"Line chart: {', '.join(ends)}.")


def activity(contents: Contents) -> Chart | Absent:
    """The share of active units over the run against the planned share, in percent."""
    title = "Active units while training"
    points = [(step, 100 * value) for step, value in contents.curve("train/activity")]
    if not points:
        return Absent(title, "No activity was logged: no dial over the run.")
    if contents.planned_activity is None and all(value == 100 for _, value in points):
        return Absent(title, "Every unit was active in every sample, and no law asks for less: there is no dial.")
    figure = canvas("optimiser step", "active units (%)")
    line(figure, points, "measured", MEASURED)
    planned = contents.planned_activity
    if planned is not None:
        ends = [(points[0][0], 100 * planned), (points[-1][0], 100 * planned)]
        line(figure, ends, f"planned {100 * planned:.3g} %", LAW, dash="dash")
    figure.update_yaxes(rangemode="tozero")
    reading = "Where the measured line settles on the dashed one, the dial does what it says."
    return Chart("activity", title, figure, reading, f"Line chart: active units end at {points[-1][1]:.2f} percent.")


def rank(contents: Contents) -> Chart | Absent:
    """The effective rank of held-out features over the run, with the collapse alarm's limit."""
    title = "Effective dimensions while training"
    points = contents.curve("health/rank")
    if not points:
        return Absent(title, "No vital signs were logged: no effective rank over the run.")
    figure = canvas("optimiser step", "RankMe of the features")
    line(figure, points, "effective dimensions", MEASURED)
    _limit(figure, contents, points, "rank", ("alarm below {:.3g}", LAW))
    figure.update_yaxes(rangemode="tozero")
    reading = (
        "Where the line sinks to the dashed one, features shrink into few directions, and the run raises the alarm."
    )
    return Chart("rank", title, figure, reading, f"Line chart: effective rank ends at {points[-1][1]:.1f}.")


def spread(contents: Contents) -> Chart | Absent:
    """Spread and silent units of held-out embeddings over the run, in percent, with the collapse alarm's limits."""
    title = "Spread and silent units while training"
    shown = {"spread": ("differ between samples", MEASURED), "silent": ("units with one value", THIRD)}
    curves = {name: [(step, 100 * value) for step, value in contents.curve(f"health/{name}")] for name in shown}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return Absent(title, "No vital signs were logged: no spread over the run.")
    figure = canvas("optimiser step", "share (%)")
    for name, points in curves.items():
        line(figure, points, *shown[name])
        words = "alarm below {:.3g} %" if name == "spread" else "alarm above {:.3g} %"
        _limit(figure, contents, points, name, (words, shown[name][1]), 100)
    figure.update_yaxes(range=[-2, 102])
    reading = (
        "How much embeddings differ between samples, as a share of their size, and the share of units that have one "
        "value for all samples. Each should keep to its side of the dashed line of its colour."
    )
    ends = ", ".join(f"{name} ends at {points[-1][1]:.1f} percent" for name, points in curves.items())
    return Chart("spread", title, figure, reading, f"Line chart: {ends}.")


def graph(contents: Contents) -> Chart | Absent:
    """How many vertices and connected parts the graph of growing prototypes has over the run, and how many are idle."""
    title = "The graph while training"
    shown = {"vertices": ("vertices", MEASURED), "parts": ("connected parts", LAW), "idle": ("idle vertices", THIRD)}
    curves = {name: points for name in shown if (points := contents.curve(f"train/{name}"))}
    if not curves:
        return Absent(title, "The number of components is fixed: no graph grew.")
    figure = canvas("optimiser step", "number")
    for name, points in curves.items():
        line(figure, points, *shown[name])
    figure.update_yaxes(rangemode="tozero")
    reading = (
        "Vertices are put where embeddings are explained worst, and removed where they no longer help. Parts are not "
        "joined by any edge. An idle vertex wins less than a tenth of an average one's samples."
    )
    ends = ", ".join(f"{shown[name][0]} {points[-1][1]:.0f}" for name, points in curves.items())
    return Chart("graph", title, figure, reading, f"Line chart: at the end {ends}.")


def bank_size(contents: Contents) -> Chart | Absent:
    """The effective sample size of a bank's pool over the run."""
    title = "Effective sample size of the bank"
    points = contents.curve("train/ess")
    if not points:
        return Absent(title, "The bank gives all its embeddings one weight: no effective sample size.")
    figure = canvas("optimiser step", "particles")
    line(figure, points, "effective sample size", MEASURED)
    figure.update_yaxes(rangemode="tozero")
    reading = (
        "How many equally weighted particles would be as good as the pool of bank and new batch, before resampling. "
        "When it falls, the weight gathers on few particles, the hardest negatives."
    )
    return Chart("ess", title, figure, reading, f"Line chart: effective sample size ends at {points[-1][1]:.0f}.")


def bank_age(contents: Contents) -> Chart | Absent:
    """How old the bank's embeddings are over the run, in updates."""
    title = "Age of the bank"
    points = contents.curve("train/age")
    if not points:
        return Absent(title, "No age was logged.")
    figure = canvas("optimiser step", "mean age (updates)")
    line(figure, points, "age", MEASURED)
    figure.update_yaxes(rangemode="tozero")
    reading = "How many updates ago the embeddings were made: old ones are no longer what the network would make now."
    return Chart("age", title, figure, reading, f"Line chart: mean age ends at {points[-1][1]:.2f} updates.")


def bank_shares(contents: Contents) -> Chart | Absent:
    """What share of the bank is filled, distinct, and survives an update, in percent."""
    title = "What the bank keeps"
    shown = {"filled": ("filled", QUIET), "distinct": ("slots in use", THIRD), "survival": ("outlive an update", LAW)}
    figure, ends = canvas("optimiser step", "share (%)"), []
    for key, (name, colour) in shown.items():
        points = [(step, 100 * value) for step, value in contents.curve(f"train/{key}")]
        if points:
            line(figure, points, name, colour)
            ends.append(f"{name} {points[-1][1]:.1f} percent")
    if not ends:
        return Absent(title, "No shares were logged.")
    figure.update_yaxes(range=[-2, 102])
    reading = (
        "Copies of a particle share a slot: few slots in use mean many copies of few particles. Survival is the share "
        "of occupied slots that the last update kept."
    )
    return Chart("shares", title, figure, reading, f"Line chart: at the end {', '.join(ends)}.")


def _limit(figure: Any, contents: Contents, points: Points, sign: str, look: tuple[str, str], scale: float = 1) -> None:
    """A dashed line at the alarm's limit of a sign, with its words and colour."""
    value = contents.figure(f"health.limit.{sign}")
    if value is not None:
        words, colour = look
        ends = [(points[0][0], scale * value), (points[-1][0], scale * value)]
        line(figure, ends, words.format(scale * value), colour, dash="dash")

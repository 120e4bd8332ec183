"""The plots of a run's history: each takes the contents and returns a chart, or a sentence why there is none."""

from jointlaw.report.canvas import LAW, MEASURED, THIRD, Absent, Chart, canvas, cycle, line, logarithmic
from jointlaw.report.contents import Contents


def losses(contents: Contents) -> Chart | Absent:
    """The loss and its unweighted terms over the run, logarithmic."""
    title = "Loss and terms"
    apart = ("train/activity", "train/matching")
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
    logarithmic(figure)
    reading = "Falling and flattening: training has settled. Terms are shown before they are weighted into the loss."
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
    logarithmic(figure)
    reading = (
        "In squared embedding units. Floor: what perfect embeddings score at this batch size. Collapse: the score of "
        "all-zero embeddings. Close to the floor is as good as it gets."
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
    figure = canvas("optimiser step", "active units (%)")
    line(figure, points, "measured", MEASURED)
    planned = contents.planned_activity
    if planned is not None:
        ends = [(points[0][0], 100 * planned), (points[-1][0], 100 * planned)]
        line(figure, ends, f"planned {100 * planned:.3g} %", LAW, dash="dash")
    figure.update_yaxes(rangemode="tozero")
    reading = "The measured line should settle on the dashed one: the dial does what it says."
    return Chart("activity", title, figure, reading, f"Line chart: active units end at {points[-1][1]:.2f} percent.")

"""The report's plots: each builder takes the contents and returns a chart, or a sentence why there is none."""

import numpy as np
import torch
from plotly.subplots import make_subplots

from jointlaw.report.canvas import (
    LAW,
    MEASURED,
    THIRD,
    Absent,
    Chart,
    axes,
    bars,
    canvas,
    cycle,
    decades,
    dress,
    line,
    tidied,
)
from jointlaw.report.contents import Contents


def losses(contents: Contents) -> Chart | Absent:
    """The loss and its unweighted terms over the run, logarithmic."""
    title = "Loss and terms"
    apart = ("train/activity", "train/matching")
    names = [name for name in contents.history if name == "loss" or (name.startswith("train/") and name not in apart)]
    figure, shown = canvas("optimiser step", "value (log scale)"), []
    for name, colour in zip(names, cycle(len(names)), strict=True):
        points = [(step, value) for step, value in contents.curve(name) if value > 0]
        if points:
            line(figure, points, name.removeprefix("train/"), colour)
            shown.append(f"{name.removeprefix('train/')} from {points[0][1]:.3g} to {points[-1][1]:.3g}")
    if not shown:
        return Absent(title, "No loss was logged: no training curve.")
    figure.update_yaxes(type="log", exponentformat="power", dtick="D1" if decades(figure) < 1 else None)
    reading = "Falling and flattening: training has settled. Terms are shown before they are weighted into the loss."
    return Chart("losses", title, figure, reading, f"Line chart of {', '.join(shown)}.")


def matching(contents: Contents) -> Chart | Absent:
    """The matching term between its two anchors: the sampling floor and the value of a collapsed batch."""
    title = "Distance to the law"
    points = [(step, value) for step, value in contents.curve("train/matching") if value > 0]
    if not points:
        return Absent(title, "No matching term was logged: no distance to the law over the run.")
    figure = canvas("optimiser step", "squared embedding units (log scale)")
    line(figure, points, "matching", MEASURED)
    steps = (points[0][0], points[-1][0])
    for key, name, colour in (("floor", "floor", THIRD), ("collapse", "collapse", LAW)):
        value = contents.figure(f"matching.{key}")
        if value is not None and value > 0:
            line(figure, [(step, value) for step in steps], f"{name} {value:.3g}", colour, dash="dash")
    figure.update_yaxes(type="log", exponentformat="power")
    reading = (
        "Floor: what perfect embeddings would score at this batch size. Collapse: the score if all were alike. "
        "Close to the floor is as good as it gets."
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
    planned = planned_activity(contents)
    if planned is not None:
        ends = [(points[0][0], 100 * planned), (points[-1][0], 100 * planned)]
        line(figure, ends, f"planned {100 * planned:.3g} %", LAW, dash="dash")
    figure.update_yaxes(rangemode="tozero")
    reading = "The measured line should settle on the dashed one: the dial does what it says."
    return Chart("activity", title, figure, reading, f"Line chart: active units end at {points[-1][1]:.2f} percent.")


def planned_activity(contents: Contents) -> float | None:
    """The share of active units that the law asks for; the run's own figure where there is no law object."""
    if contents.law is None:
        return contents.figure("sparsity.l0_expected")
    return float(contents.law.activity)


def dial(contents: Contents) -> Chart | Absent:
    """How often each unit fires, as a histogram over units, with the planned share."""
    title = "How often each unit fires"
    fires = (contents.embeddings != 0).mean(axis=0)  # [D]
    planned = planned_activity(contents)
    if fires.min() == 1 and planned in (None, 1.0):
        return Absent(title, "Every unit is active in every sample, as a dense law asks: there is no dial to check.")
    edges = np.linspace(0, 100 * min(1.0, 1.15 * max(float(fires.max()), planned or 0.0, 0.01)), 41)
    count, _ = np.histogram(100 * fires, edges)
    figure = canvas("samples in which the unit is active (%)", "units")
    bars(figure, edges, count, "units", MEASURED)
    top = float(count.max())
    line(figure, [(100 * fires.mean(), 0), (100 * fires.mean(), top)], f"measured {100 * fires.mean():.3g} %", THIRD)
    if planned is not None:
        line(figure, [(100 * planned, 0), (100 * planned, top)], f"planned {100 * planned:.3g} %", LAW, dash="dash")
    dead = int((fires == 0).sum())
    reading = f"A narrow hill on the dashed line: every unit obeys the dial. At zero: dead units ({dead} of {fires.size})."
    alt = f"Histogram of unit activity: mean {100 * fires.mean():.2f} percent over {fires.size} units, {dead} dead."
    return Chart("dial", title, figure, reading, alt)


def histogram(contents: Contents) -> Chart:
    """All units' values against the law's density; the share of exact zeros (the atom) stands in a panel of its own."""
    values = contents.embeddings.ravel()
    zero = float((values == 0).mean())
    low, high = (float(end) for end in np.quantile(values, (0.0005, 0.9995)))
    edges = np.linspace(low, max(high, low + 1e-6), 61)
    count, _ = np.histogram(values[values != 0], edges)
    density = count / (values.size * np.diff(edges))
    figure = make_subplots(cols=2, column_widths=[0.2, 0.8], horizontal_spacing=0.13)
    dress(figure)
    figure.add_bar(x=["zeros"], y=[tidied(100 * zero)], name="measured", marker_color=MEASURED, row=1, col=1)
    bars(figure, edges, density, "measured", MEASURED, panel=2)
    figure.data[-1].showlegend = False
    if contents.law is not None:
        atom = 100 * (1 - float(contents.law.activity))
        figure.add_bar(x=["zeros"], y=[tidied(atom)], name="law", marker_color=LAW, row=1, col=1)
        inside = np.linspace(edges[0], edges[-1], 242)[1:-1]  # off the atom
        curve = contents.law.log_prob(torch.from_numpy(inside)).exp().numpy()
        line(figure, list(zip(inside, curve, strict=True)), "law's density", LAW, panel=2)
    axes(figure, "", "share (%)", panel=1)
    axes(figure, "value (embedding units)", "density", panel=2)
    figure.update_yaxes(range=[0, 100], row=1, col=1)
    reading = "Left: exact zeros, measured beside planned. Right: bars under the curve mean the active values follow the law."
    alt = f"Histogram of unit values: {100 * zero:.1f} percent are exactly zero; the rest lie up to {high:.3g}."
    return Chart("histogram", "Values of all units", figure, reading, alt)




def quantiles(contents: Contents) -> Chart | Absent:
    """Quantile-quantile plot of unit values against the law: pooled, with a band that holds 90 % of the units."""
    title = "Quantiles against the law"
    return Absent(title, "No law was given: nothing to compare the units with.")


def spectrum(contents: Contents) -> Chart:
    """Singular values of the centred features and embeddings, the largest set to 1, with RankMe in the legend."""
    figure, found = canvas("singular value, by rank", "share of the largest (log scale)"), []
    for name, table, colour in (("backbone", contents.features, MEASURED), ("projector", contents.embeddings, LAW)):
        values = np.linalg.svd(table - table.mean(0), compute_uv=False)
        shown = values[values > 1e-6 * values.max()] / max(values.max(), 1e-30)
        line(figure, [(rank + 1.0, value) for rank, value in enumerate(shown.tolist())], name, colour)
        found.append(name)
    figure.update_yaxes(type="log", exponentformat="power")
    return Chart("spectrum", "Singular values", figure, "Flat", f"Line chart {found}")

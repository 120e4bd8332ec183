"""The plots of the embeddings themselves: each takes the contents and returns a chart, or why there is none."""

import numpy as np
import torch
from plotly.subplots import make_subplots

from jointlaw.evaluation._fidelity import ks_distance, unit_quantiles
from jointlaw.functional._spectrum import rankme
from jointlaw.functional._spectrum import spectrum as singular_values
from jointlaw.report._blocks import Absent, Chart
from jointlaw.report._contents import Contents
from jointlaw.report.drawing import LAW, MEASURED, THIRD, axes, band, bars, canvas, dress, line, logarithmic, tidied


def dial(contents: Contents) -> Chart | Absent:
    """How often each unit fires, as a histogram over units, with the planned share."""
    title = "How often each unit fires"
    fires = 100 * (contents.matched != 0).mean(axis=0)  # [D]
    planned = contents.planned_activity
    if fires.min() == 100 and planned in (None, 1.0):
        return Absent(title, "Every unit is active in every sample, as a dense law asks: there is no dial to check.")
    edges = np.linspace(0, min(100.0, 1.15 * max(float(fires.max()), 100 * (planned or 0.0), 1.0)), 61)
    count, _ = np.histogram(fires, edges)
    figure, top = canvas("active in (% of samples)", "number of units"), float(count.max())
    bars(figure, edges, count, "units", MEASURED)
    figure.data[-1].showlegend = False
    line(figure, [(fires.mean(), 0), (fires.mean(), top)], f"measured {fires.mean():.3g} %", THIRD)
    if planned is not None:
        line(figure, [(100 * planned, 0), (100 * planned, top)], f"planned {100 * planned:.3g} %", LAW, dash="dash")
    dead = int((fires == 0).sum())
    reading = (
        "A narrow hill on the dashed line means that each unit obeys the dial. "
        f"Units at zero are dead: {dead} of {fires.size}."
    )
    alt = f"Histogram of unit activity: mean {fires.mean():.2f} percent over {fires.size} units, {dead} dead."
    return Chart("dial", title, figure, reading, alt, wide=True)


def quantiles(contents: Contents) -> Chart | Absent:
    """Quantile-quantile plot of unit values against the law: pooled, with a band that holds 90 % of the units."""
    title = "Quantiles against the law"
    if contents.law is None:
        return Absent(title, "No law was given: there is nothing to compare the units with.")
    z = torch.from_numpy(contents.matched)
    found = unit_quantiles(z, contents.law)
    planned, pooled, low, high = (part.numpy() for part in (found.law, found.pooled, found.lower, found.upper))
    figure = canvas("quantile of the law (embedding units)", "quantile of the units")
    band(figure, planned, low, high, "90 % of the units")
    line(figure, [(planned[0], planned[0]), (planned[-1], planned[-1])], "the law", LAW)
    line(figure, list(zip(planned, pooled, strict=True)), "all units pooled", MEASURED)
    figure.data[-1].mode, figure.data[-1].marker.size = "markers", 5
    distance = float(ks_distance(z, contents.law).median())
    reading = (
        "Where points lie on the diagonal, the units follow the law; above it they are larger than planned, below it "
        "smaller. "
        f"The median unit's distribution function is off by at most {distance:.3f} (Kolmogorov-Smirnov)."
    )
    gap = float(np.abs(pooled - planned).max())
    alt = f"Quantile-quantile plot: the pooled units leave the diagonal by at most {gap:.2g} embedding units."
    return Chart("quantiles", title, figure, reading, alt)


def histogram(contents: Contents) -> Chart:
    """All units' values against the law's density; the share of exact zeros (the atom) stands in a panel of its own."""
    values = contents.matched.ravel()
    law, zero = contents.law, float((values == 0).mean())
    low, high = (float(end) for end in np.quantile(values, (0.0005, 0.9995)))
    edges = np.linspace(low, max(high, low + 1e-6), 61)
    count, _ = np.histogram(values[values != 0], edges)
    figure = make_subplots(cols=2, column_widths=[0.22, 0.78], horizontal_spacing=0.06)
    dress(figure)
    figure.add_bar(x=["zero"], y=[tidied(100 * zero)], name="measured", marker_color=MEASURED, row=1, col=1)
    bars(figure, edges, count / (values.size * np.diff(edges)), "measured", MEASURED, panel=2)
    figure.data[-1].showlegend = False
    if law is not None:
        atom = 100 * (1 - (contents.planned_activity or 0.0))
        figure.add_bar(x=["zero"], y=[tidied(atom)], name="planned", marker_color=LAW, row=1, col=1)
        inside = np.linspace(edges[0], edges[-1], 242)[1:-1]
        if float(law.activity) < 1:
            inside = inside[inside > 0]  # off the atom
        curve = law.log_prob(torch.from_numpy(inside)).double().exp().numpy()
        line(figure, list(zip(inside, curve, strict=True)), "law's density", LAW, panel=2)
    axes(figure, "", "share (%)", panel=1)
    axes(figure, "non-zero value (embedding units)", "density", panel=2)
    figure.update_yaxes(side="right", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(range=[0, 100], row=1, col=1)
    reading = (
        "Left: the share of exact zeros, measured and planned. Right: where the bars fill the curve, active values "
        "follow the law."
    )
    alt = f"Histogram of unit values: {100 * zero:.1f} percent are exactly zero; the rest lie up to {high:.3g}."
    return Chart("histogram", "Values of all units", figure, reading, alt)


def spectrum(contents: Contents) -> Chart | Absent:
    """Singular values of features and embeddings as shares of their sum, with RankMe, which is made of these shares."""
    figure, found = canvas("rank of the singular value", "share of their sum (%, log scale)"), []
    for name, table, colour in (("backbone", contents.features, MEASURED), ("projector", contents.embeddings, LAW)):
        cloud = torch.from_numpy(table)
        values = singular_values(cloud, centre=False).numpy()
        shown = 100 * values[values > 1e-5 * values[0]] / max(values.sum(), 1e-30)
        if len(shown):
            words = f"{name}: RankMe {rankme(cloud):.0f} of {table.shape[1]}"
            line(figure, [(rank + 1.0, value) for rank, value in enumerate(shown.tolist())], words, colour)
            found.append(words)
    if not found:
        return Absent("Singular values", "All features and embeddings are zero: there is no spectrum.")
    logarithmic(figure, "y")
    reading = (
        "A long, flat curve means that many directions carry the data; behind a cliff are directions that are not "
        "used. RankMe is the number of equal singular values with the same entropy (not centred)."
    )
    return Chart("spectrum", "Singular values", figure, reading, f"Line chart. {'; '.join(found)}.", wide=True)

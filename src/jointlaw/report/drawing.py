"""Drawing in a page's dress: an empty `canvas`, the marks on it, and the colours.

Text takes its colours from the page, which knows light from dark; numbers keep four digits, which is more than a screen
shows and half a page's weight.

>>> figure = canvas("optimiser step", "loss (nats)")
>>> line(figure, [(0, 3.0), (10, 1.5)], "training", MEASURED)
>>> dots(figure, np.array([10]), np.array([1.4]), "held out", LAW, size=9)
>>> logarithmic(figure, "y")
>>> [trace.name for trace in figure.data], cycle(2) == [MEASURED, LAW], tidied(1.23456)
(['training', 'held out'], True, 1.235)

Marks: `line`, `dots`, `bars` and the `band` between two curves. Colours: `MEASURED`, `LAW`, `THIRD`, `FOURTH` and
`QUIET`, or as many as are needed by `cycle`. `logarithmic` changes the scale of an axis. A Plotly figure of your own,
with panels for example, takes the page's look from `dress` and its axes from `axes`. What keeps a page light: `thin`
for points, `tidied` for numbers, `shortened` for names.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

# Mid-tones that keep a contrast of 3 : 1 and more on both the light and the dark page.
MEASURED, LAW, THIRD, FOURTH, QUIET = "#3f83d1", "#cf711f", "#2f9c78", "#a565c4", "#858d97"
GRID = "rgba(133,141,151,0.22)"
BAND = "rgba(63,131,209,0.22)"

__all__ = [
    "FOURTH",
    "LAW",
    "MEASURED",
    "QUIET",
    "THIRD",
    "axes",
    "band",
    "bars",
    "canvas",
    "cycle",
    "dots",
    "dress",
    "line",
    "logarithmic",
    "shortened",
    "thin",
    "tidied",
]

Array = npt.NDArray[np.number]


def canvas(x: str, y: str) -> Any:
    """An empty figure in the page's dress with two named axes."""
    figure = go.Figure()
    dress(figure)
    axes(figure, x, y)
    return figure


def dress(figure: Any) -> None:
    """Give a figure the page's look; text colours come from the page's style sheet, which knows light from dark."""
    figure.update_layout(
        template=go.layout.Template(),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": QUIET},
        margin={"l": 44, "r": 12, "t": 8, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left", "traceorder": "normal"},
        hoverlabel={"bgcolor": "#262b32", "font": {"color": "#ffffff"}, "bordercolor": "#262b32"},
        bargap=0.04,
        dragmode=False,  # a finger on a plot scrolls the page
        showlegend=True,
    )


def axes(figure: Any, x: str, y: str, panel: int = 0) -> None:
    """Name and dress the axes of one panel, counted from 1; 0 is a figure without panels."""
    look = {"gridcolor": GRID, "linecolor": QUIET, "zeroline": False, "automargin": True, "fixedrange": True}
    place, font = ({"row": 1, "col": panel} if panel else {}), {"size": 12}
    figure.update_xaxes({**look, "showgrid": False, "showline": True, "title": {"text": x, "font": font}}, **place)
    figure.update_yaxes({**look, "showline": False, "title": {"text": y, "font": font, "standoff": 8}}, **place)


def line(
    figure: Any, points: Sequence[tuple[float, float]], name: str, colour: str, dash: str = "solid", panel: int = 0
) -> None:
    """Draw a curve, with no more points than a screen shows."""
    kept = thin(points)
    trace = go.Scatter(
        x=[tidied(x) for x, _ in kept],
        y=[tidied(y) for _, y in kept],
        name=escaped(name),
        mode="lines",
        line={"color": colour, "width": 2, "dash": dash},
    )
    figure.add_trace(trace, row=1 if panel else None, col=panel or None)


def bars(figure: Any, edges: Array, heights: Array, name: str, colour: str, panel: int = 0) -> None:
    """Draw a histogram whose bins are counted already."""
    middle = (edges[:-1] + edges[1:]) / 2
    trace = go.Bar(x=tidy(middle), y=tidy(heights), width=tidied(0.96 * (edges[1] - edges[0])), name=name, opacity=0.75)
    trace.marker.color = colour
    figure.add_trace(trace, row=1 if panel else None, col=panel or None)


def dots(figure: Any, x: Array, y: Array, name: str, colour: str, labels: Sequence[str] = (), **marker: Any) -> None:
    """Draw markers; those with labels show label and place to who points at them.

    Args:
        figure: a canvas.
        x: ``[N]``.
        y: ``[N]``.
        name: in the legend.
        colour: what colour the markers have.
        labels: one for each, or none.
        **marker: ``size``, ``symbol``, ``opacity``, as Plotly has them.
    """
    shown = {"hovertemplate": "%{text}<br>%{x}, %{y}<extra></extra>", "text": [escaped(label) for label in labels]}
    trace = go.Scatter(x=tidy(x), y=tidy(y), name=escaped(name), mode="markers", marker={"color": colour, **marker})
    trace.update(shown if labels else {"hoverinfo": "skip"})
    figure.add_trace(trace)


def band(figure: Any, x: Array, low: Array, high: Array, name: str) -> None:
    """Shade between two curves."""
    for edge, fill, shown in ((low, None, False), (high, "tonexty", True)):
        trace = go.Scatter(x=tidy(x), y=tidy(edge), name=escaped(name), mode="lines", fill=fill, fillcolor=BAND)
        trace.line.width, trace.showlegend, trace.hoverinfo = 0, shown, "skip"
        figure.add_trace(trace)


def thin(points: Sequence[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """At most about ``most`` evenly spaced points, the last one always among them."""
    stride = max(1, -(-len(points) // most))
    kept = list(points[::stride])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def tidied(value: float) -> float:
    """Four significant digits: more than a screen shows, and half the page's weight."""
    return float(f"{value:.4g}")


def tidy(values: Array) -> list[float]:
    """Four significant digits of each value."""
    return [tidied(value) for value in np.asarray(values, dtype=float).tolist()]


def cycle(count: int) -> list[str]:
    """As many colours, in the page's order."""
    palette = [MEASURED, LAW, THIRD, FOURTH, QUIET]
    return [palette[i % len(palette)] for i in range(count)]


def logarithmic(figure: Any, *names: str) -> None:
    """Make axes ("x", "y") logarithmic, marked at 1, 2 and 5 where there is room and at powers of ten otherwise."""
    for name in names:
        values = [float(value) for trace in figure.data for value in trace[name] if value > 0]
        few = not values or max(values) < 30 * min(values)
        look = {"type": "log", "dtick": "D2" if few else 1, "tickformat": "~r"}
        (figure.update_xaxes if name == "x" else figure.update_yaxes)(**look)


def shortened(text: str, most: int = 24) -> str:
    """At most ``most`` characters, so that one long name does not push a legend off the plot."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escaped(text: str) -> str:
    """Text for Plotly, which reads a few HTML tags in labels: a name with ``<`` stays a name."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

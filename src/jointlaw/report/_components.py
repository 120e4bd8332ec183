"""The components of a learned joint law: where they lie, how a graph joins them, and which classes they hold."""

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jointlaw.laws import JointMixture
from jointlaw.report._blocks import Absent, Chart
from jointlaw.report._contents import Contents
from jointlaw.report.drawing import QUIET, canvas, dots, shortened, tidied

MOST = 200  # components on a map or in a table; the particles of a bank are more than a reader can tell apart
SHADES = [[0, "rgba(63,131,209,0.04)"], [1, "rgba(63,131,209,1)"]]

Array = npt.NDArray[np.floating]


def centres(contents: Contents) -> Array:
    """Means of the components in the space of one view ``[K, D]``; none where there is no law, or too many components.

    Either view would do: objectives show a law both orders of a pair.
    """
    law, width = contents.joint, contents.embeddings.shape[1]
    if law is None or law.count > MOST:
        return np.zeros((0, width))
    means: Array = law.loc[:, :width].detach().double().numpy()
    return means


def draw_edges(figure: Any, contents: Contents, place: Array) -> None:
    """Draw the edges of the graph between the components' places ``[K, 2]`` on a map."""
    if contents.edges is None or not len(place):
        return
    ends = np.full((len(contents.edges), 3, 2), np.nan)  # from, to, and a gap
    ends[:, :2] = place[contents.edges]
    x, y = ([None if np.isnan(value) else tidied(value) for value in column] for column in ends.reshape(-1, 2).T)
    line = {"color": QUIET, "width": 1}
    figure.add_trace(go.Scatter(x=x, y=y, name="edges", mode="lines", line=line, hoverinfo="skip"))


def draw_centres(figure: Any, contents: Contents, place: Array) -> None:
    """Mark the components' places ``[K, 2]`` on a map, the larger the more they weigh."""
    if contents.joint is None or not len(place):
        return
    share = contents.joint.weights.detach().double().numpy()
    size = 6 + 10 * np.sqrt(share / share.max())
    dots(
        figure,
        place[:, 0],
        place[:, 1],
        "components",
        QUIET,
        size=[tidied(one) for one in size.tolist()],
        symbol="x-thin",
        line_width=2,
    )
    figure.data[-1].marker.line.color = QUIET


def holdings(contents: Contents) -> Chart | Absent:
    """Which classes each component holds: shares of the samples shown that belong to it more than to any other."""
    title, law = "What the components hold", contents.joint
    if law is None:
        return Absent(title, "No joint law was learned.")
    owner = owners(law, contents.embeddings)
    held = np.unique(owner)
    if len(held) > MOST:
        return Absent(title, f"{len(held):,} components hold samples: too many for a table.")
    groups = [*contents.classes, *([-1] if (contents.label < 0).any() else [])]
    counts = np.array([[(contents.label[owner == k] == group).sum() for group in groups] for k in held])
    part = parts(law.count, contents.edges)[held]
    order = np.lexsort((-counts.max(1), counts.argmax(1), part))
    held, counts, part = held[order], counts[order], part[order]
    names = [f"{k}" if contents.edges is None else f"{k} (part {p + 1})" for k, p in zip(held, part, strict=True)]
    figure = canvas("", "component")
    figure.add_trace(_shades(counts, [shortened(contents.class_name(g), 12) for g in groups], names))
    figure.update_layout(showlegend=False, height=max(320, 90 + 14 * len(held)))
    figure.update_yaxes(autorange="reversed", type="category", tickfont={"size": 10}, showgrid=False)
    figure.update_xaxes(type="category", side="top", tickangle=-40 if len(groups) > 6 else 0)
    pure, empty = counts.max(1).sum() / counts.sum(), law.count - len(held)
    reading = (
        f"Number of the samples shown by component and class, a row for each of the {len(held)} components that hold "
        f"any; {empty} hold none of them. Taking each component for its largest class is right for {pure:.1%}."
    )
    alt = (
        f"Table of {len(held)} components by {len(groups)} classes; the largest classes are {pure:.1%} of the samples."
    )
    return Chart("holdings", title, figure, reading, alt, wide=True)


@torch.no_grad()
def owners(law: JointMixture, z: Array) -> npt.NDArray[np.integer]:
    """The component to which each embedding ``[N, D]`` of one view belongs most, ``[N]``."""
    found: npt.NDArray[np.integer] = law.responsibilities(torch.from_numpy(z).to(law.loc)).argmax(1).numpy()
    return found


def parts(count: int, edges: npt.NDArray[np.integer] | None) -> npt.NDArray[np.integer]:
    """The connected part of the graph in which each component is ``[count]``, counted from 0; zeros without a graph."""
    if edges is None:
        return np.zeros(count, np.int64)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    label: npt.NDArray[np.integer] = connected_components(graph, directed=False)[1]
    return label


def _shades(counts: npt.NDArray[np.integer], columns: list[str], rows: list[str]) -> Any:
    """A table of numbers by colour, the darker the larger; zeros stay blank."""
    text = [[str(value) if value else "" for value in row] for row in counts.tolist()]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return go.Heatmap(
        z=[[tidied(share) for share in row] for row in shares.tolist()],
        x=columns,
        y=rows,
        text=text,
        texttemplate="%{text}",
        textfont={"size": 10},
        colorscale=SHADES,
        zmin=0,
        zmax=1,
        showscale=False,
        hoverinfo="skip",
        xgap=1,
        ygap=1,
    )

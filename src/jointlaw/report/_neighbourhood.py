"""The 2-D map of the embeddings, and what each of its points shows under the pointer."""

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from jointlaw.report import _components as components
from jointlaw.report._blocks import Absent, Card, Chart
from jointlaw.report._contents import Contents
from jointlaw.report._pictures import thumbnails
from jointlaw.report.drawing import QUIET, canvas, dots, shortened

MOST = 1500  # points on the map: t-SNE takes a few seconds, and the thumbnails about two megabytes
FEW = 60  # below this, neighbourhoods mean little and the map is a plain projection
NAMED = 20  # classes in the legend; more would bury the plot

COLOURS = (
    "#3f83d1", "#cf711f", "#2f9c78", "#d1495b", "#8f6fd0", "#a07a4b", "#c95fa8", "#7d8a2e", "#1f9bb3", "#7b8794",
)  # fmt: skip
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")


def draw_map(contents: Contents) -> Chart | Absent:
    """Lay at most 1,500 samples out in the plane so that near neighbours stay near.

    The embeddings are projected to 50 principal components, then laid out by t-SNE (perplexity 30, fewer for small
    sets); below 60 samples the first two principal components are shown.

    Source: van der Maaten and Hinton (2008), Visualizing data using t-SNE.
    """
    title = "Map of the embeddings"
    chosen = np.unique(np.linspace(0, len(contents.label) - 1, min(MOST, len(contents.label))).astype(np.intp))
    z = contents.embeddings[chosen].astype(np.float64)
    if np.ptp(z, axis=0).max() == 0:
        return Absent(title, "All embeddings are the same, so the encoder has collapsed: nothing to map.")
    vertices = components.centres(contents)
    place, method = layout(np.concatenate([z, vertices]))
    place, ends = place[: len(z)], place[len(z) :]
    labels = contents.label[chosen]
    figure = canvas("", "")
    components.draw_edges(figure, contents, ends)
    for rank, label in enumerate(sorted(set(labels.tolist()), key=lambda value: (value < 0, value))):
        mine = np.flatnonzero(labels == label)
        colour = COLOURS[rank % len(COLOURS)] if label >= 0 or not contents.labelled else QUIET
        symbol = SYMBOLS[rank // len(COLOURS) % len(SYMBOLS)]
        name = shortened(contents.class_name(label))
        dots(figure, place[mine, 0], place[mine, 1], name, colour, size=6, opacity=0.8, symbol=symbol)
        figure.data[-1].update(customdata=mine.tolist(), hoverinfo="none", marker_line_width=0)
    components.draw_centres(figure, contents, ends)
    figure.update_xaxes(showticklabels=False, showgrid=False, showline=False, fixedrange=False)
    figure.update_yaxes(showticklabels=False, showgrid=False, showline=False, fixedrange=False)
    figure.update_layout(
        showlegend=contents.labelled and len(figure.data) <= NAMED,
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )
    crosses = "Crosses are the means of the joint law's components. " if len(vertices) else ""
    reading = (
        f"Each point is a sample ({method}; axes have no unit). Near points have near embeddings; far distances mean "
        f"little. {crosses}Point at one, or tap it, to see it; with a mouse, drag to zoom and double-click to go back."
    )
    alt = f"Scatter plot of {len(chosen)} samples by {method}, {len(figure.data)} groups by colour."
    return Chart("map", title, figure, reading, alt, wide=True, cards=cards(contents, chosen))


def layout(z: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.floating], str]:
    """Place ``[M, D]`` in the plane ``[M, 2]`` and name the method."""
    rank = min(50, *z.shape)
    projected = PCA(rank, random_state=0).fit_transform(z)
    if len(z) < FEW or rank < 3:
        flat = np.zeros((len(z), 2))
        flat[:, : min(rank, 2)] = projected[:, :2]
        return flat, "first two principal components"
    perplexity = min(30.0, (len(z) - 1) / 4)
    tsne = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=0)
    return tsne.fit_transform(projected), f"t-SNE, perplexity {perplexity:.0f}"


def cards(contents: Contents, chosen: npt.NDArray[np.intp]) -> list[Card]:
    """One card per chosen sample, in order."""
    images = [""] * len(chosen) if contents.images is None else thumbnails(contents.images[chosen], side=32)
    return [
        Card(image, contents.class_name(int(contents.label[index])), contents.name(index))
        for image, index in zip(images, chosen.tolist(), strict=True)
    ]

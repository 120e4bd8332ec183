"""Strips of nearest neighbours: images that the features take to be alike."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jointlaw.report._blocks import Strip, Thumbnail
from jointlaw.report._contents import Contents
from jointlaw.report._pictures import thumbnails


def strips(contents: Contents, queries: int = 8, neighbours: int = 8) -> list[Strip]:
    """Nearest neighbours of some images by cosine in feature space, the query itself left out.

    The queries are the first image of each class in turn, or evenly spaced images where there are no labels.
    """
    images = contents.images
    if images is None:
        return []
    chosen = choose_queries(contents.label, queries)
    rows = np.concatenate([chosen[:, None], nearest(contents.features, chosen, neighbours)], axis=1)  # [Q, 1 + count]
    return [_strip(contents, row.tolist(), thumbnails(images[row], side=48)) for row in rows]


def choose_queries(label: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.intp]:
    """At most ``count`` sample indices: the first of each class, then the second, ...; evenly spaced without labels."""
    known = np.flatnonzero(label >= 0)
    if len(known) == 0:
        return np.unique(np.linspace(0, len(label) - 1, min(count, len(label))).astype(np.intp))
    turn = np.zeros(len(known), dtype=np.intp)
    for value in np.unique(label[known]):
        mine = label[known] == value
        turn[mine] = np.arange(mine.sum())
    return known[np.lexsort((label[known], turn))][:count]


def nearest(
    features: npt.NDArray[np.floating], queries: npt.NDArray[np.intp], count: int
) -> npt.NDArray[np.intp]:  # [Q, count]
    """Indices of the ``count`` largest cosines to each query, largest first, the query itself left out."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.where(length > 0, length, 1)
    cosine = unit[queries] @ unit.T  # [Q, N]
    cosine[np.arange(len(queries)), queries] = -np.inf
    return np.argsort(-cosine, axis=1, kind="stable")[:, : min(count, len(features) - 1)]


def _strip(contents: Contents, row: Sequence[int], images: Sequence[str]) -> Strip:
    asked = int(contents.label[row[0]])
    shown = []
    for index, image in zip(row, images, strict=True):
        label = int(contents.label[index])
        match = label == asked if label >= 0 and asked >= 0 else None
        shown.append(Thumbnail(image, contents.class_name(label), contents.name(index), match))
    return Strip(shown[0], shown[1:])

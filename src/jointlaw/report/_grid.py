"""Many small images as one picture."""

import numpy as np

from jointlaw import _check as check
from jointlaw.report._pictures import Pixels

GAP = 140
"""Brightness between the images: a grey that stands apart from black and white."""


def tiled(images: Pixels, columns: int, gap: int = 2) -> Pixels:
    """Lay images ``[N, C, H, W]`` out row by row in one picture ``[C, h, w]``; the gap's grey fills up the last row.

    Args:
        images: uint8, 1 or 3 channels.
        columns: images in a row.
        gap: pixels between images.

    Raises:
        ValueError: if there are no images or no columns.

    >>> tiled(np.zeros((3, 1, 2, 2), np.uint8), columns=2, gap=1).shape
    (1, 5, 5)
    """
    check.at_least("tiled", 1, images=len(images), columns=columns)
    check.at_least("tiled", 0, gap=gap)
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, channels, height + gap, width + gap), GAP, dtype=np.uint8)
    cells[:count, :, :height, :width] = images
    grid = cells.reshape(rows, columns, channels, height + gap, width + gap).transpose(2, 0, 3, 1, 4)
    whole = grid.reshape(channels, rows * (height + gap), columns * (width + gap))
    return np.ascontiguousarray(whole[:, : rows * (height + gap) - gap, : columns * (width + gap) - gap])

"""Images as files and as texts that a page can hold inside itself."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from jointlaw import _check as check

Pixels = npt.NDArray[np.uint8]

GAP = 140
"""Brightness between the images of a grid: a grey that stands apart from black and white."""


def png(pixels: Pixels) -> bytes:
    """``[C, H, W]`` uint8 pixels, 1 (grey) or 3 (RGB) channels, as a PNG file."""
    return _saved(_image(pixels), "PNG")


def thumbnails(images: Pixels, side: int) -> list[str]:
    """``[N, C, H, W]`` pictures as data URIs (WebP), none larger than ``side`` pixels a side.

    Larger pictures are averaged over areas. Grey ones keep every pixel; colours are rounded where an eye does not see
    it, which makes photographs eight times smaller.
    """
    height, width = images.shape[-2:]
    factor = min(1.0, side / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shrunk = (_image(pixels).resize(size, Image.Resampling.BOX) for pixels in images)
    files = (_saved(image, "WEBP", lossless=image.mode == "L", quality=85) for image in shrunk)
    return [f"data:image/webp;base64,{base64.b64encode(file).decode()}" for file in files]


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


def _image(pixels: Pixels) -> Image.Image:
    grey = len(pixels) == 1
    return Image.fromarray(np.ascontiguousarray(pixels[0] if grey else pixels.transpose(1, 2, 0)))


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()

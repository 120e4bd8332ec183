"""Decode an image file to a square of uint8 pixels, or say why it cannot be used."""

import os
import stat
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

_RASTER = (".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".png", ".webp")
_JPEG = (".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg")
_PLAIN = (".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".sgi", ".tga", ".tif", ".tiff")
ENDINGS = frozenset((*_RASTER, *_JPEG, *_PLAIN))
"""File name endings (lower case) that are taken for images."""

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_GREY = frozenset(("1", "L", "LA", "La", "F", *_SIXTEEN_BIT))
_LARGE = 500  # files from which on a progress bar is shown
_CHUNK = 1024

T = TypeVar("T")


class BadImageError(ValueError):
    """Why an image file cannot be used."""


def is_grey(path: Path) -> bool:
    """Whether the file's header announces one channel (nothing is decoded).

    Raises:
        BadImageError: if the file is no image, or too large.
    """
    with _opened(path) as image:
        return image.mode in _GREY


def decode(path: Path, resolution: int, channels: int) -> Tensor:
    """The centre square, ``resolution`` pixels wide, turned upright, transparent parts on white.

    Args:
        path: the image file; of an animation the first frame is taken.
        resolution: width and height of the result.
        channels: 1 for grey (every file must be), 3 for RGB.

    Returns:
        uint8 ``[C, resolution, resolution]``.

    Raises:
        BadImageError: if the file is no image, truncated, too large or in a colour space without a way to RGB.
    """
    from PIL import Image, ImageOps

    with _opened(path) as image:
        image.draft(None, (2 * resolution, 2 * resolution))  # JPEG: decodes at a half, quarter or eighth where enough
        ImageOps.exif_transpose(image, in_place=True)
        upright = _flat(image).convert("L" if channels == 1 else "RGB")
        width, height = upright.size
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        square = upright.resize((resolution, resolution), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(square)).view(resolution, resolution, channels).permute(2, 0, 1)


@contextmanager
def _opened(path: Path) -> Iterator["Image"]:
    """Open an image; whatever goes wrong inside the block becomes a ``BadImageError`` with the reason."""
    from PIL import Image, UnidentifiedImageError

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadImageError("not a regular file")
        with Image.open(path) as image:
            # Pillow only warns between its limit and twice as much.
            if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise BadImageError(
                    f"{image.width} x {image.height} pixels, more than the {Image.MAX_IMAGE_PIXELS} that are decoded"
                )
            yield image
    except BadImageError:
        raise
    except UnidentifiedImageError as error:
        raise BadImageError("no image that Pillow can read") from error
    except FileNotFoundError as error:
        raise BadImageError("the file is gone, or a link that leads nowhere") from error
    except Exception as error:  # a damaged file makes decoders raise anything from struct.error to IndexError
        raise BadImageError(str(error) or type(error).__name__) from error


def _flat(image: "Image") -> "Image":
    """The same picture in 8 bits without transparency."""
    from PIL import Image

    if image.mode in _SIXTEEN_BIT:
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise BadImageError(f"32-bit pixels from {values.min()} to {values.max()}; save it with 8 or 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise BadImageError("floating-point pixels, of unknown scale; save it with 8 or 16 bits")
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image


def look_at(
    paths: Sequence[Path], look: Callable[[int, Path], T], doing: str, *, stop_at_bad: bool
) -> list[T | BadImageError]:
    """Look at every file in threads (Pillow decodes outside the interpreter's lock), behind a progress bar.

    Args:
        paths: the files.
        look: called in a thread with position and path.
        doing: the text beside the progress bar.
        stop_at_bad: whether the first ``BadImageError`` ends the work.

    Returns:
        What ``look`` returned or the ``BadImageError`` it raised, in the order of the files.
    """

    def safely(i: int) -> T | BadImageError:
        try:
            return look(i, paths[i])
        except BadImageError as bad:
            return bad

    found: list[T | BadImageError] = []
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    hidden = len(paths) < _LARGE or not console.is_terminal
    with (
        warnings.catch_warnings(),
        Progress(console=console, transient=True, disable=hidden) as progress,
        ThreadPoolExecutor(workers()) as pool,
    ):
        # Pillow warns of odd metadata (harmless) and of large images (refused above).
        warnings.filterwarnings("ignore", module=r"PIL\.")
        task = progress.add_task(doing, total=len(paths))
        for start in range(0, len(paths), _CHUNK):
            for result in pool.map(safely, range(start, min(start + _CHUNK, len(paths)))):
                found.append(result)
                progress.advance(task)
                if stop_at_bad and isinstance(result, BadImageError):
                    return found
    return found


def workers() -> int:
    """Threads that decode at the same time."""
    return min(8, os.cpu_count() or 1)

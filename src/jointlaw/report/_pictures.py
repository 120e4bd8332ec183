"""Thumbnails and strips of neighbours, as PNG text that a page can hold inside itself."""

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from jointlaw.report._contents import Contents

Pixels = npt.NDArray[np.uint8]


def png(image: Pixels) -> bytes:
    """Encode ``[C, H, W]`` uint8 pixels, 1 (grey) or 3 (RGB) channels, as a PNG file.

    Every row filter of {none, left, up} is tried on the whole picture and the shortest file is kept.

    Source: Boutell et al. (2003), Portable Network Graphics (second edition), sections 9 to 11.
    """
    channels, height, width = image.shape
    rows = image.transpose(1, 2, 0).reshape(height, width * channels)
    left, up = rows.copy(), rows.copy()
    left[:, channels:] -= rows[:, :-channels]  # uint8 wraps around, as the filters ask
    up[1:] -= rows[:-1]
    packed = min((_pack(kind, body) for kind, body in enumerate((rows, left, up))), key=len)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _pack(kind: int, rows: Pixels) -> bytes:
    return zlib.compress(np.insert(rows, 0, kind, axis=1).tobytes(), 9)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def thumbnails(images: Pixels, side: int, budget: int) -> list[str]:
    """Encode ``[N, C, H, W]`` pictures as base64 PNG, none larger than ``side`` pixels a side.

    Larger pictures are averaged over areas. Where the texts together would exceed ``budget`` characters, colours are
    rounded to 5 or 4 bits a channel and the pictures made smaller, so that a page of noisy photographs stays light.
    """
    sample = slice(None, None, max(1, len(images) // 40))
    for size, bits in ((side, 8), (side, 5), (side * 3 // 4, 5), (side * 3 // 4, 4)):
        weight = np.mean([len(code) for code in _encoded(images[sample], size, bits)])
        if weight * len(images) <= budget:
            return _encoded(images, size, bits)
    return _encoded(images, side // 2, 4)


def _encoded(images: Pixels, side: int, bits: int) -> list[str]:
    return [base64.b64encode(png(picture)).decode() for picture in _round_colours(_shrink(images, side), bits)]


def _shrink(images: Pixels, side: int) -> Pixels:
    height, width = images.shape[-2:]
    factor = side / max(height, width)
    if factor >= 1:
        return images
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    pooled = F.adaptive_avg_pool2d(torch.from_numpy(images).float(), size)
    return pooled.round().to(torch.uint8).numpy()


def _round_colours(images: Pixels, bits: int) -> Pixels:
    levels = 2**bits - 1
    shade = np.round(np.arange(256) / 255 * levels) / levels * 255
    rounded: Pixels = shade.round().astype(np.uint8)[images]
    return rounded


@dataclass(frozen=True)
class Picture:
    """One picture of a strip: base64 PNG, class, name, and whether it shares the query's class (None: unknown)."""

    png: str
    label: str
    name: str
    match: bool | None


@dataclass(frozen=True)
class Strip:
    """A query and its nearest neighbours, nearest first."""

    query: Picture
    neighbours: list[Picture]


def strips(contents: Contents, queries: int = 8, neighbours: int = 8) -> list[Strip]:
    """Nearest neighbours of some images by cosine in feature space, the query itself left out.

    The queries are the first image of each class in turn, or evenly spaced images where there are no labels.
    """
    images = contents.images
    if images is None:
        return []
    chosen = choose_queries(contents.label, queries)
    order = nearest(contents.features, chosen, neighbours)
    rows = [[query, *near] for query, near in zip(chosen.tolist(), order.tolist(), strict=True)]
    shown = thumbnails(images[np.array(rows).ravel()], side=48, budget=600_000)
    width = order.shape[1] + 1
    made = []
    for start, row in enumerate(rows):
        label = int(contents.label[row[0]])
        codes = shown[start * width : (start + 1) * width]
        query, *near = [_picture(contents, index, code, label) for index, code in zip(row, codes, strict=True)]
        made.append(Strip(query, near))
    return made


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


def _picture(contents: Contents, index: int, code: str, query_label: int) -> Picture:
    label = int(contents.label[index])
    known = label >= 0 and query_label >= 0
    name = contents.names[index] if contents.names is not None else f"sample {index}"
    return Picture(code, contents.class_name(label), name, label == query_label if known else None)

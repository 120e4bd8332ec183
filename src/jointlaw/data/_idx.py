"""MNIST and Fashion-MNIST from IDX files, gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import torch
from torch import Tensor

from jointlaw.data._samples import Data, Stored

_UNSIGNED_BYTES = 0x08


class _Set(NamedTuple):
    classes: tuple[str, ...]
    folders: tuple[str, ...]  # searched where no path is given; the last one is where torchvision downloads to
    remedy: str


_SETS = {
    "mnist": _Set(
        tuple("0123456789"),
        ("data/MNIST/raw",),
        "Give the folder of the four IDX files (mnist:PATH), or allow the download (download=True, --download).",
    ),
    "fashion-mnist": _Set(
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        ("/usr/share/datasets/fashion-mnist", "data/FashionMNIST/raw"),
        "Install it (Debian: apt install dataset-fashion-mnist), give the folder of the four IDX files "
        "(fashion-mnist:PATH), or allow the download (download=True, --download).",
    ),
}


def load_idx_set(name: str, path: str, download: bool = False) -> Data:
    """Read ``mnist`` or ``fashion-mnist``: 60,000 training and 10,000 held-out images, 28 x 28, one channel.

    Args:
        name: ``mnist`` or ``fashion-mnist``.
        path: folder of the four IDX files; empty for the usual places.
        download: whether torchvision may fetch the files into ``data``: where none of the usual places has them, or
            where an earlier download was cut off.

    Raises:
        FileNotFoundError: if a file is missing.
        ImportError: if there is something to download, but no torchvision.
        ValueError: if a file is damaged, images and labels do not belong together, or the download failed.
    """
    known = _SETS[name]
    folders = [Path(path).expanduser()] if path else [Path(place) for place in known.folders]
    folder = next((place for place in folders if place.is_dir()), None)
    if download and not path and folder in (None, folders[-1]) and not _complete(folders[-1]):
        folder = _download(name, folders[-1])
    if folder is None:
        places = ", ".join(str(place) for place in folders)
        raise FileNotFoundError(f"{name}: expected a folder of IDX files at {places}, found none. {known.remedy}")
    train, held_out = (_labelled(folder, part, name) for part in ("train", "t10k"))
    return Data(name, train, held_out, probe=train)


def _download(name: str, folder: Path) -> Path:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise ImportError(f"{name}: expected torchvision, found none. Run: pip install torchvision.") from error
    dataset = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    root = folder.parents[1]  # torchvision adds MNIST/raw or FashionMNIST/raw itself
    try:
        dataset(root, download=True)
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"{name}: expected to download it to {root}, found: {error}. Check the network, or give {name}:PATH."
        ) from error
    return folder


def _labelled(folder: Path, part: str, name: str) -> Stored:
    classes = _SETS[name].classes
    image_file = _find(folder, f"{part}-images", "idx3-ubyte", name)
    images, label = read_idx(image_file, ndim=3), read_idx(_find(folder, f"{part}-labels", "idx1-ubyte", name), ndim=1)
    if len(images) != len(label):
        raise ValueError(
            f"{name}: expected one label per image, found {len(images)} images and {len(label)} labels "
            f"({part}) in {folder}. The files do not belong together: fetch them again."
        )
    if len(images) == 0 or int(label.max()) >= len(classes):
        raise ValueError(
            f"{image_file}: expected images with labels 0 to {len(classes) - 1}, found {len(images)} images and labels "
            f"up to {int(label.max()) if len(label) else 'none'}. Check that this is {name}."
        )
    return Stored(values=images.unsqueeze(1), label=label.long(), classes=classes)  # [N, 1, H, W]


def _complete(folder: Path) -> bool:
    """Whether all four files are there, unpacked: a download that was cut off leaves fewer, or half a gzip file."""
    kinds = (("images", "idx3-ubyte"), ("labels", "idx1-ubyte"))
    return all((folder / f"{part}-{stem}-{kind}").is_file() for part in ("train", "t10k") for stem, kind in kinds)


def _find(folder: Path, stem: str, kind: str, name: str) -> Path:
    names = [f"{stem}{joint}{kind}{ending}" for joint in ("-", ".") for ending in ("", ".gz")]
    found = next((folder / each for each in names if (folder / each).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"{name}: expected {names[0]} or {names[1]} in {folder}, found neither. {_SETS[name].remedy}"
        )
    return found


def read_idx(file: Path, ndim: int) -> Tensor:
    """Read a uint8 tensor of ``ndim`` dimensions from one IDX file; gzip is told by its content, not by the name.

    Raises:
        ValueError: if the magic number, the sizes or the compressed stream are wrong.
    """
    try:
        with file.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            return _parse(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw, file, ndim)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{file}: expected a whole gzip file, found a damaged one ({error}). Fetch it again."
        ) from error


def _parse(stream: BinaryIO, file: Path, ndim: int) -> Tensor:
    header = stream.read(4 + 4 * ndim)
    magic = bytes((0, 0, _UNSIGNED_BYTES, ndim))
    if header[:4] != magic:
        raise ValueError(
            f"{file}: expected an IDX file of bytes with {ndim} dimensions (magic {magic.hex()}), found magic "
            f"{header[:4].hex() or 'nothing'}. Check that this is the right file."
        )
    if len(header) < 4 + 4 * ndim:
        raise ValueError(f"{file}: expected {ndim} sizes, found the file's end. Fetch it again.")
    sizes = struct.unpack(f">{ndim}I", header[4:])
    count = math.prod(sizes)
    content = stream.read(count + 1)  # one byte more: surplus bytes are noticed, and gzip reads on to its checksum
    if len(content) != count:
        found = "more" if len(content) > count else f"{len(content)}"
        raise ValueError(
            f"{file}: expected {count} bytes for sizes {list(sizes)}, found {found}. It is damaged: fetch it again."
        )
    if count == 0:
        return torch.empty(sizes, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).view(sizes)

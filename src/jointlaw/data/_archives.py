"""CIFAR-10, CIFAR-100 and STL-10 through torchvision."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from jointlaw.data._samples import Data, Stored


def load_archive(name: str, path: str, download: bool) -> Data:
    """Read ``cifar10``, ``cifar100`` or ``stl10`` from a folder in torchvision's layout.

    Of STL-10 the encoder learns from the 100,000 unlabelled images, probes are fitted on the 5,000 labelled training
    images and measured on the 8,000 test images.

    Args:
        name: one of the three.
        path: the folder; empty for ``data``.
        download: whether torchvision may fetch what is missing.

    Raises:
        ImportError: without torchvision.
        FileNotFoundError: if the files are missing or damaged and ``download`` is false.
        ValueError: if the download failed.
    """
    folder = Path(path or "data").expanduser()
    if name == "stl10":
        train, held_out, probe = (_read(name, folder, part, download) for part in ("unlabeled", "test", "train"))
        return Data(name, train, held_out, probe)
    train, held_out = (_read(name, folder, part, download) for part in ("train", "test"))
    return Data(name, train, held_out, probe=train)


def _read(name: str, folder: Path, part: str, download: bool) -> Stored:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise ImportError(f"{name}: expected torchvision, found none. Run: pip install torchvision.") from error
    try:
        if name == "stl10":
            pictures = datasets.STL10(folder, split=part, download=download)
            return _stored(pictures.data, pictures.labels, pictures.classes)
        dataset = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
        pictures = dataset(folder, train=part == "train", download=download)
        return _stored(pictures.data.transpose(0, 3, 1, 2), pictures.targets, pictures.classes)  # [N, C, H, W]
    except (RuntimeError, OSError) as error:
        if download:
            raise ValueError(
                f"{name}: expected to download it to {folder}, found: {error}. Check the network, or give {name}:PATH."
            ) from error
        raise FileNotFoundError(
            f"{name}: expected torchvision's files in {folder}, found none or damaged ones. "
            f"Give the folder as {name}:PATH, or allow the download (download=True, --download)."
        ) from error


def _stored(images: Any, label: Any, classes: list[str]) -> Stored:
    values = torch.from_numpy(np.ascontiguousarray(images))
    return Stored(values=values, label=torch.from_numpy(np.asarray(label, dtype=np.int64)), classes=tuple(classes))

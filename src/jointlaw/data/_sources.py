"""From ``--data`` to the samples it stands for."""

from pathlib import Path

import numpy as np
import torch

from jointlaw import _check as check
from jointlaw.data._archives import load_archive
from jointlaw.data._arrays import load_tensors
from jointlaw.data._folder import OnBadFile, load_folder
from jointlaw.data._idx import load_idx_set
from jointlaw.data._samples import Data, Source, Stored, halves

__all__ = ["SPECS", "Data", "OnBadFile", "Source", "Stored", "load"]

SPECS = (
    "digits",
    "mnist[:PATH]",
    "fashion-mnist[:PATH]",
    "cifar10[:PATH]",
    "cifar100[:PATH]",
    "stl10[:PATH]",
    "folder:PATH",
    "tensors:FILE",
)
"""What ``load`` understands."""

_DIGITS_HELD_OUT_EVERY = 5
_FOLDER_RESOLUTION = 64


def load(
    spec: str = "digits",
    *,
    resolution: int | None = None,
    on_bad_file: OnBadFile = "raise",
    download: bool = False,
    seed: int = 0,
    memory: int | None = None,
) -> Data:
    """Load the data that ``spec`` names.

    ``digits`` comes with scikit-learn (1,797 images of 8 x 8, one in five of each class held out). ``mnist`` and
    ``fashion-mnist`` are read from IDX files, ``cifar10``, ``cifar100`` and ``stl10`` through torchvision,
    ``folder:PATH`` from images in any layout and ``tensors:FILE`` from one .npz or .safetensors file.

    Args:
        spec: one of ``SPECS``.
        resolution: width and height of the images; as they come if left out (64 for a folder).
        on_bad_file: ``raise`` an error at the first unreadable image of a folder, or ``skip`` and list them.
        download: whether torchvision may fetch what is missing.
        seed: of the split where the data has none of its own; keep it to compare runs.
        memory: bytes that the decoded images of a folder may take; half of the free memory if left out.

    Raises:
        FileNotFoundError: if files are missing.
        ImportError: if a package is missing.
        ValueError: if the spec is unknown, or the files hold something else.

    >>> data = load("digits")
    >>> len(data.train), len(data.held_out), data.train.shape
    (1438, 359, (1, 8, 8))
    """
    if resolution is not None:
        check.at_least("data", 1, resolution=resolution)
    if on_bad_file not in ("raise", "skip"):
        raise ValueError(f"data: expected on_bad_file to be 'raise' or 'skip', found {on_bad_file!r}. Choose one.")
    name, _, path = spec.partition(":")
    if name == "folder" and path:
        pixels = _FOLDER_RESOLUTION if resolution is None else resolution
        return load_folder(path, resolution=pixels, on_bad_file=on_bad_file, seed=seed, memory=memory)
    data = _complete(spec, name, path, download, seed)
    return data if resolution is None else _resized(data, resolution)


def _complete(spec: str, name: str, path: str, download: bool, seed: int) -> Data:
    if spec == "digits":
        return _digits(seed)
    if name in ("mnist", "fashion-mnist"):
        return load_idx_set(name, path, download)
    if name in ("cifar10", "cifar100", "stl10"):
        return load_archive(name, path, download)
    if name == "tensors" and path:
        return load_tensors(path, seed)
    hint = f" Did you mean folder:{spec} or tensors:{spec}?" if Path(spec).exists() else ""
    raise ValueError(f"data: expected one of {', '.join(SPECS)}, found {spec!r}. Choose one of these.{hint}")


def _digits(seed: int) -> Data:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)  # [N, 1, 8, 8]
    label = torch.from_numpy(digits.target.astype(np.int64))
    whole = Stored(values=images, label=label, classes=tuple(str(name) for name in digits.target_names))
    train, held_out = (whole.take(index) for index in halves(label, _DIGITS_HELD_OUT_EVERY, seed))
    return Data("digits", train, held_out, probe=train)


def _resized(data: Data, resolution: int) -> Data:
    train, held_out = data.train.resized(resolution), data.held_out.resized(resolution)
    probe = train if data.probe is data.train else data.probe.resized(resolution)
    return data._replace(train=train, held_out=held_out, probe=probe)

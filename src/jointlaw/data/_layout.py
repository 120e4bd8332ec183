"""Which images of a folder are trained on, which are held out, and what their labels are."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import torch
from torch import Tensor

from jointlaw.data._pictures import ENDINGS
from jointlaw.data._samples import chosen, halves

_HELD_OUT_EVERY = 10


class Part(NamedTuple):
    """The image files of one source, sorted by name.

    Attributes:
        paths: where they are.
        names: their paths relative to the folder that was asked for, with unprintable bytes escaped.
        label: int64 ``[N]``, -1 where unknown.
        classes: name of each label.
        skipped: files that were left out because they cannot be used, each with its reason.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    label: Tensor
    classes: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def take(self, index: Tensor, skipped: tuple[str, ...] = ()) -> "Part":
        """The files at ``index``; ``skipped`` says why bad files are missing."""
        paths = tuple(self.paths[i] for i in index.tolist())
        names = chosen(self.names, index)
        return Part(paths, names, self.label[index], self.classes, (*self.skipped, *skipped))


class Layout(NamedTuple):
    """The two parts of a folder, and what its owner should know about them."""

    train: Part
    held_out: Part
    notes: tuple[str, ...]


class _Listing(NamedTuple):
    files: list[Path]  # relative to the folder, sorted
    notes: tuple[str, ...]


def arrange(root: Path, seed: int) -> Layout:
    """Look through a folder.

    ``root/train`` with ``root/test`` (or ``root/val``, if there is no test) are taken as the two parts. Otherwise one
    image in ten of each class is held out, drawn by ``seed``. If every image of a part lies in a first-level sub-folder
    and there are at least two of these, they are its classes; otherwise it has no labels.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds fewer than two images, or held-out classes that the training part lacks.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"folder: expected a folder of images, found none at {root}. Check the path.")
    test = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    if test is None or not (root / "train").is_dir():
        return _drawn(root, seed)
    return _given(root, root / "train", test)


def _drawn(root: Path, seed: int) -> Layout:
    listing = _scan(root)
    if len(listing.files) < 2:
        raise ValueError(
            f"folder: expected at least 2 images in {root}, found {len(listing.files)}. "
            f"Images are files that end in {', '.join(sorted(ENDINGS))}."
        )
    whole = _part(root, root, listing.files, _classes(listing.files))
    train, held_out = (whole.take(index) for index in halves(whole.label, _HELD_OUT_EVERY, seed))
    return Layout(train, held_out, (*_about_labels(whole), *listing.notes))


def _given(root: Path, train: Path, test: Path) -> Layout:
    first, second = _scan(train), _scan(test)
    for folder, listing in ((train, first), (test, second)):
        if not listing.files:
            raise ValueError(f"folder: expected images in {folder}, found none. Add some, or remove the folder.")
    classes, tested = _classes(first.files), _classes(second.files)
    unknown = sorted(set(tested) - set(classes)) if classes else []
    if unknown:
        raise ValueError(
            f"folder: expected in {test} only the classes of {train}, found also {', '.join(map(repr, unknown))}. "
            "Use the same sub-folders in both."
        )
    parts = _part(root, train, first.files, classes), _part(root, test, second.files, classes or tested)
    others = sorted(_printable(entry.name) for entry in root.iterdir() if entry.name not in ("train", test.name))
    rest = (f"{root}: not read, because train and {test.name} are there: {', '.join(others)}.",) if others else ()
    return Layout(*parts, (*_about_labels(parts[0]), *first.notes, *second.notes, *rest))


def _scan(root: Path) -> _Listing:
    files: list[Path] = []
    ignored: Counter[str] = Counter()
    hidden = 0
    seen: set[str] = set()
    linked: list[str] = []
    for folder, below, names in os.walk(root, onerror=_stop, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back would never end
            linked.append(_printable(os.path.relpath(folder, root)))
            below.clear()
            continue
        seen.add(real)
        hidden += sum(name.startswith(".") for name in (*below, *names))
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if ending not in ENDINGS and not name.startswith("."):
                ignored[_printable(ending) or "no ending"] += 1
            elif not name.startswith("."):
                files.append(Path(folder, name).relative_to(root))
    return _Listing(sorted(files), tuple(_about_files(root, ignored, hidden, linked)))


def _stop(error: OSError) -> NoReturn:
    raise error


def _about_files(root: Path, ignored: Counter[str], hidden: int, linked: list[str]) -> Iterator[str]:
    if ignored:
        kinds = ", ".join(f"{ending} {count}" for ending, count in sorted(ignored.items()))
        yield f"{root}: ignored {ignored.total()} files that are no images by their ending ({kinds})."
    if hidden:
        yield f"{root}: ignored {hidden} hidden files and folders."
    if linked:
        yield f"{root}: did not enter folders a second time through links: {', '.join(linked)}."


def _about_labels(train: Part) -> tuple[str, ...]:
    if train.classes:
        return ()
    return ("No labels: the training images do not all lie in two or more sub-folders.",)


def _classes(files: list[Path]) -> tuple[str, ...]:
    if any(len(file.parts) == 1 for file in files):
        return ()
    folders = sorted({file.parts[0] for file in files})
    return tuple(folders) if len(folders) > 1 else ()


def _part(root: Path, folder: Path, files: list[Path], classes: tuple[str, ...]) -> Part:
    number = {name: i for i, name in enumerate(classes)}
    label = [number.get(file.parts[0], -1) if len(file.parts) > 1 else -1 for file in files]
    paths = tuple(folder / file for file in files)
    names = tuple(_printable(path.relative_to(root).as_posix()) for path in paths)
    return Part(paths, names, torch.tensor(label, dtype=torch.int64), tuple(_printable(name) for name in classes))


def _printable(name: str) -> str:
    """File names may hold bytes that are no text; show these as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")

"""``folder:PATH``: images in any layout, with or without labels."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.data._layout import Part, arrange
from jointlaw.data._pictures import BadImageError, decode, is_grey, look_at, workers
from jointlaw.data._samples import Data, Source, Stored, chosen

OnBadFile = Literal["raise", "skip"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class Files(Source):
    """Image files that are decoded whenever they are read.

    Attributes:
        paths: the files.
        resolution: width and height in pixels to which every image is brought.
        channels: 1 for grey, 3 for RGB.
    """

    paths: tuple[Path, ...]
    resolution: int
    channels: int

    lazy: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return (self.channels, self.resolution, self.resolution)

    def read(self, index: Tensor) -> Tensor:
        """Decode the images at ``index``.

        Raises:
            ValueError: if a file has become unreadable since the source was made.
        """
        with ThreadPoolExecutor(workers()) as pool:
            images = list(pool.map(self._decoded, index.tolist()))
        return torch.stack(images) if images else torch.empty((0, *self.shape), dtype=torch.uint8)

    def _decoded(self, i: int) -> Tensor:
        try:
            return decode(self.paths[i], self.resolution, self.channels)
        except BadImageError as bad:
            raise ValueError(
                f"{self.names[i]!r}: expected the image that was there when the run began, found: {bad}. Restore it."
            ) from bad

    def take(self, index: Tensor) -> "Files":
        """The source of the images at ``index``, in that order."""
        paths = tuple(self.paths[i] for i in index.tolist())
        return replace(self, paths=paths, label=self.label[index], names=chosen(self.names, index))

    def resized(self, resolution: int) -> "Files":
        """The source that decodes the same images at another ``resolution``."""
        return replace(self, resolution=resolution)


def load_folder(
    path: str, *, resolution: int = 64, on_bad_file: OnBadFile = "raise", seed: int = 0, memory: int | None = None
) -> Data:
    """Read images from a folder; ``jointlaw.data._layout.arrange`` says how it is split and labelled.

    Every image is decoded once: if all fit into ``memory`` they stay there, otherwise each is decoded again whenever
    it is read. They are grey if every file is, RGB otherwise.

    Args:
        path: the folder.
        resolution: each image's shorter side is resized to this many pixels, and the centre square is taken.
        on_bad_file: ``raise`` an error at the first unreadable image, or ``skip`` and list them.
        seed: determines which images are held out, where the folder itself has no split.
        memory: bytes that the decoded images may take (default: half of the free memory).

    Raises:
        ImportError: without Pillow.
        FileNotFoundError: if there is no such folder.
        ValueError: if an image is bad, or too few are left.
    """
    check.at_least("folder", 1, resolution=resolution)
    _require_pillow()
    root = Path(path).expanduser()
    layout = arrange(root, seed)
    parts, grey = [], True
    for whole in (layout.train, layout.held_out):
        part, greys = _readable(whole, lambda _, file: is_grey(file), on_bad_file, "Reading headers")
        parts.append(part)
        grey = grey and all(greys)
    frame = (1 if grey else 3, resolution, resolution)
    size = sum(len(part.paths) for part in parts) * frame[0] * resolution**2
    read = _stored if size <= (free_memory() // 2 if memory is None else memory) else _files
    train, held_out = (read(part, frame, on_bad_file) for part in parts)
    skipped = (*train.skipped, *held_out.skipped)
    if not (len(train) and len(held_out)):
        raise ValueError(
            f"folder: expected images to train on and images to hold out in {root}, found {len(train)} and "
            f"{len(held_out)} readable ones. Repair or replace the others, such as {skipped[0]}."
        )
    notes = (f"{root}: skipped {len(skipped)} bad files, the first is {skipped[0]}.",) if skipped else ()
    return Data(f"folder:{path}", train, held_out, probe=train, notes=(*layout.notes, *notes))


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise ImportError("folder: expected Pillow, found none. Run: pip install pillow.") from error


def _readable(part: Part, look: Callable[[int, Path], T], on_bad_file: OnBadFile, doing: str) -> tuple[Part, list[T]]:
    """Leave out the files that ``look`` finds bad; return the other files with what it found in each."""
    results = look_at(part.paths, look, doing, stop_at_bad=on_bad_file == "raise")
    bad = {i: result for i, result in enumerate(results) if isinstance(result, BadImageError)}
    if not bad:
        return part, [result for result in results if not isinstance(result, BadImageError)]
    if on_bad_file == "raise":
        i, reason = next(iter(bad.items()))
        raise ValueError(
            f"folder: expected a readable image, found {part.names[i]!r}: {reason}. "
            "Repair or remove it, or leave out bad files with on_bad_file='skip' (--on-bad-file=skip)."
        )
    good = torch.tensor([i for i in range(len(results)) if i not in bad], dtype=torch.int64)
    skipped = tuple(f"{part.names[i]}: {reason}" for i, reason in bad.items())
    return part.take(good, skipped), [result for result in results if not isinstance(result, BadImageError)]


def _stored(part: Part, frame: tuple[int, int, int], on_bad_file: OnBadFile) -> Source:
    channels, resolution, _ = frame
    values = torch.empty((len(part.paths), *frame), dtype=torch.uint8)

    def keep(i: int, path: Path) -> int:
        values[i] = decode(path, resolution, channels)
        return i

    part, kept = _readable(part, keep, on_bad_file, "Decoding images")
    values = values if len(kept) == len(values) else values[kept]
    return Stored(values=values, label=part.label, classes=part.classes, names=part.names, skipped=part.skipped)


def _files(part: Part, frame: tuple[int, int, int], on_bad_file: OnBadFile) -> Source:
    channels, resolution, _ = frame
    part, _ = _readable(part, lambda _, path: decode(path, resolution, channels).shape, on_bad_file, "Checking images")
    return Files(
        label=part.label,
        classes=part.classes,
        names=part.names,
        skipped=part.skipped,
        paths=part.paths,
        resolution=resolution,
        channels=channels,
    )


def free_memory() -> int:
    """Bytes of memory that can be used without swapping; 4 GiB where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as table:
            free = next(int(line.split()[1]) * 1024 for line in table if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 4 * 2**30
    try:  # a container may be allowed less memory than the machine has
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text("ascii")) for name in ("max", "current"))
        return max(0, min(free, limit - used))
    except (OSError, ValueError):  # no such limit, or "max"
        return free

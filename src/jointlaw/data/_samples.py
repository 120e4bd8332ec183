"""What training reads: a source of samples, and the three sources that a run needs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

_CHUNK = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class Source(ABC):
    """N samples that can be read in any order.

    Attributes:
        label: int64 ``[N]``, -1 where unknown.
        classes: name of each label; empty where there are none.
        names: file names of the samples, empty where they come from one file.
        skipped: bad files that were left out, each with its reason.
        origin: positions of the samples in the file that this source is a part of; None if it is no part.
        lazy: whether ``read`` decodes files; if so, batches are read ahead.

    >>> source: Source = as_source([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], label=[0, 1, -1])
    >>> len(source), source.shape, source.labelled, len(source.take(torch.tensor([2])))
    (3, (2,), True, 1)
    """

    label: Int[Tensor, " samples"]
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    origin: Int[Tensor, " samples"] | None = None

    lazy: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.label)

    @property
    def labelled(self) -> bool:
        """Whether any sample has a label."""
        return bool((self.label >= 0).any())

    @property
    def positions(self) -> Int[Tensor, " samples"]:
        """Positions of the samples in their file, ``[N]``."""
        return torch.arange(len(self)) if self.origin is None else self.origin

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: ``(C, H, W)`` for images, ``(F,)`` for vectors."""

    @abstractmethod
    def read(self, index: Int[Tensor, " batch"]) -> Tensor:
        """Samples at the positions ``index``: uint8 images ``[B, C, H, W]`` or float32 vectors ``[B, F]``."""

    @abstractmethod
    def take(self, index: Int[Tensor, " taken"]) -> "Source":
        """The source of the samples at ``index``, in that order."""

    @abstractmethod
    def resized(self, resolution: int) -> "Source":
        """The source of the images' centre squares, brought to ``resolution`` pixels."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stored(Source):
    """Samples held in the memory of the CPU.

    Attributes:
        values: uint8 images ``[N, C, H, W]`` with one or three channels, or float32 vectors ``[N, F]``.

    Raises:
        ValueError: if the type, the number of dimensions or the number of labels is another.

    >>> Stored(values=torch.eye(3), label=torch.tensor([0, 1, -1])).read(torch.tensor([2, 0]))
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """

    values: Tensor

    def __post_init__(self) -> None:
        images = self.values.dtype == torch.uint8 and self.values.ndim == 4 and self.values.shape[1] in (1, 3)
        vectors = self.values.dtype == torch.float32 and self.values.ndim == 2
        if not (images or vectors):
            raise ValueError(
                "Stored: expected uint8 images [N, C, H, W] with 1 or 3 channels or float32 vectors [N, F], "
                f"found {self.values.dtype} of shape {list(self.values.shape)}. Convert the values."
            )
        if self.label.dtype != torch.int64 or self.label.shape != self.values.shape[:1]:
            raise ValueError(
                f"Stored: expected int64 labels of shape [{len(self.values)}], found {self.label.dtype} of shape "
                f"{list(self.label.shape)}. Give one label per sample, -1 where it is unknown."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.values.shape[1:])

    def read(self, index: Int[Tensor, " batch"]) -> Tensor:
        """Samples at the positions ``index``."""
        # Copying a batch is too little work to share: torch's threads lose 10 to 50 times NumPy's time on busy cores.
        return torch.from_numpy(self.values.numpy()[index.numpy()])

    def take(self, index: Int[Tensor, " taken"]) -> "Stored":
        """The source of the samples at ``index``, in that order."""
        names, origin = chosen(self.names, index), self.positions[index]
        return replace(self, values=self.values[index], label=self.label[index], names=names, origin=origin)

    def resized(self, resolution: int) -> "Stored":
        """The centre squares of the images, brought to ``resolution`` pixels (bicubic, antialiased).

        Raises:
            ValueError: if the samples are vectors.
        """
        if self.values.ndim != 4:
            raise ValueError(
                f"resolution={resolution}: expected images, found vectors of width {self.shape[0]}. Leave it out."
            )
        return replace(self, values=centre_squares(self.values, resolution))


def centre_squares(images: Tensor, resolution: int) -> Tensor:
    """The centre squares of images ``[N, C, H, W]`` (uint8, or floats in [0, 1]), resized (bicubic, antialiased)."""
    height, width = images.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = images[:, :, top : top + side, left : left + side]
    if side == resolution:
        return square
    return torch.cat([_interpolate(part, resolution) for part in torch.split(square, _CHUNK)])


def _interpolate(images: Tensor, resolution: int) -> Tensor:
    size, most = (resolution, resolution), 255 if images.dtype == torch.uint8 else 1
    values = F.interpolate(images.float(), size, mode="bicubic", align_corners=False, antialias=True)
    return (values.round() if most == 255 else values).clamp(0, most).to(images.dtype)


class Data(NamedTuple):
    """What one ``--data`` stands for.

    Attributes:
        name: the specification, such as ``digits`` or ``folder:photos``.
        train: what the encoder learns from; labels are optional.
        held_out: samples the encoder never sees, to measure on.
        probe: what probes are fitted on: ``train`` itself, except in stl10, whose training images have no labels.
        notes: one sentence for everything a user should know, such as files that were ignored.

    >>> source = as_source(torch.zeros(10, 2))
    >>> data = Data("mine", source.take(torch.arange(8)), held_out=source.take(torch.tensor([8, 9])), probe=source)
    >>> len(data.train), len(data.held_out)
    (8, 2)
    """

    name: str
    train: Source
    held_out: Source
    probe: Source
    notes: tuple[str, ...] = ()


def as_source(x: Tensor | npt.ArrayLike, label: Tensor | npt.ArrayLike | None = None) -> Stored:
    """Samples from memory as a source.

    Args:
        x: uint8 images ``[N, C, H, W]`` with one or three channels or ``[N, H, W]``, or finite vectors ``[N, F]`` of
            any number type, as a tensor, an array or nested lists.
        label: whole numbers ``[N]``, -1 where unknown (default: all unknown).

    Raises:
        ValueError: if ``x`` is anything else, or not finite.

    >>> as_source([[0.0, 1.0], [2, 3]]).shape
    (2,)
    """
    values = x.detach().cpu() if isinstance(x, Tensor) else torch.from_numpy(np.array(x))
    if values.dtype == torch.uint8 and values.ndim == 3:
        values = values.unsqueeze(1)  # [N, 1, H, W]
    if values.ndim == 2 and values.dtype != torch.bool and not values.is_complex():
        values = values.float()
        if not bool(values.isfinite().all()):
            raise ValueError("samples: expected finite vectors, found NaN or infinity. Remove or fill these rows.")
    known = torch.full((len(values),), -1) if label is None else torch.as_tensor(label)
    if known.is_floating_point() or known.is_complex() or (known.numel() and int(known.min()) < -1):
        raise ValueError("samples: expected whole numbers >= -1 as labels, found others. -1 stands for unknown.")
    known = known.long()
    return Stored(values=values.contiguous(), label=known)


def halves(label: Tensor, every: int, seed: int) -> tuple[Tensor, Tensor]:
    """Positions to train on and to hold out: one in ``every`` samples of each class, the same for the same seed.

    Args:
        label: int64 ``[N]`` with N >= 2; samples of equal label (-1 too) form a class.
        every: one sample in this many is held out of each class; at least one sample is held out in all.
        seed: determines which samples of each class are held out.
    """
    shuffled = torch.randperm(len(label), generator=torch.Generator().manual_seed(seed))
    order = shuffled[label[shuffled].argsort(stable=True)]  # one class after the other, each in random order
    held_out = torch.zeros(len(label), dtype=torch.bool)
    held_out[order[min(every, len(label)) - 1 :: every]] = True
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def chosen(names: Sequence[str], index: Tensor) -> tuple[str, ...]:
    """The names at ``index``; empty where there are none."""
    return tuple(names[i] for i in index.tolist()) if names else ()

"""Views: batches of raw samples in, augmented and normalised float32 batches out, each sample with its own draw."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from jointlaw import _check as check
from jointlaw.views._augmentations import blur_kernel, normalise, resized_crop
from jointlaw.views._draws import augment, central_box, draw
from jointlaw.views._settings import TensorSettings, ViewSettings, colour, digits, greyscale, tensor

__all__ = [
    "ImageViewMaker",
    "PerSampleViewMaker",
    "TensorSettings",
    "TensorViewMaker",
    "ViewMaker",
    "ViewSettings",
    "colour",
    "digits",
    "greyscale",
    "per_sample",
    "tensor",
    "view_maker",
]

BLOCK = 131_072  # pixels of a plane worked on together on the CPU: temporaries stay small and in the cache
ORDERS = 4  # blocks of a batch on an accelerator


class ViewMaker(ABC):
    """Makes the views of a batch; all chance comes from the generator, so equal seeds give equal views on CPU.

    >>> maker: ViewMaker = view_maker(TensorSettings(count=3))
    >>> len(maker(torch.zeros(4, 2), torch.Generator())), maker.clean(torch.zeros(4, 2)).shape
    (3, torch.Size([4, 2]))
    """

    @abstractmethod
    def __call__(self, batch: Tensor, generator: Generator) -> list[Tensor]:
        """Draw the views of a batch, full-size ones first, on the batch's device."""

    @abstractmethod
    def clean(self, batch: Tensor) -> Tensor:
        """Return the one view for evaluation: no chance in it."""


class ImageViewMaker(ViewMaker):
    """Views of uint8 images ``[B, C, H, W]`` with C = 1 or 3, as float32 ``[B, C, h, w]``.

    Parameters are drawn on the generator's device; a CPU generator avoids waiting for an accelerator. The arithmetic
    runs in float32 under autocast; torch's ``float32_matmul_precision`` applies to the crop and the blur.

    torchvision draws the order of the colour jitter's four steps for each sample; here the samples of a block share
    one (131,072 pixels, 128 images of 32 x 32, on the CPU; a quarter of the batch elsewhere). Any one sample's view has
    the same law.

    Args:
        settings: probabilities and amounts of all steps; see ``ViewSettings``.

    >>> images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    >>> [list(view.shape) for view in ImageViewMaker(colour())(images, torch.Generator().manual_seed(0))]
    [[4, 3, 32, 32], [4, 3, 32, 32]]
    """

    def __init__(self, settings: ViewSettings) -> None:
        self.settings = settings

    def __call__(self, batch: Tensor, generator: Generator) -> list[Tensor]:
        """Draw ``count`` full-size views, then ``small_count`` small ones."""
        settings = self.settings
        self._check(batch)
        full, small = _size(batch, settings.size), _size(batch, settings.small_size)
        plan = [(full, settings.scale)] * settings.count + [(small, settings.small_scale)] * settings.small_count
        with torch.autocast(batch.device.type, enabled=False):
            return [self._view(batch, size, scale, generator) for size, scale in plan]

    def clean(self, batch: Tensor) -> Tensor:
        """Resize the largest central crop of the view's shape (bilinear, antialiased), and normalise it.

        Images may also be floats in [0, 1], which are shares of full brightness.
        """
        self._check(batch, floats=True)
        size = _size(batch, self.settings.size)
        shape = size[1] / size[0]
        box = torch.tensor(central_box(_size(batch, None), (shape, shape)), device=batch.device)
        with torch.autocast(batch.device.type, enabled=False):
            images = resized_crop(_unit(batch), box.expand(len(batch), -1), size)
            return normalise(images, *self._statistics(batch.device))

    def _view(self, batch: Tensor, size: tuple[int, int], scale: tuple[float, float], generator: Generator) -> Tensor:
        """One view of every sample, block by block."""
        draws = draw(self.settings, len(batch), _size(batch, None), scale, generator)
        kernel = self._kernel(size)
        statistics = self._statistics(batch.device)
        view = torch.empty(*batch.shape[:2], *size, device=batch.device)
        for block in _blocks(batch, size):
            order = torch.randperm(4, generator=generator, device=generator.device).tolist()
            images = augment(_unit(batch[block]), draws.part(block, batch.device), size, order, kernel)
            normalise(images, *statistics, out=view[block])
        return view

    def _kernel(self, size: tuple[int, int]) -> int:
        kernel = self.settings.blur_kernel or blur_kernel(min(size))
        if self.settings.blur > 0 and kernel // 2 >= min(size):
            raise ValueError(
                f"ImageViewMaker: expected a blur_kernel below {2 * min(size)} for views of {size[0]} x {size[1]}, "
                f"found {kernel}. Choose a narrower kernel, or larger views."
            )
        return kernel

    def _statistics(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.tensor(self.settings.mean, device=device), torch.tensor(self.settings.std, device=device)

    def _check(self, batch: Tensor, floats: bool = False) -> None:
        shares = floats and batch.is_floating_point()
        if batch.ndim != 4 or not (shares or batch.dtype == torch.uint8) or batch.shape[1] not in (1, 3):
            raise ValueError(
                f"ImageViewMaker: expected uint8 images [batch, 1 or 3, height, width], found {batch.dtype} of shape "
                f"{list(batch.shape)}. Keep raw pixels as uint8; for float vectors use TensorSettings."
            )
        low, high = (float(end) for end in batch.aminmax()) if shares and batch.numel() else (0.0, 1.0)
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"ImageViewMaker: expected floats in [0, 1], found values from {low:g} to {high:g}. Pass shares of "
                "full brightness, or raw pixels as uint8."
            )
        if len(self.settings.mean) not in (1, batch.shape[1]):
            raise ValueError(
                f"ImageViewMaker: expected 1 or {batch.shape[1]} means, found {len(self.settings.mean)}. "
                "Give one mean and deviation for all channels, or one of each per channel."
            )


def _size(batch: Tensor, side: int | None) -> tuple[int, int]:
    """Height and width of a view; the batch's own by default."""
    return (batch.shape[-2], batch.shape[-1]) if side is None else (side, side)


def _unit(batch: Tensor) -> Tensor:
    """Pixels on the scale [0, 1]."""
    return batch.float().mul_(1 / 255) if batch.dtype == torch.uint8 else batch.float()


def _blocks(batch: Tensor, size: tuple[int, int]) -> list[slice]:
    """Samples that are worked on together."""
    on_cpu = batch.device.type == "cpu"
    step = max(BLOCK // (size[0] * size[1]), 1) if on_cpu else max(-(-len(batch) // ORDERS), 1)
    return [slice(start, start + step) for start in range(0, len(batch), step)]


class TensorViewMaker(ViewMaker):
    """Views of float vectors ``[B, F]``: standardise, add Gaussian noise, set random features to their mean (0).

    Args:
        settings: how much noise, how many features are masked, mean and deviation; see ``TensorSettings``.
    """

    def __init__(self, settings: TensorSettings) -> None:
        self.settings = settings

    def __call__(self, batch: Tensor, generator: Generator) -> list[Tensor]:
        """Draw ``count`` views, each float32 ``[B, F]``."""
        clean = self.clean(batch)
        return [self._view(clean, generator) for _ in range(self.settings.count)]

    def clean(self, batch: Tensor) -> Tensor:
        """Standardise, and nothing else."""
        if batch.ndim != 2 or not batch.is_floating_point():
            raise ValueError(
                f"TensorViewMaker: expected floating vectors [batch, features], found {batch.dtype} of shape "
                f"{list(batch.shape)}. Flatten the samples, or use image views for uint8 images."
            )
        mean, std = self.settings.mean, self.settings.std
        if len(mean) not in (1, batch.shape[1]):
            raise ValueError(
                f"TensorViewMaker: expected 1 or {batch.shape[1]} means, one per feature, found {len(mean)}. "
                "Give one for all features or one for each."
            )
        return (batch.float() - torch.tensor(mean, device=batch.device)) / torch.tensor(std, device=batch.device)

    def _view(self, clean: Tensor, generator: Generator) -> Tensor:
        view = clean
        if self.settings.noise > 0:
            noise = torch.randn(clean.shape, generator=generator, device=generator.device)
            view = view + self.settings.noise * noise.to(clean.device)
        if self.settings.mask > 0:
            keep = torch.rand(clean.shape, generator=generator, device=generator.device) >= self.settings.mask
            view = view * keep.to(clean.device)
        return view


class PerSampleViewMaker(ViewMaker):
    """Views by a user's own function of one sample, such as a torchvision pipeline; run on the CPU, sample by sample.

    torch's global CPU generator is seeded from the given generator while the function runs and put back afterwards, so
    equal seeds give equal views. A function that draws from ``random`` or NumPy must seed those itself.

    Args:
        function: turns a uint8 ``[C, H, W]`` tensor into a float tensor, of one shape for all samples.
        count: views of each sample.
        clean: another such function, without chance, for evaluation (default: ``function``, always from the same seed).
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], count: int = 2, clean: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        check.at_least("PerSampleViewMaker", 1, count=count)
        self.function, self.count, self.evaluation = function, count, clean or function

    def __call__(self, batch: Tensor, generator: Generator) -> list[Tensor]:
        """Draw ``count`` views."""
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return [self._stack(self.function, batch) for _ in range(self.count)]

    def clean(self, batch: Tensor) -> Tensor:
        """Apply the function for evaluation, from a fixed seed."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return self._stack(self.evaluation, batch)

    @staticmethod
    def _stack(function: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        try:
            views = [function(sample) for sample in batch.cpu()]
        except Exception as error:
            raise ValueError(f"views: expected a function of one uint8 sample [C, H, W], found {error!r}.") from error
        for view in views:
            if not (isinstance(view, Tensor) and view.is_floating_point() and view.shape == views[0].shape):
                found = f"{view.dtype} of shape {list(view.shape)}" if isinstance(view, Tensor) else type(view).__name__
                raise ValueError(
                    f"PerSampleViewMaker: expected one shape of float tensors from the function, found {found}. "
                    "End the pipeline with a fixed size and a conversion to float32 (torchvision: ToDtype, Normalize)."
                )
        return torch.stack(views).to(batch.device)


def view_maker(settings: ViewSettings | TensorSettings) -> ViewMaker:
    """Return the maker for these settings: of images with `ViewSettings`, of float vectors with `TensorSettings`.

    It turns uint8 images ``[B, C, H, W]`` into float32 ones ``[B, C, h, w]``; vectors stay float32 ``[B, F]``.

    >>> maker = view_maker(ViewSettings(size=16, small_count=2, small_size=8))
    >>> images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    >>> [view.shape[-1] for view in maker(images, torch.Generator())]
    [16, 16, 8, 8]
    """
    return ImageViewMaker(settings) if isinstance(settings, ViewSettings) else TensorViewMaker(settings)


def per_sample(
    function: Callable[[Tensor], Tensor], count: int = 2, clean: Callable[[Tensor], Tensor] | None = None
) -> ViewMaker:
    """Turn a function of one sample into a maker of views; it runs on the CPU, sample by sample.

    Equal seeds give equal views; a function that draws from ``random`` or NumPy must seed those itself.

    Args:
        function: turns a uint8 ``[C, H, W]`` tensor into a float tensor, of one shape for all samples.
        count: views of each sample.
        clean: another such function, without chance, for evaluation (default: ``function``, always from one seed).

    Raises:
        ValueError: if there is no view; later, if the function fails or returns something else.

    >>> maker = per_sample(lambda image: image / 255 + torch.rand(()), clean=lambda image: image / 255)
    >>> maker.clean(torch.full((4, 1, 8, 8), 51, dtype=torch.uint8)).mean()
    tensor(0.2000)
    """
    return PerSampleViewMaker(function, count, clean)

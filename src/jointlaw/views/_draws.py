"""Random parameters of views: drawn for a whole batch first, and then applied without further chance."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from jointlaw.views import _augmentations as augmentations
from jointlaw.views._settings import ViewSettings

ATTEMPTS = 10  # draws of area and ratio before the central crop, as torchvision
SHARP = 1e-3  # a blur of so few pixels is the identity in float32
NEVER = 2.0  # no value reaches this solarisation threshold


class Draws(NamedTuple):
    """Parameters of one view of B samples.

    None leaves a step out for all samples. Otherwise a sample that the step is not to change has the parameter that
    changes nothing: this is as fast as selecting the other samples, and never waits for an accelerator.

    Attributes:
        box: ``[B, 4]`` top, left, height and width of the crop.
        flip: ``[B]`` booleans.
        brightness: ``[B]`` factors.
        contrast: ``[B]`` factors.
        saturation: ``[B]`` factors.
        hue: ``[B]`` turns of the colour circle.
        colour: ``[B]``, 0 where all colour is lost and 1 elsewhere.
        sigma: ``[B]`` deviations of the blur in pixels.
        threshold: ``[B]`` values from which on pixels are inverted.
        angle: ``[B]`` degrees.
    """

    box: Tensor
    flip: Tensor | None = None
    brightness: Tensor | None = None
    contrast: Tensor | None = None
    saturation: Tensor | None = None
    hue: Tensor | None = None
    colour: Tensor | None = None
    sigma: Tensor | None = None
    threshold: Tensor | None = None
    angle: Tensor | None = None

    def part(self, samples: slice, device: torch.device) -> "Draws":
        """Parameters of some of the samples, on the device where they are needed."""
        return Draws._make(None if value is None else value[samples].to(device) for value in self)


def draw(
    settings: ViewSettings, count: int, side: tuple[int, int], scale: tuple[float, float], generator: Generator
) -> Draws:
    """Draw the parameters of one view for ``count`` images of ``side`` (height, width), on the generator's device."""
    draws = Draws(crop_boxes(count, side, scale, settings.ratio, generator))
    if settings.flip > 0:
        draws = draws._replace(flip=chance(count, settings.flip, generator))
    if settings.jitter > 0:
        draws = _jitter(draws, settings, count, generator)
    if settings.grey > 0:
        draws = draws._replace(colour=1.0 - chance(count, settings.grey, generator).float())
    if settings.blur > 0:
        sigma = uniform((count,), *settings.blur_sigma, generator)
        draws = draws._replace(sigma=torch.where(chance(count, settings.blur, generator), sigma, SHARP))
    if settings.solarise > 0:
        inverted = chance(count, settings.solarise, generator)
        draws = draws._replace(threshold=torch.where(inverted, settings.solarise_threshold, NEVER))
    if settings.rotate > 0:
        draws = draws._replace(angle=uniform((count,), -settings.rotate, settings.rotate, generator))
    return draws


def _jitter(draws: Draws, settings: ViewSettings, count: int, generator: Generator) -> Draws:
    """Add the colour jitter's factors and turns."""
    drawn = chance(count, settings.jitter, generator)
    for name in ("brightness", "contrast", "saturation"):
        reach: float = getattr(settings, name)
        if reach > 0:
            factor = uniform((count,), max(0.0, 1.0 - reach), 1.0 + reach, generator)
            draws = draws._replace(**{name: torch.where(drawn, factor, 1.0)})
    if settings.hue > 0:
        draws = draws._replace(hue=uniform((count,), -settings.hue, settings.hue, generator) * drawn)
    return draws


def crop_boxes(
    count: int, side: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float], generator: Generator
) -> Tensor:
    """Draw ``count`` boxes (top, left, height, width) by the law of torchvision's ``RandomResizedCrop``.

    Area uniform in ``scale`` times the image's, width over height log-uniform in ``ratio``, rounded to pixels; up to
    ten attempts until the box fits, then the largest central box within ``ratio``; the place is uniform.

    Returns:
        ``[count, 4]`` whole numbers.
    """
    height, width = side
    area = uniform((ATTEMPTS, count), *scale, generator) * (height * width)
    aspect = uniform((ATTEMPTS, count), math.log(ratio[0]), math.log(ratio[1]), generator).exp()
    tall, wide = (area / aspect).sqrt().round(), (area * aspect).sqrt().round()  # [ATTEMPTS, count]
    fits = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
    first = fits.int().argmax(0, keepdim=True)
    extent = torch.stack([tall.gather(0, first)[0], wide.gather(0, first)[0]], 1).long()  # [count, 2]
    free = torch.tensor([height, width], device=extent.device) - extent
    place = (uniform((count, 2), 0.0, 1.0, generator) * (free + 1)).long().minimum(free)
    fallback = torch.tensor(central_box(side, ratio), device=extent.device)
    return torch.where(fits.any(0)[:, None], torch.cat([place, extent], 1), fallback)


def central_box(side: tuple[int, int], ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the largest central box whose width over height lies within ``ratio``."""
    height, width = side
    shape = min(max(width / height, ratio[0]), ratio[1])
    tall = max(1, min(height, round(width / shape)))
    wide = max(1, min(width, round(height * shape)))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def augment(pixels: Tensor, draws: Draws, size: tuple[int, int], order: list[int], kernel: int) -> Tensor:
    """Apply drawn parameters to float images in [0, 1].

    Args:
        pixels: ``[B, C, H, W]``.
        draws: parameters of the same B samples.
        size: height and width of the view.
        order: in which brightness (0), contrast (1), saturation (2) and hue (3) follow one another.
        kernel: width of the blur's kernel.

    Returns:
        ``[B, C, h, w]``, not normalised.
    """
    images = augmentations.resized_crop(pixels, draws.box, size, draws.flip)
    factors = (draws.brightness, draws.contrast, draws.saturation, draws.hue)
    images = augmentations.colour_jitter(images, factors, order)
    if draws.colour is not None:
        images = augmentations.saturation(images, draws.colour)
    if draws.sigma is not None:
        images = augmentations.gaussian_blur(images, draws.sigma, kernel)
    if draws.threshold is not None:
        images = augmentations.solarise(images, draws.threshold)
    if draws.angle is not None:
        images = augmentations.rotate(images, draws.angle)
    return images


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Draw uniformly from [low, high)."""
    return torch.rand(shape, generator=generator, device=generator.device).mul_(high - low).add_(low)


def chance(count: int, probability: float, generator: Generator) -> Tensor:
    """``[count]`` booleans, true with the given probability."""
    return torch.rand(count, generator=generator, device=generator.device) < probability

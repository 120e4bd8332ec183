"""Image operations on whole batches, each sample with its own parameters, as pure functions.

Images are float32 ``[B, C, H, W]`` in [0, 1] with C = 1 or 3 and parameters are ``[B]`` tensors on the same device.
Each function equals its namesake of ``torchvision.transforms.v2.functional`` applied to one float image after another
with the same parameters, within the absolute tolerance its docstring states. Nothing here draws a random number.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (
    0.2989,
    0.587,
    0.114,
)  # weights of red, green and blue in a grey value (ITU-R BT.601, as torchvision rounds them)


def interpolation_matrix(start: Tensor, length: Tensor, source: int, out: int, reverse: Tensor | None = None) -> Tensor:
    """Weights that resize the stretch ``[start, start + length)`` of ``source`` pixels to ``out`` pixels.

    Antialiased linear interpolation: weight(i, j) = max(0, 1 - |j + 1/2 - centre_i| / max(step, 1)) for pixels j inside
    the stretch, with step = length / out and centre_i = start + step (i + 1/2); every row is scaled to sum 1.

    Args:
        start: ``[B]`` first pixel of each stretch.
        length: ``[B]`` pixels in each stretch.
        source: pixels along the whole side.
        out: pixels wanted.
        reverse: ``[B]`` booleans, true where the result shall run backwards (a flip); none by default.

    Returns:
        ``[B, out, source]``.
    """
    begin, extent = start.float()[:, None], length.float()[:, None]  # [B, 1]
    step = extent / out
    place = torch.arange(out, device=start.device, dtype=torch.float32).expand(len(start), -1)
    if reverse is not None:
        place = torch.where(reverse[:, None], out - 1 - place, place)
    centre = begin + step * (place + 0.5)  # [B, out]
    pixel = torch.arange(source, device=start.device, dtype=torch.float32)
    inside = ((pixel >= begin) & (pixel < begin + extent)).float()  # [B, source]
    distance = (pixel + 0.5) - centre[:, :, None]  # [B, out, source]
    distance.abs_().mul_(step.clamp(min=1.0).reciprocal()[:, :, None])
    weight = distance.sub_(1.0).clamp_(max=0.0).mul_(inside[:, None, :])  # negated: the division restores the sign
    return weight.div_(weight.sum(-1, keepdim=True))


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Linear map of rows and of columns, rows X columns^T, for each sample and channel.

    The channels of the result lie in separate blocks of memory (``[C, B, h, w]`` seen as ``[B, C, h, w]``), which lets
    colour operations run over contiguous planes.

    Args:
        images: ``[B, C, H, W]``.
        rows: ``[B, h, H]``.
        columns: ``[B, w, W]``.

    Returns:
        ``[B, C, h, w]``.
    """
    batch, channels = images.shape[:2]
    planes = images.new_empty(channels, batch, rows.shape[1], columns.shape[1])
    across = columns.transpose(1, 2)
    for channel, plane in enumerate(planes):
        torch.bmm(rows, torch.bmm(images[:, channel], across), out=plane)
    return planes.transpose(0, 1)  # [B, C, h, w]


def resized_crop(images: Tensor, box: Tensor, size: tuple[int, int], flip: Tensor | None = None) -> Tensor:
    """Cut one box out of each image, resize it (bilinear, antialiased) and flip it left to right where asked.

    Equals torchvision's ``horizontal_flip(resized_crop(..., antialias=True))`` within 1e-5, for shrinking and for
    enlarging.

    Args:
        images: ``[B, C, H, W]``.
        box: ``[B, 4]`` whole numbers: top, left, height, width.
        size: height and width of the result.
        flip: ``[B]`` booleans; none by default.
    """
    top, left, height, width = box.unbind(1)
    rows = interpolation_matrix(top, height, images.shape[-2], size[0])
    columns = interpolation_matrix(left, width, images.shape[-1], size[1], reverse=flip)
    return separable(images, rows, columns)


def luma(images: Tensor) -> Tensor:
    """Grey values 0.2989 R + 0.587 G + 0.114 B, ``[B, 1, H, W]``; a grey image is its own."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return red.mul(LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(1)


def greyscale(images: Tensor) -> Tensor:
    """Replace every channel by the grey value (``rgb_to_grayscale`` with as many channels as came in), within 1e-6."""
    return luma(images).expand_as(images)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Scale each image by its factor >= 0 and clamp to [0, 1] (``adjust_brightness``), within 1e-6."""
    return images.mul(_each(factor)).clamp_(0.0, 1.0)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the mean grey value, f x + (1 - f) mean(luma x), clamped (``adjust_contrast``), within 1e-5."""
    means = images.mean((2, 3), keepdim=True)  # the mean of a weighted sum: no grey image needed
    rest = luma(means) * (1.0 - _each(factor))
    return images.mul(_each(factor)).add_(rest).clamp_(0.0, 1.0)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image, f x + (1 - f) luma x, clamped (``adjust_saturation``), within 1e-6; grey stays."""
    if images.shape[1] == 1:
        return images
    return torch.lerp(luma(images), images, _each(factor)).clamp_(0.0, 1.0)


def hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue in HSV by ``shift`` turns in [-1/2, 1/2] (``adjust_hue``), within 1e-5; grey stays.

    With h the hue in sixths of a turn, m the least channel and c the largest less the least, HSV to RGB reads
    R = m + c clamp(|h - 3| - 1), G = m + c clamp(2 - |h - 2|), B = m + c clamp(2 - |h - 4|), clamp onto [0, 1]:
    value and saturation need not be formed.
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)  # 3 x [B, H, W]
    cool = torch.maximum(green, blue)
    low = torch.minimum(red, torch.minimum(green, blue))
    chroma = torch.maximum(red, cool).sub_(low)
    angle = _hue_angle((red, green, blue), cool, chroma).add_(shift[:, None, None] * 6.0)
    angle.sub_(torch.floor(angle * (1.0 / 6.0)), alpha=6.0)  # into [0, 6)
    turned = torch.empty_like(images)
    torch.addcmul(low, chroma, angle.sub(3.0).abs_().sub_(1.0).clamp_(0.0, 1.0), out=turned[:, 0])
    for channel, middle in ((1, 2.0), (2, 4.0)):
        share = angle.sub(middle).abs_().neg_().add_(2.0).clamp_(0.0, 1.0)
        torch.addcmul(low, chroma, share, out=turned[:, channel])
    return turned


def _hue_angle(rgb: tuple[Tensor, Tensor, Tensor], cool: Tensor, chroma: Tensor) -> Tensor:
    """Hue in sixths of a turn, in [-1, 5]; 0 for grey. ``cool`` is max(G, B).

    Choices are float masks and ``lerp``, exact at 0 and 1: on CPU ``torch.where`` is 15 times slower on noisy masks.
    """
    red, green, blue = rgb
    is_red = torch.ge(red, cool, out=torch.empty_like(red))
    is_green = torch.ge(green, blue, out=torch.empty_like(red))
    angle = torch.lerp(red - green, blue - red, is_green).lerp_(green - blue, is_red)
    offset = is_green.mul_(-2.0).add_(4.0)
    offset.addcmul_(offset, is_red, value=-1.0)  # 0 where red is largest, 2 green, 4 blue
    return angle.div_(chroma.clamp(min=1e-12)).add_(offset)


def colour_jitter(images: Tensor, factors: Sequence[Tensor | None], order: Sequence[int]) -> Tensor:
    """Apply brightness (0), contrast (1), saturation (2) and hue (3) in the given order (``ColorJitter``), within 1e-5.

    Args:
        images: ``[B, C, H, W]``.
        factors: for each of the four its ``[B]`` parameters, or None to leave it out.
        order: a permutation of 0, 1, 2, 3.
    """
    for step in order:
        factor = factors[step]
        if factor is not None:
            images = (brightness, contrast, saturation, hue)[step](images, factor)
    return images


def blur_kernel(side: int) -> int:
    """Odd kernel width about a tenth of the image's side, at least 3: 3 at 32 pixels, 9 at 96, 23 at 224.

    Source: Chen et al. (2020), arXiv 2002.05709, appendix A ("the kernel size to be 10 % of the image").
    """
    return max(3, side // 10 // 2 * 2 + 1)


def gaussian_blur(images: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """Blur each image by its own sigma in pixels, reflecting at the border (``gaussian_blur``), within 1e-5.

    Args:
        images: ``[B, C, H, W]`` with H and W above ``kernel // 2``.
        sigma: ``[B]`` above 0.
        kernel: odd number of taps along each side.
    """
    reach = kernel // 2
    tap = torch.arange(-reach, reach + 1, device=images.device, dtype=torch.float32)
    weights = (tap / sigma.float()[:, None]).square().mul(-0.5).softmax(-1)  # [B, kernel]
    matrices = [_reflecting(weights, side) for side in images.shape[-2:]]
    return separable(images, *matrices)


def _reflecting(weights: Tensor, side: int) -> Tensor:
    """Convolution by ``weights`` [B, K] with reflection at both ends, as matrices [B, side, side]."""
    reach = weights.shape[1] // 2
    pixel = torch.arange(side, device=weights.device)
    reached = (pixel + torch.arange(-reach, reach + 1, device=weights.device)[:, None]).abs()  # [K, side]
    reached = (side - 1) - (side - 1 - reached).abs()
    places = F.one_hot(reached, side).to(weights.dtype)  # [K, side, side]
    return (weights @ places.flatten(1)).view(-1, side, side)


def solarise(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert the values at or above each image's threshold (``solarize``); exact. Above 1 it changes nothing."""
    inverted = torch.ge(images, _each(threshold), out=torch.empty_like(images))
    return torch.lerp(images, 1.0 - images, inverted)


def rotate(images: Tensor, angle: Tensor) -> Tensor:
    """Turn each image about its middle, counter-clockwise in degrees (``rotate``, bilinear, zeros outside), to 1e-4."""
    height, width = images.shape[-2:]
    cos, sin, none = angle.deg2rad().cos(), angle.deg2rad().sin(), torch.zeros_like(angle)
    turn = torch.stack([cos, -sin * height / width, none, sin * width / height, cos, none], 1).view(-1, 2, 3)
    grid = F.affine_grid(turn, list(images.shape), align_corners=False)  # [B, H, W, 2]
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def normalise(images: Tensor, mean: Tensor, std: Tensor, out: Tensor | None = None) -> Tensor:
    """(x - mean) / std with one mean and deviation for each channel or for all (``normalize``), within 1e-6.

    The result is contiguous, whatever came in, and lies in ``out`` where that is given.
    """
    if out is None:
        out = torch.empty(images.shape, dtype=images.dtype, device=images.device)
    return torch.sub(images, mean.view(-1, 1, 1), out=out).div_(std.view(-1, 1, 1))


def _each(parameter: Tensor) -> Tensor:
    """One parameter per sample, laid against ``[B, C, H, W]``."""
    return parameter.view(-1, 1, 1, 1)

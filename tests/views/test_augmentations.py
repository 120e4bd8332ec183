"""Augmentations: each operation equals torchvision's for the same parameters, within the tolerance it states."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from jointlaw.views import _augmentations as augmentations
from jointlaw.views import _draws as draws

B = 12
SHAPES = pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 19, 30)])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(shape: tuple[int, int, int], count: int = B) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=seeded(1), dtype=torch.uint8)


def unit(shape: tuple[int, int, int], count: int = B) -> Tensor:
    """Float images, among them a grey one, one of few levels (ties between channels), a black and a white one."""
    images = pixels(shape, count).float() / 255
    images[0] = images[0, :1]
    images[1] = (images[1] * 3).round() / 3
    images[2], images[3] = 0.0, 1.0
    return images


def uniform(low: float, high: float, count: int = B) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=seeded(2))


def boxes(shape: tuple[int, int, int]) -> Tensor:
    _, height, width = shape
    box = draws.crop_boxes(B, (height, width), (0.05, 1.0), (0.5, 2.0), seeded(3))
    box[0] = torch.tensor([0, 0, height, width])
    box[1] = torch.tensor([height - 1, width - 1, 1, 1])
    return box


def one_by_one(operation, images: Tensor, parameters: Tensor) -> Tensor:
    return torch.stack([operation(image, value) for image, value in zip(images, parameters.tolist(), strict=True)])


def close(got: Tensor, wanted: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, wanted, atol=tolerance, rtol=0.0)


@SHAPES
@pytest.mark.parametrize("size", [(32, 32), (8, 8), (17, 40), (64, 5)])
def test_crop_and_flip_equal_torchvision_antialiased(shape, size):
    images, box, flip = unit(shape), boxes(shape), uniform(0, 1) < 0.5
    wanted = []
    for image, sides, mirrored in zip(images, box.tolist(), flip.tolist(), strict=True):
        crop = reference.resized_crop(image, *sides, size=list(size), antialias=True)
        wanted.append(reference.horizontal_flip(crop) if mirrored else crop)
    got = augmentations.resized_crop(images, box, size, flip)
    close(got, torch.stack(wanted), 1e-5)
    crops = augmentations.resized_crop(images, box, size)
    close(torch.where(flip[:, None, None, None], crops.flip(-1), crops), got, 1e-6)


def test_crop_of_large_images_equals_torchvision():
    images, box = unit((3, 200, 260), 4), draws.crop_boxes(4, (200, 260), (0.1, 1.0), (0.75, 1.33), seeded())
    wanted = [
        reference.resized_crop(i, *b, size=[224, 224], antialias=True)
        for i, b in zip(images, box.tolist(), strict=True)
    ]
    close(augmentations.resized_crop(images, box, (224, 224)), torch.stack(wanted), 1e-5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 39))
@settings(max_examples=60, deadline=None)
def test_interpolation_rows_are_averages_of_pixels_inside_the_stretch(source, out, length, start):
    start, length = start % source, 1 + length % (source - start % source)
    weights = augmentations.interpolation_matrix(torch.tensor([start]), torch.tensor([length]), source, out)[0]
    assert (weights >= 0).all()
    close(weights.sum(-1), torch.ones(out), 1e-6)
    assert weights[:, :start].abs().sum() == 0
    assert weights[:, start + length :].abs().sum() == 0


@SHAPES
@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high", "tolerance"),
    [
        (augmentations.brightness, reference.adjust_brightness, 0.0, 2.0, 1e-6),
        (augmentations.contrast, reference.adjust_contrast, 0.0, 2.0, 1e-5),
        (augmentations.saturation, reference.adjust_saturation, 0.0, 2.0, 1e-6),
        (augmentations.hue, reference.adjust_hue, -0.5, 0.5, 1e-5),
        (augmentations.solarise, reference.solarize, 0.0, 1.0, 0.0),
    ],
)
def test_colour_operations_equal_torchvision(shape, ours, theirs, low, high, tolerance):
    images, parameters = unit(shape), uniform(low, high)
    before = images.clone()
    close(ours(images, parameters), one_by_one(theirs, images, parameters), tolerance)
    assert torch.equal(images, before)


@pytest.mark.parametrize("turn", [-0.5, -1 / 3, -1 / 6, 0.0, 1 / 6, 1 / 3, 0.5])
def test_hue_turns_pure_colours_and_ties_as_torchvision(turn):
    levels = torch.tensor([0.0, 0.5, 1.0])
    cube = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 3, 9)
    close(augmentations.hue(cube, torch.tensor([turn])), reference.adjust_hue(cube, turn), 1e-5)


@SHAPES
def test_greyscale_equals_torchvision(shape):
    images = unit(shape)
    close(augmentations.greyscale(images), reference.rgb_to_grayscale(images, shape[0]), 1e-6)


@SHAPES
@pytest.mark.parametrize("kernel", [1, 3, 9, 23])
def test_blur_equals_torchvision(shape, kernel):
    images, sigma = unit(shape), uniform(0.1, 3.0)
    wanted = one_by_one(lambda image, s: reference.gaussian_blur(image, [kernel, kernel], [s, s]), images, sigma)
    close(augmentations.gaussian_blur(images, sigma, kernel), wanted, 1e-5)


@pytest.mark.parametrize(("side", "kernel"), [(8, 3), (28, 3), (32, 3), (64, 7), (96, 9), (224, 23)])
def test_blur_kernel_is_odd_and_about_a_tenth(side, kernel):
    assert augmentations.blur_kernel(side) == kernel


@SHAPES
def test_rotation_equals_torchvision(shape):
    images, angle = unit(shape), uniform(-180, 180)
    bilinear = v2.InterpolationMode.BILINEAR
    wanted = one_by_one(lambda image, a: reference.rotate(image, a, interpolation=bilinear), images, angle)
    close(augmentations.rotate(images, angle), wanted, 1e-4)


def test_normalisation_equals_torchvision_and_is_contiguous():
    images, mean, std = unit((3, 8, 8)).transpose(0, 1).contiguous().transpose(0, 1), [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    got = augmentations.normalise(images, torch.tensor(mean), torch.tensor(std))
    close(got, reference.normalize(images, mean, std), 1e-6)
    assert got.is_contiguous()


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]])
def test_jitter_equals_torchvision_in_any_order(order):
    images = unit((3, 16, 16))
    factors = [uniform(0.6, 1.4), uniform(0.5, 1.5), uniform(0.8, 1.2), uniform(-0.1, 0.1)]
    theirs = [reference.adjust_brightness, reference.adjust_contrast]
    theirs += [reference.adjust_saturation, reference.adjust_hue]
    wanted = images
    for step in order:
        wanted = one_by_one(theirs[step], wanted, factors[step])
    close(augmentations.colour_jitter(images, factors, order), wanted, 1e-5)


def test_a_whole_view_equals_torchvision_step_by_step():
    shape, size, order = (3, 24, 30), (16, 16), [1, 3, 0, 2]
    raw, box = pixels(shape), boxes(shape)
    drawn = draws.Draws(
        box, uniform(0, 1) < 0.5, uniform(0.6, 1.4), uniform(0.6, 1.4), uniform(0.8, 1.2), uniform(-0.1, 0.1),
        (uniform(0, 1) < 0.8).float(), uniform(0.1, 2.0), uniform(0.3, 2.0), uniform(-20, 20),
    )  # fmt: skip
    got = draws.augment(raw.float() / 255, drawn, size, order, 3)
    for i in range(B):
        flip, bright, contrast, saturation, hue, colour, sigma, threshold, angle = (float(v[i]) for v in drawn[1:])
        image = reference.to_dtype(raw[i], torch.float32, scale=True)
        image = reference.resized_crop(image, *box[i].tolist(), size=list(size), antialias=True)
        image = reference.horizontal_flip(image) if flip else image
        image = reference.adjust_hue(reference.adjust_contrast(image, contrast), hue)
        image = reference.adjust_saturation(reference.adjust_brightness(image, bright), saturation)
        image = image if colour else reference.rgb_to_grayscale(image, 3)
        image = reference.gaussian_blur(image, [3, 3], [sigma, sigma])
        image = reference.solarize(image, threshold) if threshold <= 1 else image
        image = reference.rotate(image, angle, interpolation=v2.InterpolationMode.BILINEAR)
        # rounding may put a value on the other side of the solarisation threshold
        assert ((got[i] - image).abs() > 1e-4).float().mean() < 0.005

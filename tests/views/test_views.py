"""Views: the law of the draws, and what the makers promise."""

import dataclasses

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from jointlaw.views import _draws as draws
from jointlaw.views import _makers as views
from jointlaw.views._settings import TensorSettings, ViewSettings

B = 12
PLAIN = ViewSettings(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, jitter=0.0, grey=0.0, mean=(0.0,), std=(1.0,))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(shape: tuple[int, int, int], count: int = B) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=seeded(1), dtype=torch.uint8)


def close(got: Tensor, wanted: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, wanted, atol=tolerance, rtol=0.0)


def test_crop_boxes_lie_inside_and_keep_area_and_ratio():
    box = draws.crop_boxes(5_000, (200, 200), (0.2, 0.9), (0.75, 4 / 3), seeded()).double()
    top, left, height, width = box.unbind(1)
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 200).all()
    assert (left + width <= 200).all()
    area, ratio = height * width / 200**2, width / height
    assert 0.19 < area.min() < 0.22
    assert 0.85 < area.max() < 0.91
    assert 0.73 < ratio.min() < 0.78
    assert 1.28 < ratio.max() < 1.36


def test_crop_boxes_follow_torchvision_law():
    crop = v2.RandomResizedCrop(32, scale=(0.08, 1.0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = [crop.make_params([torch.empty(3, 32, 48)]) for _ in range(3_000)]
    theirs = torch.tensor([[d[name] for name in ("top", "left", "height", "width")] for d in drawn]).float()
    ours = draws.crop_boxes(3_000, (32, 48), (0.08, 1.0), (3 / 4, 4 / 3), seeded()).float()
    spread = theirs.std(0) / 3_000**0.5
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 5 * spread).all()
    close(ours.std(0) / theirs.std(0), torch.ones(4), 0.1)


@pytest.mark.parametrize(("side", "box"), [((10, 100), [0, 43, 10, 13]), ((100, 10), [43, 0, 13, 10])])
def test_crop_boxes_fall_back_to_the_central_crop_as_torchvision(side, box):
    # an area of the whole image at these ratios never fits
    assert draws.crop_boxes(3, side, (1.0, 1.0), (3 / 4, 4 / 3), seeded()).tolist() == [box] * 3
    crop = v2.RandomResizedCrop(8, scale=(1.0, 1.0))
    params = crop.make_params([torch.empty(3, *side)])
    assert [params[name] for name in ("top", "left", "height", "width")] == box


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_flip_never_or_always(probability):
    batch = pixels((3, 9, 11))
    view, _ = views.ImageViewMaker(dataclasses.replace(PLAIN, flip=probability, ratio=(11 / 9, 11 / 9)))(
        batch, seeded()
    )
    wanted = batch.float() / 255
    close(view, wanted.flip(-1) if probability else wanted, 1e-6)


def test_every_step_left_out_leaves_the_picture_as_it_is():
    batch = pixels((3, 20, 31))
    for view in views.ImageViewMaker(dataclasses.replace(PLAIN, ratio=(31 / 20, 31 / 20)))(batch, seeded()):
        close(view, batch.float() / 255, 1e-6)


def test_a_sample_not_drawn_for_a_step_passes_unchanged():
    rare = dataclasses.replace(PLAIN, jitter=1e-9, grey=1e-9, blur=1e-9, solarise=1e-9)
    batch = pixels((3, 16, 16))
    close(views.ImageViewMaker(rare)(batch, seeded())[0], batch.float() / 255, 1e-5)


@pytest.mark.parametrize("step", ["flip", "jitter", "grey", "blur", "solarise"])
def test_each_step_is_drawn_with_its_probability(step):
    batch = pixels((3, 8, 8), 1).expand(2_000, -1, -1, -1)
    view, _ = views.ImageViewMaker(dataclasses.replace(PLAIN, **{step: 0.3}))(batch, seeded())
    changed = ((view - batch.float() / 255).abs() > 1e-4).flatten(1).any(1).float().mean()
    assert abs(changed - 0.3) < 0.05


def test_rotation_stays_within_its_angle():
    angle = draws.draw(dataclasses.replace(PLAIN, rotate=15.0), 2_000, (8, 8), (1.0, 1.0), seeded()).angle
    assert -15 <= angle.min() < -14
    assert 14 < angle.max() <= 15


def test_jitter_factors_stay_within_reach_and_above_zero():
    strong = ViewSettings(jitter=1.0, brightness=1.5, contrast=0.3, hue=0.5)
    drawn = draws.draw(strong, 4_000, (8, 8), (0.2, 1.0), seeded())
    assert 0 <= drawn.brightness.min() < 0.01
    assert 2.45 < drawn.brightness.max() <= 2.5
    assert 0.7 <= drawn.contrast.min() < 0.71
    assert -0.5 <= drawn.hue.min() < -0.49


# Makers


@pytest.mark.parametrize("preset", [views.colour(), views.greyscale(), views.digits()])
def test_samples_and_views_have_their_own_draws(preset):
    channels = len(preset.mean)
    batch = pixels((channels, 28, 28), 1).expand(40, -1, -1, -1)
    first, second = views.view_maker(preset)(batch, seeded())
    assert len(torch.unique(torch.cat([first, second]).flatten(1), dim=0)) == 80
    assert first.dtype == torch.float32
    assert first.is_contiguous()
    assert torch.isfinite(first).all()


@pytest.mark.parametrize(
    ("preset", "batch"),
    [
        (dataclasses.replace(views.colour(), blur=0.5, rotate=5.0), pixels((3, 32, 32), 200)),
        (views.digits(), pixels((1, 8, 8))),
        (views.tensor(), torch.randn(6, 5)),
    ],
)
def test_views_repeat_with_the_generator_and_leave_the_global_one_alone(preset, batch):
    maker, state, before = views.view_maker(preset), torch.random.get_rng_state(), batch.clone()
    first, again, other = maker(batch, seeded(5)), maker(batch, seeded(5)), maker(batch, seeded(6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(batch, before)


def test_clean_view_is_the_resized_picture_without_chance():
    batch = pixels((3, 40, 40))
    maker = views.ImageViewMaker(dataclasses.replace(views.colour(), size=16))
    wanted = reference.resize(batch.float() / 255, [16, 16], antialias=True)
    wanted = reference.normalize(wanted, list(maker.settings.mean), list(maker.settings.std))
    close(maker.clean(batch), wanted, 1e-4)
    assert torch.equal(maker.clean(batch), maker.clean(batch))


def test_clean_view_of_an_oblong_picture_is_its_central_square():
    batch = pixels((1, 20, 30))
    clean = views.ImageViewMaker(dataclasses.replace(PLAIN, size=20)).clean(batch)
    close(clean, batch[..., 5:25].float() / 255, 1e-6)


def test_clean_view_keeps_an_oblong_picture_where_no_size_is_asked():
    batch = pixels((1, 20, 30))
    close(views.ImageViewMaker(PLAIN).clean(batch), batch.float() / 255, 1e-6)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 50, 37)])
def test_multi_crop_puts_full_size_views_first(shape):
    preset = dataclasses.replace(PLAIN, count=2, size=24, small_count=3, small_size=10)
    shapes = [list(view.shape) for view in views.ImageViewMaker(preset)(pixels(shape), seeded())]
    assert shapes == [[B, shape[0], 24, 24]] * 2 + [[B, shape[0], 10, 10]] * 3


def test_small_crops_see_less_of_the_picture():
    ramp = torch.arange(256, dtype=torch.uint8).expand(200, 1, 256, 256)
    preset = dataclasses.replace(PLAIN, scale=(0.8, 1.0), small_count=1, small_size=16, small_scale=(0.05, 0.1))
    full, _, small = views.ImageViewMaker(preset)(ramp, seeded())
    seen = [(view.amax((1, 2, 3)) - view.amin((1, 2, 3))).mean() for view in (full, small)]
    assert seen[0] > 0.85
    assert seen[1] < 0.35


def test_grey_images_do_not_feel_saturation_hue_or_greyscale():
    batch = pixels((1, 12, 12))
    colourful = dataclasses.replace(PLAIN, jitter=1.0, brightness=0.0, contrast=0.0, saturation=0.9, hue=0.5, grey=1.0)
    close(views.ImageViewMaker(colourful)(batch, seeded())[0], batch.float() / 255, 1e-6)


def test_views_stay_in_float32_under_autocast():
    maker, batch = views.ImageViewMaker(views.colour()), pixels((3, 16, 16))
    plain = maker(batch, seeded())[0], maker.clean(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = maker(batch, seeded())[0], maker.clean(batch)
    assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))


def test_an_empty_or_single_batch_passes():
    for count in (0, 1):
        shapes = [list(view.shape) for view in views.ImageViewMaker(views.colour())(pixels((3, 8, 8), count), seeded())]
        assert shapes == [[count, 3, 8, 8]] * 2


def test_vectors_get_noise_and_masks_of_the_asked_size():
    batch = 3.0 + 2.0 * torch.randn(400, 50, generator=seeded())
    maker = views.view_maker(TensorSettings(noise=0.5, mask=0.25, mean=(3.0,), std=(2.0,)))
    clean = maker.clean(batch)
    close(clean, (batch - 3.0) / 2.0, 1e-6)
    first, second = maker(batch, seeded())
    masked = first == 0
    assert abs(masked.float().mean() - 0.25) < 0.01
    assert abs((first - clean)[~masked].std() - 0.5) < 0.01
    assert not torch.equal(first, second)


def test_vectors_without_noise_or_mask_are_standardised_only():
    batch = torch.randn(4, 3)
    maker = views.view_maker(TensorSettings(count=3, noise=0.0, mask=0.0))
    assert [torch.equal(view, batch) for view in maker(batch, seeded())] == [True] * 3


def test_per_sample_pipeline_of_torchvision_repeats_with_the_generator():
    pipeline = v2.Compose([v2.RandomResizedCrop(8), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])
    maker, batch, state = views.per_sample(pipeline, count=3), pixels((3, 16, 16)), torch.random.get_rng_state()
    first, again = maker(batch, seeded(1)), maker(batch, seeded(1))
    assert [list(view.shape) for view in first] == [[B, 3, 8, 8]] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert torch.equal(maker.clean(batch), maker.clean(batch))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_per_sample_pipeline_takes_its_own_clean_function():
    maker = views.per_sample(lambda image: image.float(), clean=lambda image: image / 255)
    batch = pixels((1, 4, 4))
    assert torch.equal(maker.clean(batch), batch / 255)


@pytest.mark.parametrize(
    "function", [lambda image: image, lambda image: None, lambda image: torch.rand(int(image[0, 0, 0]))]
)
def test_per_sample_pipeline_must_return_floats_of_one_shape(function):
    with pytest.raises(ValueError, match="expected one shape of float tensors from the function, found"):
        views.per_sample(function)(pixels((1, 4, 4)), seeded())


# Bad input


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0}, {"size": 0}, {"small_count": -1}, {"small_count": 2}, {"small_count": 2, "small_size": 0},
        {"flip": 1.5}, {"jitter": -0.1}, {"grey": 2.0}, {"blur": -1.0}, {"solarise": float("nan")},
        {"solarise_threshold": 128.0}, {"scale": (0.0, 1.0)}, {"scale": (0.5, 0.2)}, {"scale": (0.5, 1.5)},
        {"small_scale": (0.5, 0.2)}, {"ratio": (0.0, 1.0)}, {"ratio": (2.0, 1.0)}, {"ratio": (1.0, float("inf"))},
        {"brightness": -0.1}, {"contrast": float("nan")}, {"saturation": -1.0}, {"hue": 0.6}, {"hue": -0.1},
        {"blur_sigma": (0.0, 1.0)}, {"blur_sigma": (2.0, 1.0)}, {"blur_kernel": 4}, {"blur_kernel": 0},
        {"rotate": -1.0}, {"rotate": 181.0}, {"mean": ()}, {"mean": (0.1, 0.2, 0.3)}, {"std": (0.0,)},
        {"mean": (0.1, 0.2), "std": (1.0, 1.0)},
    ],
)  # fmt: skip
def test_impossible_settings_say_what_was_expected_and_found(wrong):
    with pytest.raises(ValueError, match=r"ViewSettings: expected .* found .*\. [A-Z]"):
        ViewSettings(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"noise": -1.0}, {"mask": 1.1}, {"std": (-1.0,)}, {"mean": (0.0, 0.0)}]
)
def test_impossible_tensor_settings_say_what_was_expected_and_found(wrong):
    with pytest.raises(ValueError, match=r"TensorSettings: expected .* found .*\. [A-Z]"):
        TensorSettings(**wrong)


@pytest.mark.parametrize(
    "batch",
    [2 * torch.ones(2, 3, 8, 8), pixels((2, 8, 8)), pixels((1, 8, 8)), pixels((3, 8, 8))[0]],
    ids=["float", "two channels", "one channel with three means", "no batch"],
)
def test_images_of_another_kind_are_refused(batch):
    maker = views.ImageViewMaker(views.colour())
    for call in (lambda: maker(batch, seeded()), lambda: maker.clean(batch)):
        with pytest.raises(ValueError, match=r"ImageViewMaker: expected .* found .*\. [A-Z]"):
            call()


def test_clean_views_take_shares_of_full_brightness_too():
    maker, batch = views.ImageViewMaker(views.colour()), pixels((3, 8, 8))
    torch.testing.assert_close(maker.clean(batch.float() / 255), maker.clean(batch))
    with pytest.raises(ValueError, match="uint8"):
        maker(batch.float() / 255, seeded())


@pytest.mark.parametrize("batch", [pixels((3, 8, 8)), torch.arange(6).view(2, 3), torch.rand(2, 5)])
def test_vectors_of_another_kind_are_refused(batch):
    maker = views.view_maker(TensorSettings(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match=r"TensorViewMaker: expected .* found .*\. [A-Z]"):
        maker(batch, seeded())


def test_a_blur_wider_than_the_view_is_refused():
    maker = views.ImageViewMaker(dataclasses.replace(PLAIN, blur=1.0, blur_kernel=17))
    with pytest.raises(ValueError, match="blur_kernel"):
        maker(pixels((1, 8, 8)), seeded())

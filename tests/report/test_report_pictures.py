import base64
import io

import numpy as np
import pytest

from jointlaw.report._pictures import choose_queries, nearest, png, thumbnails

Image = pytest.importorskip("PIL.Image")


def decode(file: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 9), (3, 1, 1), (1, 28, 3)])
@pytest.mark.parametrize("smooth", [False, True])
def test_a_png_holds_exactly_the_pixels(shape: tuple[int, int, int], smooth: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    if smooth:
        image = np.cumsum(np.full(shape, 3), axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(decode(png(image)), image)


def test_small_pictures_are_kept_and_large_ones_averaged_over_areas() -> None:
    image = np.zeros((1, 1, 4, 8), dtype=np.uint8)
    image[..., ::2] = 200
    kept, shrunk = thumbnails(image, 8, 10**6), thumbnails(image, 4, 10**6)
    np.testing.assert_array_equal(decode(base64.b64decode(kept[0])), image[0])
    np.testing.assert_array_equal(decode(base64.b64decode(shrunk[0])), np.full((1, 2, 4), 100))


def test_noise_beyond_the_budget_loses_colours_then_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16)).astype(np.uint8)
    full, light, small = (thumbnails(noise, 16, budget) for budget in (10**6, 18_000, 9_500))
    np.testing.assert_array_equal(decode(base64.b64decode(full[0])), noise[0])
    lost = decode(base64.b64decode(light[0])).astype(int) - noise[0]
    assert 0 < np.abs(lost).max() <= 5  # half a step of 5 bits, and rounding
    assert decode(base64.b64decode(small[0])).shape == (3, 12, 12)
    assert sum(map(len, light)) <= 18_000
    assert sum(map(len, small)) <= 9_500


def test_queries_take_every_class_in_turn() -> None:
    label = np.array([2, 2, 2, 0, -1, 0, 1])
    assert choose_queries(label, 4).tolist() == [3, 6, 0, 5]


def test_queries_are_evenly_spaced_without_labels() -> None:
    assert choose_queries(np.full(9, -1), 3).tolist() == [0, 4, 8]


def test_neighbours_come_by_cosine_without_the_query() -> None:
    features = np.array([[1.0, 0.0], [10.0, 1.0], [0.0, 1.0], [1.0, 0.5], [0.0, 0.0]])
    assert nearest(features, np.array([0]), 3).tolist() == [[1, 3, 2]]
    assert nearest(features, np.array([0]), 99).shape == (1, 4)

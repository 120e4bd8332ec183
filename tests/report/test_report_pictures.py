import base64
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from jointlaw.report._pictures import GAP, png, thumbnails, tiled
from jointlaw.report._strips import choose_queries, nearest


def decode(file: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def unpacked(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/webp;base64,")
    return decode(base64.b64decode(uri.partition(",")[2]))


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
    kept, shrunk = thumbnails(image, 8), thumbnails(image, 4)
    np.testing.assert_array_equal(unpacked(kept[0])[:1], image[0])
    np.testing.assert_array_equal(unpacked(shrunk[0])[:1], np.full((1, 2, 4), 100))


def test_photographs_are_light_and_look_the_same() -> None:
    photo = load_sample_image("china.jpg").transpose(2, 0, 1)
    crops = np.stack([photo[:, i : i + 32, j : j + 32] for i in range(0, 384, 32) for j in range(0, 608, 32)])
    shown = thumbnails(crops, 32)
    assert sum(map(len, shown)) < 1000 * len(crops)
    assert np.abs(np.stack([unpacked(one) for one in shown]).astype(int) - crops).mean() < 6


def test_images_lie_row_by_row() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 2, 4), np.uint8)
    grid = tiled(images, columns=3, gap=1)
    assert grid.shape == (3, 5, 14)
    assert grid[0, 0].tolist() == [0] * 4 + [GAP] + [1] * 4 + [GAP] + [2] * 4
    assert (grid[:, 2] == GAP).all()
    assert grid[0, 3].tolist() == [3] * 4 + [GAP] + [4] * 4 + [GAP] * 5


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="images >= 1"):
        tiled(np.zeros((0, 1, 2, 2), np.uint8), columns=2)


def test_queries_take_every_class_in_turn() -> None:
    label = np.array([2, 2, 2, 0, -1, 0, 1])
    assert choose_queries(label, 4).tolist() == [3, 6, 0, 5]


def test_queries_are_evenly_spaced_without_labels() -> None:
    assert choose_queries(np.full(9, -1), 3).tolist() == [0, 4, 8]


def test_neighbours_come_by_cosine_without_the_query() -> None:
    features = np.array([[1.0, 0.0], [10.0, 1.0], [0.0, 1.0], [1.0, 0.5], [0.0, 0.0]])
    assert nearest(features, np.array([0]), 3).tolist() == [[1, 3, 2]]
    assert nearest(features, np.array([0]), 99).shape == (1, 4)

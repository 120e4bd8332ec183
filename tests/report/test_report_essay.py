"""Pages of experiments: pictures, and grids of small images."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jointlaw.report._essay import Essay, Part, Picture, TableOfFigures, write_essay
from jointlaw.report._grid import GAP, tiled
from jointlaw.report._pictures import png


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


def test_a_page_holds_its_pictures(tmp_path: Path) -> None:
    grid = tiled(np.full((4, 1, 8, 8), 7, np.uint8), columns=2)
    picture = Picture("Samples", png(grid), "Four <squares>.", "Four squares.", wide=True)
    part = Part("one", "One", "Words.", pictures=[picture])
    write_essay(tmp_path / "page.html", Essay("Title", "command", "Why.", [part]))
    page = (tmp_path / "page.html").read_text()
    assert f'src="data:image/png;base64,{picture.code}" alt="Four squares."' in page
    assert "Four &lt;squares&gt;." in page
    assert np.asarray(Image.open(io.BytesIO(picture.png))).shape == (18, 18)


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells"):
        TableOfFigures("figures", ("a", "b"), [["1"]])

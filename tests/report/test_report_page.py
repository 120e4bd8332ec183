import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.report import Contents, write_report


class Reader(HTMLParser):
    """Collects headings, ids, attributes that could load something, and texts of JSON scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path: Path) -> tuple[str, Reader]:
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    return text, reader


@pytest.fixture(scope="module")
def page(complete: Contents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, complete)
    return path


def test_the_page_is_whole_small_and_alone_in_its_folder(page: Path) -> None:
    text, _ = read(page)
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert page.stat().st_size < 8_000_000
    assert [file.name for file in page.parent.iterdir()] == ["report.html"]


def test_nothing_points_outside_the_page(page: Path) -> None:
    _, reader = read(page)
    for _, attributes in reader.tags:
        for name in ("src", "href"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:", "#"))


def test_awkward_names_are_text_and_never_markup(page: Path) -> None:
    text, reader = read(page)
    assert "<script>alert(1)" not in text
    assert "<img src=x" not in text
    assert sum(tag == "script" for tag, _ in reader.tags) == text.count("</script>")
    shown = "".join(reader.text)
    assert "<script>alert(1)</script>" in shown
    assert "</pre></script><b>bold</b>" in shown


def test_cards_survive_the_way_through_json(page: Path, complete: Contents) -> None:
    text, _ = read(page)
    cards = json.loads(re.search(r'id="cards">(.*?)</script>', text).group(1))
    assert complete.names is not None
    assert [name for _, _, name in cards] == list(complete.names)
    assert cards[0][1] == complete.class_name(int(complete.label[0]))


def test_headings_are_in_order_and_pictures_have_words(page: Path) -> None:
    _, reader = read(page)
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("alt" in attributes for tag, attributes in reader.tags if tag == "img")
    assert all(attributes.get("aria-label") for _, attributes in reader.tags if attributes.get("role") == "img")
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_what_is_missing_is_said(bare: Contents, tmp_path: Path) -> None:
    write_report(tmp_path / "bare.html", bare)
    shown = " ".join("".join(read(tmp_path / "bare.html")[1].text).split())
    for sentence in (
        "No loss was logged",
        "No law was given",
        "no images: no pictures of neighbours",
        "No labels, or none measured: no probe.",
        "Configuration: not recorded.",
    ):
        assert sentence in shown


def test_a_section_for_the_bank_stands_only_where_there_is_one(complete: Contents, tmp_path: Path) -> None:
    for name, curve in (("without", {}), ("with", {"train/age": [(0.0, 1.0), (1.0, 2.0)]})):
        write_report(tmp_path / name, replace(complete, history={**complete.history, **curve}))
        assert ('id="bank"' in (tmp_path / name).read_text()) == (name == "with")


def test_names_that_are_no_valid_text_do_not_stop_the_report(complete: Contents, tmp_path: Path) -> None:
    assert complete.names is not None
    broken = replace(complete, names=["caf\udce9.png", *complete.names[1:]])
    write_report(tmp_path / "report.html", broken)
    assert "caf\\udce9.png" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_page(complete: Contents, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, complete)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_refused(bare: Contents, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a folder"):
        write_report(tmp_path / "nowhere" / "report.html", bare)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.zeros((3, 4))}, "160 features"),
        ({"label": np.zeros(3, dtype=int)}, "160 label"),
        ({"names": ["one"]}, "160 names"),
        ({"embeddings": np.full((160, 4), np.nan)}, "finite embeddings"),
        ({"embeddings": np.zeros(160)}, r"\[N, width\]"),
        ({"drawn": np.zeros((1, 32))}, "drawn"),
        ({"law": RectifiedGeneralizedGaussian(1.0, torch.zeros(32))}, "one law for all units"),
        ({"images": np.zeros((160, 2, 8, 8), dtype=np.uint8)}, "C = 1 or 3"),
    ],
)
def test_contents_that_disagree_are_refused(complete: Contents, change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(complete, **change)

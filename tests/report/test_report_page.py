import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from jointlaw.evaluation import FIGURES
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.report import Absent, Contents, FigureTable, Page, Picture, Section, Tile, run_page, tiled


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
    run_page(complete).write(path)
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
    cards = json.loads(re.search(r'id="cards-map">(.*?)</script>', text).group(1))
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
    run_page(bare).write(tmp_path / "bare.html")
    shown = " ".join("".join(read(tmp_path / "bare.html")[1].text).split())
    for sentence in (
        "No loss was logged",
        "No law was given",
        "no images: there are no pictures of neighbours",
        "There are no labels, or no probe was fitted.",
        "Configuration: not recorded.",
    ):
        assert sentence in shown


def test_a_section_for_the_bank_stands_only_where_there_is_one(complete: Contents, tmp_path: Path) -> None:
    for name, curve in (("without", {}), ("with", {"train/age": [(0.0, 1.0), (1.0, 2.0)]})):
        run_page(replace(complete, history={**complete.history, **curve})).write(tmp_path / name)
        assert ('id="bank"' in (tmp_path / name).read_text()) == (name == "with")


def test_a_section_on_both_forms_of_a_loss_stands_only_where_there_are_two(complete: Contents) -> None:
    keys = [key for key in FIGURES if key.startswith("duality.")]
    forms = dict.fromkeys(keys, 1.5) | {"duality.joint.loss.units": 1.0}
    page = run_page(replace(complete, figures={**complete.figures, **forms}))
    (table,) = next(section for section in page.sections if section.name == "duality").tables
    assert table.rows[0] == ["data term, target given context", "1.500000000", "1.500000000", "0.0e+00"]
    assert table.rows[-1] == ["loss, joint embeddings", "1.500000000", "1.000000000", "3.3e-01"]
    assert all(section.name != "duality" for section in run_page(complete).sections)


def test_names_that_are_no_valid_text_do_not_stop_the_report(complete: Contents, tmp_path: Path) -> None:
    assert complete.names is not None
    broken = replace(complete, names=["caf\udce9.png", *complete.names[1:]])
    run_page(broken).write(tmp_path / "report.html")
    assert "caf\\udce9.png" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_page(complete: Contents, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        run_page(complete).write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_page_opens_where_it_was_written_or_in_a_temporary_file(tmp_path: Path, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = Page("Title")
    first = page.open()
    assert first.read_text(encoding="utf-8") == page.html()
    assert page.open() == first
    second = page.write(tmp_path / "page.html")
    assert page.open() == second
    assert opened == [path.resolve().as_uri() for path in (first, first, second)]


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    page = Page("A & B", sections=[Section("one", "One", 'Some "words".')])
    reader = Reader()
    reader.feed(page._repr_html_())
    ((tag, attributes),) = reader.tags
    assert tag == "iframe"
    assert attributes["title"] == "A & B"
    assert attributes["srcdoc"] == page.html()
    assert attributes["sandbox"] == "allow-scripts"


def test_a_page_without_charts_is_light_and_asks_for_no_script() -> None:
    text = Page("Title", sections=[Section("one", "One", content=[FigureTable("t", ["a"], [["1"]])])]).html()
    assert "<script" not in text
    assert len(text) < 20_000


def test_a_page_holds_its_pictures() -> None:
    grid = tiled(np.full((4, 1, 8, 8), 7, np.uint8), columns=2)
    picture = Picture("Samples", grid, "Four <squares>.", "Four squares.", wide=True)
    page = Page("Title", sections=[Section("one", "One", content=[picture])]).html()
    assert f'src="{picture.source}" alt="Four squares."' in page
    assert "Four &lt;squares&gt;." in page


def test_what_is_absent_comes_last_and_neighbours_of_a_kind_stand_together() -> None:
    table, absent = FigureTable("t", ["a"], [["1"]]), Absent("Plot", "No data.")
    section = Section("one", "One", content=[absent, table, table, Tile("1", "one", "")])
    assert section.groups == [("table", [table, table]), ("tile", [section.content[3]]), ("absent", [absent])]


@pytest.mark.parametrize("change", [{"rows": [["1"]]}, {"bars": [0.5, 0.5]}, {"meanings": ["one", "two"]}])
def test_a_table_whose_rows_disagree_is_refused(change: dict[str, list[object]]) -> None:
    with pytest.raises(ValueError, match=r"FigureTable: expected \d"):
        replace(FigureTable("figures", ("a", "b"), [["1", "2"]]), **change)


def test_a_missing_folder_is_refused(bare: Contents, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a folder"):
        run_page(bare).write(tmp_path / "nowhere" / "report.html")


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

"""An experiment leaves its figures, and a page that names what made its trainings."""

import json
from pathlib import Path

import pytest

from jointlaw.report import FigureTable, Section
from jointlaw.runs import environment
from jointlaw_papers.experiment import Bench, Experiment, environment_of


def doubled(plan: int, bench: Bench) -> list[int]:
    bench.say("doubling")
    return [2 * plan, bench.seed]


def sections(result: list[int]) -> list[Section]:
    table = FigureTable("Doubles", ("number", "double"), [["one", str(result[0])]], "A note.")
    return [Section("doubles", "Doubles", "What came of it.", [table])]


EXPERIMENT = Experiment(
    name="doubling",
    title="Doubling",
    question="What is twice as much?",
    plans={"smoke": 1, "cpu": 10},
    solve=doubled,
    budget=lambda result: f"Here: {result[0]}.",
    figures=lambda result: {"double": result[0]},
    sections=sections,
    lines=lambda result: [f"  double: {result[0]}"],
)


def test_figures_words_and_page_are_kept_and_told(tmp_path: Path) -> None:
    said: list[str] = []
    found = EXPERIMENT.reproduce("cpu", tmp_path / "out", 3, said.append)
    assert found == {"scale": "cpu", "seed": 3, "double": 20}
    assert said == ["doubling", "", "  double: 20", f"  page: {tmp_path / 'out' / 'report.html'}"]
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    page = record.pop("page")
    assert record == found
    assert page["command"] == "jointlaw reproduce doubling --scale=cpu --seed=3"
    assert page["introduction"] == "What is twice as much? Here: 20."
    assert page["sections"][0]["tables"] == [
        {"title": "Doubles", "columns": ["number", "double"], "rows": [["one", "20"]], "note": "A note."}
    ]
    text = (tmp_path / "out" / "report.html").read_text()
    assert "jointlaw experiment" in text
    assert "A note." in text


def test_an_unknown_scale_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="smoke, cpu"):
        EXPERIMENT.reproduce("huge", tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()


def note(folder: Path, name: str, text: str) -> None:
    place = folder / "trials" / name
    place.mkdir(parents=True)
    (place / "environment.txt").write_text(text)


def test_without_trainings_it_is_this_environment(tmp_path: Path) -> None:
    assert environment_of(tmp_path) == environment()


def test_trainings_of_one_environment_name_it_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        note(tmp_path, name, environment())
    assert environment_of(tmp_path) == environment()


def test_trainings_of_several_commits_name_them_all(tmp_path: Path) -> None:
    note(tmp_path, "one", "python 3.11\ncommit 0123abc\n")
    note(tmp_path, "two", "python 3.11\ncommit 4567def\n")
    first, second, third = environment_of(tmp_path).splitlines()
    assert (first, second) == ("python 3.11", "commit 0123abc or 4567def")
    assert third.startswith("page written at commit ")

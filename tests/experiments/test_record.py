"""A record can be traced: figures, command, environment and the tables of the page."""

import json
from pathlib import Path

from jointlaw.experiments.record import write_record
from jointlaw.report.essay import Essay, Part, TableOfFigures
from jointlaw.training.workspace import environment


def test_a_record_holds_figures_and_all_that_the_page_says_in_numbers(tmp_path: Path) -> None:
    table = TableOfFigures("T", ("a", "b"), [["x", "1"]], "note")
    essay = Essay("Title", "jointlaw reproduce x", "Why.", [Part("p", "Part", "Words.", [table])], environment())
    write_record(tmp_path, {"scale": "smoke", "value": 1.5}, essay)
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert found["value"] == 1.5
    assert found["page"]["command"] == "jointlaw reproduce x"
    assert found["page"]["sections"][0]["tables"] == [
        {"title": "T", "columns": ["a", "b"], "rows": [["x", "1"]], "note": "note"}
    ]
    assert "Title" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "results.json"]


def test_the_environment_names_the_commit() -> None:
    assert any(line.startswith("commit ") for line in environment().splitlines())

"""What an experiment leaves behind: its figures with all that is needed to make them again, and its page."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from jointlaw.report import Page
from jointlaw.runs._folder import environment, write_text


def write_record(folder: Path, figures: Mapping[str, object], page: Page) -> None:
    """Write ``results.json`` and ``report.html``, each in one go.

    ``results.json`` holds the figures and, under ``page``, the title, command, environment and tables of the page, so
    that a table published elsewhere can be traced to the run it came from.

    Args:
        folder: of the experiment.
        figures: plain values by name; ``page`` is not among them.
        page: the page.
    """
    page = replace(page, environment=environment_of(folder))
    sections = [
        {
            "name": part.name,
            "title": part.title,
            "introduction": part.introduction,
            "tables": [
                {"title": one.title, "columns": one.columns, "rows": one.rows, "note": one.note} for one in part.tables
            ],
        }
        for part in page.sections
    ]
    shown = {
        "title": page.title,
        "command": page.command,
        "introduction": page.introduction,
        "environment": page.environment,
        "sections": sections,
    }
    write_text(folder / "results.json", json.dumps({**figures, "page": shown}, indent=1) + "\n")
    page.write(folder / "report.html")


def environment_of(folder: Path) -> str:
    """What made an experiment's trainings, as each of them noted at its start; this environment if there are none.

    Where they differ, a line holds all values. The commit that wrote the page stands in a line of its own if it is
    another one.
    """
    noted = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("trials/*/environment.txt"))]
    now = _lines(environment())
    if not noted:
        return environment()
    found: dict[str, list[str]] = {}
    for text in noted:
        for key, value in _lines(text).items():
            values = found.setdefault(key, [])
            values += [] if value in values else [value]
    if found.get("commit") != [now["commit"]]:
        found["page"] = [f"written at commit {now['commit']}"]
    return "".join(f"{key} {' or '.join(values)}\n" for key, values in found.items())


def _lines(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())

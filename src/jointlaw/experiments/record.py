"""What an experiment leaves behind: its figures with all that is needed to make them again, and its page."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from jointlaw.report.essay import Essay, write_essay
from jointlaw.training.workspace import write_text


def write_record(folder: Path, figures: Mapping[str, object], essay: Essay) -> None:
    """Write ``results.json`` and ``report.html``, each in one go.

    ``results.json`` holds the figures and, under ``page``, the title, command, environment and tables of the page, so
    that a table published elsewhere can be traced to the run it came from.

    Args:
        folder: of the experiment.
        figures: plain values by name; ``page`` is not among them.
        essay: the page.
    """
    sections = [
        {
            "name": part.name,
            "title": part.title,
            "introduction": part.introduction,
            "tables": [asdict(table) for table in part.tables],
        }
        for part in essay.sections
    ]
    page = {
        "title": essay.title,
        "command": essay.command,
        "introduction": essay.introduction,
        "environment": essay.environment,
        "sections": sections,
    }
    write_text(folder / "results.json", json.dumps({**figures, "page": page}, indent=1) + "\n")
    write_essay(folder / "report.html", essay)

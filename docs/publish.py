"""Publish finished experiments: ``docs/results.md`` and its pictures, from their ``results.json`` and ``report.html``.

    python docs/publish.py runs/alignment runs/sparsity   # copies records and pictures, then writes the page
    python docs/publish.py                                # writes the page anew from what is in docs/records

Pictures are those of the report, photographed in a headless browser (Playwright and Chromium).
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RECORDS = DOCS / "records"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

HEAD = """# Results

Made by `python docs/publish.py` from the records in `docs/records`, one per experiment: change nothing by hand. Each
record holds all figures with the command, the commit and the environment that made them. Where a paper's figures stand
beside ours, "theirs" says so; their data and networks are larger than what two processor cores can train.
"""


def publish(folder: Path) -> None:
    """Copy the record of a finished experiment and photograph its charts."""
    record, report = folder / "results.json", folder / "report.html"
    if not record.exists() or "page" not in json.loads(record.read_text(encoding="utf-8")):
        raise SystemExit(
            f"publish: expected the results.json of an experiment in {folder}, found none. Finish it first."
        )
    place = RECORDS / folder.name
    with tempfile.TemporaryDirectory() as pictures:
        photograph(report, Path(pictures))
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(pictures, place)
    shutil.copy(record, place / "results.json")


def photograph(report: Path, place: Path) -> None:
    """Write a picture of every figure of a page, named after its heading."""
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"publish: expected one of {', '.join(BROWSERS)} on the path, found none. Install Chromium.")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = started.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(report.resolve().as_uri())
        page.wait_for_function("[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))")
        for section in page.locator("main section").all():
            for number, figure in enumerate(section.locator("figure").all(), 1):
                figure.screenshot(path=place / f"{section.get_attribute('id')}-{number:02}.png")
        started.close()


def written(runs: Path = RECORDS) -> str:
    """The page, as Markdown."""
    parts = [HEAD]
    for record in sorted(runs.glob("*/results.json")):
        parts += _experiment(json.loads(record.read_text(encoding="utf-8"))["page"], record.parent)
    return "\n".join(parts)


def _experiment(page: dict[str, Any], place: Path) -> list[str]:
    facts = dict(line.split(" ", 1) for line in page["environment"].splitlines())
    machine = (
        f"{facts['platform']}, Python {facts['python']}, torch {facts['torch']}, graphics processor: {facts['gpu']}"
    )
    seen = [f"## {page['title']}", "", page["introduction"], "", f"    {page['command']}", ""]
    seen += [f"Commit `{facts['commit']}`; {machine}. Record: `docs/records/{place.name}/results.json`.", ""]
    for section in page["sections"]:
        pictures = sorted(place.glob(f"{section['name']}-*.png"))
        if not section["tables"] and not pictures:
            continue
        seen += [f"### {section['title']}", "", section["introduction"], ""]
        for table in section["tables"]:
            seen += [*_table(table), ""]
        seen += [
            f"![{section['title']}, picture {n}](records/{place.name}/{p.name})\n" for n, p in enumerate(pictures, 1)
        ]
    return seen


def _table(table: dict[str, Any]) -> list[str]:
    rows = [table["columns"], ["---"] * len(table["columns"]), *table["rows"]]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return [*lines, "", *([table["note"]] if table["note"] else [])]


def main() -> None:
    """Publish what the command line names, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", help="folders of finished experiments")
    for folder in parser.parse_args().folders:
        publish(folder)
    (DOCS / "results.md").write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

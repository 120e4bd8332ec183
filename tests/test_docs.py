"""Pages of documentation: examples run, links lead somewhere, and layers are those that are enforced.

README.md is collected by pytest itself; CONTRIBUTING.md, whose code builds up from block to block, has its own tests.
"""

import doctest
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(page for folder in (ROOT, ROOT / "docs") for page in folder.glob("*.md"))
EXAMPLES = [page for page in PAGES if page.name not in ("CONTRIBUTING.md", "README.md")]
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(#[^)\s]*)?\)")


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.name)
def test_examples_run(page: Path) -> None:
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        other = page if not target else page.parent / target
        if not other.exists() or (anchor and anchor[1:] not in anchors(other)):
            broken.append(target + anchor)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page", ["README.md", "docs/architecture.md", "docs/your_data.md", "examples/open_a_run.ipynb"]
)
def test_imports_of_pages_are_of_public_names(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    imported = re.findall(r"from (jointlaw[\w.]*) import ([\w, ]+)", text)
    named = re.findall(r"\b(jointlaw(?:\.[a-z_]+)*)\.([A-Z]\w+)", text)
    names = [(module, name) for module, listed in imported for name in listed.split(", ")] + named
    assert [(m, n) for m, n in names if "._" in m or n.startswith("_") or not hasattr(import_module(m), n)] == []


def test_the_layers_are_those_that_are_enforced() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    written = page.split("```text\n")[1].split("\n```")[0].splitlines()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    assert written == [layer.replace("jointlaw.", "") for layer in layers]


def test_every_room_is_described() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^- \*\*`(\w+)`\*\*:", page, re.MULTILINE))
    source = ROOT / "src" / "jointlaw"
    rooms = {path.parent.name for path in source.glob("*/__init__.py")} | {
        path.stem for path in source.glob("*.py") if not path.name.startswith("_")
    }
    assert described == rooms

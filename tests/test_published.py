"""Every published figure has the run it came from."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"
RECORDS = sorted((DOCS / "records").glob("*/results.json"))


@pytest.fixture(scope="module")
def publish() -> ModuleType:
    found = spec_from_file_location("publish", DOCS / "publish.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_page_is_what_its_records_make(publish: ModuleType) -> None:
    assert RECORDS, "no record is published"
    assert (DOCS / "results.md").read_text(encoding="utf-8") == publish.written()


def test_every_picture_of_the_page_exists() -> None:
    named = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (DOCS / "results.md").read_text(encoding="utf-8"))
    assert named
    assert all((DOCS / name).exists() for name in named)


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_says_what_made_it(record: Path) -> None:
    page = json.loads(record.read_text(encoding="utf-8"))["page"]
    assert page["command"].startswith("jointlaw reproduce ")
    assert re.search(r"^commit [0-9a-f]{7,}( or [0-9a-f]{7,})*$", page["environment"], re.MULTILINE), (
        "from files that no commit holds"
    )


def test_a_changed_figure_is_noticed(publish: ModuleType, tmp_path: Path) -> None:
    place = tmp_path / "one"
    place.mkdir()
    record = json.loads(RECORDS[0].read_text(encoding="utf-8"))
    (place / "results.json").write_text(json.dumps(record))
    before = publish.written(tmp_path)
    record["page"]["sections"][0]["tables"][0]["rows"][0][1] = "changed"
    (place / "results.json").write_text(json.dumps(record))
    assert publish.written(tmp_path) != before

"""The page of theory names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^- `(tests/[\w/.]+)::(test_\w+)`$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_named_test_exists(file: str, test: str) -> None:
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_theorem_names_a_test() -> None:
    theorems = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert len(theorems) >= 10
    assert all("::test_" in theorem for theorem in theorems)
    assert len(NAMED) == PAGE.count("::test_")


def test_every_test_of_the_theory_is_on_the_page() -> None:
    source = (ROOT / "tests/objectives/test_theory.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^def (test_\w+)\(", source, re.MULTILINE)) <= {test for _, test in NAMED}

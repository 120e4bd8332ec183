import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_sparse_codes_end_at_the_planned_activity() -> None:
    assert runpy.run_path(str(EXAMPLES / "sparse_codes.py"))["main"]() == pytest.approx(0.1, abs=0.02)


def test_ambiguity_has_two_answers_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(EXAMPLES / "ambiguity.py"))
    law = example["main"]()
    assert capsys.readouterr().out.count("90 % region") == 2
    example["draw"](law, tmp_path / "conditional.html")
    assert "90 % region" in (tmp_path / "conditional.html").read_text()

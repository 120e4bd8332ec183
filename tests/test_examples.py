import json
import runpy
from pathlib import Path
from typing import Any

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


def cells() -> list[dict[str, Any]]:
    notebook = json.loads((EXAMPLES / "open_a_run.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_keeps_no_outputs() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells())


@pytest.mark.slow
def test_the_notebook_runs_from_training_to_embeddings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells():
        exec("".join(cell["source"]), names)  # noqa: S102 (our own notebook)
    assert names["table"].embeddings.shape == (1797, 128)
    assert names["figures"]["sparsity.l0"] == pytest.approx(0.1, abs=0.03)
    assert names["share"] == pytest.approx(0.1, abs=0.05)
    assert bool((names["z"] - names["table"].embeddings[:100]).abs().max() < 1e-5)
    assert (names["folder"] / "report.html").is_file()
    assert "measured activity" in capsys.readouterr().out

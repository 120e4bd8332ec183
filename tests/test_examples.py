import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_sparse_codes_end_at_the_planned_activity() -> None:
    assert runpy.run_path(str(EXAMPLES / "sparse_codes.py"))["main"]() == pytest.approx(0.1, abs=0.02)

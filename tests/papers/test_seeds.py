"""Several seeds of one setting: means, paired differences, curves."""

import math
from pathlib import Path

import pytest

from jointlaw.runs import Setup
from jointlaw.training.recipes import RECIPES
from jointlaw_papers.baselines import Case
from jointlaw_papers.seeds import Found, difference, head, interval, points, roughness, tail, verdict
from jointlaw_papers.trials import Done, Trial

TRIAL = Trial("made-up", "made-up", RECIPES["vicreg"], Setup())
CASE = Case("one", "vicreg", {})


def found(values: list[float | None]) -> Found[Case]:
    return Found(CASE, [Done(TRIAL, {"accuracy": value}, Path("unused")) for value in values])


def test_differences_are_taken_seed_by_seed() -> None:
    """A gap that every seed shows is found, though the seeds differ more than the settings."""
    low, high = found([0.5, 0.7, 0.9]), found([0.51, 0.712, 0.911])
    gap = difference(high, low, "accuracy")
    assert gap is not None
    assert gap.mean == pytest.approx(0.011)
    assert verdict(gap) == "beats"
    assert verdict(difference(low, high, "accuracy")) == "trails"
    assert points(gap) == "+1.1 ± 0.2"


def test_noise_and_single_seeds_show_nothing() -> None:
    assert verdict(difference(found([0.5, 0.6, 0.7]), found([0.6, 0.5, 0.72]), "accuracy")) == "level"
    assert verdict(difference(found([0.9]), found([0.1]), "accuracy")) == "level"
    assert difference(found([None]), found([0.1]), "accuracy") is None
    assert points(None) == "–"
    assert found([None]).text("accuracy") == "–"


def test_a_curve_is_the_mean_over_seeds_where_all_have_a_value(tmp_path: Path) -> None:
    done = []
    for seed, rows in enumerate(("4,1.0\n9,2.0\n14,", "4,3.0\n9,4.0\n14,5.0")):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "metrics.csv").write_text(f"step,train/loss\n{rows}\n")
        done.append(Done(TRIAL, {}, folder))
    assert Found(CASE, done).curve("train/loss") == [(4.0, 2.0), (9.0, 3.0)]
    assert Found(CASE, done).curve("train/ess") == []


def test_ends_of_curves_and_their_roughness() -> None:
    curve = [(float(step), float(value)) for step, value in enumerate([8, 8, 6, 5, 4, 4, 1, 3])]
    assert head(curve) == 8
    assert tail(curve) == 2
    assert roughness(curve) == pytest.approx(((0 + 9 + 4) / 3) ** 0.5)
    assert tail([]) is head([]) is roughness([(0.0, 1.0)]) is None


def test_an_interval_is_student_s() -> None:
    found = interval([0.8, None, 0.9, 1.0])
    assert found is not None
    assert found.seeds == 3
    assert found.mean == pytest.approx(0.9)
    assert found.half == pytest.approx(4.302652729 * 0.1 / math.sqrt(3))
    assert interval([None]) is None
    assert interval([0.5]) == (0.5, None, 1)

"""The alignment experiment at a small scale: the paper's findings in numbers."""

import json
from pathlib import Path

import pytest

from jointlaw_papers import reproduce
from jointlaw_papers.alignment import PREDICTORS, TRUTH, AlignmentPlan, Solved, solved
from jointlaw_papers.problems import separated


@pytest.fixture(scope="module")
def result() -> Solved:
    return solved(separated(), AlignmentPlan(pairs=1500, tests=100, steps=800, rounds=5, draws=200), seed=111)


def figure(result: Solved, name: str, key: str) -> float:
    value = result.figures[name][key]
    assert value is not None
    return value


def test_no_predictor_beats_the_true_law(result: Solved) -> None:
    best = figure(result, TRUTH, "nll")
    assert all(figure(result, name, "nll") > best for name in PREDICTORS)
    assert figure(result, TRUTH, "branches") == 1
    assert figure(result, TRUTH, "scale_error") == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["JEPA (MSE)", "Gaussian process, learned", "EM, one component"])
def test_predictors_of_one_answer_stand_between_the_branches(result: Solved, name: str) -> None:
    assert figure(result, name, "branches") < 0.5
    assert figure(result, name, "scale_error") > 5


def test_a_mixture_density_network_follows_the_branches(result: Solved) -> None:
    name = "mixture density network"
    assert figure(result, name, "branches") > 0.9
    assert abs(figure(result, name, "scale_error")) < 0.5
    assert all(figure(result, name, "nll") <= figure(result, other, "nll") for other in PREDICTORS)


def test_a_growing_neural_gas_recovers_more_than_a_rigid_mixture(result: Solved) -> None:
    assert figure(result, "growing neural gas", "branches") > figure(result, "EM, one per branch", "branches")
    assert figure(result, "EM, one per branch", "nll") < figure(result, "EM, one component", "nll")


@pytest.mark.slow
def test_the_experiment_writes_figures_and_a_page(tmp_path: Path) -> None:
    reproduce("alignment", "smoke", tmp_path / "out")
    figures = json.loads((tmp_path / "out" / "results.json").read_text())
    assert figures["scale"] == "smoke"
    assert figures.keys() >= {"A", "B", "arm"}
    assert figures["A"][TRUTH]["fit_seconds"] is None
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(name in page for name in PREDICTORS)
    assert 'id="plot-A-weights"' in page

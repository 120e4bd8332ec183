"""The baselines experiment: what is trained, how a rate is chosen, and what its page says of made-up figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jointlaw.banks import Particles
from jointlaw.networks import MLP
from jointlaw.objectives import MoCo
from jointlaw.training import SGD
from jointlaw_papers import baselines, reproduce
from jointlaw_papers.baselines import (
    CASES,
    PLANS,
    VALIDATION,
    BaselinesPlan,
    BaselinesResult,
    small_projector,
    solve,
    validated,
)
from jointlaw_papers.baselines_page import EXPERIMENT, findings
from jointlaw_papers.experiment import Bench
from jointlaw_papers.seeds import gathered
from jointlaw_papers.trials import BACKBONE, Done, Trial


def test_the_paper_s_scale_has_the_paper_s_constants() -> None:
    plan = PLANS["paper"]
    setup = plan.setup
    assert (setup.data, setup.encoder, plan.epochs, setup.run.batch) == ("cifar10", "resnet18", 200, 256)
    assert isinstance(setup.optimizer, SGD)
    assert setup.optimizer.momentum == 0.9
    assert len(plan.cases) == 8


@pytest.mark.parametrize("name", list(CASES))
def test_every_method_has_the_common_projector(name: str) -> None:
    head = small_projector(method=CASES[name].recipe, options=CASES[name].options).projector(256)
    assert isinstance(head, MLP)
    assert [tuple(p.shape) for p in head.parameters() if p.ndim > 1] == [(512, 256), (128, 512)]


def test_particles_are_drawn_by_the_seed_of_the_trial(tmp_path: Path) -> None:
    plan = replace(PLANS["smoke"], cases=("smc-gmje",))
    (trial, *_) = plan.searches(7)
    objective = trial.run(tmp_path / "out", plan.setup.load_data()).configuration.method().objective
    assert isinstance(objective, MoCo)
    assert isinstance(objective.bank, Particles)
    assert objective.bank.seed == 7


@pytest.mark.parametrize("name", list(PLANS))
def test_a_search_at_the_full_budget_is_the_first_seed(name: str) -> None:
    plan = PLANS[name]
    searches = {trial.name: trial for trial in plan.searches(5)}
    assert len(searches) == len(plan.cases) * len(plan.rates)
    finals = {trial.name: trial for trial in plan.trials(dict.fromkeys(plan.cases, plan.rates[1]), 5)}
    shared = searches.keys() & finals.keys()
    assert len(shared) == (len(plan.cases) if plan.search == plan.epochs else 0)
    for same in shared:
        one, other = searches[same], finals[same]
        assert (one.setup, one.seed, one.labels) == (other.setup, other.seed, other.labels)
        assert one.recipe.keywords == other.recipe.keywords


def test_validation_looks_at_training_samples_only(tmp_path: Path) -> None:
    plan = replace(PLANS["smoke"], cases=("simclr",))
    data = plan.setup.load_data()
    blind = data._replace(held_out=data.held_out.take(data.held_out.label[:0]))
    run = plan.searches(0)[0].run(tmp_path / "out", blind)
    run._learner = run.fresh_learner().eval()
    found = validated(run, seed=0)[VALIDATION]
    assert found is not None
    assert 0.1 < found < 1


def test_each_method_goes_on_with_the_rate_that_did_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up trainings: the highest rate suits BYOL, the lowest all others."""

    def pretended(trials: list[Trial], _: object, bench: Bench, __: object) -> list[Done]:
        def value(trial: Trial) -> float:
            rate = trial.setup.optimizer.learning_rate if trial.setup.optimizer else 0.0
            return rate if trial.name.startswith("byol") else 1 - rate

        return [Done(t, {VALIDATION: value(t), BACKBONE: 0.8}, bench.folder / t.name) for t in trials]

    monkeypatch.setattr(baselines, "carry_out", pretended)
    plan = replace(PLANS["cpu"], setup=replace(PLANS["cpu"].setup, data="digits"))
    result = solve(plan, Bench(tmp_path, 0, lambda *_: None))
    assert result.chosen == {name: max(plan.rates) if name == "byol" else min(plan.rates) for name in plan.cases}
    assert all(len(found.done) == 3 for found in result.found.values())
    assert all("-s2" in found.done[2].trial.name for found in result.found.values())


def made_up(plan: BaselinesPlan, accuracy: dict[str, float], folder: Path = Path("unused")) -> BaselinesResult:
    chosen = dict.fromkeys(plan.cases, plan.rates[1])
    searched = {name: dict.fromkeys(plan.rates, 0.5) for name in plan.cases}
    done = [
        Done(trial, {BACKBONE: accuracy[trial.case] + 0.001 * trial.seed}, folder) for trial in plan.trials(chosen, 0)
    ]
    return BaselinesResult(plan, searched, chosen, gathered({name: CASES[name] for name in plan.cases}, done))


def test_findings_follow_the_figures() -> None:
    plan = PLANS["cpu"]
    heights = {name: 0.8 - 0.01 * place for place, name in enumerate(plan.cases)}
    best, order, bank, left_out = findings(made_up(plan, heights))
    assert best.startswith("Highest is SimCLR with 80.1%")
    assert order.endswith("SMC-GMJE; nothing here speaks against it.")
    assert "trails MoCo v2: -1.0" in bank
    assert left_out.endswith("below it SwAV, VICReg, GMJE prototypes, GMJE-MDN.")
    swapped = {**heights, "smc-gmje": 0.9, "swav": heights["byol"]}
    _, order, bank, left_out = findings(made_up(plan, swapped))
    assert "against it, here SMC-GMJE beats SimCLR and SMC-GMJE beats BYOL and SMC-GMJE beats MoCo v2." in order
    assert "beats MoCo v2: +12.0" in bank
    assert left_out.startswith("MoCo v2 is the lowest")
    assert "above it SwAV; below it VICReg" in left_out


def test_the_page_is_made_of_a_result_alone(tmp_path: Path) -> None:
    plan = PLANS["cpu"]
    (tmp_path / "metrics.csv").write_text("step,probe/backbone\n0,0.3\n9,0.7\n")
    page = EXPERIMENT.page(made_up(plan, dict.fromkeys(plan.cases, 0.8), tmp_path))
    assert [section.name for section in page.sections] == ["findings", "figures", "search", "course"]
    assert "left out" in page.html()


@pytest.mark.slow
def test_the_experiment_writes_figures_and_a_page(tmp_path: Path) -> None:
    reproduce("baselines", "smoke", tmp_path / "out")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["methods"].keys() == set(PLANS["smoke"].cases)
    assert results["chosen"]["simclr"] in PLANS["smoke"].rates
    assert "left out" in (tmp_path / "out" / "report.html").read_text()

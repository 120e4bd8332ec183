"""The baselines experiment: what is trained, how a rate is chosen, and what its page says of made-up figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jointlaw.banks import Particles
from jointlaw.cli._main import main
from jointlaw.networks import MLP
from jointlaw.objectives._contrastive import MoCo
from jointlaw.runs._folder import Workspace
from jointlaw.training._optimizers import SGD
from jointlaw_papers import baselines
from jointlaw_papers.baselines import CASES, SCALES, VALIDATION, Outcome, Scale, run, validated
from jointlaw_papers.baselines_page import BACKBONE, findings
from jointlaw_papers.seeds import Found
from jointlaw_papers.trials import Done, Trial


def test_the_paper_s_scale_has_the_paper_s_constants() -> None:
    scale = SCALES["paper"]
    setup = scale.setup
    assert (setup.data, setup.encoder, scale.epochs, setup.run.batch) == ("cifar10", "resnet18", 200, 256)
    assert isinstance(setup.optimizer, SGD)
    assert setup.optimizer.momentum == 0.9
    assert len(scale.cases) == 8


@pytest.mark.parametrize("name", list(CASES))
def test_every_method_has_the_common_projector(name: str) -> None:
    head = CASES[name].method(0).projector(256)
    assert isinstance(head, MLP)
    assert [tuple(p.shape) for p in head.parameters() if p.ndim > 1] == [(512, 256), (128, 512)]


def test_particles_are_drawn_by_the_seed_of_the_trial() -> None:
    objective = CASES["smc-gmje"].method(7).objective
    assert isinstance(objective, MoCo)
    assert isinstance(objective.bank, Particles)
    assert objective.bank.seed == 7


@pytest.mark.parametrize("name", list(SCALES))
def test_a_search_at_the_full_budget_is_the_first_seed(name: str) -> None:
    scale = SCALES[name]
    searches = {trial.name: trial.config for _, _, trial in scale.searches(5)}
    assert len(searches) == len(scale.cases) * len(scale.rates)
    chosen = dict.fromkeys(scale.cases, scale.rates[1])
    finals = {trial.name: trial.config for _, trial in scale.trials(chosen, 5)}
    shared = searches.keys() & finals.keys()
    assert len(shared) == (len(scale.cases) if scale.search == scale.epochs else 0)
    assert all(searches[name] == finals[name] for name in shared)


def test_validation_looks_at_training_samples_only() -> None:
    setup = SCALES["smoke"].setup
    data = setup.load_data()
    learner = setup.learner(CASES["simclr"].method(0), data)
    blind = data._replace(held_out=data.held_out.take(data.held_out.label[:0]))
    found = validated(learner, blind, setup, seed=0)[VALIDATION]
    assert found is not None
    assert 0.1 < found < 1


def test_each_method_goes_on_with_the_rate_that_did_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up trainings: the highest rate suits BYOL, the lowest all others."""

    def pretended(trials: list[Trial], folder: Path, *_: object) -> list[Done]:
        def value(trial: Trial) -> float:
            rate = trial.setup.optimizer.learning_rate if trial.setup.optimizer else 0.0
            return rate if trial.name.startswith("byol") else 1 - rate

        return [Done(t, {VALIDATION: value(t), BACKBONE: 0.8}, Workspace(folder / t.name)) for t in trials]

    monkeypatch.setattr(baselines, "carry_out", pretended)
    scale = SCALES["cpu"]
    outcome = run(scale, tmp_path, 0, lambda *_: None)
    assert outcome.chosen == {name: max(scale.rates) if name == "byol" else min(scale.rates) for name in scale.cases}
    assert all(len(found.done) == 3 for found in outcome.found.values())
    assert all("-s2" in found.done[2].trial.name for found in outcome.found.values())


def outcome(scale: Scale, accuracy: dict[str, float]) -> Outcome:
    chosen = dict.fromkeys(scale.cases, scale.rates[1])
    searched = {name: dict.fromkeys(scale.rates, 0.5) for name in scale.cases}
    found = {
        name: Found(
            CASES[name].label,
            [
                Done(trial, {BACKBONE: accuracy[name] + 0.001 * trial.seed}, Workspace(Path("unused")))
                for case, trial in scale.trials(chosen, 0)
                if case == name
            ],
        )
        for name in scale.cases
    }
    return Outcome(searched, chosen, found)


def test_findings_follow_the_figures() -> None:
    scale = replace(SCALES["cpu"], seeds=3)
    heights = {name: 0.8 - 0.01 * place for place, name in enumerate(scale.cases)}
    best, order, bank, left_out = findings(outcome(scale, heights))
    assert best.startswith("Highest is SimCLR with 80.1%")
    assert order.endswith("SMC-GMJE; nothing here speaks against it.")
    assert "trails MoCo v2: -1.0" in bank
    assert left_out.endswith("below it SwAV, VICReg, GMJE prototypes, GMJE-MDN.")
    swapped = {**heights, "smc-gmje": 0.9, "swav": heights["byol"]}
    _, order, bank, left_out = findings(outcome(scale, swapped))
    assert "against it, here SMC-GMJE beats SimCLR and SMC-GMJE beats BYOL and SMC-GMJE beats MoCo v2." in order
    assert "beats MoCo v2: +12.0" in bank
    assert left_out.startswith("MoCo v2 is the lowest")
    assert "above it SwAV; below it VICReg" in left_out


@pytest.mark.slow
def test_the_command_writes_figures_and_a_page(tmp_path: Path) -> None:
    assert main(["reproduce", "baselines", "--scale=smoke", f"--folder={tmp_path / 'out'}"]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["methods"].keys() == set(SCALES["smoke"].cases)
    assert results["chosen"]["simclr"] in SCALES["smoke"].rates
    assert "left out" in (tmp_path / "out" / "report.html").read_text()

"""The banks experiment: what is trained, what a bank holds, and what its page says of made-up figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jointlaw.banks import FIFO, Particles
from jointlaw.networks import MLP
from jointlaw.objectives import MoCo
from jointlaw.training import SGD
from jointlaw.types import Memory
from jointlaw_papers import reproduce
from jointlaw_papers.banks import CASES, PLANS, PUBLISHED, QUEUE, BanksResult, classes_inside
from jointlaw_papers.banks_page import EXPERIMENT, findings
from jointlaw_papers.seeds import gathered
from jointlaw_papers.trials import BACKBONE, Done


def test_the_paper_s_scale_has_the_paper_s_constants() -> None:
    plan = PLANS["paper"]
    setup = plan.setup
    assert (setup.data, setup.encoder, setup.run.epochs, setup.run.batch) == ("cifar10", "resnet18", 1000, 256)
    assert isinstance(setup.optimizer, SGD)
    trials = {trial.case: trial for trial in plan.trials(42)}
    queue, particles = (trials[name].recipe(seed=42) for name in (QUEUE, PUBLISHED))
    for method in (queue, particles):
        assert isinstance(method.objective, MoCo)
        assert not method.objective.symmetric
        assert (method.objective.bank.size, method.objective.temperature, method.momentum) == (256, 0.1, 0.99)
        head = method.projector(512)
        assert isinstance(head, MLP)
        assert [tuple(p.shape) for p in head.parameters() if p.ndim > 1] == [(512, 512), (128, 512)]
    assert isinstance(queue.objective.bank, FIFO)
    assert isinstance(particles.objective.bank, Particles)
    assert particles.objective.bank.threshold == particles.objective.bank.tempering == 1
    assert particles.objective.bank.seed == 42


@pytest.mark.parametrize("name", list(PLANS))
def test_trials_have_names_and_options_of_their_own(name: str) -> None:
    trials = PLANS[name].trials(0)
    assert len({trial.name for trial in trials}) == len(trials)
    assert {QUEUE, PUBLISHED} <= set(PLANS[name].cases) <= set(CASES)


def test_a_bank_s_classes_are_those_of_the_nearest_samples() -> None:
    query, label = torch.eye(4), torch.tensor([0, 1, 2, 3])
    memory = Memory(torch.eye(4)[[0, 1]], torch.zeros(2))
    found = classes_inside(memory, query, label, temperature=1.0)
    assert found["bank.classes"] == pytest.approx(2)
    assert found["bank.own.even"] == pytest.approx(0.25)  # two of the four queries meet one of their own in two
    assert found["bank.own"] == pytest.approx(0.5 * torch.e / (1 + torch.e))
    heavy = classes_inside(Memory(memory.embeddings, torch.tensor([3.0, 1.0]).log()), query, label, 1.0)
    shares = torch.tensor([0.75, 0.25])
    assert heavy["bank.classes"] == pytest.approx(float(torch.special.entr(shares).sum().exp()))


def made_up(tmp_path: Path, gap: float, seeds: int = 3) -> BanksResult:
    """Accuracies of .7 and, for the particles, ``gap`` more; the effective sample size falls by half."""
    plan, done = replace(PLANS["cpu"], seeds=seeds), []
    for trial in plan.trials(0):
        folder, index = tmp_path / trial.name, plan.cases.index(trial.case)
        folder.mkdir()
        rough = 0.5 if trial.case == QUEUE else 0.0
        rows = [f"{step},{2 + rough * (step % 2)},{400 - 25 * step},0.5" for step in range(8)]
        (folder / "metrics.csv").write_text("step,train/loss,train/ess,train/age\n" + "\n".join(rows) + "\n")
        accuracy = 0.7 + 0.01 * trial.seed + (gap if trial.case == PUBLISHED else 0.0) - 0.001 * index * trial.seed
        figures = {BACKBONE: accuracy, "bank.own": 0.1, "bank.own.even": 0.1, "bank.classes": 9.0}
        done.append(Done(trial, figures, folder))
    return BanksResult(plan, gathered({name: CASES[name] for name in plan.cases}, done))


@pytest.mark.parametrize(("gap", "word"), [(0.05, " beat the queue"), (-0.05, " trail the queue"), (0.0, "told from")])
def test_findings_follow_the_figures(gap: float, word: str, tmp_path: Path) -> None:
    first, second, third, *_, last = findings(made_up(tmp_path, gap))
    assert word in first
    assert "falls" in second
    assert "rougher" in third
    assert ("Better than the particles" in last) == (gap < 0)
    assert ("Worse" in last) == (gap > 0)
    assert ("Level" in last) == (gap == 0)


def test_one_seed_is_no_verdict(tmp_path: Path) -> None:
    assert "cannot be told from" in findings(made_up(tmp_path, 0.2, seeds=1))[0]


def test_the_page_is_made_of_a_result_alone(tmp_path: Path) -> None:
    page = EXPERIMENT.page(made_up(tmp_path, 0.05))
    assert [section.name for section in page.sections] == ["findings", "figures", "variants", "inside", "course"]
    assert [chart.name for chart in page.sections[-1].charts] == ["loss", "ess", "age"]
    text = page.html()
    assert "Probe over the run</strong> is left out" in text
    assert "81.99%" in text


@pytest.mark.slow
def test_the_experiment_writes_figures_and_a_page(tmp_path: Path) -> None:
    reproduce("banks", "smoke", tmp_path / "out")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["banks"].keys() == set(PLANS["smoke"].cases)
    assert results["banks"][QUEUE][0]["bank.classes"] > 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert 'id="plot-ess"' in page
    assert "81.99%" in page

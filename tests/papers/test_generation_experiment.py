"""The generation experiment: its laws, its page, and the configuration of the paper."""

import json
from pathlib import Path

import pytest
import torch

from jointlaw.networks import ConvEncoder
from jointlaw.training import build_encoder
from jointlaw_papers.generation_page import AFTERWARDS, EXPERIMENT, GAUSSIAN, PAPER, PROTOTYPES
from jointlaw_papers.generation_plans import METHODS, PLANS, trials


def test_the_paper_s_scale_has_the_paper_s_constants() -> None:
    plan = PLANS["paper"]
    planned = trials(plan, seed=111)
    assert [trial.name for trial in planned] == list(METHODS)
    for trial in planned:
        setup = trial.setup
        assert (setup.data, setup.encoder, setup.run.epochs, setup.run.batch) == ("mnist", "conv", 50, 256)
        assert setup.optimizer is not None
        assert setup.optimizer.learning_rate == 1e-3
        projector = trial.recipe().projector(256)
        assert projector(torch.randn(4, 256)).shape == (4, 128)
    assert (plan.components, plan.decoder_epochs, plan.fitted) == (50, 50, 10_000)
    assert isinstance(build_encoder("conv", (1, 32, 32)), ConvEncoder)


@pytest.mark.slow
def test_the_experiment_writes_figures_and_a_page_and_trains_once(tmp_path: Path) -> None:
    said: list[str] = []
    found = EXPERIMENT.reproduce("smoke", tmp_path, 111, said.append)
    again = EXPERIMENT.reproduce("smoke", tmp_path, 111, said.append)
    assert again == found
    assert sum("done before" in line for line in said) == len(METHODS)
    figures = json.loads((tmp_path / "results.json").read_text())
    assert figures["scale"] == "smoke"
    assert figures["paper"] == PAPER
    for name in (PROTOTYPES, GAUSSIAN, AFTERWARDS):
        assert figures[name]["density"] is not None
        assert figures[name]["density_half"] > 0
    assert figures["training images"]["density"] == pytest.approx(1, abs=0.1)
    assert figures[GAUSSIAN]["spread"] is None
    page = (tmp_path / "report.html").read_text()
    assert page.count('<img class="pixels"') == 9
    assert "paper: GMJE, its prototypes" in page

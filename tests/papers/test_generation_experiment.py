"""The generation experiment: its laws, its page, and the configuration of the paper."""

import json
from pathlib import Path

import pytest
import torch

from jointlaw.networks import ConvEncoder
from jointlaw.training._encoders import build_encoder
from jointlaw_papers.generation_page import AFTERWARDS, GAUSSIAN, PAPER, PROTOTYPES, reproduce
from jointlaw_papers.generation_scales import METHODS, SCALES, trials


def test_the_paper_s_scale_has_the_paper_s_constants() -> None:
    scale = SCALES["paper"]
    planned = trials(scale, seed=111)
    assert [trial.name for trial in planned] == list(METHODS)
    for trial in planned:
        setup = trial.setup
        assert (setup.data, setup.encoder, setup.run.epochs, setup.run.batch) == ("mnist", "conv", 50, 256)
        assert setup.optimizer is not None
        assert setup.optimizer.learning_rate == 1e-3
        projector = trial.method().projector(256)
        assert projector(torch.randn(4, 256)).shape == (4, 128)
    assert (scale.components, scale.decoder_epochs, scale.fitted) == (50, 50, 10_000)
    assert isinstance(build_encoder("conv", (1, 32, 32)), ConvEncoder)


def test_an_unknown_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="smoke, cpu, paper"):
        reproduce("large", tmp_path)


@pytest.mark.slow
def test_the_experiment_writes_figures_and_a_page_and_trains_once(tmp_path: Path) -> None:
    said: list[str] = []
    found = reproduce("smoke", tmp_path, say=said.append)
    again = reproduce("smoke", tmp_path, say=said.append)
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

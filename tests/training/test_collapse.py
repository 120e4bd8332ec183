"""The alarm for collapse."""

from pathlib import Path

import pytest
import torch
from torch import nn

from jointlaw.objectives.objective import Objective
from jointlaw.training.collapse import Health, Limits, health, symptoms
from jointlaw.training.datamodule import ViewedData
from jointlaw.training.learner import Learner
from jointlaw.training.run import fit
from jointlaw.training.setup import Run
from jointlaw.training.sources import load
from jointlaw.training.views import digits, view_maker
from jointlaw.training.workspace import Workspace
from jointlaw.types import Embeddings, Outcome


class Shrinking(Objective):
    """Views agree and nothing keeps samples apart: collapse on purpose."""

    def forward(self, z: Embeddings) -> Outcome:
        return Outcome.weigh(size=(1.0, z.context.square().mean()))


def test_a_healthy_batch_has_no_symptom() -> None:
    z = torch.randn(500, 32, generator=torch.Generator().manual_seed(0))
    found = health(z, z.relu())
    assert symptoms(found) == {}
    assert found.silent == 0
    assert 25 < found.rank <= 32
    assert found.spread == pytest.approx(
        (1 - 1 / torch.pi) ** 0.5, abs=0.02
    )  # a rectified normal has mean^2 = 1 / 2 pi


def test_each_symptom_is_named() -> None:
    flat = torch.ones(100, 8)
    assert symptoms(health(flat, flat)).keys() == {"rank", "spread", "silent"}
    assert symptoms(health(flat, torch.zeros(100, 8))).keys() == {"rank", "spread", "silent"}
    assert symptoms(Health(50, 0.5, 0.6)).keys() == {"silent"}
    assert symptoms(Health(50, 0.5, 0.6), Limits(silent=0.9)) == {}


def test_training_that_collapses_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    data = load("digits")
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1, bias=False), nn.Linear(1, 8))
    learner = Learner(encoder, nn.Linear(8, 4), Shrinking())
    workspace = Workspace(tmp_path / "run")
    workspace.start("")
    feed = ViewedData(data, view_maker(digits()), 256, seed=0)
    fit(learner, feed, Run(epochs=4, threads=1, precision="32"), workspace, None)
    told = capsys.readouterr().err
    assert told.count("effective dimensions") == 1
    assert "warning: epoch 1: Collapse" in told
    assert "health/rank" in (workspace.folder / "metrics.csv").read_text()

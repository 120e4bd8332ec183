"""The alarm for collapse."""

from pathlib import Path

import pytest
import torch
from torch import nn

from jointlaw.data._sources import load
from jointlaw.evaluation import Embedder, judge
from jointlaw.networks import MLPEncoder
from jointlaw.objectives._objective import Objective
from jointlaw.runs import Run
from jointlaw.runs import _trainer as running
from jointlaw.runs._folder import Workspace
from jointlaw.runs._setup import RunSettings, Setup
from jointlaw.runs._trainer import fit
from jointlaw.training._datamodule import ViewedData
from jointlaw.training._health import Health, Limits, health, health_figures, symptoms
from jointlaw.training._learner import Learner
from jointlaw.training.recipes import RECIPES
from jointlaw.types import Embeddings, Outcome
from jointlaw.views._makers import digits, view_maker


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
    assert symptoms(Health(50, 0.5, 0.6, 64)).keys() == {"silent"}
    assert symptoms(Health(50, 0.5, 0.6, 64), Limits(silent=0.9)) == {}


def test_the_least_rank_is_a_share_of_what_the_features_could_have() -> None:
    """6 of 256 directions are a collapse, 6 of 64 are not; a line is one however narrow the network."""
    assert symptoms(Health(6, 0.5, 0.0, 256)).keys() == {"rank"}
    assert symptoms(Health(6, 0.5, 0.0, 64)) == {}
    assert symptoms(Health(1.3, 0.5, 0.0, 2)) == {}
    assert symptoms(Health(1.9, 0.5, 0.0, 8)).keys() == {"rank"}
    assert symptoms(Health(6, 0.5, 0.0, 256), Limits(rank=0.02)) == {}


def test_few_samples_lower_the_room_and_the_limit_with_it() -> None:
    z = torch.randn(20, 512, generator=torch.Generator().manual_seed(0))
    found = health(z, z)
    assert found.room == 20
    assert symptoms(found) == {}


def test_a_warning_names_symptom_and_cures() -> None:
    words = symptoms(Health(6, 0.5, 0.0, 256))["rank"]
    assert "6.0 effective dimensions of 256 (fewer than 12.8)" in words
    assert "lower the learning rate" in words


def test_figures_hold_signs_beside_their_limits() -> None:
    found = health_figures(Health(6, 0.5, 0.0, 256), Limits(silent=0.9))
    assert found["health.rank"] == 6
    assert found["health.limit.rank"] == pytest.approx(12.8)
    assert found["health.limit.silent"] == 0.9


def test_a_recipe_s_own_limits_reach_alarm_and_judgement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Limits that no run can keep: both speak up."""
    setup = Setup(encoder="mlp", run=RunSettings(epochs=2, threads=1, precision="32"))
    data = setup.load_data()
    setup = setup.settled(data)
    method = RECIPES["vicreg"]()._replace(limits=Limits(rank=1.0))
    learner, views = setup.learner(method, data.train.shape), setup.view_maker()
    workspace = Workspace(tmp_path / "run")
    workspace.start({})
    fit(learner, ViewedData(data, views, 256, seed=0), setup.run, workspace, None)
    assert "effective dimensions of 256 (fewer than 256)" in capsys.readouterr().err
    judgement = judge(Embedder(learner, views), data)
    assert any("fewer than 256" in note for note in judgement.notes)
    assert judgement.figures["health.limit.rank"] == 256


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "collapses"), [("naive-gje", True), ("jepa", False)])
def test_the_demonstration_sets_the_alarm_off_and_the_lowest_healthy_recipe_does_not(
    recipe: str, collapses: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    setup = Setup(run=RunSettings(epochs=12, threads=1, precision="32"))
    data = setup.load_data()
    setup = setup.settled(data)
    workspace = Workspace(tmp_path / "run")
    workspace.start({})
    feed = ViewedData(data, setup.view_maker(), 256, seed=0)
    fit(setup.learner(RECIPES[recipe](), data.train.shape), feed, setup.run, workspace, None)
    assert ("Collapse" in capsys.readouterr().err) == collapses


def test_training_that_collapses_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    data = load("digits")
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1, bias=False), nn.Linear(1, 8))
    learner = Learner(encoder, nn.Linear(8, 4), Shrinking())
    workspace = Workspace(tmp_path / "run")
    workspace.start({})
    feed = ViewedData(data, view_maker(digits()), 256, seed=0)
    fit(learner, feed, RunSettings(epochs=4, threads=1, precision="32"), workspace, None)
    told = capsys.readouterr().err
    assert told.count("effective dimensions") == 1
    assert "warning: epoch 1: Collapse" in told
    assert "health/rank" in (workspace.folder / "metrics.csv").read_text()


class Dying(MLPEncoder):
    """Gives one and the same output for all samples after a number of training steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(64, 32, 16)
        self.register_buffer("left", torch.tensor(steps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = super().forward(x)
        self.left -= int(torch.is_grad_enabled())
        return features if self.left >= 0 else features * 0 + 1


def warnings_of(recipe: str, steps: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said in three epochs of five steps; the encoder dies after the given number of them."""
    torch.manual_seed(0)
    setup = Setup(run=RunSettings(epochs=3, threads=1, precision="32"))
    data = setup.load_data()
    setup = setup.settled(data)
    method = RECIPES[recipe](width=16)
    learner = Learner(Dying(steps), method.projector(16), method.objective, None, method.momentum, method.limits)
    workspace = Workspace(folder / "run")
    workspace.start({})
    fit(learner, ViewedData(data, setup.view_maker(), 256, seed=0), setup.run, workspace, None)
    return [line for line in capsys.readouterr().err.splitlines() if "Collapse" in line]


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in ("compose", "naive-gje")])
def test_every_recipe_starts_without_a_warning_and_gets_one_within_an_epoch_of_a_collapse(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = warnings_of(recipe, 11, tmp_path, capsys)
    assert told
    assert all("epoch 3" in line for line in told), told


def test_a_collapse_between_validations_is_told_within_an_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "VALIDATIONS", 1)  # after the third epoch
    assert "epoch 2" in warnings_of("vicreg", 6, tmp_path, capsys)[0]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [name for name in RECIPES if name not in ("compose", "naive-gje")])
def test_the_default_network_of_every_recipe_starts_without_a_warning(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    Run.new(recipe, Setup(run=RunSettings(folder, epochs=2, threads=1, report=False))).train()
    assert "Collapse" not in capsys.readouterr().err

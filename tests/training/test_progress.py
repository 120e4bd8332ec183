"""A training tells how far it is and how long it will still take, and so does what follows it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from jointlaw.data import Data, as_source, load
from jointlaw.evaluation import Embedder, judge
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives import RectifiedLpJEPA, VICReg
from jointlaw.runs import RunSettings, _console, _trainer
from jointlaw.runs._console import say, track
from jointlaw.runs._folder import Workspace
from jointlaw.training import Learner, ViewedData, _progress, settle
from jointlaw.views import digits, tensor, view_maker


class Clock:
    """A clock that goes on when a step is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any) -> None:
        self.now = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: self.now))


def learner() -> Learner:
    torch.manual_seed(0)
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.2))
    return Learner(MLPEncoder(64, 32, 16), Projector(16, 12, bias=False), objective)


def train(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """Forty epochs of five steps, each of which takes so many seconds; a validation after every other epoch."""
    original = Learner.training_step

    def slow(*args: Any) -> Any:
        clock.now += step
        return original(*args)

    monkeypatch.setattr(Learner, "training_step", slow)
    workspace, settings = Workspace(folder), RunSettings(folder, epochs=40, precision="32", threads=1)
    workspace.start({})
    cheap = Learner(MLPEncoder(64, 16, 8), Projector(8, 4), VICReg())
    _trainer.fit(cheap, ViewedData(load("digits"), view_maker(digits()), 256, 0), settings, workspace, None)


def test_a_pipe_has_an_estimate_after_two_seconds_and_few_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "run", Clock(monkeypatch, _progress), monkeypatch, step=1.0)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert lines[0] == "epoch 1 of 40, batch 3 of 5, about 3 min to go"  # 197 steps of a second
    assert lines[1] == "epoch 2 of 40, batch 4 of 5, about 3 min to go"  # four times as late
    assert lines[2].startswith("epoch 2 of 40, about 3 min to go: train/loss")
    assert len(lines) == 20 + 4  # the others after 32 and 128 seconds
    assert "to go" not in lines[-1]


def test_a_terminal_has_the_estimate_beside_its_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_trainer, "in_terminal", lambda: True)
    train(tmp_path / "run", Clock(monkeypatch, _progress), monkeypatch, step=1.0)
    shown = "".join(capsys.readouterr())
    assert "about 3 min to go" in shown
    assert "about 50 s to go" in shown


def test_what_follows_a_training_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch, _console)
    seen: list[int] = []
    say("a line")
    seen.extend(track(range(5), "at once", 5))
    clock.now += 1
    for item in track(range(5), "slow", 5):
        seen.append(item)
        clock.now += 30 if item == 0 else 3
    assert seen == [*range(5)] * 2
    assert capsys.readouterr().out.splitlines() == ["a line", "slow", "slow: 2 of 5, about 9 s to go"]


def test_every_phase_is_gone_through_to_its_end() -> None:
    """A count that is too large or too small would show a bar that never ends, or ends too early."""
    phases: dict[str, list[int]] = {}

    def count(items: Any, doing: str, total: int) -> Any:
        phases[doing] = [0, total]
        for item in items:
            phases[doing][0] += 1
            yield item

    model, source = learner(), load("digits").train
    settle(model, source, view_maker(digits()), 300, 0, count)
    some = load("digits").held_out
    judge(Embedder(model.eval(), view_maker(digits()), 300, count), Data("digits", some, some, some), load("digits"))
    assert list(phases) == [
        "measuring moments of batch normalisation",
        "setting thresholds",
        "embedding 359 samples",
        "embedding views of 359 samples",
        "measuring embeddings",
        "embedding 1,438 samples",
        "fitting probes",
    ]
    assert all(done == total for done, total in phases.values()), phases


@pytest.mark.parametrize("samples", [200, 1438, 12_000])
def test_thresholds_count_their_batches(samples: int) -> None:
    model = Learner(torch.nn.Identity(), torch.nn.Identity(), learner().objective)
    found: list[int] = []

    def count(items: Any, doing: str, total: int) -> Any:
        kept = list(items)
        found.extend((len(kept), total, sum(len(image) for drawn in kept for image in drawn.images)))
        return kept

    settle(model, as_source(torch.randn(samples, 3)), view_maker(tensor()), 256, 0, count)
    assert found[0] == found[1]
    assert found[2] == 20_000

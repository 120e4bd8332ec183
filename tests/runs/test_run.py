"""A run that is stopped and resumed ends where an uninterrupted one ends, bit for bit."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jointlaw.data._sources import load
from jointlaw.densities import GrowingPrototypes, Growth, MovingScale
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives import GMJE, Objective, RectifiedLpJEPA
from jointlaw.runs import _trainer as running
from jointlaw.runs._folder import Workspace
from jointlaw.runs._history import read_history
from jointlaw.runs._setup import RunSettings
from jointlaw.runs._trainer import choose_accelerator, choose_precision, choose_strategy, fit
from jointlaw.training import _callbacks as callbacks
from jointlaw.training._callbacks import WholeFiles
from jointlaw.training._datamodule import ViewedData
from jointlaw.training._learner import Learner
from jointlaw.training._online import OnlineProbe
from jointlaw.views._makers import digits, view_maker

EPOCH = 1438 // 256  # steps


class Cut(Exception):  # noqa: N818 (no error: the power cut of these tests)
    pass


class PowerCut(Callback):
    """Stops a run without warning after a number of steps, before or after the validation that follows."""

    def __init__(self, step: int, before_validation: bool = False) -> None:
        self.step = step
        self.before_validation = before_validation

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise Cut

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == self.step and self.before_validation:
            raise Cut


def matched() -> Objective:
    return RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.3))


def growing() -> Objective:
    """A graph that grows, prunes and severs within a few steps, moved by the gas and by the gradient."""
    growth = Growth(0.05, 0.006, every=300, age=8)
    scale = MovingScale(24, 20, floor=0.1)
    return GMJE(GrowingPrototypes(24, 12, 20, growth=growth, scale=scale, moves="both", sphere=True))


def learner(objective: Callable[[], Objective] = matched) -> Learner:
    torch.manual_seed(3)
    encoder = nn.Sequential(MLPEncoder(64, 32, 16), nn.Dropout(0.2))
    return Learner(encoder, Projector(16, 12), objective())


def train(
    folder: Path, resume: bool = False, epochs: int = 3, objective: Callable[[], Objective] = matched, **settings: Any
) -> dict[str, float]:
    run = RunSettings(folder=folder, epochs=epochs, precision="32", accelerator="cpu", resume=resume, **settings)
    workspace = Workspace(folder)
    if not resume:
        workspace.start({})
    model = learner(objective)
    feed = ViewedData(load("digits"), view_maker(digits()), 256, 0)
    figures = fit(model, feed, run, workspace, OnlineProbe(16, 12, 10))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "encoder.safetensors")
    return figures


def flat(tree: Any, name: str = "") -> dict[str, Any]:
    """All leaves of nested containers."""
    if isinstance(tree, dict):
        return {key: value for k, part in tree.items() for key, value in flat(part, f"{name}/{k}").items()}
    if isinstance(tree, list | tuple):
        return {key: value for k, part in enumerate(tree) for key, value in flat(part, f"{name}/{k}").items()}
    return {name: tree}


def assert_equal_runs(one: Path, other: Path) -> None:
    weights, others = load_file(one / "encoder.safetensors"), load_file(other / "encoder.safetensors")
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    saved, again = (torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in (one, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        assert_equal_leaves(flat(saved[part]), flat(again[part]))
    probes = [next(v for k, v in s["callbacks"].items() if k.startswith("OnlineProbe")) for s in (saved, again)]
    assert_equal_leaves(flat(probes[0]), flat(probes[1]))
    assert read_history(one / "metrics.csv") == read_history(other / "metrics.csv")


def assert_equal_leaves(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        same = torch.equal(value, other[key]) if isinstance(value, Tensor) else value == other[key]
        assert same, key


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder, checkpoint_steps=1)
    return folder


def interrupted(folder: Path, cut: PowerCut, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> int:
    """Train until the cut; the step of the checkpoint."""
    callbacks = running._callbacks
    with monkeypatch.context() as patch:
        patch.setattr(running, "_callbacks", lambda *args: [*callbacks(*args), cut])
        with pytest.raises(Cut):
            train(folder, **settings)
    return Workspace(folder).reached()


@pytest.mark.parametrize("step", [1, EPOCH - 2, EPOCH, EPOCH + 1, 2 * EPOCH])
def test_a_resumed_run_equals_an_uninterrupted_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    assert interrupted(tmp_path / "run", PowerCut(step), monkeypatch, checkpoint_steps=1) == step
    train(tmp_path / "run", resume=True, checkpoint_steps=1)
    assert_equal_runs(whole, tmp_path / "run")


@pytest.mark.parametrize("step", [3, EPOCH + 2])
def test_a_growing_graph_is_resumed_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    settings = {"checkpoint_steps": 1, "objective": growing}
    train(tmp_path / "whole", **settings)
    assert interrupted(tmp_path / "run", PowerCut(step), monkeypatch, **settings) == step
    train(tmp_path / "run", resume=True, **settings)
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")
    vertices = [
        row["train/vertices"] for row in read_history(tmp_path / "run/metrics.csv").values() if "train/vertices" in row
    ]
    assert vertices[-1] > vertices[0]


def test_steps_lost_since_the_checkpoint_are_trained_again(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(tmp_path / "run", PowerCut(EPOCH + 4), monkeypatch, checkpoint_steps=4) == EPOCH + 3
    train(tmp_path / "run", resume=True, checkpoint_steps=2)
    assert_equal_runs(whole, tmp_path / "run")


def test_a_run_cut_before_a_validation_catches_up_on_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = PowerCut(EPOCH, before_validation=True)
    assert interrupted(tmp_path / "run", cut, monkeypatch, checkpoint_steps=1) == EPOCH - 1
    train(tmp_path / "run", resume=True, checkpoint_steps=1)
    assert_equal_runs(whole, tmp_path / "run")


def test_the_first_epoch_leaves_a_checkpoint_to_go_on_from(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(tmp_path / "run", PowerCut(2 * EPOCH + 1), monkeypatch, checkpoint_steps=1000) == EPOCH
    train(tmp_path / "run", resume=True)
    assert_equal_runs(whole, tmp_path / "run")


@pytest.mark.parametrize("step", [1, 3, 4])
def test_resuming_with_accumulated_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    settings = {"checkpoint_steps": 1, "accumulate": 2}  # three steps an epoch, the last of one batch
    train(tmp_path / "whole", **settings)
    assert interrupted(tmp_path / "run", PowerCut(step), monkeypatch, **settings) == step
    train(tmp_path / "run", resume=True, **settings)
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")


def test_resuming_a_finished_run_is_harmless(whole: Path, tmp_path: Path) -> None:
    figures = train(tmp_path / "run", checkpoint_steps=1)
    assert_equal_runs(whole, tmp_path / "run")
    again = train(tmp_path / "run", resume=True, checkpoint_steps=1)
    assert_equal_runs(whole, tmp_path / "run")
    assert again == figures  # the speed of the training that took place


def test_rows_are_complete_and_name_what_a_reader_needs(whole: Path) -> None:
    rows = read_history(whole / "metrics.csv")
    assert [step for step in rows if "train/loss" in rows[step]] == [4, 9, 14]
    for name in ("train/loss", "train/invariance", "train/matching", "train/activity", "probe/backbone"):
        assert name in rows[14]
    assert [rows[step]["epoch"] for step in rows] == [0.0, 1.0, 2.0]


def test_speed_leaves_validation_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]  # a clock of our own: a step takes a second, a validation batch a thousand

    def takes(seconds: float, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any) -> Any:
            now[0] += seconds
            return original(*args)

        return step

    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    now[0] = 1.0
    monkeypatch.setattr(Learner, "training_step", takes(1, Learner.training_step))
    monkeypatch.setattr(Learner, "validation_step", takes(1000, Learner.validation_step))
    figures = train(tmp_path / "run", epochs=2)
    assert figures["seconds"] == 2 * EPOCH
    assert figures["images_per_second"] == 256


def test_the_seconds_before_a_restart_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1.0]

    def step(*args: Any) -> Any:
        now[0] += 1
        return original(*args)

    original = Learner.training_step
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Learner, "training_step", step)
    interrupted(tmp_path / "run", PowerCut(EPOCH + 2), monkeypatch, checkpoint_steps=1)
    now[0] += 1000  # nobody trains
    figures = train(tmp_path / "run", resume=True, checkpoint_steps=1)
    assert figures["seconds"] == 3 * EPOCH
    assert figures["images_per_second"] == 256


def test_best_checkpoint_is_that_of_the_best_probe(whole: Path) -> None:
    rows = read_history(whole / "metrics.csv")
    best = max(rows, key=lambda step: rows[step].get("probe/backbone", 0.0))
    saved = torch.load(whole / "checkpoints/best.ckpt", weights_only=True)
    assert saved["global_step"] == best + 1
    assert saved["state_dict"]["encoder.0.1.num_batches_tracked"] == 1  # the moments with which it was judged
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        WholeFiles().save_checkpoint({"step": lambda: None}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_gpus_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_accelerator(RunSettings()) == choose_accelerator(RunSettings(accelerator="cpu")) == "cpu"
    with pytest.raises(ValueError, match=r"expected 1 CUDA GPU.*found 0"):
        choose_accelerator(RunSettings(accelerator="gpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_accelerator(RunSettings()) == choose_accelerator(RunSettings(devices=-1, folder=tmp_path)) == "cuda"
    with pytest.raises(ValueError, match=r"expected 4 CUDA GPU.*found 2"):
        choose_accelerator(RunSettings(devices=4, folder=tmp_path))


def test_precision_is_what_was_asked_for() -> None:
    assert choose_precision(RunSettings(precision="32")) == "32"
    assert choose_precision(RunSettings(precision="bf16")) == "bf16"
    assert choose_precision(RunSettings(precision="auto", accelerator="cpu")) in ("32", "bf16")


@pytest.mark.slow
def test_kill_9_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    def command(folder: str, *more: str) -> list[str]:
        settings = ["--activity=0.2", "--width=32", "--run.epochs=8", "--run.checkpoint_steps=3", "--run.report=false"]
        start = [sys.executable, "-m", "jointlaw", "train", "rectified-lpjepa", f"--run.folder={folder}"]
        return [*start, *settings, "--run.threads=1", *more]

    subprocess.run(command("whole"), cwd=tmp_path, check=True, capture_output=True)
    with subprocess.Popen(command("cut"), cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        last = tmp_path / "cut/checkpoints/last.ckpt"
        while not (last.exists() and Workspace(tmp_path / "cut").reached() >= 6):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert Workspace(tmp_path / "cut").reached() < 8 * EPOCH
    assert not (tmp_path / "cut/encoder.safetensors").exists()
    resumed = subprocess.run(command("cut", "--run.resume"), cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "Warning" not in resumed.stderr
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_several_processes_do_not_send_banks_around(tmp_path: Path) -> None:
    """They are equal on all of them (see the tests of processes), so handing them out would be cost alone."""
    assert choose_strategy(RunSettings(devices=1)) == "auto"
    several = choose_strategy(RunSettings(devices=2, folder=tmp_path))
    assert isinstance(several, DDPStrategy)
    assert several._ddp_kwargs == {"broadcast_buffers": False}


@pytest.mark.slow
def test_two_processes_write_one_run(tmp_path: Path) -> None:
    settings = ["--width=32", "--run.epochs=2", "--run.threads=1", "--run.devices=2", "--run.accelerator=cpu"]
    command = [sys.executable, "-m", "jointlaw", "train", "rectified-lpjepa", "--run.folder=run", *settings]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/report.html").exists()
    assert len(read_history(tmp_path / "run/metrics.csv")) == 2

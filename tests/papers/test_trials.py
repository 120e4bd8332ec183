"""Trials are carried out once, gone on with when stopped, and refused when they are others."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from jointlaw.data import Data
from jointlaw.runs import RunSettings, Setup
from jointlaw.training.recipes import RECIPES
from jointlaw_papers.experiment import Bench
from jointlaw_papers.trials import NOTE, Done, Extra, Trial, carry_out

SETUP = Setup(data="digits", encoder="mlp", run=RunSettings(epochs=1, threads=1, precision="32"))


@pytest.fixture(scope="module")
def digits() -> Data:
    return SETUP.load_data()


def trial(name: str = "one", **options: object) -> Trial:
    return Trial(name, "vicreg", partial(RECIPES["vicreg"], width=32, **options), SETUP)


def done(trials: list[Trial], data: Data, folder: Path, said: list[str], extra: Extra | None = None) -> list[Done]:
    return carry_out(trials, data, Bench(folder, 0, said.append), extra)


def test_a_trial_is_carried_out_once_and_read_back(digits: Data, tmp_path: Path) -> None:
    said: list[str] = []
    (first,) = done([trial()], digits, tmp_path, said, lambda run: {"rows": float(len(run.data.train))})
    (again,) = done([trial()], digits, tmp_path, said)
    assert said == ["[1/1] one: starts", "[1/1] one: done before"]
    assert first.figures == again.figures
    assert first.figures["rows"] == 1438
    assert first.figures["epochs"] == 1
    assert first.figures["probe.backbone.accuracy"] is not None
    assert first.curve("train/loss")
    assert first.curve("probe/backbone")
    assert not first.curve("train/ess")
    assert not again.run(digits).learner.training


def test_other_options_or_facts_in_the_same_folder_are_refused(digits: Data, tmp_path: Path) -> None:
    done([trial()], digits, tmp_path, [])
    with pytest.raises(ValueError, match="covariance"):
        done([trial(covariance=2.0)], digits, tmp_path, [])
    with pytest.raises(ValueError, match="elsewhere"):
        done([replace(trial(), facts={"elsewhere": "mnist"})], digits, tmp_path, [])
    with pytest.raises(ValueError, match="labels"):
        done([replace(trial(), labels=40)], digits, tmp_path, [])


@pytest.mark.parametrize("left", ["config.yaml", "checkpoints/best.ckpt"])
def test_a_trial_stopped_before_its_first_checkpoint_starts_anew(digits: Data, tmp_path: Path, left: str) -> None:
    folder = tmp_path / "trials" / "one"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / left).write_text("half")
    said: list[str] = []
    done([trial()], digits, tmp_path, said)
    assert said == ["[1/1] one: starts"]


def test_a_trial_stopped_after_its_training_is_judged(digits: Data, tmp_path: Path) -> None:
    said: list[str] = []
    (first,) = done([trial()], digits, tmp_path, said)
    (first.folder / NOTE).unlink()
    (again,) = done([trial()], digits, tmp_path, said)
    assert said[1:] == ["[1/1] one: goes on"]
    assert again.figures["sparsity.l1"] == first.figures["sparsity.l1"]


def test_a_finished_trial_needs_no_checkpoints(digits: Data, tmp_path: Path) -> None:
    (first,) = done([trial()], digits, tmp_path, [])
    (first.folder / "checkpoints" / "last.ckpt").unlink()
    (first.folder / "results.json").write_text(json.dumps({"kept": 1.0}))
    (again,) = done([trial()], digits, tmp_path, [])
    assert again.figures == {"kept": 1.0}


def test_names_differ(digits: Data) -> None:
    with pytest.raises(ValueError, match="name of its own"):
        done([trial(), replace(trial(), seed=1)], digits, Path("unused"), [])


def test_probes_may_see_fewer_labels(digits: Data, tmp_path: Path) -> None:
    every, few = done([trial("all"), replace(trial("few"), labels=40)], digits, tmp_path, [])
    assert few.figures["sparsity.l0"] == every.figures["sparsity.l0"]
    accuracies = [one.figures["probe.backbone.accuracy"] or 0.0 for one in (few, every)]
    assert accuracies[0] < accuracies[1]

"""Trials are carried out once, resumed when stopped, and refused when their facts changed."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from jointlaw.runs._setup import Run, Setup
from jointlaw.training._optimizers import AdamW
from jointlaw.training.recipes import RECIPES, Method
from jointlaw_papers.trials import Trial, bound, carry_out, interval, trained


def trial(name: str = "one", **facts: object) -> Trial:
    setup = Setup(data="digits", encoder="mlp", run=Run(epochs=1, threads=1, precision="32"))
    return Trial(name, lambda: RECIPES["vicreg"](), setup, {"recipe": "vicreg", **facts})


def test_a_trial_is_carried_out_once_and_read_back(tmp_path: Path) -> None:
    said: list[str] = []
    (first,) = carry_out([trial()], tmp_path, said.append, extra=lambda learner, data: {"rows": float(len(data.train))})
    (again,) = carry_out([trial()], tmp_path, said.append)
    assert said == ["[1/1] one: starts", "[1/1] one: done before"]
    assert first.figures == again.figures
    assert first.figures["rows"] == 1438
    assert first.curve("train/loss")
    assert not first.curve("train/ess")
    learner, _ = trained(again)
    assert not learner.training


def test_a_probe_beside_the_run_gives_a_curve_and_changes_nothing(tmp_path: Path) -> None:
    (without,) = carry_out([trial("without")], tmp_path, lambda _: None)
    (beside,) = carry_out([replace(trial("with"), online=True)], tmp_path, lambda _: None)
    assert not without.curve("probe/backbone")
    assert beside.curve("probe/backbone")
    assert without.figures["probe.backbone.accuracy"] == beside.figures["probe.backbone.accuracy"]


def test_other_facts_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    carry_out([trial()], tmp_path, lambda _: None)
    with pytest.raises(ValueError, match="weight"):
        carry_out([trial(weight=2)], tmp_path, lambda _: None)


def test_facts_hold_every_option_of_a_recipe() -> None:
    def recipe(*, width: int = 3, slices: object = None, seed: int = 0) -> Method:
        return RECIPES["vicreg"](width=width)

    assert bound(recipe) == {"width": 3, "slices": None}
    assert bound(recipe, width=4, slices=(1, 2)) == {"width": 4, "slices": "(1, 2)"}


def test_a_default_is_no_other_fact_than_its_value() -> None:
    one = trial()
    assert one.setup.optimizer is None
    named = replace(one, setup=replace(one.setup, optimizer=AdamW()))
    other = replace(one, setup=replace(one.setup, optimizer=AdamW(learning_rate=1.0)))
    assert one.config == named.config != other.config


def test_a_trial_stopped_before_its_first_checkpoint_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "one"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("half")
    said: list[str] = []
    carry_out([trial()], tmp_path, said.append)
    assert said == ["[1/1] one: starts"]


def test_a_trial_with_a_best_checkpoint_alone_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "one"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").write_text("of the first look at held-out samples")
    (folder / "config.yaml").write_text(trial().config)
    said: list[str] = []
    carry_out([trial()], tmp_path, said.append)
    assert said == ["[1/1] one: starts"]


def test_a_finished_trial_needs_no_checkpoints(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "one"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(trial().config)
    (folder / "results.json").write_text('{"kept": 1.0}')
    (done,) = carry_out([trial()], tmp_path, lambda _: None)
    assert done.figures == {"kept": 1.0}
    assert (folder / "results.json").exists()


def test_names_differ() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        carry_out([trial(), replace(trial(), seed=1)], Path("unused"), lambda _: None)


def test_an_interval_is_student_s() -> None:
    found = interval([0.8, None, 0.9, 1.0])
    assert found is not None
    assert found.seeds == 3
    assert found.mean == pytest.approx(0.9)
    assert found.half == pytest.approx(4.302652729 * 0.1 / math.sqrt(3))
    assert interval([None]) is None
    assert interval([0.5]) == (0.5, None, 1)


def test_probes_may_see_fewer_labels(tmp_path: Path) -> None:
    (all_of_them,) = carry_out([trial("all")], tmp_path, lambda _: None)
    (few,) = carry_out([replace(trial("few"), labels=40)], tmp_path, lambda _: None)
    assert few.figures["sparsity.l0"] == all_of_them.figures["sparsity.l0"]
    accuracies = [done.figures["probe.backbone.accuracy"] or 0.0 for done in (few, all_of_them)]
    assert accuracies[0] < accuracies[1]

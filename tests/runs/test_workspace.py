"""The run folder: when it may be written to, and what it refuses to read."""

from pathlib import Path

import pytest
import torch
from torch import nn

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import Projector
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.training._learner import Learner
from jointlaw.runs._folder import Workspace, differing_keys, environment, write_text
from jointlaw.types import Embeddings

CONFIG = "method: m\np: 1.0\nrun:\n  folder: a\n  seed: 0\n  resume: false\n"


def learner(width: int = 4) -> Learner:
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian(1.0))
    return Learner(nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6)), Projector(6, width), objective)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "run")
    workspace.start(CONFIG)
    return workspace


def test_a_new_folder_holds_configuration_and_environment(workspace: Workspace) -> None:
    assert workspace.config.read_text() == CONFIG
    assert f"torch {torch.__version__.split('+')[0]}" in (workspace.folder / "environment.txt").read_text()
    assert "jointlaw 0." in environment()


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    Workspace(tmp_path).start(CONFIG)
    assert (tmp_path / "config.yaml").exists()


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="new or empty folder"):
        Workspace(tmp_path).start(CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(ValueError, match="new or empty folder"):
        Workspace(tmp_path / "run").start(CONFIG)


def test_resume_names_the_differing_keys(workspace: Workspace) -> None:
    torch.save({"global_step": 3}, workspace.last)
    with pytest.raises(ValueError, match=r"p \(1\.0 -> 2\.0\); run\.seed \(0 -> 3\)\."):
        workspace.resume(CONFIG.replace("p: 1.0", "p: 2.0").replace("seed: 0", "seed: 3"))


def test_resume_may_differ_in_what_is_not_learned(workspace: Workspace) -> None:
    torch.save({"global_step": 3}, workspace.last)
    workspace.resume(CONFIG.replace("folder: a", "folder: b").replace("false", "true") + "  threads: 3\n")


def test_resume_without_checkpoint_or_run_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="before its first checkpoint"):
        workspace.resume(CONFIG)
    with pytest.raises(ValueError, match=r"config\.yaml of an earlier run"):
        Workspace(tmp_path / "elsewhere").resume(CONFIG)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_corrupt_checkpoint_is_named(workspace: Workspace, content: bytes) -> None:
    workspace.last.write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.ckpt: expected a checkpoint"):
        workspace.resume(CONFIG)


def test_only_a_folder_that_cannot_be_gone_on_with_is_abandoned(workspace: Workspace) -> None:
    workspace.last.touch()
    assert not workspace.abandon()
    assert workspace.folder.exists()
    workspace.last.rename(workspace.last.with_name("best.ckpt"))
    assert workspace.abandon()
    assert not workspace.folder.exists()


def test_weights_come_back_as_they_were(workspace: Workspace) -> None:
    trained, fresh = learner(), learner()
    workspace.save_weights(trained)
    workspace.load_weights(fresh)
    for name in ("encoder", "projector"):
        state = trained.get_submodule(name).state_dict()
        for key, value in fresh.get_submodule(name).state_dict().items():
            assert torch.equal(value, state[key])


def test_weights_hold_what_the_objective_needs_to_activate(workspace: Workspace) -> None:
    trained, fresh = learner(), learner()
    trained.objective.update(Embeddings(*[torch.randn(2, 8, 4)] * 2))
    workspace.save_weights(trained)
    workspace.load_weights(fresh)
    z = torch.randn(3, 4)
    torch.testing.assert_close(fresh.objective.activate(z), trained.objective.activate(z))
    assert not torch.equal(fresh.objective.activate(z), z.relu())


def test_other_weights_are_refused(workspace: Workspace) -> None:
    workspace.save_weights(learner(width=7))
    with pytest.raises(ValueError, match="expected the weights of this projector"):
        workspace.load_weights(learner())


def test_missing_and_corrupt_weights_are_refused(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="the run has not ended"):
        workspace.load_weights(learner())
    workspace.weights.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        workspace.load_weights(learner())


def test_text_is_replaced_in_one_go(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "new")]


def test_absent_and_null_settings_are_equal() -> None:
    assert differing_keys({"a": {"b": None}}, {"a": {}}) == []
    assert differing_keys({"a": {"b": 1}}, {"a": {}}) == ["a.b (1 -> None)"]

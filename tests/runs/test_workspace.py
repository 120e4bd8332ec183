"""The run folder: when it may be written to, and what it refuses to read."""

from pathlib import Path

import pytest
import torch

from jointlaw.runs._folder import Workspace, differing_keys, environment

CONFIG = {"method": "m", "p": 1.0, "run": {"folder": "a", "seed": 0, "resume": False}}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "run")
    workspace.start(CONFIG)
    return workspace


def test_a_new_folder_holds_configuration_and_environment(workspace: Workspace) -> None:
    assert workspace.read_config() == CONFIG
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
        workspace.resume({**CONFIG, "p": 2.0, "run": {"folder": "a", "seed": 3, "resume": False}})


def test_resume_may_differ_in_what_is_not_learned(workspace: Workspace) -> None:
    torch.save({"global_step": 3}, workspace.last)
    workspace.resume({**CONFIG, "run": {"folder": "b", "seed": 0, "resume": True, "threads": 3}})


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


def test_a_file_of_weights_comes_back_and_a_changed_byte_is_named(workspace: Workspace) -> None:
    workspace.note((1, 8, 8), ("zero", "one"))
    workspace.write_weights("encoder.safetensors", b"weights")
    workspace.write_weights("decoder.safetensors", b"more")
    assert workspace.read_weights("encoder.safetensors", "") == b"weights"
    assert workspace.read_facts()["classes"] == ["zero", "one"]
    (workspace.folder / "decoder.safetensors").write_bytes(b"mord")
    with pytest.raises(ValueError, match=r"decoder\.safetensors: expected the weights that were written here"):
        workspace.read_weights("decoder.safetensors", "")
    assert workspace.read_weights("encoder.safetensors", "") == b"weights"


def test_missing_weights_and_facts_are_refused(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match=r"encoder\.safetensors: expected a file of weights, found none. Train first"):
        workspace.read_weights("encoder.safetensors", "Train first.")
    with pytest.raises(ValueError, match=r"expected a run folder with run\.json"):
        workspace.read_facts()
    workspace.facts.write_text("[]")
    with pytest.raises(ValueError, match="expected the facts of a run"):
        workspace.read_facts()


def test_noting_the_data_again_keeps_the_digests(workspace: Workspace) -> None:
    workspace.note((5,), ())
    workspace.write_weights("encoder.safetensors", b"weights")
    workspace.note((5,), ("a",))
    assert workspace.read_weights("encoder.safetensors", "") == b"weights"


def test_figures_are_added_and_stale_ones_dropped(workspace: Workspace) -> None:
    workspace.add_results({"a.x": 1.0, "b": None})
    workspace.add_results({"c": 2.0}, "a.")
    assert workspace.read_results() == {"b": None, "c": 2.0}


def test_absent_and_null_settings_are_equal() -> None:
    assert differing_keys({"a": {"b": None}}, {"a": {}}) == []
    assert differing_keys({"a": {"b": 1}}, {"a": {}}) == ["a.b (1 -> None)"]

"""The same through Lightning: two processes under its DDP strategy against one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch


def run(script: str, devices: int, path: Path) -> None:
    command = [sys.executable, Path(__file__).with_name(script), str(devices), path]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def trained(devices: int, folder: Path) -> dict[str, Any]:
    run("lightning_run.py", devices, folder / f"{devices}.pt")
    return torch.load(folder / f"{devices}.pt", weights_only=True)


@pytest.mark.slow
def test_a_learner_on_two_processes_is_the_learner_on_one(tmp_path: Path) -> None:
    alone, two = trained(1, tmp_path), trained(2, tmp_path)
    assert alone["losses"].numel() == 3
    torch.testing.assert_close(two["losses"], alone["losses"], rtol=1e-5, atol=0)
    assert two["state"].keys() == alone["state"].keys()
    for name, expected in alone["state"].items():
        torch.testing.assert_close(two["state"][name], expected, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_the_network_of_several_processes_is_saved_with_the_moments_and_thresholds_of_one(
    devices: int, tmp_path: Path
) -> None:
    """Weights stand still, so that the numbers are those of the same network."""
    for count in (1, devices):
        run("settled_run.py", count, tmp_path / str(count))
    alone, several = (torch.load(tmp_path / str(count) / "state.pt", weights_only=True) for count in (1, devices))
    assert several.keys() == alone.keys()
    for name, expected in alone.items():
        torch.testing.assert_close(several[name], expected, rtol=1e-6, atol=1e-7, msg=name)

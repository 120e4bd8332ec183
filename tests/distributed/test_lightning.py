"""The same through Lightning: two processes under its DDP strategy against one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch


def run(devices: int, folder: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("lightning_run.py")
    file = folder / f"{devices}.pt"
    done = subprocess.run(
        [sys.executable, script, str(devices), file], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return torch.load(file, weights_only=True)


@pytest.mark.slow
def test_a_learner_on_two_processes_is_the_learner_on_one(tmp_path: Path) -> None:
    alone, two = run(1, tmp_path), run(2, tmp_path)
    assert alone["losses"].numel() == 3
    torch.testing.assert_close(two["losses"], alone["losses"], rtol=1e-5, atol=0)
    assert two["state"].keys() == alone["state"].keys()
    for name, expected in alone["state"].items():
        torch.testing.assert_close(two["state"][name], expected, rtol=1e-4, atol=1e-5, msg=name)

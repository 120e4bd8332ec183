"""Importing the mathematics is light and leaves no trace."""

import subprocess
import sys

import pytest

HEAVY = ("pytorch_lightning", "torchvision", "sklearn", "timm", "plotly", "torchmetrics", "jsonargparse", "pandas")


@pytest.mark.parametrize("modules", ["jointlaw", "jointlaw.laws, jointlaw.objectives._lpjepa, jointlaw.networks"])
def test_importing_loads_nothing_heavy_and_changes_no_global_state(modules: str) -> None:
    program = f"""
import sys
import torch
from torch.distributions import Distribution

def state():
    return (
        Distribution._validate_args,
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_rng_state().sum().item(),
    )

torch.manual_seed(0)
before = state()
import {modules}
assert state() == before, (before, state())
heavy = [name for name in {HEAVY!r} if name in sys.modules]
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

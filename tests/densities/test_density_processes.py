"""Moving statistics of several processes are those of the global batch, on every process."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from jointlaw.densities import Deterministic, MixtureDensityNetwork, Moving, MovingScale, Prototypes

WORLD, BATCH, STEPS = 2, 24, 3


def batch(step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(BATCH, 4, generator=generator, dtype=torch.float64) + step


def state(rank: int, world: int) -> dict[str, Tensor]:
    """Buffers after a few updates in which this process holds every ``world``-th sample."""
    torch.manual_seed(0)
    densities = nn.ModuleDict(
        {
            "moving": Moving(4),
            "network": MixtureDensityNetwork(4, 4, components=2),
            "shared": Prototypes(4, 3, scale=MovingScale(4)),
            "own": Prototypes(4, 3, scale=MovingScale(4, components=3)),
            "deterministic": Deterministic(4, 4),
        }
    ).double()
    for step in range(STEPS):
        part = batch(step)[rank::world]
        for density in densities.values():
            density.update(part)
    densities["deterministic"].calibrate(part, part)
    return dict(densities.named_buffers())


def run(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=WORLD)
    torch.save(state(rank, WORLD), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_moving_statistics_are_those_of_the_global_batch(tmp_path):
    alone = state(0, 1)
    torch.multiprocessing.spawn(run, (tmp_path,), nprocs=WORLD)
    for rank in range(WORLD):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt", weights_only=True), alone, rtol=1e-6, atol=1e-9)

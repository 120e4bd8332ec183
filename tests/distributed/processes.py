"""A few training steps on one process or several that share a batch: what every process saw, brought back together."""

import copy
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import Tensor, nn

from jointlaw.distributed import mean_across_ranks, rank, world_size
from jointlaw.objectives import Objective
from jointlaw.types import Embeddings

STEPS, VIEWS, BATCH, INPUTS, DIM = 3, 3, 32, 12, 64
HIDDEN = 96  # enough for embeddings of full rank: eigen slices of an empty direction would be arbitrary


class Moments(nn.Module):
    """Batch normalisation by the moments of all processes (torch's own SyncBatchNorm knows no CPU)."""

    def __init__(self, width: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[B, width]``."""
        mean = mean_across_ranks(x.mean(0))
        variance = mean_across_ranks((x - mean).square().mean(0))
        count = len(x) * world_size()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        return (x - mean) * (variance + 1e-5).rsqrt() * self.weight + self.bias


class Step(nn.Module):
    """Network and objective as one module, as a learner has them."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(INPUTS, HIDDEN, bias=False), Moments(HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM)
        )
        self.objective = objective
        self.slow = copy.deepcopy(self.network).requires_grad_(False) if objective.uses_target_network else None

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor], Embeddings]:
        """Loss, terms and embeddings of samples ``[V, b, INPUTS]``."""
        context = self.network(x.flatten(0, 1)).view(*x.shape[:2], -1)
        target = context.detach()
        if self.slow is not None:
            with torch.no_grad():
                target = self.slow(x.flatten(0, 1)).view_as(context)
        z = Embeddings(context, target)
        outcome = self.objective(z)
        return outcome.loss, outcome.terms, Embeddings(context.detach(), target)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the slow network, after an optimiser step."""
        if self.slow is not None:
            for slow, fast in zip(self.slow.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 0.1)


def samples() -> Tensor:
    """Batches ``[STEPS, VIEWS, BATCH, INPUTS]`` of related views."""
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(STEPS, 1, BATCH, INPUTS, generator=generator, dtype=torch.float64)
    own = torch.randn(STEPS, VIEWS, BATCH, INPUTS, generator=generator, dtype=torch.float64)
    return shared + 0.5 * own


def train(build: Callable[[], Objective]) -> dict[str, Any]:
    """Three steps on this process's part of every batch; what was computed, by name."""
    torch.manual_seed(0)
    step = Step(build()).double()
    optimizer = torch.optim.SGD([p for p in step.parameters() if p.requires_grad], lr=1e-3)
    seen: dict[str, Any] = {}
    for number, batch in enumerate(samples()):
        share = BATCH // world_size()
        optimizer.zero_grad()
        loss, terms, z = step(batch[:, rank() * share : (rank() + 1) * share])
        loss.backward()
        average_gradients(step)
        seen |= {f"mean {number} loss": loss.detach()} | {f"mean {number} {name}": term for name, term in terms.items()}
        seen |= {
            f"gradient {number} {name}": p.grad.clone() for name, p in step.named_parameters() if p.grad is not None
        }
        with torch.no_grad():
            step.objective.update(z)
        optimizer.step()
        step.follow()
    return seen | {f"state {name}": value for name, value in step.state_dict().items()}


def average_gradients(module: nn.Module) -> None:
    """As DistributedDataParallel does, which would also hand out buffers and so hide how they drift."""
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.grad = mean_across_ranks(parameter.grad)


def together(world: int, task: Callable[[], Any]) -> list[Any]:
    """What ``task`` (of a module, hence importable) returns on each of ``world`` processes."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_process, (world, Path(folder), task), nprocs=world)
        return [torch.load(Path(folder) / f"{number}.pt", weights_only=True) for number in range(world)]


def _process(number: int, world: int, folder: Path, task: Callable[[], Any]) -> None:
    torch.set_num_threads(1)
    if world > 1:
        address = (folder / "address").as_uri()
        dist.init_process_group("gloo", address, timedelta(minutes=2), world_size=world, rank=number)
    torch.save(task(), folder / f"{number}.pt")
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()

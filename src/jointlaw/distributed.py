"""Statistics over every process; the identity where there is one process.

The process group is looked up at call time: it may be created after the objective.
"""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
from torch import Tensor


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Index of this process, 0 where there is one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather(x: Tensor, dim: int = 0) -> Tensor:
    """Concatenate ``x`` of all processes along ``dim``; gradients reach the process that owns each part.

    The backward pass sums the gradients of all processes. A loss computed on every process from the gathered
    tensor therefore yields ``world`` times its gradient on each part, which the averaging of
    ``DistributedDataParallel`` over processes turns into exactly the gradient of the global loss.
    """
    if world_size() == 1:
        return x
    parts = differentiable.all_gather(x.contiguous())  # type: ignore[no-untyped-call]
    return torch.cat(list(parts), dim=dim)


def mean_across_ranks(x: Tensor) -> Tensor:
    """Average a tensor over processes (differentiable: each process gets its share of the gradient)."""
    if world_size() == 1:
        return x
    total: Tensor = differentiable.all_reduce(x.contiguous())  # type: ignore[no-untyped-call]
    return total / world_size()

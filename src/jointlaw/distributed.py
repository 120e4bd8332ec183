"""Statistics over every process; the identity where there is one process.

The process group is looked up at call time: it may be created after the objective.

Gradients follow one rule, that of ``DistributedDataParallel``: what is minimised is the mean over processes of their
losses, and each process differentiates the sum of them. A backward pass therefore adds up what all processes ask of a
tensor, and the averaging of parameter gradients afterwards divides by their number.

>>> world_size(), mean_across_ranks(torch.tensor(3.0))
(1, tensor(3.))
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["gather", "mean_across_ranks", "rank", "world_size"]


def world_size() -> int:
    """Number of processes that train together.

    >>> world_size()
    1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Index of this process, 0 where there is one.

    >>> rank()
    0
    """
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def gather(x: Tensor, dim: int = 0) -> Tensor:
    """Concatenate ``x`` of all processes along ``dim``; gradients reach the process that owns each part.

    The backward pass sums the gradients of all processes. A loss computed on every process from the gathered
    tensor therefore yields ``world`` times its gradient on each part, which the averaging of
    ``DistributedDataParallel`` over processes turns into exactly the gradient of the global loss.

    Args:
        x: of one shape on all processes.
        dim: along which parts are laid, in the order of ranks.

    >>> gather(torch.arange(3))  # of one process: the tensor itself
    tensor([0, 1, 2])
    """
    if world_size() == 1:
        return x
    gathered: Tensor = _Gather.apply(x, dim)
    return gathered


def mean_across_ranks(x: Tensor) -> Tensor:
    """Average a tensor over processes (differentiable: each process gets its share of the gradient).

    The backward pass averages the gradients of all processes: a loss computed on every process from the mean gives
    each process the gradient of the global loss by its own tensor, times ``world`` for the mean's ``1 / world``, as
    `gather` does.

    Args:
        x: of one shape on all processes.

    >>> mean_across_ranks(torch.tensor(2.0))  # of one process: the tensor itself
    tensor(2.)
    """
    if world_size() == 1:
        return x
    mean: Tensor = _Mean.apply(x)
    return mean


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int) -> Tensor:
        ctx.dim, ctx.size = dim, x.shape[dim]
        part = x.contiguous()
        parts = [torch.empty_like(part) for _ in range(world_size())]
        dist.all_gather(parts, part)
        return torch.cat(parts, dim)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        total = _summed(upstream)
        return total.narrow(ctx.dim, rank() * ctx.size, ctx.size), None


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return _summed(x) / world_size()

    @staticmethod
    @once_differentiable
    def backward(_: Any, upstream: Tensor) -> Tensor:
        return _summed(upstream) / world_size()


def _summed(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)  # the collective works in place
    dist.all_reduce(total)
    return total

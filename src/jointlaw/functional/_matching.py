"""Sliced 2-Wasserstein distance between a batch and sorted targets, streamed over slices."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from jointlaw._untraced import untraced
from jointlaw.functional._slicing import Block
from jointlaw.functional._sorting import ranks_to_samples


class Piece(NamedTuple):
    """A block of slices with its sorted targets.

    Attributes:
        weight: of each slice of the block in the total.
        block: n slices.
        target: ``[n, V, B]`` or ``[n, 1, B]`` (shared by the views), ascending along the batch.
    """

    weight: float
    block: Block
    target: Tensor


def streamed_wasserstein(columns: Tensor, views: int, pieces: Iterable[Piece]) -> Tensor:
    r"""Match the sorted projections of every view to sorted targets.

    .. math:: \sum_i w_i \frac{1}{V B} \sum_{v, b} (\operatorname{sort}(c_i^\top z_v)_b - t_{i v b})^2

    Reductions: weighted sum over slices (weights that sum to one make it a mean), mean over views and batch.
    Units: squared embedding units.

    The gradient has a closed form, ``2 w_i (c_i^T z - t[rank]) c_i / (V B)`` summed over slices, and is formed in
    the forward pass, block by block: memory grows with ``D M`` and the size of a block, never with the number of
    slices. It can be differentiated once. Half precision is computed in float32, also under autocast.

    ``torch.compile`` breaks the graph here: the pieces are drawn lazily and the CPU sort runs in NumPy, which a
    tracer could only unroll block by block.

    Args:
        columns: embeddings ``[D, V B]``, one sample per column, view after view.
        views: V.
        pieces: blocks with their targets; consumed one at a time.
    """
    value: Tensor = _untraced(columns, views, pieces)
    return value


class _Streamed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, columns: Tensor, views: int, pieces: Iterable[Piece]) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        with torch.autocast(columns.device.type, enabled=False):
            x = columns if columns.dtype == torch.float64 else columns.float()
            value = torch.zeros((), dtype=torch.float64, device=x.device)
            gradient = torch.zeros_like(x) if wanted else None
            for weight, block, target in pieces:
                gap = block.project(x).view(block.count, views, -1)  # [n, V, B]
                gap -= _placed(target, ranks_to_samples(gap))
                value += weight * torch.linalg.vector_norm(gap, dim=-1).double().square().sum()
                if gradient is not None:
                    gradient.add_(block.lift(gap.view(block.count, -1)), alpha=weight)
            scale = 1 / x.shape[1]
            if gradient is not None:
                ctx.save_for_backward(gradient.mul_(2 * scale))
            return (value * scale).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


_untraced = untraced(_Streamed.apply)


def _placed(target: Tensor, order: Tensor) -> Tensor:
    """Move the r-th target to the sample of rank r."""
    return torch.empty(order.shape, dtype=target.dtype, device=target.device).scatter_(
        -1, order, target.expand(order.shape)
    )


def sliced_wasserstein(z: Tensor, y: Tensor, slices: Tensor) -> Tensor:
    """Plain, differentiable two-sample form, as the official code writes it: the reference of tests and benchmarks.

    Mean over slices and batch of ``(sort(z c_i) - sort(y c_i))^2``, squared embedding units.

    Args:
        z: embeddings ``[B, D]``.
        y: a sample of the law ``[B, D]``.
        slices: ``[N, D]`` unit rows.

    Source: Kuang et al. (2026), arXiv 2602.01456. Differs from the authors' code in: the sort is
    stable, so that ties have one gradient.

    >>> z = torch.tensor([[0.0], [1.0]])
    >>> sliced_wasserstein(z, z.flip(0) + 2, torch.ones(1, 1))  # the order of a batch does not matter, its place does
    tensor(4.)
    """
    projected, target = z @ slices.T, y @ slices.T  # [B, N]
    gap = projected.sort(dim=0, stable=True).values - target.sort(dim=0, stable=True).values
    return gap.square().mean()

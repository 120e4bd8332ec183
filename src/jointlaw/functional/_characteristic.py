r"""SIGReg: the distance between the characteristic functions of a batch and of the standard normal law.

For a slice c and its projections ``u_b = c^T z_b`` the statistic of Epps and Pulley is

.. math:: T(c) = B \int \left| \tfrac{1}{B} \sum_b e^{i t u_b} - e^{-t^2/2} \right|^2 e^{-t^2/2} \, dt

by the trapezoid rule on 17 nodes in [0, 3], doubled for t < 0. Samples of the law score about 1.05 whatever the batch
size, a batch that has collapsed to the origin ``0.40 B``. The rule has nodes 3/16 apart, so it takes projections 33.5
apart for equal: far outside the law the statistic rings.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from jointlaw._untraced import untraced
from jointlaw.functional._slicing import Block
from jointlaw.functional._sphere import Radial, radials

ROWS = 256  # samples whose distances to all others are held at once


class Nodes(NamedTuple):
    """The quadrature, less its node at zero, where every characteristic function is one.

    Attributes:
        t: places, multiples of the first.
        weight: both signs of t, times the window ``exp(-t^2 / 2)``.
        normal: the law's characteristic function.
    """

    t: tuple[float, ...]
    weight: tuple[float, ...]
    normal: tuple[float, ...]


def trapezoid(reach: float = 3.0, count: int = 17) -> Nodes:
    """The published nodes; the last of them has half a weight."""
    step = reach / (count - 1)
    t = tuple(step * k for k in range(1, count))
    normal = tuple(math.exp(-(x**2) / 2) for x in t)
    ends = (1.0,) * (count - 2) + (0.5,)
    return Nodes(t, tuple(2 * step * end * value for end, value in zip(ends, normal, strict=True)), normal)


NODES = trapezoid()


def sliced_characteristic(columns: Tensor, views: int, pieces: Iterable[tuple[float, Block]]) -> Tensor:
    r"""SIGReg over given slices, ``sum_i w_i mean_v T_v(c_i)``.

    Reductions: weighted sum over slices (weights that sum to one make it a mean), mean over views, times the batch
    size (not divided by it). Dimensionless.

    Cosines and sines are taken once; those of the other nodes follow by ``cos (k+1)x = 2 cos x cos kx - cos (k-1)x``.
    The gradient has a closed form and is formed in the forward pass, block by block: memory grows with ``D M`` and the
    size of a block, never with the number of slices or nodes. It can be differentiated once. Half precision is
    computed in float32, also under autocast. ``torch.compile`` breaks the graph here, because slices are drawn lazily.

    Args:
        columns: embeddings ``[D, V B]``, one sample per column, view after view.
        views: V.
        pieces: blocks of slices, each with the weight of one of its slices; consumed one at a time.

    Source: Balestriero and LeCun (2025), arXiv 2511.08544, eq. of SIGReg with the Epps-Pulley statistic.
    Differs from the authors' code in: the recurrence and the closed form, to rounding.
    """
    value: Tensor = _sliced(columns, views, pieces)
    return value


def sphere_characteristic(rows: Tensor, batch: Tensor) -> Tensor:
    r"""SIGReg averaged over every direction of the sphere, without slices: the part of the given rows.

    With ``Omega_D`` the mean of a cosine over the sphere (`jointlaw.functional._sphere`), nodes t of weight w and
    ``g = exp(-t^2/2)``,

    .. math:: \mathbb{E}_c T(c) = \sum_a \Big( \tfrac{1}{B} \sum_b K(\|z_a - z_b\|) - 2 G(\|z_a\|) + C \Big), \quad
        K(r) = \sum_t w_t \Omega_D(t r), \quad G(r) = \sum_t w_t g_t \Omega_D(t r), \quad C = \sum_t w_t g_t^2

    Reductions: sum over the given rows a, mean over views. The parts of all rows of the batch add up to the mean of
    `sliced_characteristic` over infinitely many uniform slices. The gradient by a row is that of *the whole*, so that
    processes can share rows out. Costs ``O(b B D)`` and memory for 256 rows of distances; kernels are read from tables
    with an error below 1e-8. It can be differentiated once. Half precision is computed in float32, under autocast too.

    Below eight units kernels ring for so long that their tables end at a distance of 1,024, far outside the law, with
    zero; a width of one has no sphere to average over.

    Args:
        rows: ``[V, b, D]``, D >= 2; the gradient is theirs.
        batch: ``[V, B, D]``, all samples, those rows included; a constant.

    Raises:
        ValueError: for embeddings of one unit.

    Source: ours; Bochner's and Schoenberg's radial kernels for SIGReg, Balestriero and LeCun (2025), arXiv 2511.08544.
    """
    if rows.shape[-1] < 2:
        raise ValueError(
            "sphere_characteristic: expected at least 2 units, found 1. All directions of a line are one: take a "
            "single slice instead."
        )
    value: Tensor = _sphere(rows, batch)
    return value


def sigreg(z: Tensor, slices: Tensor) -> Tensor:
    """Plain, differentiable sliced form, as the official code writes it: the reference of tests and benchmarks.

    Args:
        z: embeddings ``[B, D]``.
        slices: ``[N, D]`` unit rows.

    Source: Balestriero and LeCun (2025), arXiv 2511.08544. Differs from the authors' code in: nothing.

    >>> z = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> slices = torch.eye(4)
    >>> bool(sigreg(z, slices) < 3), round(sigreg(torch.zeros(200, 4), slices).item() / 200, 2)
    (True, 0.4)
    """
    t = torch.linspace(0, 3, 17, dtype=z.dtype, device=z.device)
    window = (-t.square() / 2).exp()
    weight = torch.full_like(t, 2 * 3 / 16)
    weight[[0, -1]] = 3 / 16
    angles = (z @ slices.T).unsqueeze(-1) * t  # [B, N, 17]
    gap = (angles.cos().mean(0) - window).square() + angles.sin().mean(0).square()
    return (gap @ (weight * window)).mean() * z.shape[0]


class _Sliced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, columns: Tensor, views: int, pieces: Iterable[tuple[float, Block]]) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        with torch.autocast(columns.device.type, enabled=False):
            x = columns if columns.dtype == torch.float64 else columns.float()
            value = torch.zeros((), dtype=torch.float64, device=x.device)
            gradient = torch.zeros_like(x) if wanted else None
            for weight, block in pieces:
                projections = block.project(x).view(block.count, views, -1)  # [n, V, B]
                gaps, slope = _epps_pulley(projections, wanted)
                value += weight * gaps.sum(dtype=torch.float64)
                if gradient is not None:
                    gradient.add_(block.lift(slope.view(block.count, -1)), alpha=weight / views)
            if gradient is not None:
                ctx.save_for_backward(gradient)
            return (value * (x.shape[1] / views**2)).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


class _Sphere(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, batch: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, enabled=False):
            x, y = (z if z.dtype == torch.float64 else z.float() for z in (rows, batch))
            pairs, norms = _kernels(x.shape[-1], x.device, x.dtype)
            parts = [_whole_sphere(*view, pairs, norms) for view in zip(x, y, strict=True)]
            ctx.save_for_backward(torch.stack([gradient for _, gradient in parts]) / len(parts))
            return torch.stack([value for value, _ in parts]).mean().to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None


_sliced = untraced(_Sliced.apply)
_sphere = untraced(_Sphere.apply)


def _epps_pulley(u: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
    """``T / B`` ``[n, V, 1]`` of projections ``[n, V, B]``, and the derivative of T by each projection."""
    cosine, sine = (u * NODES.t[0]).cos_(), (u * NODES.t[0]).sin_()
    twice = 2 * cosine
    cosine_before, sine_before = torch.ones_like(u), torch.zeros_like(u)
    sign, sign_before = 1, 1  # tensors hold the values times these: one fused operation a step instead of two
    gaps, slope = u.new_zeros(*u.shape[:-1], 1), torch.zeros_like(u)
    for t, weight, normal in zip(*NODES, strict=True):
        real = cosine.mean(-1, keepdim=True).mul_(sign).sub_(normal)
        imaginary = sine.mean(-1, keepdim=True).mul_(sign)
        gaps += weight * (real.square() + imaginary.square())
        if wanted:
            slope.addcmul_(cosine, imaginary, value=2 * weight * t * sign)
            slope.addcmul_(sine, real, value=-2 * weight * t * sign)
        factor = -sign_before * sign
        cosine_before.addcmul_(twice, cosine, value=factor)
        sine_before.addcmul_(twice, sine, value=factor)
        cosine, cosine_before, sine, sine_before = cosine_before, cosine, sine_before, sine
        sign, sign_before = -sign_before, sign
    return gaps, slope


def _whole_sphere(rows: Tensor, batch: Tensor, pairs: Radial, norms: Radial) -> tuple[Tensor, Tensor]:
    """The part of ``rows`` [b, D] in the mean statistic of ``batch`` [B, D], in float64, and the whole's gradient."""
    count = batch.shape[0]
    centre = batch.mean(0)  # distances do not see it, and are the more precise without it
    x, y = rows - centre, batch - centre
    lengths = y.square().sum(1)
    value, slope = norms.at(rows.square().sum(1))
    constant = sum(w * g**2 for w, g in zip(NODES.weight, NODES.normal, strict=True))
    total = constant * len(rows) - 2 * value.sum(dtype=torch.float64)
    gradient = rows * (-4 * slope.unsqueeze(1))
    for part, into in zip(x.split(ROWS), gradient.split(ROWS), strict=True):  # type: ignore[no-untyped-call]
        square = torch.addmm(part.square().sum(1, keepdim=True) + lengths, part, y.T, alpha=-2)  # [b', B]
        value, slope = pairs.at(square)
        total += value.sum(dtype=torch.float64) / count
        into.addcmul_(part, slope.sum(1, keepdim=True), value=4 / count).addmm_(slope, y, alpha=-4 / count)
    return total, gradient


def _kernels(dim: int, device: torch.device, dtype: torch.dtype) -> tuple[Radial, ...]:
    """Of pairs of samples, and of samples with the law."""
    crossed = tuple(w * g for w, g in zip(NODES.weight, NODES.normal, strict=True))
    return radials(dim, NODES.t, (NODES.weight, crossed), device, dtype)

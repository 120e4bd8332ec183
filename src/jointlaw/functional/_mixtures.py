"""Log-densities of the components of a Gaussian mixture, without a tensor of every sample's distance to every mean."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from jointlaw.functional._linalg import arrange, squeeze, whiten, wide, without_autocast
from jointlaw.functional._triangular import lower_inverse, lower_product, times_lower, times_lower_transposed

CHUNK = 2**20  # numbers handled at once by the loop over components: groups keep every thread busy
KEPT = 2**25  # most numbers kept from the forward pass for the backward pass; beyond it they are formed anew
LOG_2PI = math.log(2 * math.pi)


@without_autocast
def component_log_densities(value: Tensor, loc: Tensor, scale_tril: Tensor) -> Tensor:
    r"""Log N(x; m_k, S_k) of every component, ``[*, K]`` in float64, in nats.

    .. math:: -\frac{1}{2} (x - m_k)^\top S_k^{-1} (x - m_k) - \frac{1}{2} \log\det S_k - \frac{E}{2} \log 2 \pi

    A covariance shared by all components whitens values and means once and takes all distances by one matrix product,
    in float64 since it cancels; so do independent coordinates. Components with a factor each are visited in turn, with
    the gradient formed anew in the backward pass: memory holds no ``[B, K, E]`` unless ``loc`` itself has a batch.
    (With more samples than coordinates, that path can be differentiated once.)

    Args:
        value: ``[*, E]``.
        loc: means ``[*, K, E]``.
        scale_tril: Cholesky factors ``[*, K, E, E]`` (one dimension more than ``loc``), or standard deviations of
            independent coordinates ``[*, K, E]`` or ``[*, K, 1]``. Size 1 in the place of K or of a batch dimension
            is shared, without a copy.
    """
    dtype = torch.promote_types(torch.promote_types(value.dtype, loc.dtype), torch.float32)
    value, loc, scale_tril = value.to(dtype), loc.to(dtype), scale_tril.to(dtype)
    matrix = scale_tril.ndim == loc.ndim + 1
    if scale_tril.shape[-3 if matrix else -2] == 1:
        return _shared(value, loc, scale_tril, matrix)
    if not matrix:
        return _independent(value, loc, scale_tril)
    rows, restore = arrange(value, loc.shape[:-2])
    if squeeze(loc, 2).ndim == 2 and squeeze(scale_tril, 3).ndim == 3 and rows.shape[0] >= rows.shape[1]:
        result: Tensor = _Streamed.apply(rows, squeeze(loc, 2), squeeze(scale_tril, 3))
        return restore(result)
    components = zip(loc.unbind(-2), scale_tril.unbind(-3), strict=True)
    return torch.stack([_full(value - mean, factor) for mean, factor in components], -1)


def log_det(scale_tril: Tensor, matrix: bool, dim: int) -> Tensor:
    """Half the logarithm of det S, in float64: the sum of the logarithms of the factor's diagonal, ``[*]``."""
    diagonal = scale_tril.diagonal(dim1=-2, dim2=-1) if matrix else scale_tril
    total = wide(diagonal).double().log().sum(-1)
    return total * dim if not matrix and scale_tril.shape[-1] == 1 else total


def _log_normaliser(scale_tril: Tensor, matrix: bool, dim: int) -> Tensor:
    return log_det(scale_tril, matrix, dim) + 0.5 * dim * LOG_2PI


def squared_distances(x: Tensor, points: Tensor) -> Tensor:
    """|x - m_k|^2 ``[*, K]`` in float64 of vectors ``[*, E]`` from points ``[*, K, E]`` by one matrix product."""
    x, points = x.double(), points.double()
    size = x.square().sum(-1, keepdim=True) + points.square().sum(-1)
    return (size - 2 * _inner(x, points)).clamp(min=0)


def _inner(x: Tensor, points: Tensor) -> Tensor:
    rows, restore = arrange(x, points.shape[:-2])
    return restore(rows @ squeeze(points, 2).mT)


def _centre(loc: Tensor) -> Tensor:
    """A point amid the means: what is subtracted before squares are taken. Its gradient is zero."""
    return loc.detach().mean(-2, keepdim=True)


def _shared(value: Tensor, loc: Tensor, scale_tril: Tensor, matrix: bool) -> Tensor:
    centre = _centre(loc)
    x, means = value - centre.squeeze(-2), loc - centre
    if matrix:
        x, means = whiten(x, scale_tril.squeeze(-3)), whiten(means, scale_tril)
    else:
        x, means = x / scale_tril.squeeze(-2), means / scale_tril
    constant = -_log_normaliser(scale_tril, matrix, loc.shape[-1]).expand(means.shape[:-1])
    rows, restore = arrange(x, means.shape[:-2])
    result: Tensor = _Kernel.apply(rows, squeeze(means, 2), squeeze(constant, 1))
    return restore(result)


class _Kernel(torch.autograd.Function):
    """-|x - m_k|^2 / 2 + c_k ``[*, N, K]`` in float64; the gradient, which does not cancel, in the dtype of x and m."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, means: Tensor, constant: Tensor) -> Tensor:
        ctx.save_for_backward(x, means)
        x, means = x.double(), means.double()
        size = x.square().sum(-1, keepdim=True)
        constant = (constant - 0.5 * means.square().sum(-1)).unsqueeze(-1)
        left = torch.cat([x, size, torch.ones_like(size)], -1)
        right = torch.cat([means, torch.full_like(constant, -0.5), constant], -1)
        return left @ right.mT

    @staticmethod
    @without_autocast
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, means = ctx.saved_tensors
        g = upstream.to(x.dtype)
        to_x = g @ means - g.sum(-1, keepdim=True) * x
        to_means = g.mT @ x - g.sum(-2).unsqueeze(-1) * means
        return to_x, to_means, upstream.sum(-2)


def _independent(value: Tensor, loc: Tensor, deviation: Tensor) -> Tensor:
    """One product of [x, x^2, 1] with precisions and pulls; one column serves all squares of a spherical law."""
    centre = _centre(loc)
    x, means = (value - centre.squeeze(-2)).double(), (loc - centre).double()
    precision = deviation.double() ** -2
    pull = means * precision
    constant = -0.5 * (means * pull).sum(-1) - _log_normaliser(deviation, False, loc.shape[-1])
    squares = x.square()
    if deviation.shape[-1] == 1:
        squares = squares.sum(-1, keepdim=True)
    precision = precision.expand(*pull.shape[:-1], squares.shape[-1])
    return _inner(
        torch.cat([x, squares, torch.ones_like(squares[..., :1])], -1),
        torch.cat([pull, -0.5 * precision, constant.unsqueeze(-1)], -1),
    )


def _full(gap: Tensor, factor: Tensor) -> Tensor:
    return -0.5 * whiten(gap, factor).double().square().sum(-1) - _log_normaliser(factor, True, gap.shape[-1])


class _Streamed(torch.autograd.Function):
    """Components with a factor each, one or a few at a time, by products with the inverse factors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loc: Tensor, factor: Tensor) -> Tensor:
        inverse = lower_inverse(factor)
        ctx.kept = [] if any(ctx.needs_input_grad) and x.numel() * loc.shape[0] <= KEPT else None
        ctx.save_for_backward(x, loc, inverse)
        distance = x.new_empty(loc.shape[0], x.shape[0])  # [K, N]
        for part in _parts(x, loc):
            white = _whitened(x, loc[part], inverse[part])
            distance[part] = white.square().sum(-1)
            if ctx.kept is not None:
                ctx.kept.append(white)
        return -0.5 * distance.T.double() - _log_normaliser(factor, True, x.shape[-1])  # [N, K]

    @staticmethod
    @once_differentiable
    @without_autocast
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, loc, inverse = ctx.saved_tensors
        g = upstream.T.to(x.dtype).unsqueeze(-1)  # [K, N, 1]
        to_x, to_loc = torch.zeros_like(x), torch.empty_like(loc)
        to_factor = torch.empty_like(inverse) if ctx.needs_input_grad[2] else None
        for i, part in enumerate(_parts(x, loc)):
            root = inverse[part]
            white = _whitened(x, loc[part], root) if ctx.kept is None else ctx.kept[i]
            pull = times_lower(g[part] * white, root)  # g (x - m)^T S^-1, [N, E] of each component
            to_x -= pull if pull.ndim == 2 else pull.sum(0)
            to_loc[part] = pull.sum(-2)
            if to_factor is not None:
                step = lower_product(pull, white)
                step.diagonal(dim1=-2, dim2=-1).sub_(g[part].sum(-2) * root.diagonal(dim1=-2, dim2=-1))
                to_factor[part] = step
        return to_x, to_loc, to_factor


def _parts(x: Tensor, loc: Tensor) -> Sequence[int | slice]:
    """Components one by one where a batch is large, else in groups."""
    count, step = loc.shape[0], CHUNK // max(1, x.numel())
    return range(count) if step <= 1 else [slice(start, start + step) for start in range(0, count, step)]


def _whitened(x: Tensor, loc: Tensor, inverse: Tensor) -> Tensor:
    """L_k^-1 (x - m_k), ``[N, E]`` of each component."""
    return times_lower_transposed(x - loc.unsqueeze(-2), inverse)


def log_weights(logits: Tensor) -> Tensor:
    """Normalised logarithms of the weights, in float64; components with logit -inf are empty."""
    return torch.log_softmax(logits.double(), -1)

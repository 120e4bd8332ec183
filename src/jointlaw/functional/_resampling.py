"""Resampling: how many copies of each weighted particle go on.

Every scheme returns counts whose expectation is ``draws * w``. Uniform numbers come from the given generator, on its
own device: a generator on the CPU draws the same for particles on any device, and on every process. Weights are
accumulated in float64, since a running sum of 100,000 of them is not safe in float32.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

Resampling: TypeAlias = Callable[[Tensor, int, Generator], Tensor]
"""``(log_weights [P], draws, generator) -> counts [P]``; log-weights need not be normalised, -inf is never drawn."""


def systematic(log_weights: Float[Tensor, " pool"], draws: int, generator: Generator) -> Int[Tensor, " pool"]:
    r"""One uniform number for all draws: the points ``(i + u) / draws`` on the cumulative weights.

    Every count is ``draws * w`` rounded down or up.

    Source: Kitagawa (1996), Journal of Computational and Graphical Statistics 5(1).
    Differs from the authors' code in: nothing.

    >>> systematic(torch.tensor([0.5, 0.25, 0.25]).log(), 4, torch.Generator().manual_seed(0)).tolist()
    [2, 1, 1]
    """
    scaled = draws * _cumulative(_normalised(log_weights))
    return _differences((scaled - _uniform(1, log_weights, generator)).ceil().long())


def stratified(log_weights: Float[Tensor, " pool"], draws: int, generator: Generator) -> Int[Tensor, " pool"]:
    """One uniform number per draw, each in its own interval of length ``1 / draws``.

    Source: Kitagawa (1996), Journal of Computational and Graphical Statistics 5(1).
    Differs from the authors' code in: nothing.

    >>> stratified(torch.zeros(4), 4, torch.Generator().manual_seed(0)).sum()
    tensor(4)
    """
    scaled = draws * _cumulative(_normalised(log_weights))
    whole = scaled.floor().long()
    offset = _uniform(draws, log_weights, generator)[whole.clamp(max=draws - 1)]
    return _differences(whole + (offset < scaled - whole))


def multinomial(log_weights: Float[Tensor, " pool"], draws: int, generator: Generator) -> Int[Tensor, " pool"]:
    """Independent draws.

    Source: Gordon, Salmond and Smith (1993), IEE Proceedings F 140(2).
    Differs from the authors' code in: nothing.

    >>> multinomial(torch.tensor([0.0, -torch.inf]), 5, torch.Generator().manual_seed(0))
    tensor([5, 0])
    """
    points = _sorted(draws, torch.tensor(draws, device=log_weights.device), generator)
    return _differences(torch.searchsorted(points, _cumulative(_normalised(log_weights))))


def residual(log_weights: Float[Tensor, " pool"], draws: int, generator: Generator) -> Int[Tensor, " pool"]:
    """``floor(draws * w)`` copies for certain, and independent draws by what is left over.

    Source: Liu and Chen (1998), Journal of the American Statistical Association 93(443).
    Differs from the authors' code in: nothing.

    >>> residual(torch.tensor([0.5, 0.5]).log(), 4, torch.Generator().manual_seed(0))
    tensor([2, 2])
    """
    expected = draws * _normalised(log_weights)
    certain = expected.floor()
    points = _sorted(draws, draws - certain.sum().long(), generator)
    return certain.long() + _differences(torch.searchsorted(points, _cumulative(expected - certain)))


RESAMPLING: dict[str, Resampling] = {
    "systematic": systematic,
    "stratified": stratified,
    "multinomial": multinomial,
    "residual": residual,
}


def effective_sample_size(
    log_weights: Float[Tensor, " pool"], counts: Int[Tensor, " pool"] | None = None
) -> Float[Tensor, ""]:
    r"""``(sum w)^2 / sum w^2``: how many equally weighted particles would be as good (a number of particles).

    Args:
        log_weights: need not be normalised; those of clones are stored together.
        counts: as how many clones, equal in weight, each entry counts (default: one each).

    Source: Kong, Liu and Wong (1994), Journal of the American Statistical Association 89(425).
    Differs from the authors' code in: nothing.

    >>> effective_sample_size(torch.tensor([0.5, 0.5, 0.0]).log())
    tensor(2., dtype=torch.float64)
    """
    weights = _normalised(log_weights)
    return 1 / (weights.square() if counts is None else weights.square() / counts.clamp(min=1)).sum()


def _normalised(log_weights: Tensor) -> Tensor:
    return log_weights.double().softmax(0)


def _cumulative(weights: Tensor) -> Tensor:
    """Running sums scaled to end in exactly 1, so that no point falls behind the last particle."""
    total = weights.cumsum(0)
    return total / total[-1].clamp(min=torch.finfo(total.dtype).tiny)


def _uniform(count: int, like: Tensor, generator: Generator) -> Tensor:
    drawn = torch.rand(count, generator=generator, dtype=torch.float64, device=generator.device)
    return drawn.to(like.device)


def _sorted(draws: int, real: Tensor, generator: Generator) -> Tensor:
    """Order statistics of ``real <= draws`` uniform numbers, then numbers above 1, so that no shape depends on real.

    Running sums of exponential spacings, scaled by the first sum behind the last number, need no sort.
    """
    sums = -torch.log1p(-_uniform(draws + 1, real, generator)).cumsum(0)
    points = (sums[:-1] / sums[real]).clamp(max=1 - torch.finfo(sums.dtype).eps)
    return points.masked_fill(torch.arange(draws, device=points.device) >= real, 2.0)


def _differences(reached: Tensor) -> Tensor:
    return reached.diff(prepend=reached.new_zeros(1))

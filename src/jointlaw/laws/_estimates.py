"""Monte-Carlo estimates with their errors, for what has no closed form."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.laws._law import Law

CHUNK = 2**22  # numbers drawn at once


class Estimate(NamedTuple):
    """A mean over draws.

    Attributes:
        value: ``[*batch]``.
        error: its standard error ``[*batch]``: the deviation over draws divided by the root of their number.
    """

    value: Tensor
    error: Tensor


class Bounds(NamedTuple):
    """What a number lies between.

    Attributes:
        lower: ``[*batch]``.
        upper: ``[*batch]``.
    """

    lower: Tensor
    upper: Tensor


@torch.no_grad()
def average(
    law: Law, function: Callable[[Tensor], Tensor], samples: int, generator: torch.Generator | None = None
) -> Estimate:
    """Mean of a function ``[S, *batch, E] -> [S, *batch]`` over draws of a law, a few draws at a time; no gradient.

    Raises:
        ValueError: if there are fewer than two samples.
    """
    check.at_least("average", 2, samples=samples)
    size = max(1, math.prod(law.batch_shape) * math.prod(law.event_shape))
    step = max(1, CHUNK // size)
    counts = [min(step, samples - start) for start in range(0, samples, step)]
    values = torch.cat([function(law.sample((count,), generator)).double() for count in counts])
    dtype = next(iter(law.tensors.values())).dtype
    return Estimate(values.mean(0).to(dtype), (values.std(0) / math.sqrt(samples)).to(dtype))


def estimate_kl(p: Law, q: Law, samples: int = 4096, generator: torch.Generator | None = None) -> Estimate:
    """KL(p || q) = E_p [log p - log q] of any two laws, in nats, by draws of p; no gradient.

    Args:
        p: the law drawn from.
        q: of the same event shape.
        samples: number of draws.
        generator: source of randomness on the law's device (default: torch's own).

    Raises:
        ValueError: if the event shapes differ.
    """
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"estimate_kl: expected laws of one event shape, found {list(p.event_shape)} and {list(q.event_shape)}. "
            "Take marginals first."
        )
    return average(p, lambda x: p.log_prob(x) - q.log_prob(x), samples, generator)

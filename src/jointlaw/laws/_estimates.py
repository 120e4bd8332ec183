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

    >>> from jointlaw.laws import JointMixture
    >>> law = JointMixture(torch.zeros(1), torch.zeros(1, 1), torch.ones(1, 1))
    >>> entropy = law.estimate_entropy(samples=1000, generator=torch.Generator().manual_seed(0))
    >>> bool((entropy.value - 1.4189).abs() < 4 * entropy.error)
    True
    """

    value: Tensor
    error: Tensor


class Bounds(NamedTuple):
    """What a number lies between.

    Attributes:
        lower: ``[*batch]``.
        upper: ``[*batch]``.

    >>> from jointlaw.laws import JointMixture
    >>> law = JointMixture(torch.zeros(2), torch.tensor([[0.0], [20.0]]), torch.ones(1, 1))
    >>> lower, upper = law.entropy_bounds()  # two normal laws far apart: 1.42 nats each, and log 2 for which it is
    >>> round(lower.item(), 2), round(upper.item(), 2)
    (2.11, 2.11)
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
        samples: number of draws; the error falls with its root.
        generator: source of randomness on the law's device (default: torch's own).

    Raises:
        ValueError: if the event shapes differ.

    >>> from jointlaw.laws import JointGaussian
    >>> p = JointGaussian(torch.zeros(1), torch.ones(1))
    >>> q = JointGaussian(torch.ones(1), torch.ones(1))
    >>> kl = estimate_kl(p, q, generator=torch.Generator().manual_seed(0))
    >>> bool((kl.value - 0.5).abs() < 4 * kl.error)
    True
    """
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"estimate_kl: expected laws of one event shape, found {list(p.event_shape)} and {list(q.event_shape)}. "
            "Take marginals first."
        )
    return average(p, lambda x: p.log_prob(x) - q.log_prob(x), samples, generator)

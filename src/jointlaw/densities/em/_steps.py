"""The two steps of expectation-maximisation, on sufficient statistics."""

import math
import warnings
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from jointlaw.densities.em._covariances import Covariance

ROWS = 2048  # samples at once in the expectation step: large enough for the products, small for the cache
EMPTY = 1e-3  # a component with less than this share of one sample is empty


class EmptyComponentWarning(UserWarning):
    """A component lost all of its samples, and was moved or removed.

    >>> from jointlaw.densities.em import ExpectationMaximization, Means
    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     fit = ExpectationMaximization(2, move=False).fit(x, start=Means(torch.tensor([[0.0], [100.0]])))
    >>> fit.law.count, told[0].category.__name__
    (1, 'EmptyComponentWarning')
    """


class Parameters(NamedTuple):
    """A mixture: log-weights ``[K]``, means ``[K, E]``, square roots of the covariances as a ``scale_tril``."""

    log_weight: Tensor
    loc: Tensor
    scale: Tensor


class Moments(NamedTuple):
    """Means over the samples of the shares ``[K]``, of share times x ``[K, E]``, and the kind's second moment."""

    mass: Tensor
    first: Tensor
    second: Tensor

    def towards(self, other: "Moments", step: float) -> "Moments":
        """Move by ``step`` of the way to other moments."""
        return Moments(*(mine.lerp(theirs, step) for mine, theirs in zip(self, other, strict=True)))


class Expectation(NamedTuple):
    """The moments of a set of samples under a mixture, and their log-densities.

    Attributes:
        moments: of the samples.
        log_density: of each sample ``[N]`` in nats; where the second moment was known beforehand, without the term that
            all components of a sample have in common.
        common: mean of that term over the samples, in nats.
    """

    moments: Moments
    log_density: Tensor
    common: float = 0.0


def gather(kind: Covariance, x: Tensor, share: Tensor, total: Tensor) -> Moments:
    """Moments of samples ``[N, E]`` whose components have weights ``share`` ``[N, K]``, over ``total`` weight."""
    moments = _none(kind, x, share.shape[1])
    for start in range(0, len(x), ROWS):
        rows, part = x[start : start + ROWS], share[start : start + ROWS]
        moments.first.addmm_(part.T, rows)
        kind.add_second(moments.second, rows, part)
    return Moments(share.sum(0) / total, moments.first / total, moments.second / total)


def expect(kind: Covariance, x: Tensor, weight: Tensor, law: Parameters, second: Tensor | None = None) -> Expectation:
    """Expectation step: responsibilities of the components, in log space, a block of samples at a time.

    Args:
        kind: of covariance.
        x: samples ``[N, E]``.
        weight: of the samples ``[N]``.
        law: the mixture.
        second: the second moment of all samples where it is known beforehand.
    """
    log_density = torch.empty_like(weight)
    evaluate = (kind.log_density if second is None else kind.relative)(law.loc, law.scale)
    moments = _none(kind, x, len(law.loc))
    negligible = torch.finfo(x.dtype).eps ** 2
    for start in range(0, len(x), ROWS):
        part = slice(start, start + ROWS)
        joint = evaluate(x[part]).add_(law.log_weight)
        most = joint.amax(1, keepdim=True)
        # Shares below the square of rounding change nothing, but as denormal numbers they would cost much.
        share = joint.sub_(most).clamp_(min=math.log(negligible)).exp_()  # [n, K]
        F.threshold(share, 2 * negligible, 0.0, inplace=True)
        evidence = share.sum(1, keepdim=True)
        log_density[part] = (most + evidence.log()).squeeze(1)
        share.mul_(weight[part, None] / evidence)
        moments.mass.add_(share.sum(0))
        moments.first.addmm_(share.T, x[part])
        if second is None:
            kind.add_second(moments.second, x[part], share)
    total = weight.sum()
    mass, first, own = (part / total for part in moments)
    if second is None:
        return Expectation(Moments(mass, first, own), log_density)
    return Expectation(Moments(mass, first, second), log_density, kind.common(second, law.scale))


def maximise(kind: Covariance, moments: Moments, floor: float) -> Parameters:
    """Maximisation step; ``floor`` is added to every variance."""
    loc = moments.first / moments.mass[:, None]
    covariance = kind.estimate(moments.second, moments.mass, loc)
    return Parameters((moments.mass / moments.mass.sum()).log(), loc, kind.root(covariance, floor))


def empty(moments: Moments, samples: int) -> Tensor:
    """Which components ``[K]`` have no samples."""
    return moments.mass * samples < EMPTY


def keep(moments: Moments, kept: Tensor) -> Moments:
    """Moments of some of the components; what all of them share stays."""
    second = moments.second[kept] if len(moments.second) == len(kept) else moments.second
    return Moments(moments.mass[kept], moments.first[kept], second)


def remove(moments: Moments, gone: Tensor) -> Moments:
    """Moments without the empty components, with a warning."""
    warnings.warn(
        f"ExpectationMaximization: {int(gone.sum())} of {len(gone)} components lost all of their samples and were "
        "removed. Use fewer components, another start or fewer duplicate samples.",
        EmptyComponentWarning,
        stacklevel=2,
    )
    return keep(moments, ~gone)


def reseed(kind: Covariance, evidence: Expectation, gone: Tensor, x: Tensor, weight: Tensor) -> Moments:
    """Move the empty components to the samples that the mixture explains worst, with a warning.

    A component at a single sample would have no covariance. So a moved one is given the moments of all samples, shifted
    as one cloud until their mean is that sample: the data's own covariance about a new place. It takes 1 / K of the
    weight, for which all others give way.

    Args:
        kind: of covariance.
        evidence: of the samples under the mixture.
        gone: which components are empty ``[K]``.
        x: samples ``[N, E]``.
        weight: of the samples ``[N]``; one without weight is never chosen.
    """
    warnings.warn(
        f"ExpectationMaximization: {int(gone.sum())} of {len(gone)} components lost all of their samples and were "
        "moved to the samples explained worst. Fewer components or another start may suit the data better.",
        EmptyComponentWarning,
        stacklevel=2,
    )
    # 1. Where to: samples of the lowest log-density, one for each component to be moved.
    surprise = evidence.log_density.masked_fill(weight == 0, torch.inf)
    worst = surprise.topk(int(gone.sum()), largest=False).indices
    # 2. What of: the cloud of all samples about zero.
    places = gone.nonzero().squeeze(1)
    cloud = x - weight @ x / weight.sum()
    # 3. Add the moments of the cloud at each of these samples, all of it in the share of the moved component.
    moments = evidence.moments
    for place, sample in zip(places, x[worst], strict=True):
        share = x.new_zeros(len(x), len(gone))
        share[:, place] = weight / len(gone)
        moved = gather(kind, cloud + sample, share, weight.sum())
        moments = Moments(*map(torch.add, moments, moved))
    # 4. Masses sum to more than one now: scale them, and all moments with them.
    total = moments.mass.sum()
    return Moments(*(part / total for part in moments))


def _none(kind: Covariance, x: Tensor, components: int) -> Moments:
    dim = x.shape[1]
    return Moments(x.new_zeros(components), x.new_zeros(components, dim), x.new_zeros(kind.shape(components, dim)))

"""One ascent of the likelihood from one start: over all samples, or batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jointlaw.densities.em._covariances import Covariance
from jointlaw.densities.em._samples import enough, law_dtype, samples
from jointlaw.densities.em._steps import (
    Expectation,
    Moments,
    Parameters,
    empty,
    expect,
    gather,
    maximise,
    remove,
    reseed,
)


@dataclass
class Ascent:
    """What both kinds of ascent need.

    Attributes:
        kind: of covariance, which says how moments are taken and estimated.
        floor: added to every variance.
        tolerance: on the change of the log-likelihood.
        moves: how many empty components may still be moved; later ones are removed.
        history: log-likelihoods so far.
        converged: whether the last two agree within the tolerance.
    """

    kind: Covariance
    floor: float
    tolerance: float
    moves: int
    history: list[float] = field(default_factory=list)
    converged: bool = False

    def begin(self, x: Tensor, weight: Tensor, share: Tensor) -> tuple[Moments, Parameters, Tensor]:
        """The first mixture, from the shares of the components ``[N, K]``, and the second moment of these samples."""
        start = gather(self.kind, x, share * weight[:, None], weight.sum())
        moments, _ = self.repair(Expectation(start, -x.square().sum(1)), x, weight)
        return moments, maximise(self.kind, moments, self.floor), start.second

    def repair(self, evidence: Expectation, x: Tensor, weight: Tensor) -> tuple[Moments, bool]:
        """Moments without empty components, and whether there were any."""
        gone = empty(evidence.moments, len(x))
        lost = int(gone.sum())
        if not lost:
            return evidence.moments, False
        if lost > self.moves:
            return remove(evidence.moments, gone), True
        self.moves -= lost
        return reseed(self.kind, evidence, gone, x, weight), True

    def note(self, level: float, changed: bool) -> bool:
        """Remember a log-likelihood; True if it has settled."""
        self.converged = not changed and bool(self.history) and abs(level - self.history[-1]) < self.tolerance
        self.history.append(level)
        return self.converged


def climb(ascent: Ascent, x: Tensor, weight: Tensor, share: Tensor, iterations: int) -> Parameters:
    """Alternate both steps over all samples ``[N, E]`` until the log-likelihood settles."""
    _, law, second = ascent.begin(x, weight, share)
    known = second if ascent.kind.pooled else None
    for _ in range(iterations):
        evidence = expect(ascent.kind, x, weight, law, known)
        if known is not None and bool(empty(evidence.moments, len(x)).any()):
            evidence = expect(ascent.kind, x, weight, law)  # to move a component takes whole densities
        moments, changed = ascent.repair(evidence, x, weight)
        law = maximise(ascent.kind, moments, ascent.floor)
        if ascent.note(level(evidence, weight), changed):
            break
    return law


def level(evidence: Expectation, weight: Tensor) -> float:
    """Mean log-likelihood of the weighted samples, in nats."""
    return float(weight @ evidence.log_density / weight.sum()) + evidence.common


class Batches:
    """Batches of samples, checked, in the precision of the fit, about the mean of the first one.

    Args:
        where: who asks, for messages.
        batches: ``[n, E]`` each.
        dtype: in which sums and products are computed.
    """

    def __init__(self, where: str, batches: Iterable[Tensor], dtype: torch.dtype) -> None:
        self.where, self.batches, self.dtype = where, batches, dtype
        first = next(iter(batches), None)
        if first is None:
            raise ValueError(f"{where}: expected at least one batch, found none. Check the loader.")
        self.first = samples(where, first)
        self.law_dtype = law_dtype(self.first)
        self.centre = self.first.to(dtype).mean(0)

    def check(self, components: int, kind: Covariance) -> None:
        """Raise unless the first batch can start a fit."""
        enough(f"{self.where} (first batch)", len(self.first), components, self.first.shape[1], kind)

    def __iter__(self) -> Iterator[Tensor]:
        for batch in self.batches:
            x = samples(self.where, batch)
            if x.shape[1] != len(self.centre):
                raise ValueError(
                    f"{self.where}: expected batches [n, {len(self.centre)}] like the first, found {list(x.shape)}. "
                    "All batches need the same coordinates."
                )
            yield x.to(self.dtype) - self.centre


def climb_batches(
    ascent: Ascent, batches: Batches, moments: Moments, law: Parameters, passes: int, step: Callable[[int], float]
) -> Parameters:
    """Move the moments towards those of each batch in turn, until the log-likelihood of a pass settles."""
    seen = 0
    for _ in range(passes):
        total, count, altered = 0.0, 0, False
        for x in batches:
            weight = torch.ones_like(x[:, 0])
            evidence = expect(ascent.kind, x, weight, law)
            blend = moments.towards(evidence.moments, step(seen))
            moments, changed = ascent.repair(Expectation(blend, evidence.log_density), x, weight)
            law = maximise(ascent.kind, moments, ascent.floor)
            seen, count, altered = seen + 1, count + len(x), altered or changed
            total += float(evidence.log_density.sum())
        if ascent.note(total / count, altered):
            break
    return law


def judge(kind: Covariance, batches: Batches, law: Parameters) -> tuple[float, int]:
    """Mean log-likelihood over all batches, in nats, and the number of samples."""
    total, count = 0.0, 0
    for x in batches:
        total += float(expect(kind, x, torch.ones_like(x[:, 0]), law).log_density.sum())
        count += len(x)
    return total / count, count

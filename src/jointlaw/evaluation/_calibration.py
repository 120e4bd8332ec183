"""How well conditional laws predict targets that they were not fitted to: likelihood, scores, coverage, sharpness.

All functions take a law of batch shape ``[B]`` and event shape ``[d]`` (what ``given`` or a density returns) and one
target ``[B, d]`` for each entry; draws come from the law, so that any law can be judged.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._law import Law
from jointlaw.laws._mixture import JointMixture

DRAWS = 1000
"""Draws per context: shares are then known to 1.6 points (one standard error at one half)."""


class Reliability(NamedTuple):
    """How often regions of a nominal level hold the target.

    Attributes:
        level: ``[L]`` nominal levels, ascending.
        central: ``[L]`` share of coordinates inside their central interval of that level.
        highest: ``[L]`` share of targets inside the highest-density region of that level.
    """

    level: Tensor
    central: Tensor
    highest: Tensor

    @property
    def error(self) -> float:
        """Mean absolute difference between the coverage of highest-density regions and the level."""
        return (self.highest - self.level).abs().mean().item()


@torch.no_grad()
def nll(law: Law, target: Tensor) -> float:
    """Mean negative log-likelihood of the targets ``[B, d]``, in nats per sample (all d coordinates together).

    >>> round(nll(JointGaussian(torch.zeros(1, 2), torch.ones(1, 2)), torch.zeros(1, 2)), 4)  # log 2 pi
    1.8379
    """
    _check("nll", law, target)
    return -law.log_prob(target).double().mean().item()


@torch.no_grad()
def energy_score(law: Law, target: Tensor, draws: int = 200, generator: torch.Generator | None = None) -> float:
    r"""Mean energy score, ``E ||X - y|| - (1/2) E ||X - X'||``, in embedding units; with d = 1 it is the CRPS.

    Mean over the B samples of targets ``[B, d]``. The expectations are unbiased estimates from ``draws`` draws per
    sample (the second one over all ordered pairs of different draws). Lower is better. The score is proper: the true
    law has the lowest expectation.

    Source: Gneiting and Raftery (2007), Journal of the American Statistical Association 102, section 4.3.

    >>> law = JointGaussian(torch.zeros(100, 1), torch.ones(100, 1))
    >>> score = energy_score(law, torch.zeros(100, 1), generator=torch.Generator().manual_seed(0))
    >>> round(score, 2)  # (2 ** 0.5 - 1) / pi ** 0.5
    0.23
    """
    _check("energy_score", law, target)
    check.at_least("energy_score", 2, draws=draws)
    scores = []
    x = law.sample((draws,), generator).double()  # [S, B, d]
    for one, y in zip(x.unbind(1), target.double(), strict=True):  # one sample at a time: S x S distances
        near = (one - y).norm(dim=-1).mean()
        apart = torch.cdist(one, one).sum() / (draws * (draws - 1))
        scores.append(near - 0.5 * apart)
    return torch.stack(scores).mean().item()


@torch.no_grad()
def reliability(
    law: Law,
    target: Tensor,
    levels: Sequence[float] = tuple(k / 20 for k in range(1, 20)),
    draws: int = DRAWS,
    generator: torch.Generator | None = None,
) -> Reliability:
    r"""Coverage of central intervals and highest-density regions over a range of levels, for a reliability plot.

    A target lies inside the region of highest density of level a if less than a share a of the draws have a higher
    density than it. A coordinate lies inside the central interval if its rank among the draws is within a / 2 of the
    median. Under the true law both coverages equal the level. Means are over samples (and coordinates, for central
    intervals).

    Args:
        law: of batch shape ``[B]``.
        target: ``[B, d]``.
        levels: nominal levels inside (0, 1), ascending.
        draws: number of draws for each sample.
        generator: source of the draws (default: torch's own).

    >>> law, generator = JointGaussian(torch.zeros(2000, 1), torch.ones(2000, 1)), torch.Generator().manual_seed(0)
    >>> reliability(law, law.sample((), generator), levels=(0.5, 0.9), generator=generator).error < 0.02
    True
    """
    _check("reliability", law, target)
    check.fraction("reliability", **{f"level {index}": level for index, level in enumerate(levels)})
    x = law.sample((draws,), generator)  # [S, B, d]
    denser = (law.log_prob(x) > law.log_prob(target)).double().mean(0)  # [B]
    below = (x < target).double().mean(0) + 0.5 * (x == target).double().mean(0)  # [B, d]
    level = torch.tensor(levels, dtype=torch.float64)
    outer = (2 * below - 1).abs().flatten()
    return Reliability(
        level,
        central=(outer[:, None] <= level).double().mean(0),
        highest=(denser[:, None] <= level).double().mean(0),
    )


@torch.no_grad()
def coverage(law: Law, target: Tensor, level: float = 0.9, generator: torch.Generator | None = None) -> float:
    """Share of targets ``[B, d]`` inside the highest-density region of one level: the level under the true law.

    >>> law = JointGaussian(torch.zeros(2, 1), torch.ones(2, 1))
    >>> coverage(law, torch.tensor([[0.0], [5.0]]), level=0.9)
    0.5
    """
    return reliability(law, target, [level], generator=generator).highest.item()


@torch.no_grad()
def sharpness(law: Law) -> float:
    """Mean standard deviation of the law, in embedding units: mean over samples and coordinates. Lower is sharper.

    Worth reading only beside coverage: a law can be sharp and wrong.

    >>> sharpness(JointGaussian(torch.zeros(2, 2), torch.tensor([[1.0, 2.0], [3.0, 6.0]])))
    3.0
    """
    return law.variance.double().sqrt().mean().item()


@torch.no_grad()
def branches_recovered(
    law: JointGaussian | JointMixture, branches: Tensor, within: float, least_height: float = 0.1
) -> float:
    r"""Share of the true branches near which the law has one of its modes, where the truth is known.

    Mean over samples and branches. A mode within Euclidean distance ``within`` of a branch recovers it.

    Args:
        law: of batch shape ``[B]``.
        branches: true values ``[B, M, d]``.
        within: distance, in embedding units; three times the noise is a good choice.
        least_height: a mode does not count if its density is below this share of the highest mode's.

    >>> law = JointMixture(torch.zeros(1, 2), torch.tensor([[[-1.0], [1.0]]]), torch.full((1, 1, 1), 0.1))
    >>> branches_recovered(law, torch.tensor([[[-1.0], [1.0], [3.0], [5.0]]]), within=0.3)
    0.5
    """
    check.positive("branches_recovered", within=within)
    check.fraction("branches_recovered", least_height=least_height)
    modes = law.modes()
    high = modes.found & (modes.log_prob >= modes.log_prob[:, :1] + math.log(least_height))  # [B, K]
    near = torch.cdist(branches.double(), modes.points.double()) <= within  # [B, M, K]
    return (near & high[:, None, :]).any(-1).double().mean().item()


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Area under the ROC curve of telling samples apart by log-likelihood.

    It is 1 if every inside sample is likelier than every outside one, and 1/2 if likelihood tells nothing.

    Args:
        inside: log-likelihoods ``[N]`` of samples like those the law was fitted to.
        outside: log-likelihoods ``[M]`` of samples of another kind.

    Raises:
        ValueError: if one is empty or holds NaN.

    >>> auroc(torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -9.0]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    score = torch.cat([inside, outside]).double()
    if len(inside) == 0 or len(outside) == 0 or bool(score.isnan().any()):
        raise ValueError(
            f"auroc: expected two sets of log-likelihoods without NaN, found {len(inside)} and {len(outside)} values, "
            f"{int(score.isnan().sum())} NaN. Look for samples that are not finite."
        )
    known = torch.cat([torch.ones(len(inside)), torch.zeros(len(outside))])
    return float(roc_auc_score(known.numpy(), score.numpy(force=True)))


def _check(where: str, law: Law, target: Tensor) -> None:
    expected = law.batch_shape + law.event_shape
    if target.shape != expected or target.ndim != 2:
        raise ValueError(
            f"{where}: expected targets of the law's shape {list(expected)} = [batch, d], found {list(target.shape)}. "
            "Condition the law on one context per target."
        )

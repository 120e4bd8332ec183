"""Rectified LpJEPA: views agree, and their embeddings follow a chosen law."""

import torch
from jaxtyping import Float
from torch import Tensor

from jointlaw import _check as check
from jointlaw.laws import Law, RectifiedGeneralizedGaussian
from jointlaw.objectives._objective import Objective
from jointlaw.objectives._threshold import Threshold
from jointlaw.regularizers import SlicedWasserstein, Slices, Targets
from jointlaw.types import Embeddings, Outcome


def pairwise_mse(z: Float[Tensor, "views batch dim"]) -> Float[Tensor, ""]:
    """Squared distance between views, a mean over all pairs of views, batch and width (squared embedding units).

    With two views this is the plain mean squared error; with V it costs no more, because the mean over pairs is
    ``2 V / (V - 1)`` times the mean squared distance to the views' centre.
    """
    views = z.shape[0]
    return (z - z.mean(0)).square().mean() * (2 * views / (views - 1))


class RectifiedLpJEPA(Objective):
    """Views of one sample agree, and every batch of embeddings follows a law.

    With ``z = relu(h - t)`` for the projector's output h and a threshold t per unit,

    ``loss = invariance * MSE(z_v, z_w) + matching * SW2(z, law)``.

    The squared error is a mean over pairs of views, batch and width; the sliced 2-Wasserstein distance a mean over
    views, slices and batch. Both are in squared embedding units.

    Why thresholds: a rectifier passes no gradient to a silent unit, so pulls between an active and a silent view
    only ever lower the active one, units fall silent for good, and the share of active units drifts below the law's.
    A threshold follows the unit's own quantile instead (see ``Threshold``), which holds the share where it was planned.

    The four ablations of the paper are ``rectify`` (features) times the law (target): ``RectifiedGeneralizedGaussian``
    or ``GeneralizedGaussian``. Only rectified features with a rectified target can reach zero, and only they have
    thresholds.

    Args:
        law: the law of one unit; units are independent and identically distributed.
        invariance: weight of the squared error.
        matching: weight of the sliced distance to the law.
        rate: how fast thresholds follow; 0 keeps them at zero, which is the paper's rectifier.
        rectify: whether embeddings are rectified.
        slices: directions in which batch and law are compared (default: see ``SlicedWasserstein``).
        targets: how the law's sorted projections are had (default: see ``SlicedWasserstein``).
        seed: determines, together with the step, the slices: every process and every resumed run draws the same ones.

    Raises:
        ValueError: for negative weights, fewer than two views, or a batch of one.

    Source: Kuang et al. (2026), arXiv 2602.01456, section 4.
    Differs from the authors' code in: the thresholds; the default slices, a mixture of dense ones, sparse ones
    and axes; the default targets, expected order statistics instead of a draw per step; more than two views are
    allowed. The recipe ``rectified-lpjepa-paper`` has the paper's setting.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> law = RectifiedGeneralizedGaussian.with_activity(0.2)
    >>> outcome = RectifiedLpJEPA(law)(views)
    >>> sorted(outcome.terms)
    ['invariance', 'matching']
    """

    def __init__(  # noqa: PLR0913 (a keyword for each weight and each part)
        self,
        law: Law,
        *,
        invariance: float = 25.0,
        matching: float = 125.0,
        rate: float = 0.1,
        rectify: bool = True,
        slices: Slices | None = None,
        targets: Targets | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check.non_negative("RectifiedLpJEPA", invariance=invariance, matching=matching, rate=rate)
        self.invariance = invariance
        self.matching = matching
        self.rectify = rectify
        self.distance = SlicedWasserstein(law, slices, targets, seed=seed)
        self.threshold: Threshold | None = None
        if rectify and rate > 0 and isinstance(law, RectifiedGeneralizedGaussian):
            self.threshold = Threshold(law, rate)

    def activate(self, z: Tensor) -> Tensor:
        """Rectify, unless the features are plain."""
        if self.threshold is not None:
            above: Tensor = self.threshold(z)
            return above
        return torch.relu(z) if self.rectify else z

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("RectifiedLpJEPA", z.context, least=2)
        embeddings = self.activate(z.context)
        return Outcome.weigh(
            invariance=(self.invariance, pairwise_mse(embeddings)),
            matching=(self.matching, self.distance(embeddings)),
        )

    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Move on to the next step's slices, and let the thresholds follow."""
        self.distance.update()
        if self.threshold is not None:
            self.threshold.update(z.context)

    @property
    def settles(self) -> bool:
        """Whether there are thresholds."""
        return self.threshold is not None

    def settle(self, z: Tensor) -> None:
        """Set the thresholds so that units fire in the planned share of ``[N, D]`` projector outputs."""
        if self.threshold is not None:
            self.threshold.settle(z)

    @property
    def law(self) -> Law:
        """The law of one unit."""
        return self.distance.law

    @property
    def matcher(self) -> SlicedWasserstein:
        """The sliced distance to the law."""
        return self.distance

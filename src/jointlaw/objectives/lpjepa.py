"""Rectified LpJEPA: views agree, and their embeddings follow a chosen law."""

from jaxtyping import Float
from torch import Tensor

from jointlaw import check
from jointlaw.functional.families import Slices
from jointlaw.functional.targets import Targets
from jointlaw.laws import Law
from jointlaw.objectives.objective import Objective
from jointlaw.regularizers import SlicedWasserstein
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

    ``loss = invariance * MSE(z_v, z_w) + matching * SW2(z_v, law)``: the squared error is a mean over pairs of
    views, batch and width; the sliced 2-Wasserstein distance a mean over views, slices and batch. Both are in
    squared embedding units.

    The four ablations of the paper are the projector's ``rectify`` (features) times the law (target):
    ``RectifiedGeneralizedGaussian`` or ``GeneralizedGaussian``. Only rectified features with a rectified target
    can reach zero.

    Args:
        law: the law of one unit; units are independent and identically distributed.
        invariance: weight of the squared error.
        matching: weight of the distance to the law.
        slices: directions in which batch and law are compared (default: see ``SlicedWasserstein``).
        targets: how the law's sorted projections are had (default: see ``SlicedWasserstein``).
        seed: of the slices; every process and every resumed run draws the same ones.

    Raises:
        ValueError: for negative weights, fewer than two views, or a batch of one.

    Source: Kuang et al. (2026), arXiv 2602.01456, section 4.
    Differs from the authors' code in: the default slices are a mixture that also looks at single units, the default
    targets are expected order statistics instead of a draw per step, and more than two views are allowed. The
    recipe ``rectified-lpjepa-paper`` has the paper's setting.
    """

    def __init__(
        self,
        law: Law,
        *,
        invariance: float = 25.0,
        matching: float = 125.0,
        slices: Slices | None = None,
        targets: Targets | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check.non_negative("RectifiedLpJEPA", invariance=invariance, matching=matching)
        self.invariance = invariance
        self.matching = matching
        self.distance = SlicedWasserstein(law, slices, targets, seed=seed)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge embeddings ``[V, B, D]`` of V >= 2 views."""
        check.views("RectifiedLpJEPA", z.context, least=2)
        return Outcome.weigh(
            invariance=(self.invariance, pairwise_mse(z.context)),
            matching=(self.matching, self.distance(z.context)),
        )

    def update(self, z: Embeddings) -> None:
        """Move on to the next step's slices."""
        self.distance.update()

    @property
    def matcher(self) -> SlicedWasserstein:
        """The distance to the law."""
        return self.distance

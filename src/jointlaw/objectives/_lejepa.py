"""LeJEPA: views agree with the centre of the global ones, and embeddings are standard normal."""

from torch import Tensor

from jointlaw import _check as check
from jointlaw.laws import Law
from jointlaw.objectives._objective import Objective
from jointlaw.regularizers import Regularizer, SphereSIGReg
from jointlaw.types import Embeddings, Outcome


class LeJEPA(Objective):
    r"""Every view predicts the centre of the global views, and every view's batch follows the standard normal law.

    .. math:: (1 - \text{sigreg}) \cdot \frac{1}{V B D} \sum_{v, b} \| z_{v b} - \mu_b \|^2
        + \text{sigreg} \cdot \text{SIGReg}(z), \qquad \mu_b = \frac{1}{G} \sum_{v \le G} z_{v b}

    Multi-crop: the first G of V views are global (full-size crops come first), the others local. The centre is that of
    the global views; its gradient is kept. Reductions: prediction is a mean over all views, batch and width (squared
    embedding units); SIGReg is taken per view, averaged over all views, and times the batch size of all processes
    (dimensionless).

    Args:
        regularizer: `SphereSIGReg` by default; ``SIGReg(Uniform(1024))`` is the published form.
        sigreg: weight of the regularizer, in [0, 1]; the prediction has the rest.
        global_views: G; the views beyond it are local. With fewer views than G, all are global.

    Raises:
        ValueError: for a weight outside [0, 1], no global view, fewer than two views, or a batch of one.

    Source: Balestriero and LeCun (2025), arXiv 2511.08544, algorithm 2.
    Differs from the authors' code in: the default regularizer, the mean over all directions in place of 1,024 slices.

    >>> import torch
    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> LeJEPA().law, sorted(LeJEPA()(views).terms)
    (GeneralizedGaussian(p: 2.0, loc: 0.0, scale: 1.0), ['prediction', 'sigreg'])
    """

    def __init__(self, regularizer: Regularizer | None = None, *, sigreg: float = 0.05, global_views: int = 2) -> None:
        super().__init__()
        if not 0 <= sigreg <= 1:
            raise ValueError(f"LeJEPA: expected 0 <= sigreg <= 1, found {sigreg}. It is a share; 0.05 is usual.")
        check.at_least("LeJEPA", 1, global_views=global_views)
        self.regularizer = SphereSIGReg() if regularizer is None else regularizer
        self.sigreg = sigreg
        self.global_views = global_views

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views, global ones first."""
        check.views("LeJEPA", z.context, least=2)
        return Outcome.weigh(
            prediction=(1 - self.sigreg, distance_to_centre(z.context, self.global_views)),
            sigreg=(self.sigreg, self.regularizer(z.context)),
        )

    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Move on to the next step's slices, if there are any."""
        self.regularizer.update()

    @property
    def law(self) -> Law | None:
        """That of the regularizer: standard normal, unless it is another one than SIGReg."""
        return self.regularizer.law


def distance_to_centre(z: Tensor, global_views: int) -> Tensor:
    """Squared distance of views ``[V, B, D]`` to the mean of the first ones; a mean over views, batch and width."""
    return (z - z[:global_views].mean(0)).square().mean()

"""VICReg and its non-negative form: views agree, units vary, and are uncorrelated."""

from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.distributed import gather
from jointlaw.functional import covariance_penalty, variance_hinge
from jointlaw.objectives._lpjepa import pairwise_mse
from jointlaw.objectives._objective import Objective
from jointlaw.types import Embeddings, Outcome


class VICReg(Objective):
    r"""Variance, invariance and covariance of two views, each with its weight.

    .. math:: \text{invariance} \cdot \text{MSE}(z_1, z_2) + \text{variance} \cdot \frac{h(z_1) + h(z_2)}{2}
        + \text{covariance} \cdot (c(z_1) + c(z_2))

    .. math:: h(z) = \frac{1}{D} \sum_j \max(0, 1 - \sqrt{\operatorname{Var} z_j + 10^{-4}}), \qquad
        c(z) = \frac{1}{D} \sum_{i \neq j} \operatorname{Cov}(z_i, z_j)^2

    Reductions: the squared error is a mean over batch and width, the hinge a mean over width and over the two views,
    the covariance a sum over pairs of units, over D, and *summed* over the two views; moments are unbiased and those of
    the batch of all processes. V > 2 views: the mean of this loss over all pairs of views, that is the mean squared
    error over pairs, the mean hinge, and twice the mean covariance term.

    With a rectifier it is the non-negative form (NVICReg): the loss, probes and files see rectified features.

    Args:
        invariance: weight of the squared error.
        variance: weight of the hinge.
        covariance: weight of the covariance term.
        rectifier: applied to the projector's output: none for VICReg, ``torch.nn.ReLU()`` or `RepReLU`
            (whose backward pass is GELU's) for NVICReg.

    Raises:
        ValueError: for negative weights, fewer than two views, or a batch of one.

    Source: Bardes, Ponce and LeCun (2022), arXiv 2105.04906, eq. 6 with the official code's reductions; the
    non-negative form as a baseline of Kuang et al. (2026), arXiv 2602.01456.
    Differs from the authors' code in: more than two views are allowed.

    >>> import torch
    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> sorted(VICReg(rectifier=nn.ReLU())(views).terms)
    ['covariance', 'invariance', 'variance']
    """

    def __init__(
        self,
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        rectifier: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check.non_negative("VICReg", invariance=invariance, variance=variance, covariance=covariance)
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        self.rectifier = nn.Identity() if rectifier is None else rectifier

    def activate(self, z: Tensor) -> Tensor:
        """Rectify, where there is a rectifier."""
        features: Tensor = self.rectifier(z)
        return features

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("VICReg", z.context, least=2)
        features = self.activate(z.context)
        everyone = gather(features, dim=-2)
        return Outcome.weigh(
            invariance=(self.invariance, pairwise_mse(features)),
            variance=(self.variance, variance_hinge(everyone).mean()),
            covariance=(self.covariance, 2 * covariance_penalty(everyone).mean()),
        )

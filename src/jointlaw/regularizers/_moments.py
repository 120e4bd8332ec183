"""Regularizers of first and second moments."""

from torch import Tensor

from jointlaw import _check as check
from jointlaw.distributed import gather
from jointlaw.functional import covariance_penalty, log_det_entropy, variance_hinge
from jointlaw.regularizers._regularizer import Regularizer, as_views


class VarianceCovariance(Regularizer):
    r"""Units that vary and are uncorrelated, the regularizing half of VICReg.

    .. math:: \frac{1}{V} \sum_v \text{variance} \cdot h(z_v) + \text{covariance} \cdot c(z_v)

    with the hinge h of `variance_hinge` (mean over width) and the penalty c of `covariance_penalty` (sum over pairs of
    units, divided by the width). Reductions: mean over views; moments are those of the batch of all processes.

    Args:
        variance: weight of h.
        covariance: weight of c. VICReg's weight 1 applies to the *sum* over its two views: 2 on the mean here.

    Source: Bardes, Ponce and LeCun (2022), arXiv 2105.04906.
    Differs from the authors' code in: nothing but the mean over views.

    >>> import torch
    >>> round(VarianceCovariance()(torch.zeros(4, 3)).item(), 2)  # units that do not vary, 0.99 too little each
    24.75
    """

    def __init__(self, variance: float = 25.0, covariance: float = 2.0) -> None:
        super().__init__()
        check.non_negative("VarianceCovariance", variance=variance, covariance=covariance)
        self.variance = variance
        self.covariance = covariance

    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``."""
        z = gather(as_views("VarianceCovariance", z), dim=-2)
        return (self.variance * variance_hinge(z) + self.covariance * covariance_penalty(z)).mean()


class LogDetEntropy(Regularizer):
    r"""Minus the log-volume that the batch spans, ``-(1/2) log det(Z^T Z / B + eps I)``, in nats.

    It pushes the batch to fill the space, and without bound where embeddings may grow: keep them on the unit sphere.
    Reductions: mean over views; second moments are those of the batch of all processes, about the origin.

    Args:
        eps: added to the second moments, squared embedding units.

    Source: Huang (2026), arXiv 2603.26799, the entropy of the primal form.
    Differs from the authors' code in: nothing known.

    >>> import torch
    >>> LogDetEntropy()(torch.zeros(4, 2)).item() > LogDetEntropy()(torch.eye(2)).item()
    True
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        check.positive("LogDetEntropy", eps=eps)
        self.eps = eps

    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``."""
        return log_det_entropy(gather(as_views("LogDetEntropy", z), dim=-2), self.eps).mean()

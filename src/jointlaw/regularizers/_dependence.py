"""Dependence between views."""

from itertools import combinations

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.distributed import gather
from jointlaw.functional._dependence import hsic
from jointlaw.regularizers._regularizer import Regularizer


class HSIC(Regularizer):
    r"""Minus the dependence between views, by the Hilbert-Schmidt independence criterion with Gaussian kernels.

    .. math:: -\frac{2}{V (V - 1)} \sum_{v < w} \operatorname{HSIC}(z_v, z_w)

    To minimise it is to make views of a sample tell as much of each other as they can. It does not see scale (kernels
    are as wide as the median distance), so that it needs a companion which does. Reductions: mean over pairs of views;
    the batch is that of all processes. Dimensionless, between -1 and 0. Costs ``O(V^2 B^2)`` memory and
    ``O(V^2 B^2 D)`` time.

    Raises:
        ValueError: for fewer than two views.

    Source: Huang (2026), arXiv 2603.26799, appendix I; Gretton et al. (2005) for the estimate.
    Differs from the authors' code in: the median leaves out zero distances.
    """

    def forward(self, z: Tensor) -> Tensor:
        """Measure views ``[V, B, D]``, V >= 2."""
        check.views("HSIC", z, least=2)
        with torch.autocast(z.device.type, enabled=False):
            everyone = gather(z, dim=-2)
            first, second = torch.tensor(list(combinations(range(z.shape[0]), 2))).T
            return -hsic(everyone[first], everyone[second]).mean()

"""Dependence between the blocks of joint embeddings."""

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.distributed import gather
from jointlaw.functional import hsic
from jointlaw.regularizers._regularizer import Regularizer, as_views


class HSIC(Regularizer):
    r"""Minus the dependence between the two blocks of joint embeddings, as the Hilbert-Schmidt criterion measures it.

    .. math:: -\operatorname{HSIC}(z_c, z_t), \qquad Z = [z_c, z_t]

    with Gaussian kernels. To minimise it is to make context and target tell as much of each other as they can. It does
    not see scale (kernels are as wide as the median distance), so that it needs a companion which does. Reductions:
    mean over leading pairs of views; the batch is that of all processes. Dimensionless, between -1 and 0. Costs
    ``O(B^2)`` memory and ``O(B^2 E)`` time for each pair of views.

    Args:
        split: how many leading coordinates are the context; by default half of them.

    Raises:
        ValueError: if the split leaves a block empty.

    Source: Huang (2026), arXiv 2603.26799, appendix I; Gretton et al. (2005) for the estimate.
    Differs from the authors' code in: the median leaves out zero distances.

    >>> z = torch.randn(100, 1, generator=torch.Generator().manual_seed(0))
    >>> joint = torch.cat([z, z.square()], dim=1)  # uncorrelated, and yet one tells all of the other
    >>> bool(HSIC()(joint) < -0.01)
    True
    """

    def __init__(self, split: int | None = None) -> None:
        super().__init__()
        if split is not None:
            check.at_least("HSIC", 1, split=split)
        self.split = split

    def forward(self, z: Tensor) -> Tensor:
        """Measure joint embeddings ``[B, E]``, or those of several pairs of views ``[P, B, E]``."""
        z = as_views("HSIC", z)
        width = z.shape[-1]
        split = width // 2 if self.split is None else self.split
        if not 0 < split < width or (self.split is None and width % 2):
            raise ValueError(
                f"HSIC: expected joint embeddings of two blocks, found width {width} and split {self.split}. "
                "Concatenate context and target; blocks of different widths need a split."
            )
        with torch.autocast(z.device.type, enabled=False):
            context, target = gather(z, dim=-2).tensor_split([split], dim=-1)
            return -hsic(context, target).mean()

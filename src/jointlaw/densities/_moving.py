"""A Gaussian whose moments follow the batches."""

import math

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.distributed import mean_across_ranks
from jointlaw.functional._linalg import cholesky, wide, without_autocast
from jointlaw.laws import JointGaussian
from jointlaw.laws._blocks import check_split, check_width


def moving_rate(momentum: float, steps: Tensor) -> Tensor:
    r"""Weight of the newest of ``steps`` >= 1 batches, (1 - m) / (1 - m^t), a float32 scalar.

    With it, a moving average is the mean of the batches seen with weights m^age, without the bias of its start: 1 for
    the first batch, 1 - m in the long run.
    """
    return torch.where(steps == 1, 1.0, (momentum - 1) / torch.expm1(steps * math.log(momentum)))


class Moving(Density):
    r"""The Gaussian of the exponentially weighted batches seen so far (mean and total covariance).

    With the weight a of the newest batch, its mean b and its covariance C,

    .. math:: S \leftarrow (1 - a) (S + a (b - m)(b - m)^\top) + a C, \qquad m \leftarrow m + a (b - m)

    which is the covariance of all samples weighted by momentum^age, never a difference of large numbers. Moments are
    those of the global batch, and carry no gradient. Before the first update the law is standard normal.

    Args:
        dim: width E of the vectors.
        split: how many leading coordinates are the context; None for a law of one block.
        momentum: m, share of the past kept per batch.
        centred: False holds the mean at zero, and the covariance is the second moment.
        ridge: added to the diagonal of the covariance in the law, in squared embedding units: what makes it
            invertible where fewer samples than coordinates have been seen.

    Raises:
        ValueError: if the momentum lies outside (0, 1), the ridge is negative, or the split leaves a block empty.

    Source: Huang (2026), arXiv 2603.26799, section 4.4 (the moving covariance).
    Differs from the authors' code in: corrects the bias of the start, and follows the mean too.

    >>> density = Moving(2, split=1)
    >>> density.update(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    >>> density(torch.tensor([[3.0]])).mean.round(decimals=2)
    tensor([[3.]])
    """

    mean: Tensor
    covariance: Tensor
    steps: Tensor

    def __init__(
        self,
        dim: int,
        split: int | None = None,
        momentum: float = 0.99,
        centred: bool = True,
        ridge: float = 1e-4,
    ) -> None:
        super().__init__()
        check.at_least("Moving", 1, dim=dim)
        check.fraction("Moving", momentum=momentum)
        check.non_negative("Moving", ridge=ridge)
        check_split("Moving", split, dim)
        self.dim, self.split, self.momentum, self.centred, self.ridge = dim, split, momentum, centred, ridge
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("covariance", torch.eye(dim))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, context: Tensor | None = None) -> JointGaussian:
        """The joint law, or that of the target given the ``context`` ``[*, split]``.

        Raises:
            ValueError: if a context is given to a law of one block, or its width is another.
        """
        law = self._law(wide(self.covariance))
        return law if context is None else law.given(context)

    @torch.no_grad()
    @without_autocast
    def update(self, z: Tensor) -> None:
        """Follow a batch ``[*, B, E]``, of which every process holds an equal part.

        Raises:
            ValueError: if the width is another.
        """
        check_width("Moving.update", z, self.dim, name="joint")
        rows = wide(z).reshape(-1, self.dim).to(wide(self.covariance).dtype)
        mean = mean_across_ranks(rows.mean(0)) if self.centred else torch.zeros_like(rows[0])
        gap = rows - mean
        covariance = mean_across_ranks(gap.mT @ gap / len(gap))
        self.steps.add_(1)
        rate = moving_rate(self.momentum, self.steps)
        shift = mean - self.mean
        self.covariance.copy_((1 - rate) * (self.covariance + rate * shift.outer(shift)) + rate * covariance)
        self.mean.add_(rate * shift)

    @without_autocast
    def _law(self, covariance: Tensor) -> JointGaussian:
        factor = cholesky(covariance + self.ridge * torch.eye(self.dim).to(covariance))
        return JointGaussian(self.mean.to(factor.dtype), factor, self.split, validate_args=False)

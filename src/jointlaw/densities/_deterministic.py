"""A deterministic predictor, exposed as the Gaussian of its residuals."""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._pairs import paired, required
from jointlaw.distributed import mean_across_ranks
from jointlaw.functional._linalg import cholesky, wide
from jointlaw.laws import JointGaussian
from jointlaw.networks import MLP


class Deterministic(Density):
    r"""The classic predictor, an MLP g trained on squared error, as the law N(g(z_c), S) of the target.

    Squared error is the likelihood of S = I, which is the law until ``calibrate`` measures S on held-out pairs. Where
    the target has several branches, g tends to their mean and S to the spread around it.

    Args:
        context_dim: d_c, width of the context.
        target_dim: d_t, width of the target.
        hidden: widths of the hidden layers (ReLU, no normalisation).

    Raises:
        ValueError: if a width is below 1.

    Source: Huang (2026), arXiv 2603.26799, section 5.1 and appendix P.2.3 (widths 1-64-64-1).
    Differs from the authors' code in: ReLU throughout, and the law around the prediction.

    >>> law = Deterministic(2, 3)(torch.zeros(5, 2))
    >>> law.batch_shape, law.event_shape
    (torch.Size([5]), torch.Size([3]))
    """

    scale_tril: Tensor

    def __init__(self, context_dim: int, target_dim: int, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        check.at_least("Deterministic", 1, context_dim=context_dim, target_dim=target_dim)
        self.context_dim, self.target_dim = context_dim, target_dim
        self.network = MLP((context_dim, *hidden, target_dim), norm=False)
        self.register_buffer("scale_tril", torch.eye(target_dim))

    def forward(self, context: Tensor | None = None) -> JointGaussian:
        """The law of the target given the context ``[*, d_c]``, of batch shape ``[*]``; one covariance for all.

        Raises:
            ValueError: without a context, or if its width is another.
        """
        loc = self._predict(required("Deterministic", context, self.context_dim))
        scale = self.scale_tril.to(loc.dtype)
        return JointGaussian(loc, scale[(None,) * (loc.ndim - 1)], validate_args=False)

    def loss(self, context: Tensor, target: Tensor) -> Tensor:
        """Mean squared error over batch and width, in squared embedding units.

        Args:
            context: ``[*, B, d_c]``.
            target: ``[*, B, d_t]``.

        Raises:
            ValueError: if shapes do not fit.
        """
        paired("Deterministic", context, target, self.context_dim, self.target_dim)
        return F.mse_loss(self._predict(context), wide(target))

    @torch.no_grad()
    def calibrate(self, context: Tensor, target: Tensor) -> Self:
        """Measure the covariance of the residuals about the prediction, bias included, over all processes.

        Args:
            context: held-out ``[B, d_c]``; on training pairs the residuals are too small.
            target: held-out ``[B, d_t]``, more pairs than coordinates; as many on each process.

        Raises:
            ValueError: if shapes do not fit, there are too few pairs, or the residuals are NaN.
        """
        paired("Deterministic", context, target, self.context_dim, self.target_dim)
        residual = (wide(target) - self._predict(context)).reshape(-1, self.target_dim).double()
        if len(residual) <= self.target_dim:
            raise ValueError(
                f"Deterministic: expected more than {self.target_dim} held-out pairs, found {len(residual)}. "
                "Their residuals do not span the target: pass more."
            )
        second = mean_across_ranks(residual.mT @ residual / len(residual))
        self.scale_tril.copy_(cholesky(second))
        return self

    def _predict(self, context: Tensor) -> Tensor:
        """Predictions ``[*, d_t]`` in float32 or better."""
        flat = context.reshape(-1, self.context_dim)
        return wide(self.network(flat)).reshape(*context.shape[:-1], self.target_dim)

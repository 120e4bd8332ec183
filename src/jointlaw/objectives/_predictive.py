"""Predictive objectives: one view's embedding predicts another's, which a moving-average network gives."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.distributed import mean_across_ranks
from jointlaw.functional import unit
from jointlaw.functional._contrast import off_diagonal
from jointlaw.functional._linalg import wide
from jointlaw.objectives._objective import Objective
from jointlaw.types import Embeddings, Outcome


class BatchNorm(nn.Module):
    """Batch normalisation ``[B, D]`` by the batch of all processes, without running statistics.

    A predictor is used in training alone, so that there is nothing to remember, and a forward pass changes no state.

    Args:
        width: D.
        eps: added to the variance.
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Standardise each column, then scale and shift it; in float32 or better."""
        with torch.autocast(x.device.type, enabled=False):
            x = wide(x)
            centred = x - mean_across_ranks(x.mean(0))
            variance = mean_across_ranks(centred.square().mean(0))
            return centred * (variance + self.eps).rsqrt() * self.weight + self.bias


class Predictor(nn.Sequential):
    """The two-layer MLP from embedding to embedding: linear, batch normalisation, ReLU, linear.

    Args:
        width: D.
        hidden: width between the two layers.

    Source: Grill et al. (2020), arXiv 2006.07733, appendix J.
    """

    def __init__(self, width: int, hidden: int) -> None:
        check.at_least("Predictor", 1, width=width, hidden=hidden)
        super().__init__(nn.Linear(width, hidden, bias=False), BatchNorm(hidden), nn.ReLU(), nn.Linear(hidden, width))


class BYOL(Objective):
    r"""Each view's prediction points where the target network's embedding of every other view points.

    .. math:: \frac{2}{V (V - 1) B} \sum_{v \ne w, b} \left\| \frac{p(z_{vb})}{|p(z_{vb})|} - \frac{t_{wb}}{|t_{wb}|}
        \right\|^2

    Reductions: mean over batch, twice the mean over ordered pairs of views; for two views the published sum of both
    directions. The loss lies in [0, 8].

    Args:
        width: D of the embeddings.
        hidden: width of the predictor's hidden layer.

    Raises:
        ValueError: for widths below 1, fewer than two views, or a batch of one.

    Source: Grill et al. (2020), arXiv 2006.07733, eq. 2.
    Differs from the authors' code in: more than two views are allowed; the moving average's momentum is the learner's.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> 0 < BYOL(width=8, hidden=16)(views).loss.item() < 8
    True
    """

    uses_target_network: ClassVar[bool] = True

    def __init__(self, width: int, hidden: int = 4096) -> None:
        super().__init__()
        self.predictor = Predictor(width, hidden)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("BYOL", z.context, least=2)
        predicted, target = unit(_predict(self.predictor, z.context)), unit(z.target.detach())
        with torch.autocast(target.device.type, enabled=False):
            cosine = off_diagonal(torch.einsum("vbd,wbd->vwb", predicted, target))
        return Outcome.weigh(regression=(1.0, 2 * (2 - 2 * cosine).mean()))


class JEPA(Objective):
    r"""Each view's embedding predicts the target network's embedding of every other view.

    .. math:: \frac{1}{V (V - 1) B D} \sum_{v \ne w, b} \| p(z_{vb}) - t_{wb} \|^2

    Reductions: mean over ordered pairs of views, batch and width (squared embedding units).

    Args:
        width: D of the embeddings.
        hidden: width of the predictor's hidden layer (default: twice the embeddings').

    Raises:
        ValueError: for widths below 1, fewer than two views, or a batch of one.

    Source: Assran et al. (2023), arXiv 2301.08243, section 3; Huang (2026), arXiv 2603.26799, section 2 (classic JEPA).
    Differs from the authors' code in: embeddings of whole views instead of masked patches, and so an MLP as predictor;
    both directions.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> JEPA(width=8)(views).terms.keys()
    dict_keys(['prediction'])
    """

    uses_target_network: ClassVar[bool] = True

    def __init__(self, width: int, hidden: int | None = None) -> None:
        super().__init__()
        self.predictor = Predictor(width, 2 * width if hidden is None else hidden)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("JEPA", z.context, least=2)
        predicted, target = _predict(self.predictor, z.context), wide(z.target.detach())
        with torch.autocast(target.device.type, enabled=False):
            error = (wide(predicted)[:, None] - target).square().mean(-1)  # [V, V, B]
            return Outcome.weigh(prediction=(1.0, off_diagonal(error).mean()))


def _predict(predictor: nn.Module, z: Tensor) -> Tensor:
    """Predict view by view, so that a batch is normalised within its view as in the sources."""
    return torch.stack([predictor(view) for view in z])

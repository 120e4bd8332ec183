"""The level above which a unit fires, held where the law wants it."""

from typing import Any

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.densities._fitted import held_unit
from jointlaw.distributed import mean_across_ranks
from jointlaw.laws import RectifiedGeneralizedGaussian


class Threshold(nn.Module):
    r"""Rectifies above a level per unit, which follows the unit's own quantile so that it fires as often as planned.

    .. math:: z_j = \max(0, h_j - t_j), \qquad
        t_j \leftarrow t_j + \text{rate} \cdot \frac{s_j - \pi}{f(0)}

    with ``s_j`` the share of the batch in which unit j fires, pi the law's share of active units and f the law's
    density before its rectifier, at zero. This is the Robbins-Monro recursion for a quantile: no gradient is involved,
    so a unit that fell silent comes back, and whatever the loss pulls at, the measured share settles at the planned
    one. A single step is at most one scale of the law.

    Only the level decides where a unit lies. The loss cannot shift all of a unit's outputs, because the gradients of a
    unit are made to sum to zero over the batch: otherwise the loss, which mostly wants less activity, would lower the
    outputs, the level would follow them, and both would drift away together. A bias right before the threshold
    therefore has no effect, and its gradient is rounding error, which an optimiser such as Adam scales up: let the last
    layer have none.

    The levels are a buffer ``[D]``, sized by the first update. They change in ``update``, from the batch of all
    processes, and in ``settle``, which sets them exactly after training.

    Args:
        law: the law of one unit after the rectifier, whose activity is held.
        rate: share of the gap closed per step.

    Raises:
        ValueError: if rate is outside (0, 1], or the law is always or never active.

    Source: ours. Herbert Robbins and Sutton Monro (1951) for the recursion; a bias steered by load instead of a loss
    is how Wang et al. (2024), arXiv 2408.15664, balance experts.

    Differs from the authors' code in: it has none.

    >>> threshold = Threshold(RectifiedGeneralizedGaussian.with_activity(0.25))
    >>> h = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    >>> threshold.settle(h)
    >>> (threshold(h) > 0).float().mean(0)
    tensor([0.2500, 0.2500, 0.2500])
    """

    level: Tensor

    def __init__(self, law: RectifiedGeneralizedGaussian, rate: float = 0.1) -> None:
        super().__init__()
        if not 0 < rate <= 1:
            raise ValueError(f"Threshold: expected 0 < rate <= 1, found {rate}. 0.1 is a good choice.")
        if not 0 < float(law.activity) < 1:
            raise ValueError(
                f"Threshold: expected a law that is active at times, found activity {float(law.activity):g}. Choose "
                "another location, or no thresholds (rate=0)."
            )
        self.fixed = held_unit("Threshold", law)
        self.rate = rate
        self.register_buffer("level", torch.zeros(()))

    def forward(self, h: Tensor) -> Tensor:
        """Rectify projector outputs ``[..., D]``; all but the last dimension are the batch."""
        if h.requires_grad:
            shift = (h - h.detach()).reshape(-1, h.shape[-1]).mean(0)  # [D]: zero, but for its gradient
            h = h - mean_across_ranks(shift)
        return torch.relu(h - self.level)

    @torch.no_grad()
    def update(self, h: Tensor) -> None:
        """Follow a batch of projector outputs ``[..., B, D]``."""
        law: Any = self.fixed.law
        share = mean_across_ranks((h > self.level).to(self.level.dtype).flatten(0, -2).mean(0))  # [D]
        density = law.before.log_prob(torch.zeros_like(law.loc)).exp()
        step = ((share - law.activity) / density).clamp(-law.scale, law.scale)
        self.level = self.level + self.rate * step

    @torch.no_grad()
    def settle(self, h: Tensor) -> None:
        """Set each level so that its unit fires in the planned share of projector outputs ``[N, D]``, in one at least.

        Give outputs of the trained network in evaluation mode: those of training are noisier, as batch normalisation
        takes its moments from the batch then, and rare units would fire too seldom afterwards.
        """
        check.embeddings("Threshold", h)
        law: Any = self.fixed.law
        firing = min(max(round(float(law.activity) * len(h)), 1), len(h) - 1)
        self.level = h.to(self.level.dtype).kthvalue(len(h) - firing, dim=0).values

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Take the saved levels whatever their number: a new module does not know the width yet."""
        saved = state_dict.get(f"{prefix}level")
        if saved is not None:
            self.level = torch.zeros_like(saved, device=self.level.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)

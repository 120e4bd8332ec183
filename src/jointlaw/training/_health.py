"""Vital signs of a representation, and the limits beyond which they mean collapse."""

from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.functional._spectrum import rankme


class Health(NamedTuple):
    """Vital signs of a batch.

    Attributes:
        rank: RankMe of the backbone's features.
        spread: standard deviation of the embeddings about their mean, as a share of their root mean square, in [0, 1].
        silent: share of the embedding's units that have one and the same value for all samples, less the share that the
            law leads one to expect.
        room: the largest rank possible: the features' width, or the number of samples if that is smaller.
    """

    rank: float
    spread: float
    silent: float
    room: int

    @property
    def signs(self) -> dict[str, float]:
        """What is logged and has a limit."""
        return {"rank": self.rank, "spread": self.spread, "silent": self.silent}


class Limits(NamedTuple):
    """What counts as collapse; see `Health`.

    Attributes:
        rank: least effective rank, as a share of the room. On digits, in 256 dimensions, a collapsing method (the
            likelihood under the batch's own covariance) ends at .02; the healthy method with the lowest rank
            (prediction by squared error) ends at .2.
        spread: least deviation of the embeddings, as a share of their size.
        silent: largest share of units that have one value for all samples.

    >>> Limits().among(room=256)
    {'rank': 12.8, 'spread': 0.02, 'silent': 0.5}
    """

    rank: float = 0.05
    spread: float = 0.02
    silent: float = 0.5

    def among(self, room: int) -> dict[str, float]:
        """The limit of each sign for features that have this room.

        Samples on one line have an effective rank of up to 2, since the line may miss the origin. So the limit of the
        rank is at least 2, or half of the room where that is less.
        """
        return {"rank": max(self.rank * room, min(2.0, room / 2)), "spread": self.spread, "silent": self.silent}


@torch.no_grad()
def health(features: Tensor, embeddings: Tensor, activity: float = 1.0) -> Health:
    """Measure features ``[B, F]`` and embeddings ``[B, D]``, of which the law lets a share ``activity`` be active."""
    z = embeddings.double()
    size = z.square().mean()
    deviation = (z - z.mean(0)).square().mean()
    spread = (deviation / size).sqrt().item() if size > 0 else 0.0
    silent = (z.amax(0) == z.amin(0)).double().mean().item()
    return Health(rankme(features), spread, max(0.0, silent - (1 - activity) ** len(z)), min(features.shape))


def symptoms(found: Health, limits: Limits | None = None) -> dict[str, str]:
    """One sentence for each vital sign beyond its limit: what it means, and the usual cures."""
    limits = Limits() if limits is None else limits
    least = limits.among(found.room)["rank"]
    said = {
        "rank": f"features span {found.rank:.1f} effective dimensions of {found.room} (fewer than {least:.3g}). "
        "Weigh what keeps embeddings apart more, lower the learning rate, or draw stronger views.",
        "spread": f"embeddings differ between samples by {found.spread:.2%} of their size (less than "
        f"{limits.spread:.0%}). Weigh what keeps them apart more; a predictor needs a moving-average target.",
        "silent": f"{found.silent:.0%} of the units have one value for all samples (more than {limits.silent:.0%}). "
        "Plan a higher activity, let thresholds follow (--rate above 0), or lower the learning rate.",
    }
    beyond = {
        "rank": found.rank < least,
        "spread": found.spread < limits.spread,
        "silent": found.silent > limits.silent,
    }
    return {name: f"Collapse: {text}" for name, text in said.items() if beyond[name]}


def health_figures(found: Health, limits: Limits | None = None) -> dict[str, float]:
    """Vital signs and their limits by dotted names, as ``results.json`` holds them and a report draws them."""
    bounds = (Limits() if limits is None else limits).among(found.room)
    return {
        **{f"health.{name}": value for name, value in found.signs.items()},
        **{f"health.limit.{name}": value for name, value in bounds.items()},
    }

"""The alarm for collapse: what is measured, what is too little, and the callback that says so while it trains."""

import sys
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from jointlaw.functional._spectrum import rankme
from jointlaw.objectives._objective import Objective
from jointlaw.types import Views

ROWS = 2048
"""Held-out samples that the alarm looks at."""


class Health(NamedTuple):
    """Vital signs of a batch.

    Attributes:
        rank: RankMe of the backbone's features.
        spread: deviation of the embeddings about their mean, as a share of their root mean square, in [0, 1].
        silent: share of the embedding's units that have one value for all samples, beyond what the law lets be silent
            by chance.
        room: what the rank could be: the features' width, or the number of samples where that is smaller.
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
        rank: least effective rank, as a share of the room that features have: a narrow network has less to lose. On
            digits, in 256 dimensions, the trap of the batch's own covariance ends at .02, a predictor by squared error,
            the lowest of the healthy, at .2.
        spread: least deviation of the embeddings, as a share of their size.
        silent: largest share of units that have one value for all samples.
    """

    rank: float = 0.05
    spread: float = 0.02
    silent: float = 0.5

    def among(self, room: int) -> dict[str, float]:
        """The limit of each sign for features that have this room.

        Samples on a line have an effective rank of at most 2 (it may miss the origin): a narrow network must keep more.
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


def planned_activity(objective: Objective) -> float:
    """The share of units that an objective's law wants active; 1 where there is no law, or a dense one."""
    law = objective.law
    return 1.0 if law is None else float(law.activity)


def symptoms(found: Health, limits: Limits | None = None) -> dict[str, str]:
    """For each vital sign beyond its limit a sentence: what it means, and the usual cures."""
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


class CollapseAlarm(Callback):
    """Logs vital signs of held-out samples, and tells once of each that is beyond its limit twice in a row.

    One look is not enough: in the first epochs the moving averages of batch normalisation are not those of the
    weights yet, and a healthy network may look silent.

    Args:
        activity: share of units that the law wants active.
        limits: what counts as collapse.
    """

    def __init__(self, activity: float = 1.0, limits: Limits | None = None) -> None:
        self.activity = activity
        self.limits = Limits() if limits is None else limits
        self._rows: list[tuple[Tensor, Tensor]] = []
        self._seen: set[str] = set()  # beyond their limits at the last look
        self._told: set[str] = set()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Views,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first samples."""
        if sum(len(features) for features, _ in self._rows) < ROWS:
            self._rows.append((outputs["features"][0].float(), outputs["embeddings"][0].float()))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure, log, and speak up."""
        features, embeddings = (torch.cat(part) for part in zip(*self._rows, strict=True))
        self._rows.clear()
        found = health(features, embeddings, self.activity)
        pl_module.log_dict({f"health/{name}": value for name, value in found.signs.items()}, sync_dist=True)
        now = symptoms(found, self.limits)
        for name in [name for name in now if name in self._seen and name not in self._told]:
            self._told.add(name)
            if trainer.is_global_zero:
                sys.stderr.write(f"warning: epoch {trainer.current_epoch + 1}: {now[name]}\n")
        self._seen = set(now)

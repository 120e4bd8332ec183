"""The alarm for collapse: measures vital signs while a network trains, and warns when one is beyond its limit."""

import sys
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from jointlaw.objectives import Objective
from jointlaw.training._health import Limits, health, symptoms
from jointlaw.types import Views

ROWS = 2048
"""Held-out samples that the alarm looks at."""


def planned_activity(objective: Objective) -> float:
    """The share of units that an objective's law plans to be active; 1 without a law, or with a dense one."""
    law = objective.law
    return 1.0 if law is None else float(law.activity)


class CollapseAlarm(Callback):
    """Logs vital signs of held-out samples, and warns once of each that is beyond its limit twice in a row.

    Once is not enough: in the first epochs the moving averages of batch normalisation lag behind the weights, so that a
    healthy network may seem silent.

    Args:
        activity: share of units that the law plans to be active.
        limits: what counts as collapse.

    >>> CollapseAlarm(activity=0.1, limits=Limits(rank=0.1)).limits
    Limits(rank=0.1, spread=0.02, silent=0.5)
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
        """Measure, log, and warn."""
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

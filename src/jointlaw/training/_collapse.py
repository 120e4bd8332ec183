"""The alarm for collapse: measures vital signs while a network trains, and warns when one is beyond its limit."""

import sys
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from jointlaw.objectives import Objective
from jointlaw.training._health import Health, Limits, health, symptoms
from jointlaw.types import Views

ROWS = 2048
"""Held-out samples that the alarm looks at."""


def planned_activity(objective: Objective) -> float:
    """The share of units that an objective's law plans to be active; 1 without a law, or with a dense one."""
    law = objective.law
    return 1.0 if law is None else float(law.activity)


class CollapseAlarm(Callback):
    """Warns once of each vital sign that is beyond its limit, and logs those of held-out samples.

    It looks at the last batch of each epoch as training saw it, and at each validation. In both, batch normalisation
    takes its moments from a batch that the present weights see (see `Learner`), so that a healthy network shows no
    symptom from the first step on, and a collapse is told within an epoch.

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
        self._told: set[str] = set()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Look at the first view of an epoch's last batch."""
        if trainer.is_last_batch:
            self._warn(trainer, health(outputs["features"][0].float(), outputs["embeddings"][0].float(), self.activity))

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
        self._warn(trainer, found)

    def _warn(self, trainer: pl.Trainer, found: Health) -> None:
        for name, text in symptoms(found, self.limits).items():
            if name not in self._told and trainer.is_global_zero:
                sys.stderr.write(f"warning: epoch {trainer.current_epoch + 1}: {text}\n")
            self._told.add(name)

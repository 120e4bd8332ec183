"""What watches a run: its speed, its weights, and how its checkpoints reach the disk."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from jointlaw._files import replacing
from jointlaw.training._learner import NonFiniteError
from jointlaw.types import Views


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and replaces it in one go.

    Lightning writes to the system's temporary folder first; where that is another disk, its last step is a copy, and
    a process killed during it leaves half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write, flush to the disk, replace."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            torch.save(checkpoint, file)


class LastCheckpoint(Checkpoint):
    """Writes a checkpoint after the first epoch and every so many optimiser steps.

    At the end of an epoch it writes after the validation. Lightning's own ``ModelCheckpoint`` writes before it, and a
    run that is resumed from such a checkpoint skips that validation.

    Args:
        path: the file, which each checkpoint replaces.
        every: number of optimiser steps from one checkpoint to the next.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self._saved = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count from the step of a resumed checkpoint on."""
        self._saved = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Write within an epoch."""
        if not trainer.is_last_batch and self._due(trainer):
            self._write(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write after an epoch and its validation, if a checkpoint is due or there is none yet."""
        if self._saved == 0 or self._due(trainer):
            self._write(trainer)

    def _due(self, trainer: pl.Trainer) -> bool:
        return trainer.global_step - self._saved >= self.every

    def _write(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved = trainer.global_step


class FiniteWeights(Callback):
    """Stops the run if a weight is infinite or NaN, before the checkpoint replaces a good one."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look at every parameter."""
        bad = [name for name, parameter in pl_module.named_parameters() if not bool(parameter.isfinite().all())]
        if bad:
            raise NonFiniteError(
                f"training: expected finite weights at step {trainer.global_step}, found {bad[0]} and "
                f"{len(bad) - 1} others that are not. Lower the learning rate or clip gradients (--run.clip=1)."
            )


class Speed(Callback):
    """Counts samples and the seconds spent on them, validation left out; a resumed run goes on counting."""

    def __init__(self) -> None:
        self.samples = 0
        self.seconds = 0.0
        self._began = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"samples": self.samples, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.samples, self.seconds = state_dict["samples"], state_dict["seconds"]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Views, batch_idx: int
    ) -> None:
        """Start the clock, unless it still runs from the batch before: waiting for data counts, too."""
        self._began = self._began or time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Count the batch of all processes."""
        now = time.perf_counter()
        self.samples += len(batch.index) * trainer.world_size
        self.seconds += now - self._began
        self._began = now

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._began = 0.0

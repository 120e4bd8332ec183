"""How far a training is, and how long it will still take."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, TQDMProgressBar

from jointlaw.training._tracking import about
from jointlaw.types import Views


class Pace:
    """Estimates the time to go by the batches since the first, which takes longer than those that follow."""

    def __init__(self) -> None:
        self.passed = 0.0  # seconds since the end of the first batch
        self._began: float | None = None
        self._batches = 0

    def count(self) -> None:
        """A batch has ended."""
        now = time.perf_counter()
        if self._began is None:
            self._began = now
        else:
            self.passed, self._batches = now - self._began, self._batches + 1

    def to_go(self, trainer: pl.Trainer) -> str:
        """The rest of a training in words; no word before two batches have ended."""
        done = trainer.fit_loop.total_batch_idx + 1
        left = (trainer.max_epochs or 0) * int(trainer.num_training_batches) - done
        return f"{about(self.passed / self._batches * left)} to go" if self._batches and left > 0 else ""


class Bar(TQDMProgressBar):
    """The bar of an epoch, with the time to the end of the training."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=1)
        self._pace = Pace()
        self._drawn = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Draw the bar twice a second, whatever the time of a step."""
        self._pace.count()
        if trainer.is_last_batch or time.perf_counter() - self._drawn > 0.5:
            self._drawn = time.perf_counter()
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """What the bar shows."""
        to_go, shown = self._pace.to_go(trainer), super().get_metrics(trainer, pl_module)
        return {"all": to_go, **shown} if to_go else {**shown}


class Lines(Callback):
    """Prints progress for logs and pipes, where a bar would fill the output.

    There is a line after two seconds, with the time to go, one whenever four times as many have passed, and one after
    each validation.
    """

    def __init__(self) -> None:
        self._pace = Pace()
        self._due = 2.0  # seconds since the first batch

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Print a line if it is time."""
        self._pace.count()
        if self._pace.passed >= self._due:
            self._due = 4 * self._pace.passed
            self._print(trainer, f", batch {batch_idx + 1:,} of {trainer.num_training_batches:,}", "")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print the epoch and what a bar would show."""
        if not trainer.sanity_checking:
            shown = ", ".join(f"{name} {float(value):.4g}" for name, value in trainer.progress_bar_metrics.items())
            self._print(trainer, "", f": {shown}")

    def _print(self, trainer: pl.Trainer, batch: str, shown: str) -> None:
        if trainer.is_global_zero:
            to_go = self._pace.to_go(trainer)
            epoch = f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}{batch}"
            sys.stdout.write(f"{epoch}{', ' + to_go if to_go else ''}{shown}\n")
            sys.stdout.flush()


def in_terminal() -> bool:
    """Whether a progress bar can be redrawn in place."""
    return sys.stdout.isatty()

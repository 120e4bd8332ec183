"""The record of a run: ``metrics.csv``, one row per logged step."""

import csv
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only


class History(Logger):
    """Writes every logged metric to ``metrics.csv`` and goes on with an earlier file after a resume.

    Lightning's own CSV logger deletes the rows of the interrupted run; this one keeps those that the resumed run
    will not write again.

    Args:
        folder: the run folder.
        before_step: on resume, keep earlier rows of smaller steps only.
    """

    def __init__(self, folder: Path, before_step: int | None = None) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self.rows: dict[int, dict[str, float]] = {}
        if before_step is not None and self.path.exists():
            self.rows = {step: row for step, row in read_history(self.path).items() if step < before_step}

    @property
    def name(self) -> str:
        """Lightning's name for a logger."""
        return "history"

    @property
    def version(self) -> str:
        """A run folder holds one version."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: ``config.yaml`` has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Remember a row."""
        self.rows.setdefault(step or 0, {}).update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Write the file anew, replacing the old one in one go."""
        names = sorted({name for row in self.rows.values() for name in row} - {"epoch"})
        part = self.path.with_suffix(".csv.part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["step", "epoch", *names])
            writer.writeheader()
            writer.writerows({"step": step, **row} for step, row in sorted(self.rows.items()))
        os.replace(part, self.path)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the file a last time."""
        if self.rows:
            self.save()


def read_history(path: Path) -> dict[int, dict[str, float]]:
    """The metrics of each step in a ``metrics.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        return {
            int(row["step"]): {name: float(value) for name, value in row.items() if name != "step" and value}
            for row in csv.DictReader(file)
        }

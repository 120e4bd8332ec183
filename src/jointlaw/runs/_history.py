"""The record of a run: ``metrics.csv``, one row per logged step."""

import csv
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from jointlaw._files import replacing


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
        self._new: dict[int, dict[str, float]] = {}  # since the last save
        self._columns: list[str] = []  # of the file; none before the first save
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
        for rows in (self.rows, self._new):
            rows.setdefault(step or 0, {}).update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Add what is new to the file; write it anew where a column is new.

        Lightning asks for this at every logged step, so writing all rows each time would take ever longer.
        """
        if not self._new:
            return
        if any(name not in self._columns for row in self._new.values() for name in row):
            self._write()
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerows(_lines(self._new))
        self._new = {}

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write the file a last time, one row for each step."""
        if self.rows:
            self._write()

    def _write(self) -> None:
        """Write all rows, replacing the old file in one go."""
        names = sorted({name for row in self.rows.values() for name in row} - {"epoch"})
        self._columns = ["step", "epoch", *names]
        with replacing(self.path, "w") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(_lines(self.rows))


def _lines(rows: dict[int, dict[str, float]]) -> Iterator[dict[str, float]]:
    return ({"step": step, **row} for step, row in sorted(rows.items()))


def read_history(path: Path) -> dict[int, dict[str, float]]:
    """The metrics of each step in a ``metrics.csv``; several rows of one step belong together."""
    rows: dict[int, dict[str, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values = {name: float(value) for name, value in row.items() if name != "step" and value}
            rows.setdefault(int(row["step"]), {}).update(values)
    return rows


def read_curves(path: Path) -> dict[str, list[tuple[float, float]]]:
    """The metrics of a ``metrics.csv`` as curves: name -> ``(step, value)`` pairs; none where there is no file."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for step, row in (read_history(path) if path.exists() else {}).items():
        for name, value in row.items():
            curves.setdefault(name, []).append((float(step), value))
    return curves

"""Trials of an experiment: runs that are trained and judged once, each in a folder of its own, and never twice."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch

from jointlaw.data import Data
from jointlaw.runs import Run, Setup
from jointlaw.training.recipes import Method
from jointlaw_papers.experiment import Bench

Figures = dict[str, float | None]
Extra = Callable[[Run], Figures]
"""Measures a trained run further; its figures join those of the judgement."""

BACKBONE, PROJECTOR, NEIGHBOURS = "probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy"
L0 = "sparsity.l0"
NOTE = "trial.json"
"""Stands in the folder of a finished trial, with what its configuration does not say."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One training of an experiment.

    Attributes:
        name: what its folder is called; letters, digits, dots and dashes.
        case: the setting that it is a seed of.
        recipe: one of jointlaw's, or any importable function that returns a `Method`; ``partial`` binds options.
        setup: data, encoder, views and budget; folder and seed are set here.
        seed: determines initial weights, order and views.
        labels: how many labelled training samples the probes of the judgement are fitted to; None is all of them.
        facts: what else distinguishes the trial, as plain values: a folder with other facts is refused.
    """

    name: str
    case: str
    recipe: Callable[..., Method]
    setup: Setup
    seed: int = 0
    labels: int | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def run(self, folder: Path, data: Data, resume: bool = False) -> Run:
        """The run of the trial, with complete settings of its views."""
        settings = replace(self.setup.run, folder=folder, seed=self.seed, resume=resume, report=False)
        few = data._replace(probe=fewer(data, self.labels).probe)
        return Run.new(self.recipe, replace(self.setup, run=settings).settled(data), few)


class Done(NamedTuple):
    """A finished trial.

    Attributes:
        trial: what was trained.
        figures: dotted name -> value, as in a run's results.json.
        folder: the run's folder.
    """

    trial: Trial
    figures: Figures
    folder: Path

    def curve(self, key: str) -> list[tuple[float, float]]:
        """(step, value) of a logged metric; empty if it was never logged."""
        with (self.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
            return [(float(row["step"]), float(row[key])) for row in csv.DictReader(file) if row.get(key)]

    def run(self, data: Data) -> Run:
        """The trained run."""
        return Run.open(self.folder, trust=True, data=data)


def carry_out(trials: Sequence[Trial], data: Data, bench: Bench, extra: Extra | None = None) -> list[Done]:
    """Train and judge every trial that is not done yet; go on with one that was stopped.

    Args:
        trials: in order; names differ. Trial ``name`` lives in ``trials/name`` of the bench's folder.
        data: what all of them are trained on.
        bench: the experiment's folder, and who is told of each trial.
        extra: further figures of a trained run.

    Raises:
        ValueError: if a trial's folder holds a trial of other settings.
    """
    if len({trial.name for trial in trials}) < len(trials):
        raise ValueError("trials: expected a name of its own for each trial, found two alike.")
    places = [f"[{i}/{len(trials)}] {trial.name}" for i, trial in enumerate(trials, 1)]
    return [_one(trial, data, place, bench, extra) for trial, place in zip(trials, places, strict=True)]


def _one(trial: Trial, data: Data, place: str, bench: Bench, extra: Extra | None) -> Done:
    folder = bench.folder / "trials" / trial.name
    note, facts = folder / NOTE, {"labels": trial.labels, **trial.facts}
    begun = (folder / "checkpoints" / "last.ckpt").exists()
    if not begun and not note.exists() and folder.exists():
        shutil.rmtree(folder)  # stopped before its first checkpoint: nothing was learned yet
    run = trial.run(folder, data, resume=begun)
    if folder.exists():
        run.workspace.check_same(run.configuration.tree())
    if note.exists():
        _check_facts(note, facts)
        bench.say(f"{place}: done before")
        return Done(trial, run.workspace.read_results(), folder)
    bench.say(f"{place}: {'goes on' if begun else 'starts'}")
    run.train()
    run.judge()
    run.workspace.add_results({} if extra is None else extra(run))
    note.write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return Done(trial, run.workspace.read_results(), folder)


def _check_facts(note: Path, facts: Mapping[str, object]) -> None:
    found = json.loads(note.read_text(encoding="utf-8"))
    if found != facts:
        raise ValueError(f"{note}: expected {facts}, found {found}: another trial. Choose another --folder.")


def fewer(data: Data, labels: int | None) -> Data:
    """Data with at most so many samples to fit a probe to (None is all), the same ones whatever a trial's seed."""
    if labels is None or labels >= len(data.probe):
        return data
    order = torch.randperm(len(data.probe), generator=torch.Generator().manual_seed(0))
    return data._replace(probe=data.probe.take(order[:labels].sort().values))

"""Trials of an experiment: each trained and judged once, in a folder of its own, and never twice."""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
import yaml
from scipy.stats import t as student

from jointlaw.data._samples import Data
from jointlaw.evaluation._beside import probe_beside
from jointlaw.evaluation._judge import judge
from jointlaw.runs._folder import Workspace
from jointlaw.runs._history import read_history
from jointlaw.runs._setup import Setup
from jointlaw.runs._trainer import choose_precision, fit
from jointlaw.training._datamodule import ViewedData
from jointlaw.training._learner import Learner
from jointlaw.training._optimizers import AdamW
from jointlaw.training.recipes import Method

Figures = dict[str, float | None]
Extra = Callable[[Learner, Data], Figures]
"""Measures a trained learner further; its figures join those of the judgement."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One training of an experiment.

    Attributes:
        name: of its folder; letters, digits, dots and dashes.
        method: makes objective and projector; called after the seed is set.
        setup: data, encoder, views and run; the run's folder and seed are set here.
        facts: what distinguishes the trial, as plain values: a folder with other facts is refused.
        seed: of initial weights, order and views.
        online: whether linear probes learn beside the run, so that there is a curve of their accuracy; they change
            nothing else, and are no fact.
        labels: how many labelled training samples the probes of the judgement are fitted to; None is all of them.
    """

    name: str
    method: Callable[[], Method]
    setup: Setup
    facts: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    online: bool = False
    labels: int | None = None

    @property
    def config(self) -> str:
        """All that determines the result, as YAML."""
        setup, run = self.setup, self.setup.run
        budget = {"epochs": run.epochs, "batch": run.batch, "precision": choose_precision(run), "seed": self.seed}
        steps = {"clip": run.clip, "accumulate": run.accumulate, "optimizer": setup.optimizer or AdamW()}
        shared = {name: getattr(setup, name) for name in ("data", "resolution", "encoder", "small_stem", "views")}
        return yaml.safe_dump(plain({**self.facts, **shared, **steps, **budget, "labels": self.labels}), sort_keys=True)


class Done(NamedTuple):
    """A finished trial.

    Attributes:
        trial: what was trained.
        figures: dotted name -> value, as in a run's results.json.
        workspace: its folder: weights, metrics.csv, results.json.
    """

    trial: Trial
    figures: Figures
    workspace: Workspace

    def curve(self, key: str) -> list[tuple[float, float]]:
        """(step, value) of a logged metric; empty if it was never logged."""
        history = read_history(self.workspace.folder / "metrics.csv")
        return [(float(step), row[key]) for step, row in history.items() if key in row]


def bound(make: Callable[..., Method], **options: object) -> dict[str, object]:
    """All options of a recipe, defaults included, as facts of a trial: a changed default makes another trial."""
    defaults = {name: parameter.default for name, parameter in signature(make).parameters.items()}
    return plain({name: value for name, value in {**defaults, **options}.items() if name != "seed"})


def plain(values: Mapping[str, object]) -> dict[str, object]:
    """Values that YAML can hold: what is not is written as Python would."""
    return {
        name: value if value is None or isinstance(value, bool | int | float | str) else str(value)
        for name, value in values.items()
    }


def carry_out(
    trials: Iterable[Trial], folder: Path, say: Callable[[str], None], extra: Extra | None = None
) -> list[Done]:
    """Train and judge every trial that has no results yet; go on with one that was stopped.

    Args:
        trials: in order; names differ.
        folder: of the experiment; trial ``name`` lives in ``folder / "trials" / name``.
        say: is told of each trial.
        extra: further figures of a trained learner.

    Raises:
        ValueError: if a trial's folder holds a trial of other facts.
    """
    chosen = list(trials)
    if len({trial.name for trial in chosen}) < len(chosen):
        raise ValueError("trials: expected a name of its own for each trial, found two alike.")
    return [
        _one(trial, folder / "trials" / trial.name, f"[{i}/{len(chosen)}]", say, extra)
        for i, trial in enumerate(chosen, 1)
    ]


def _one(trial: Trial, folder: Path, place: str, say: Callable[[str], None], extra: Extra | None) -> Done:
    workspace = Workspace(folder)
    if workspace.results.exists():
        workspace.check_same(trial.config)
        say(f"{place} {trial.name}: done before")
        return Done(trial, json.loads(workspace.results.read_text(encoding="utf-8")), workspace)
    started = workspace.last.exists()
    if not started and folder.exists():
        shutil.rmtree(folder)  # stopped before its first checkpoint: nothing was learned yet
    say(f"{place} {trial.name}: {'goes on' if started else 'starts'}")
    if started:
        workspace.resume(trial.config)
    else:
        workspace.start(trial.config)
    figures = _train(trial, workspace, started, extra)
    workspace.save_results(figures)
    return Done(trial, figures, workspace)


def _train(trial: Trial, workspace: Workspace, resume: bool, extra: Extra | None) -> Figures:
    run = replace(trial.setup.run, folder=workspace.folder, seed=trial.seed, resume=resume)
    setup = replace(trial.setup, run=run)
    data = setup.load_data()
    views, probe = setup.view_maker(data), setup.load_probe_data(data)
    pl.seed_everything(trial.seed, verbose=False)
    learner = setup.learner(trial.method(), data)
    online = probe_beside(learner, data, views) if trial.online else None
    training = fit(learner, ViewedData(data, views, run.batch, run.seed), run, workspace, online)
    learner = learner.cpu().eval()
    judgement = judge(learner, data, probe and fewer_labels(probe, trial.labels), views, run.batch, run.seed)
    further = {} if extra is None else extra(learner, data)
    return {**judgement.figures, **training, **further}


def fewer_labels(data: Data, labels: int | None) -> Data:
    """Data with at most so many samples to fit a probe to (None is all), the same ones whatever a trial's seed."""
    if labels is None or labels >= len(data.probe):
        return data
    order = torch.randperm(len(data.probe), generator=torch.Generator().manual_seed(0))
    return data._replace(probe=data.probe.take(order[:labels].sort().values))


def trained(done: Done) -> tuple[Learner, Data]:
    """The learner of a finished trial, with its data."""
    trial = done.trial
    data = trial.setup.load_data()
    torch.manual_seed(trial.seed)
    learner = trial.setup.learner(trial.method(), data)
    done.workspace.load_weights(learner)
    return learner.eval(), data


class Interval(NamedTuple):
    """A mean over seeds with the half-width of its 95 % interval (Student's t); no half-width for one seed.

    Attributes:
        mean: of the values.
        half: of the interval's width, or None.
        seeds: how many values there were.
    """

    mean: float
    half: float | None
    seeds: int

    def text(self, form: str = "{:.1%}") -> str:
        """Such as ``89.3% ± 0.4%``."""
        return form.format(self.mean) + ("" if self.half is None else " ± " + form.format(self.half))


def interval(values: Iterable[float | None]) -> Interval | None:
    """The mean over the values that exist, with its interval; None if there are none.

    >>> interval([1.0, 2.0, 3.0]).text("{:.2f}")
    '2.00 ± 2.48'
    """
    found = [value for value in values if value is not None]
    if not found:
        return None
    mean = sum(found) / len(found)
    if len(found) == 1:
        return Interval(mean, None, 1)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in found) / (len(found) - 1))
    half = float(student.ppf(0.975, len(found) - 1)) * deviation / math.sqrt(len(found))
    return Interval(mean, half, len(found))

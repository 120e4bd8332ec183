"""Training, probing, embedding and reporting runs."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from rich.console import Console
from rich.progress import track

from jointlaw.evaluation._beside import probe_beside
from jointlaw.evaluation._embed import embed
from jointlaw.evaluation._judge import Judgement, judge, probe_figures
from jointlaw.evaluation._table import Which, write_table
from jointlaw.report._contents import Contents
from jointlaw.report._run import run_page
from jointlaw.training._datamodule import ViewedData, clean_views
from jointlaw.runs._history import read_history
from jointlaw.training._learner import Learner
from jointlaw.training.recipes import Method
from jointlaw.runs._trainer import choose_accelerator, choose_precision, first_process, fit
from jointlaw.data._samples import Data
from jointlaw.runs._setup import Setup
from jointlaw.runs._folder import Workspace

console = Console(highlight=False)

SHOWN = 2_000
"""Held-out samples in a report; more make the page heavy and nothing clearer."""


@dataclass(frozen=True, eq=False)
class Project:
    """A recipe with its settings.

    Attributes:
        recipe: its name.
        method: makes objective and projector anew.
        setup: everything else; ``setup.run.folder`` is set.
        config: the configuration as YAML.
    """

    recipe: str
    method: Callable[[], Method]
    setup: Setup
    config: str

    @property
    def workspace(self) -> Workspace:
        """The run folder."""
        if self.setup.run.folder is None:
            raise ValueError("run: expected a run folder, found none. Name one by --run.folder.")
        return Workspace(self.setup.run.folder)

    def trained(self, data: Data) -> Learner:
        """The learner with the weights in the run folder."""
        learner = self.setup.learner(self.method(), data)
        self.workspace.load_weights(learner)
        return learner.eval()


def train(project: Project, data: Data) -> None:
    """Train (or go on training), judge the result and write the report."""
    setup, run, workspace = project.setup, project.setup.run, project.workspace
    choose_accelerator(run)  # refuses what is not there before a folder is made
    views, probe = setup.view_maker(data), setup.load_probe_data(data)
    pl.seed_everything(run.seed, verbose=False)
    learner = setup.learner(project.method(), data)
    feed, online = ViewedData(data, views, run.batch, run.seed), probe_beside(learner, data, views)
    if run.resume:
        workspace.resume(project.config)
    elif first_process():
        workspace.start(project.config)
    say(*data.notes)
    epochs = run.epochs_for(len(data.train))
    say(f"{project.recipe}: {len(data.train):,} samples, {epochs} epochs, precision {choose_precision(run)}")
    try:
        training = fit(learner, feed, run, workspace, online)
    except BaseException as error:
        error.add_note(_what_is_left(workspace, run.resume))
        raise
    if not first_process():
        return
    earlier = earlier_results(workspace)
    workspace.save_results({**earlier, **training})
    if run.report:
        judgement = judge(learner.cpu(), data, probe, views, run.batch, run.seed)
        workspace.save_results({**earlier, **judgement.figures, **training})
        run_page(contents(project, data, learner, judgement)).write(workspace.report)
        summarise(workspace)


def report_run(project: Project, data: Data) -> None:
    """Judge the run anew on its data and write ``results.json`` and ``report.html``."""
    setup, workspace = project.setup, project.workspace
    learner = project.trained(data)
    probe, views = setup.load_probe_data(data), setup.view_maker(data)
    judgement = judge(learner, data, probe, views, setup.run.batch, setup.run.seed)
    workspace.save_results({**earlier_results(workspace), **judgement.figures})
    run_page(contents(project, data, learner, judgement)).write(workspace.report)
    summarise(workspace)


def probe_run(project: Project, data: Data, probe_data: str | None = None) -> None:
    """Fit the offline probes and print their accuracies.

    Args:
        project: the run.
        data: its data.
        probe_data: another labelled source, in place of the run's own.
    """
    setup = project.setup
    probe = setup.load_probe_data(data, probe_data)
    if probe is None:
        raise ValueError("probe: expected labelled data, found no labels. Name labelled data by --probe-data.")
    learner = project.trained(data)
    figures, notes = probe_figures(learner, probe, setup.view_maker(data), setup.run.batch, setup.run.seed)
    say(*(f"{name:28s} {value:.4f}" for name, value in figures.items() if value is not None), *notes)


def embed_run(
    project: Project,
    data: Data,
    output: Path,
    part: str = "held_out",
    which: Which = "embeddings",
    overwrite: bool = False,
) -> None:
    """Embed clean samples and write them to a file.

    Args:
        project: the run.
        data: what to embed.
        output: .parquet, .npz, or .csr.npz for a SciPy sparse matrix.
        part: ``train``, ``held_out`` or ``all``.
        which: ``embeddings``, ``features`` or ``both``.
        overwrite: replace an existing file.
    """
    if output.exists() and not overwrite:
        raise ValueError(f"embed: expected a new file, found {output}. Choose another name or add --overwrite.")
    learner, views = project.trained(data), project.setup.view_maker(data)
    sources = [data.train, data.held_out] if part == "all" else [data.train if part == "train" else data.held_out]
    batch = project.setup.run.batch
    loader = chain.from_iterable(clean_views(source, views, batch) for source in sources)  # read as they are needed
    total = sum(-(-len(source) // batch) for source in sources)
    table = embed(learner, track(loader, description="embedding", total=total, console=console))
    write_table(table, output, which, overwrite)
    say(f"{len(table):,} rows of width {table.embeddings.shape[1]} in {output}")


def contents(project: Project, data: Data, learner: Learner, judgement: Judgement) -> Contents:
    """What the report shows of a run."""
    workspace, held_out = project.workspace, data.held_out
    shown = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0))[:SHOWN].sort().values
    clean = judgement.clean
    law = None if learner.objective.matcher is None else learner.objective.matcher.law
    return Contents(
        title=f"{project.recipe} on {data.name}",
        embeddings=clean.embeddings[shown].numpy(),
        features=clean.features[shown].numpy(),
        drawn=judgement.drawn.embeddings.numpy(),
        label=clean.label[shown].numpy(),
        command=f"jointlaw train {project.recipe} --config {workspace.config.name} --run.folder=NEW",
        figures=earlier_results(workspace),
        history=_curves(workspace),
        law=law,
        class_names=held_out.classes,
        names=tuple(held_out.names[i] for i in shown.tolist()) if held_out.names else None,
        images=_pictures(held_out.read(shown)),
        config=workspace.config.read_text(encoding="utf-8"),
        environment=(workspace.folder / "environment.txt").read_text(encoding="utf-8"),
        warnings=(*data.notes, *judgement.notes),
    )


def summarise(workspace: Workspace) -> None:
    """Print the main figures and where the report is."""
    figures = earlier_results(workspace)

    def line(name: str, key: str, form: str = ".2%") -> str:
        value = figures.get(key)
        return f"  {name:34s} {'not measured' if value is None else format(value, form)}"

    say(
        "",
        line("planned share of active units", "sparsity.l0_expected"),
        line("measured share of active units", "sparsity.l0"),
        line("dead units", "dead_units"),
        line("linear probe, backbone", "probe.backbone.accuracy"),
        line("linear probe, projector", "probe.projector.accuracy"),
        line("nearest neighbours, backbone", "knn.accuracy"),
        line("training speed, images per second", "images_per_second", ",.0f"),
        f"  report: {workspace.report}",
    )


def say(*lines: str) -> None:
    """Print lines, once."""
    if first_process():
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


def _what_is_left(workspace: Workspace, resumed: bool) -> str:
    """After a failure in training: remove a folder that cannot be gone on with, and tell what there is."""
    if not resumed and first_process() and workspace.abandon():
        return "There was no checkpoint yet (see --run.checkpoint_steps); the run folder was removed."
    return f"The last checkpoint is kept; go on with --run.folder={workspace.folder} --run.resume=true."


def earlier_results(workspace: Workspace) -> dict[str, float | None]:
    """The figures in the run folder, if any."""
    if not workspace.results.exists():
        return {}
    figures: dict[str, float | None] = json.loads(workspace.results.read_text(encoding="utf-8"))
    return figures


def without(figures: dict[str, float | None], *prefixes: str) -> dict[str, float | None]:
    """Figures but for those whose names begin with one of the prefixes: what they described is there no more."""
    return {name: value for name, value in figures.items() if not name.startswith(prefixes)}


def _curves(workspace: Workspace) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    path = workspace.folder / "metrics.csv"
    for step, row in (read_history(path) if path.exists() else {}).items():
        for name, value in row.items():
            curves.setdefault(name, []).append((float(step), value))
    return curves


def _pictures(samples: torch.Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None":
    return samples.numpy() if samples.dtype == torch.uint8 else None

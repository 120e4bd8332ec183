"""Fitting a density to the representations of a run."""

import time
from dataclasses import asdict

import numpy as np
import torch

from jointlaw.runs._commands import Project, earlier_results, say, without
from jointlaw.densities._density import Density
from jointlaw.evaluation._calibration import reliability
from jointlaw.evaluation._fitting import Recipe, save_density
from jointlaw.evaluation._joint import (
    PairTable,
    conditional_law,
    judge_density,
    novelty,
    principal_components,
    representations,
    some_pairs,
    target_law,
    view_pairs,
)
from jointlaw.report._blocks import Absent, Chart, FigureTable, Section
from jointlaw.report._page import Page
from jointlaw.report.drawing import LAW, MEASURED, QUIET, THIRD, bars, canvas, line
from jointlaw.data._samples import Data
from jointlaw.runs._folder import environment

WORDS = {
    "density.kept": ("variance kept by the principal components", "{:.1%}"),
    "density.nll": ("negative log-likelihood of the target given a view (nats)", "{:.3f}"),
    "density.energy_score": ("energy score", "{:.4f}"),
    "density.coverage": ("targets inside regions meant to hold 90 %", "{:.1%}"),
    "density.noise": ("noise: variance within components", "{:.4f}"),
    "density.ambiguity": ("ambiguity: variance between components", "{:.4f}"),
    "density.ood_auroc": ("AUROC against other data", "{:.4f}"),
    "density.seconds": ("seconds to fit", "{:.1f}"),
}
"""Figure -> its name and form."""


def fit_run(project: Project, data: Data, recipe: Recipe, ood: str | None = None) -> None:
    """Fit a density to pairs of views of the training samples, judge it on held-out ones, and write what was found.

    ``density.safetensors`` holds the density, ``results.json`` gains its figures, ``density.html`` shows them.

    Args:
        project: the run.
        data: its data.
        recipe: which density.
        ood: other data, to be told from the run's own by likelihood.
    """
    setup, workspace = project.setup, project.workspace
    other = None if ood is None else setup.load_other(ood, data)
    learner, views, batch = project.trained(data), setup.view_maker(data), setup.run.batch
    raw = view_pairs(learner, data.train, views, batch, recipe.seed, recipe.part, recipe.target)
    reduce = principal_components(raw.target, recipe.dim, recipe.seed)
    held_out = view_pairs(learner, data.held_out, views, batch, recipe.seed + 1, recipe.part, recipe.target)
    train, test = (PairTable(reduce(pairs.context), reduce(pairs.target)) for pairs in (raw, held_out))
    start = time.perf_counter()
    density = recipe.fit(train).eval()
    seconds = time.perf_counter() - start
    figures = {"density.kept": reduce.kept, "density.seconds": seconds, **judge_density(density, test, recipe.seed)}
    histogram: Chart | Absent = Absent("Likelihood of clean samples", "Name other data by --ood to compare them.")
    if other is not None and recipe.density == "network":
        histogram = Absent("Likelihood of clean samples", "A network predicts targets; it has no law of the context.")
    elif other is not None:
        inside, outside = (
            reduce(representations(learner, source.held_out, views, batch, recipe.part)) for source in (data, other)
        )
        figures["density.ood_auroc"] = novelty(density, inside, outside)
        histogram = _likelihoods(density, inside, outside, data.name, other.name)
    save_density(workspace.folder / "density.safetensors", recipe, density, reduce)
    kept = without(earlier_results(workspace), "density.", "samples.", "completion.")  # those were another density's
    workspace.save_results({**kept, **figures})
    plots = [_uncertainty(density, test), _reliability(density, some_pairs(test, recipe.seed)), histogram]
    _write_page(project, recipe, figures, plots, ood)
    say(
        *(
            f"  {words:58s} {form.format(figures[key])}"
            for key, (words, form) in WORDS.items()
            if figures.get(key) is not None
        ),
        f"  page: {workspace.folder / 'density.html'}",
    )


def _write_page(
    project: Project, recipe: Recipe, figures: dict[str, float | None], plots: list[Chart | Absent], ood: str | None
) -> None:
    rows = [[words, form.format(figures[key])] for key, (words, form) in WORDS.items() if figures.get(key) is not None]
    folder = project.workspace.folder
    usual = asdict(Recipe())
    options = [f"--{name}={value}" for name, value in asdict(recipe).items() if value != usual[name]]
    command = " ".join(["jointlaw fit", str(folder), *options])
    target = "another view of the same sample" if recipe.target == "view" else "the clean sample"
    introduction = (
        f"One view is the context, {target} the target: what does the density say about the target? Fitted "
        f"to the {recipe.part} of training samples, judged on held-out ones."
    )
    parts = [Section("figures", "Figures", "On held-out pairs.", [FigureTable("Figures", ("figure", "value"), rows)])]
    parts.append(Section("pictures", "Pictures", "Where the uncertainty lies, and whether to believe it.", plots))
    title = f"{recipe.density} over {recipe.part}"
    command += f" --ood={ood}" if ood else ""
    Page(title, introduction, parts, command=command, environment=environment()).write(folder / "density.html")


@torch.no_grad()
def _uncertainty(density: Density, test: PairTable) -> Chart:
    found = conditional_law(density, test.context).uncertainty()
    share = (found.ambiguity.sum(-1) / found.total.sum(-1)).numpy()
    figure = canvas("ambiguity, as a share of the total variance", "held-out pairs")
    edges = np.linspace(0, max(float(share.max()), 0.01), 51)
    bars(figure, edges, np.histogram(share, edges)[0], "pairs", MEASURED)
    figure.data[-1].showlegend = False
    mean = float(share.mean())
    reading = f"Ambiguity is variance between components: the context leaves open which one. On average {mean:.1%}."
    return Chart("uncertainty", "Noise or ambiguity", figure, reading, f"Histogram with mean {mean:.1%}.")


@torch.no_grad()
def _reliability(density: Density, test: PairTable) -> Chart:
    found = reliability(density(test.context), test.target, generator=torch.Generator().manual_seed(0))
    figure = canvas("nominal level", "share of targets inside the region")
    line(figure, [(0.0, 0.0), (1.0, 1.0)], "exact", QUIET, dash="dash")
    for name, values, colour in (("highest density", found.highest, MEASURED), ("central", found.central, THIRD)):
        line(figure, list(zip(found.level.tolist(), values.tolist(), strict=True)), name, colour)
    reading = f"On {len(test.context):,} pairs. Below the line the law is too sure of itself, above it not sure enough."
    return Chart("reliability", "Reliability", figure, reading, f"Mean error of the coverage {found.error:.3f}.")


@torch.no_grad()
def _likelihoods(density: Density, inside: torch.Tensor, outside: torch.Tensor, name: str, other: str) -> Chart:
    marginal = target_law(density, inside.shape[-1])
    values = [marginal.log_prob(part).numpy() for part in (inside, outside)]
    low = min(float(np.quantile(part, 0.01)) for part in values)
    edges = np.linspace(low, max(float(part.max()) for part in values), 61)
    figure = canvas("log-likelihood of a clean sample (nats)", "density")
    for part, label, colour in zip(values, (name, other), (MEASURED, LAW), strict=True):
        count, _ = np.histogram(np.clip(part, low, None), edges)
        bars(figure, edges, count / (len(part) * np.diff(edges)), label, colour)
    figure.update_layout(barmode="overlay")
    reading = f"Two hills apart: the law tells {other} from {name}. The lowest bar holds all values below it, too."
    return Chart("likelihood", "Likelihood of clean samples", figure, reading, "Two histograms of log-likelihoods.")

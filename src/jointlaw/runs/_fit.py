"""Fitting a density to the representations of a run."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from jointlaw._files import metadata
from jointlaw.evaluation import reliability
from jointlaw.evaluation._fitting import DensityRecipe, FittedPairs, Mixture, Network, Trained
from jointlaw.evaluation._joint import (
    PairTable,
    Reduction,
    Target,
    conditional_law,
    judge_density,
    novelty,
    principal_components,
    some_pairs,
    target_law,
    view_pairs,
)
from jointlaw.evaluation._table import Which
from jointlaw.report import Absent, Chart, Page, Section, drawing, figure_table
from jointlaw.runs._building import build, describe
from jointlaw.runs._environment import environment

if TYPE_CHECKING:
    from jointlaw.densities import Density
    from jointlaw.runs._run import Run

FILE = "density.safetensors"
DIM = 32
"""Principal components that a density sees, where there are as many and the user names none."""


def fit(
    run: "Run",
    recipe: DensityRecipe | None,
    which: Which | None,
    dim: int | None,
    target: Target,
    seed: int,
    ood: str | None,
) -> FittedPairs:
    """Fit a density to pairs of views of the training samples, judge it on held-out ones, and write what was found.

    ``density.safetensors`` holds the density, ``results.json`` gains its figures, ``density.html`` shows them. See
    ``Run.fit`` for the arguments.
    """
    target = Target(target)
    recipe, which = _chosen(run, recipe, which, target)
    other, data, embedder = None if ood is None else run.load(ood), run.data, run.embedder
    raw = view_pairs(embedder, data.train, seed, which, target)
    reduce = principal_components(raw.target, min(DIM, *raw.target.shape) if dim is None else dim, seed)
    train, test = reduced(reduce, raw), reduced(reduce, view_pairs(embedder, data.held_out, seed + 1, which, target))
    start = time.perf_counter()
    law = run.learner.objective.joint_law if isinstance(recipe, Trained) else None
    density = (recipe.fit(train, seed) if law is None else Trained().of(law, reduce)).eval()
    seconds = time.perf_counter() - start
    fitted = FittedPairs(recipe, density, reduce, which, target, seed)
    figures = {"density.kept": reduce.kept, "density.seconds": seconds, **judge_density(density, test, seed)}
    plots: list[Chart | Absent] = [_uncertainty(density, test), _reliability(density, some_pairs(test, seed))]
    if other is None or isinstance(recipe, Network):
        reason = (
            "Name other data by --ood to compare them."
            if other is None
            else "A network predicts targets; it has no law of the context."
        )
        plots.append(Absent("Likelihood of clean samples", reason))
    else:
        inside, outside = (reduce(embedder.clean(source.held_out).part(which)) for source in (data, other))
        figures["density.ood_auroc"] = novelty(density, inside, outside)
        plots.append(_likelihoods(density, inside, outside, (data.name, other.name)))
    run.workspace.write_weights(FILE, fitted.to_bytes(describe(recipe)))
    run.workspace.add_results(figures, "density.", "samples.", "completion.")  # those were another density's
    _page(run, fitted, figures, plots, ood).write(run.workspace.folder / "density.html")
    return replace(fitted, figures=figures)


def _chosen(
    run: "Run", recipe: DensityRecipe | None, which: Which | None, target: Target
) -> tuple[DensityRecipe, Which]:
    """What is fitted, and to which representations: the law learned in training, if there is one."""
    learned, which = run.learner.objective.joint_law is not None, None if which is None else Which(which)
    if recipe is None:
        recipe = Trained() if learned and which != Which.features and target == Target.view else Mixture()
    if not isinstance(recipe, Trained):
        return recipe, which or Which.features
    if not learned:
        raise ValueError(
            f"fit: expected a run that learned a joint law, found one of {run.configuration.recipe}. Fit a law to it, "
            "by --density=Mixture."
        )
    if target == Target.clean:
        raise ValueError(
            "fit: expected the target to be a view, found the clean sample: the law learned in training is one of two "
            "drawn views. Leave --target out, or fit a law of clean samples by --density=Mixture."
        )
    if which not in (None, Which.embeddings):
        raise ValueError(
            f"fit: expected embeddings, found {which}: the law learned in training is one of embeddings. Leave --which "
            "out, or fit a law to the features by --density=Mixture."
        )
    return recipe, Which.embeddings


def load_fit(run: "Run") -> FittedPairs:
    """The density in a run folder, with all that belongs to it.

    Raises:
        ValueError: if there is none, it was changed, or it is another file.
    """
    path = run.workspace.folder / FILE
    content = run.workspace.read_weights(FILE, f"Fit one by jointlaw fit {run.workspace.folder}.")
    try:
        facts = json.loads(metadata(content)["fit"])
        recipe = build(facts["recipe"], trust=False)
        if not isinstance(recipe, DensityRecipe):
            raise TypeError(f"the recipe is a {type(recipe).__name__}")
        return FittedPairs.from_bytes(content, recipe, facts)
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{path}: expected a density written by jointlaw fit, found another file ({error}). Fit it anew."
        ) from error


def reduced(reduction: Reduction, pairs: PairTable) -> PairTable:
    """Pairs of principal components of pairs of representations."""
    return PairTable(reduction(pairs.context), reduction(pairs.target))


def _page(
    run: "Run", fitted: FittedPairs, figures: dict[str, float | None], plots: Sequence[Chart | Absent], ood: str | None
) -> Page:
    described = describe(fitted.recipe)
    kind = type(fitted.recipe).__name__
    options = [f"--density={kind}"]
    options += [f"--density.{name}={_word(value)}" for name, value in described["init_args"].items()]
    options += [f"--which={fitted.which}", f"--dim={fitted.reduction.directions.shape[1]}"]
    options += [f"--target={fitted.target}", f"--seed={fitted.seed}"] + ([f"--ood={ood}"] if ood else [])
    target = "another view of the same sample" if fitted.target == Target.view else "the clean sample"
    return Page(
        title=f"{kind} over {fitted.which} of {run.title}",
        command=" ".join(["jointlaw fit", str(run.workspace.folder), *options]),
        introduction=f"One view is the context, {target} the target: what does the density say about the target? "
        f"{_origin(fitted)}, judged on held-out ones.",
        sections=[
            Section("figures", "Figures", "On held-out pairs.", [figure_table(figures)]),
            Section("pictures", "Pictures", "Where the uncertainty lies, and whether to believe it.", plots),
        ],
        environment=environment(),
    )


def _origin(fitted: FittedPairs) -> str:
    if isinstance(fitted.recipe, Trained):
        return "Learned in training, with the encoder; seen along principal components of the embeddings"
    return f"Fitted to the {fitted.which} of training samples"


def _word(value: object) -> object:
    """An option's value on a command line; an object without arguments is named by its class."""
    return value["class_path"].rpartition(".")[2] if isinstance(value, dict) else value


@torch.no_grad()
def _uncertainty(density: "Density", test: PairTable) -> Chart:
    found = conditional_law(density, test.context).uncertainty()
    share = (found.ambiguity.sum(-1) / found.total.sum(-1)).numpy()
    figure = drawing.canvas("ambiguity, as a share of the total variance", "held-out pairs")
    edges = np.linspace(0, max(float(share.max()), 0.01), 51)
    drawing.bars(figure, edges, np.histogram(share, edges)[0], "pairs", drawing.MEASURED)
    figure.data[-1].showlegend = False
    mean = float(share.mean())
    reading = f"Ambiguity is variance between components: the context leaves open which one. On average {mean:.1%}."
    return Chart("uncertainty", "Noise or ambiguity", figure, reading, f"Histogram with mean {mean:.1%}.")


@torch.no_grad()
def _reliability(density: "Density", test: PairTable) -> Chart:
    found = reliability(density(test.context), test.target, generator=torch.Generator().manual_seed(0))
    figure = drawing.canvas("nominal level", "share of targets inside the region")
    drawing.line(figure, [(0.0, 0.0), (1.0, 1.0)], "exact", drawing.QUIET, dash="dash")
    curves = (("highest density", found.highest, drawing.MEASURED), ("central", found.central, drawing.THIRD))
    for name, values, colour in curves:
        drawing.line(figure, list(zip(found.level.tolist(), values.tolist(), strict=True)), name, colour)
    reading = f"On {len(test.context):,} pairs. Below the line the law is too sure of itself, above it not sure enough."
    return Chart("reliability", "Reliability", figure, reading, f"Mean error of the coverage {found.error:.3f}.")


@torch.no_grad()
def _likelihoods(density: "Density", inside: torch.Tensor, outside: torch.Tensor, names: tuple[str, str]) -> Chart:
    marginal = target_law(density, inside.shape[-1])
    values = [marginal.log_prob(part).numpy() for part in (inside, outside)]
    low = min(float(np.quantile(part, 0.01)) for part in values)
    edges = np.linspace(low, max(float(part.max()) for part in values), 61)
    figure = drawing.canvas("log-likelihood of a clean sample (nats)", "density")
    for part, label, colour in zip(values, names, (drawing.MEASURED, drawing.LAW), strict=True):
        count, _ = np.histogram(np.clip(part, low, None), edges)
        drawing.bars(figure, edges, count / (len(part) * np.diff(edges)), label, colour)
    figure.update_layout(barmode="overlay")
    reading = (
        f"Two hills apart: the law tells {names[1]} from {names[0]}. The lowest bar holds all values below it, too."
    )
    return Chart("likelihood", "Likelihood of clean samples", figure, reading, "Two histograms of log-likelihoods.")

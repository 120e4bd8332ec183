"""Sampling the latent law of a run, and completing images by it."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from jointlaw.runs._commands import Project, earlier_results, say
from jointlaw.densities._density import Density
from jointlaw.evaluation._fitting import Recipe, load_density
from jointlaw.generation._quality import memorisation, overlap
from jointlaw.evaluation._joint import (
    PairTable,
    Reduction,
    judge_density,
    principal_components,
    representations,
)
from jointlaw.generation._latents import Half, draw, draw_given, expand, half_pairs, hide, median_pixel
from jointlaw.report._blocks import FigureTable, Picture, Section
from jointlaw.report._page import Page
from jointlaw.report._pictures import tiled
from jointlaw.generation._decoder import Trained, load_decoder
from jointlaw.training._learner import Learner
from jointlaw.data._samples import Data, Source, Stored
from jointlaw.runs._folder import environment

JUDGED = 1000
"""Samples, and as many held-out images, on which samples are judged; fewer if fewer are held out."""

REFERENCE = 10_000
"""Training images among which the nearest is looked for, at most."""

COMPLETIONS = 8
"""Completions of one image: a row."""

SHOWN = 8
"""Held-out images that show what is lost on the way."""

WORDS = {
    "samples.precision": ("precision", "{:.1%}"),
    "samples.recall": ("recall", "{:.1%}"),
    "samples.density": ("density", "{:.3f}"),
    "samples.coverage": ("coverage", "{:.1%}"),
    "samples.memorisation": ("distance to the nearest training image, over that of held-out images", "{:.3f}"),
    "completion.nll": ("negative log-likelihood of the whole given the half (nats)", "{:.3f}"),
    "completion.energy_score": ("energy score", "{:.4f}"),
    "completion.coverage": ("wholes inside regions meant to hold 90 %", "{:.1%}"),
    "completion.ambiguity_share": ("ambiguity, as a share of the variance", "{:.1%}"),
}
"""Figure -> its name and form."""


@dataclass(frozen=True, eq=False)
class Generator:
    """All that turns a density's draws into images.

    Attributes:
        project: the run.
        recipe: of the density.
        density: over principal components.
        reduction: to them.
        trained: the decoder.
    """

    project: Project
    recipe: Recipe
    density: Density
    reduction: Reduction
    trained: Trained

    @classmethod
    def of(cls, project: Project) -> "Generator":
        """Read density and decoder of a run.

        Raises:
            ValueError: if one is missing, or they are of different parts of the network.
        """
        folder = project.workspace.folder
        density, decoder = folder / "density.safetensors", folder / "decoder.safetensors"
        if not density.exists():
            raise ValueError(f"{density}: expected a density, found none. Fit one by jointlaw fit {folder}.")
        recipe, fitted, reduction = load_density(density)
        trained = load_decoder(decoder)
        if recipe.part != trained.how.part:
            raise ValueError(
                f"{folder}: expected density and decoder of one part, found a density of the {recipe.part} and a "
                f"decoder of the {trained.how.part}. Run jointlaw decode {folder} --part={recipe.part}."
            )
        return cls(project, recipe, fitted, reduction, trained)


class _Sheet(NamedTuple):
    """What is written beside a page."""

    name: str
    arrays: dict[str, Tensor]
    grid: bytes


def sample_run(project: Project, count: int, seed: int) -> None:
    """Draw from the density's law of one view, decode the draws, and judge and show them.

    ``samples.png`` is a grid, ``samples.npz`` holds latents and images, ``samples.html`` shows them beside what
    decoder and principal components lose; ``results.json`` gains ``samples.*``.
    """
    parts = Generator.of(project)
    if parts.recipe.density == "network":
        raise ValueError(
            "sample: expected a density with a joint law, found a network, which predicts only. Fit another by "
            "jointlaw fit --density=mixture, or complete images by --given=left."
        )
    data = project.setup.load_data()
    learner = project.trained(data)
    judged = min(JUDGED, len(data.held_out))
    latent = parts.trained.surface(draw(parts.density, parts.reduction, max(count, judged), seed))
    images = parts.trained(latent)
    figures = _judge(parts, data, learner, images[:judged])
    columns = max(1, round(count**0.5))
    grid = tiled(images[:count].numpy(), columns)
    law = (
        "of views as drawn in training, so that samples may be cropped and turned as views are; that of whole images "
        "takes jointlaw fit --target=clean."
        if parts.recipe.target == "view"
        else "of clean samples."
    )
    text = f"{count} draws from the {parts.recipe.density} over the {parts.recipe.part}, decoded. The law is that {law}"
    shown = Picture("Samples", grid, text, f"A grid of {count} generated images.")
    pictures = [shown, _losses(parts, data, learner)]
    note = (
        f"On {judged:,} samples and as many held-out images. The first four in the run's own features, after Naeem et "
        "al. (2020); the distance in pixels."
    )
    sheet = _Sheet("samples", {"latents": latent[:count], "images": images[:count]}, shown.png)
    command = f"jointlaw sample {project.workspace.folder} --count={count} --seed={seed}"
    _publish(
        project,
        sheet,
        figures,
        Section(
            "samples",
            "Samples",
            "Drawn from the density of the run, then decoded.",
            [_table(figures, note), *pictures],
        ),
        command,
    )


def complete_run(project: Project, seen: Half, count: int, seed: int) -> None:
    """Complete half-seen held-out images in several ways each.

    The run's density knows pairs of views, not of halves and wholes: one of the same recipe is fitted here, to the
    representations of half-hidden and whole training images. ``completions.png`` shows rows (half, whole, eight
    completions), ``completions.npz`` holds them, ``completions.html`` shows and judges them.
    """
    parts = Generator.of(project)
    data, setup, recipe = project.setup.load_data(), project.setup, parts.recipe
    fill, learner, views = median_pixel(data.train), project.trained(data), project.setup.view_maker(data)
    train, test = (
        half_pairs(learner, source, views, setup.run.batch, recipe.part, seen, fill)
        for source in (data.train, data.held_out)
    )
    reduce = principal_components(train.target, recipe.dim, recipe.seed)
    density = recipe.fit(PairTable(reduce(train.context), reduce(train.target))).eval()
    found = judge_density(density, PairTable(reduce(test.context), reduce(test.target)), recipe.seed)
    figures = _completion_figures(found)
    rows = _spread(data.held_out, -(-count // COMPLETIONS), seed)
    latent = parts.trained.surface(draw_given(density, reduce, test.context[rows], COMPLETIONS, seed))
    whole = data.held_out.read(rows)
    half, images = hide(whole, seen, fill), parts.trained(latent.flatten(0, 1))
    images = images.view(*latent.shape[:2], *images.shape[1:])  # [rows, completions, C, H, W]
    strips = torch.cat([half[:, None], whole[:, None], images], dim=1).flatten(0, 1)
    grid = tiled(strips.numpy(), COMPLETIONS + 2)
    text = (
        f"In each row: what was seen, the whole image, and {COMPLETIONS} decoded draws from the {recipe.density} given "
        "the half. Rows whose completions differ are ambiguous."
    )
    shown = Picture("Completions", grid, text, f"{len(rows)} rows of completed images.", wide=True)
    note = "Of the law of the whole's representation given the half's, on held-out images; nats and squared units."
    arrays = {"latents": latent, "images": images, "half": half, "whole": whole, "index": rows}
    how = (
        "The run's density knows pairs of views. One of the same recipe was fitted to half-hidden and whole training "
        "images; hidden pixels took the median of the training images."
    )
    part = Section("completions", "Completions", how, [_table(figures, note), shown])
    command = f"jointlaw sample {project.workspace.folder} --given={seen} --count={count} --seed={seed}"
    _publish(project, _Sheet("completions", arrays, shown.png), figures, part, command)


def _completion_figures(found: dict[str, float | None]) -> dict[str, float]:
    noise, ambiguity = found["density.noise"], found["density.ambiguity"]
    share = (
        {} if noise is None or ambiguity is None else {"completion.ambiguity_share": ambiguity / (noise + ambiguity)}
    )
    names = ("nll", "energy_score", "coverage")
    kept = {f"completion.{name}": value for name in names if (value := found[f"density.{name}"]) is not None}
    return kept | share


def _judge(parts: Generator, data: Data, learner: Learner, images: Tensor) -> dict[str, float]:
    """The figures of decoded samples ``[N, C, H, W]``."""
    setup = parts.project.setup
    views, batch, few = setup.view_maker(data), setup.run.batch, _spread(data.held_out, len(images), 0)
    made = Stored(values=images, label=torch.full((len(images),), -1))
    held_out = data.held_out.take(few)
    real, fake = (representations(learner, source, views, batch, "features") for source in (held_out, made))
    train = data.train.read(_spread(data.train, REFERENCE, 0))
    copied = memorisation(*(x.flatten(1).float() / 255 for x in (images, train, held_out.read(torch.arange(len(few))))))
    return {f"samples.{k}": v for k, v in {**overlap(real, fake)._asdict(), "memorisation": copied}.items()}


def _losses(parts: Generator, data: Data, learner: Learner) -> Picture:
    """Held-out images, decoded, and decoded from their principal components."""
    setup, rows = parts.project.setup, _spread(data.held_out, SHOWN, 0)
    source = data.held_out.take(rows)
    z = representations(learner, source, setup.view_maker(data), setup.run.batch, parts.recipe.part)
    reduced = expand(parts.reduction, parts.reduction(z))
    images = torch.stack(
        [source.read(torch.arange(len(rows))), parts.trained(z), parts.trained(reduced)]
    )  # [3, N, ...]
    text = (
        "Rows: held-out images; decoded from their representations; decoded from the principal components alone that "
        f"the density sees ({parts.reduction.kept:.1%} of the variance). Samples can be no better than the last row."
    )
    grid = tiled(images.flatten(0, 1).numpy(), len(rows))
    return Picture("What is lost before the law", grid, text, "Three rows: images, decoded, decoded again.")


def _publish(project: Project, sheet: _Sheet, figures: dict[str, float], part: Section, command: str) -> None:
    """Write picture, arrays, figures and page."""
    folder = project.workspace.folder
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: value.numpy() for name, value in sheet.arrays.items()}
    np.savez_compressed(buffer, **arrays)
    _write(folder / f"{sheet.name}.png", sheet.grid)
    _write(folder / f"{sheet.name}.npz", buffer.getvalue())
    project.workspace.save_results({**earlier_results(project.workspace), **figures})
    title = f"{part.title} of {project.recipe} on {project.setup.data}"
    introduction = "A point drawn from a law over representations, and what a decoder makes of it."
    page = folder / f"{sheet.name}.html"
    Page(title, introduction, [part], command=command, environment=environment()).write(page)
    say(*_lines(figures), f"  pictures: {folder / sheet.name}.png, page: {page}")


def _table(figures: dict[str, float], note: str) -> FigureTable:
    rows = [[words, form.format(figures[key])] for key, (words, form) in WORDS.items() if key in figures]
    return FigureTable("Figures", ("figure", "value"), rows, note)


def _lines(figures: dict[str, float]) -> list[str]:
    return [f"  {words:80s} {form.format(figures[key])}" for key, (words, form) in WORDS.items() if key in figures]


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def _spread(source: Source, count: int, seed: int) -> Tensor:
    """Positions of ``count`` samples, or of all: a random choice in ascending order."""
    chosen = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:count]
    return chosen.sort().values

"""Sampling the latent law of a run, and completing images by it."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw._files import write_bytes
from jointlaw.data import Data, Source, as_source
from jointlaw.evaluation._fitting import DensityRecipe, FittedPairs, Mixture, Network, Trained
from jointlaw.evaluation._joint import Target, judge_density, principal_components
from jointlaw.generation import memorisation, overlap
from jointlaw.generation._decoder import TrainedDecoder
from jointlaw.generation._latents import Half, draw, draw_given, expand, half_pairs, hide, median_pixel
from jointlaw.report import Page, Picture, Section, figure_table, tiled
from jointlaw.runs._decode import load_decoder
from jointlaw.runs._environment import environment
from jointlaw.runs._fit import load_fit, reduced

if TYPE_CHECKING:
    from jointlaw.evaluation._embed import Embedder
    from jointlaw.runs._run import Run

JUDGED = 1000
"""Samples, and as many held-out images, on which samples are judged; fewer if fewer are held out."""

REFERENCE = 10_000
"""Training images among which the nearest is looked for, at most."""

COMPLETIONS = 8
"""Completions of one image: a row."""

SHOWN = 8
"""Held-out images that show what is lost on the way."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What was drawn from a run's density and decoded.

    Attributes:
        arrays: ``latents`` and ``images``; of completions also ``half``, ``whole`` and ``index``.
        figures: dotted name -> value.
        page: shows them.
    """

    arrays: dict[str, Tensor]
    figures: dict[str, float]
    page: Page


def sample(run: "Run", count: int, seed: int) -> Samples:
    """Draw from the density's law of one view, decode the draws, and judge and show them.

    ``samples.png`` is a grid, ``samples.npz`` holds latents and images, ``samples.html`` shows them beside what
    decoder and principal components lose; ``results.json`` gains ``samples.*``.
    """
    check.at_least("sample", 1, count=count)
    fitted, decoder = _density_and_decoder(run)
    if isinstance(fitted.recipe, Network):
        raise ValueError(
            "sample: expected a density with a joint law, found a network, which predicts only. Fit another by "
            "jointlaw fit --density=Mixture, or complete images by --given=left."
        )
    data, embedder = run.data, run.embedder
    judged = min(JUDGED, len(data.held_out))
    latent = decoder.surface(draw(fitted.density, fitted.reduction, max(count, judged), seed))
    images = decoder(latent)
    figures = _judge(embedder, data, images[:judged])
    law = (
        "of views as drawn in training, so that samples may be cropped and turned as views are; that of whole images "
        "takes jointlaw fit --target=clean."
        if fitted.target == Target.view
        else "of clean samples."
    )
    words = f"{count} draws from the {_name(fitted.recipe)} over the {fitted.which}, decoded. The law is that {law}"
    grid = tiled(images[:count].numpy(), max(1, round(count**0.5)))
    shown = Picture("Samples", grid, words, f"A grid of {count} generated images.")
    note = (
        f"On {judged:,} samples and as many held-out images. The first four in the run's own features, after Naeem et "
        "al. (2020); the distance in pixels."
    )
    table, lost = figure_table(figures, note=note), _losses(embedder, data, fitted, decoder)
    introduction = "Drawn from the density of the run, then decoded."
    section = Section("samples", "Samples", introduction, [table, shown, lost])
    command = f"jointlaw sample {run.workspace.folder} --count={count} --seed={seed}"
    arrays = {"latents": latent[:count], "images": images[:count]}
    return _published(run, "samples", Samples(arrays, figures, _page(run, section, command)), shown)


def complete(run: "Run", seen: Half, count: int, seed: int) -> Samples:
    """Complete half-seen held-out images in several ways each.

    The run's density knows pairs of views, not of halves and wholes: one of the same recipe is fitted here (a mixture,
    where the run's was learned in training), to the representations of half-hidden and whole training images.
    ``completions.png`` shows rows (half, whole, eight completions), ``completions.npz`` holds them,
    ``completions.html`` shows and judges them.
    """
    check.at_least("sample", 1, count=count)
    fitted, decoder = _density_and_decoder(run)
    data, embedder = run.data, run.embedder
    fill = median_pixel(data.train)
    train, test = (half_pairs(embedder, source, fitted.which, seen, fill) for source in (data.train, data.held_out))
    reduce = principal_components(train.target, fitted.reduction.directions.shape[1], fitted.seed)
    recipe = Mixture() if isinstance(fitted.recipe, Trained) else fitted.recipe
    density = recipe.fit(reduced(reduce, train), fitted.seed).eval()
    figures = _completion_figures(judge_density(density, reduced(reduce, test), fitted.seed))
    rows = _spread(data.held_out, -(-count // COMPLETIONS), seed)
    latent = decoder.surface(draw_given(density, reduce, test.context[rows], COMPLETIONS, seed))
    whole = data.held_out.read(rows)
    half, images = hide(whole, seen, fill), decoder(latent.flatten(0, 1))
    images = images.view(*latent.shape[:2], *images.shape[1:])  # [rows, completions, C, H, W]
    strips = torch.cat([half[:, None], whole[:, None], images], dim=1).flatten(0, 1)
    words = (
        f"In each row: what was seen, the whole image, and {COMPLETIONS} decoded draws from the {_name(recipe)} given "
        "the half. Rows whose completions differ are ambiguous."
    )
    grid = tiled(strips.numpy(), COMPLETIONS + 2)
    shown = Picture("Completions", grid, words, f"{len(rows)} rows of completed images.", wide=True)
    note = "Of the law of the whole's representation given the half's, on held-out images; nats and squared units."
    introduction = (
        f"The run's density knows pairs of views. A {_name(recipe)} was fitted to half-hidden and whole training "
        "images; hidden pixels took the median of the training images."
    )
    section = Section("completions", "Completions", introduction, [figure_table(figures, note=note), shown])
    command = f"jointlaw sample {run.workspace.folder} --given={seen} --count={count} --seed={seed}"
    arrays = {"latents": latent, "images": images, "half": half, "whole": whole, "index": rows}
    return _published(run, "completions", Samples(arrays, figures, _page(run, section, command)), shown)


def _density_and_decoder(run: "Run") -> tuple[FittedPairs, TrainedDecoder]:
    """Density and decoder of a run.

    Raises:
        ValueError: if one is missing, or they are of different representations.
    """
    fitted, decoder = load_fit(run), load_decoder(run)
    if fitted.which != decoder.settings.which:
        raise ValueError(
            f"{run.workspace.folder}: expected density and decoder of one representation, found a density of the "
            f"{fitted.which} and a decoder of the {decoder.settings.which}. Run jointlaw decode "
            f"{run.workspace.folder} --which={fitted.which}."
        )
    return fitted, decoder


def _name(recipe: DensityRecipe) -> str:
    return "law of the training" if isinstance(recipe, Trained) else type(recipe).__name__.lower()


def _completion_figures(found: dict[str, float | None]) -> dict[str, float]:
    noise, ambiguity = found["density.noise"], found["density.ambiguity"]
    share = (
        {} if noise is None or ambiguity is None else {"completion.ambiguity_share": ambiguity / (noise + ambiguity)}
    )
    names = ("nll", "energy_score", "coverage")
    kept = {f"completion.{name}": value for name in names if (value := found[f"density.{name}"]) is not None}
    return kept | share


def _judge(embedder: "Embedder", data: Data, images: Tensor) -> dict[str, float]:
    """The figures of decoded samples ``[N, C, H, W]``."""
    held_out = data.held_out.take(_spread(data.held_out, len(images), 0))
    real, fake = (embedder.clean(source).features for source in (held_out, as_source(images)))
    train = data.train.read(_spread(data.train, REFERENCE, 0))
    pixels = (x.flatten(1).float() / 255 for x in (images, train, held_out.read(torch.arange(len(held_out)))))
    found = {**overlap(real, fake)._asdict(), "memorisation": memorisation(*pixels)}
    return {f"samples.{name}": value for name, value in found.items()}


def _losses(embedder: "Embedder", data: Data, fitted: FittedPairs, decoder: TrainedDecoder) -> Picture:
    """Held-out images, decoded from their representations, and from the principal components alone."""
    source = data.held_out.take(_spread(data.held_out, SHOWN, 0))
    z = embedder.clean(source).part(fitted.which)
    back = expand(fitted.reduction, fitted.reduction(z))
    images = torch.stack([source.read(torch.arange(len(source))), decoder(z), decoder(back)])  # [3, N, C, H, W]
    words = (
        "Rows: held-out images; decoded from their representations; decoded from the principal components alone that "
        f"the density sees ({fitted.reduction.kept:.1%} of the variance). Samples can be no better than the last row."
    )
    grid = tiled(images.flatten(0, 1).numpy(), len(source))
    return Picture("What is lost before the law", grid, words, "Three rows: images, decoded, decoded again.")


def _page(run: "Run", section: Section, command: str) -> Page:
    introduction = "A point drawn from a law over representations, and what a decoder makes of it."
    return Page(f"{section.title} of {run.title}", introduction, [section], command=command, environment=environment())


def _published(run: "Run", name: str, samples: Samples, shown: Picture) -> Samples:
    """Write picture, arrays, figures and page."""
    folder = run.workspace.folder
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: value.numpy() for key, value in samples.arrays.items()}
    np.savez_compressed(buffer, **arrays)
    write_bytes(folder / f"{name}.png", shown.png)
    write_bytes(folder / f"{name}.npz", buffer.getvalue())
    run.workspace.add_results(samples.figures)
    samples.page.write(folder / f"{name}.html")
    return samples


def _spread(source: Source, count: int, seed: int) -> Tensor:
    """Positions of ``count`` samples, or of all: a random choice in ascending order."""
    chosen = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:count]
    return chosen.sort().values

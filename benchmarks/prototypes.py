"""Prototypes of a fixed number against growing ones, at equal budget: what is learned, what is dead, what is drawn.

    python benchmarks/prototypes.py
    python benchmarks/prototypes.py --data fashion-mnist --samples 12000 --epochs 3

A row per training: linear probe at backbone and projector, nearest neighbours, RankMe of the embeddings; components of
the law, how many of these are dead (to no pair of training views do they belong more than any other), and connected
parts of the graph; density and coverage of 1,000 draws from the law among as many held-out embeddings of drawn views;
held-out likelihood of pairs (nats); seconds of training. At the end the mean over seeds.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from jointlaw.data import Data, Source, load
from jointlaw.densities import GrowingPrototypes
from jointlaw.evaluation._joint import view_pairs
from jointlaw.evaluation._table import Which
from jointlaw.functional import unit
from jointlaw.generation import overlap
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training.recipes import RECIPES

FIXED = (10, 25, 50, 100)
MOST = 5000  # training samples whose pairs decide what is dead
DRAWS = 1000
FIGURES = ("probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy", "rankme.projector")
COLUMNS = ("backbone", "projector", "neighbours", "rank", "count", "dead", "parts", "density", "coverage", "nll", "s")


def measure(name: str, setup: Setup, options: dict[str, object], data: Data) -> list[float]:
    """One training and its row."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        here = replace(setup, run=replace(setup.run, folder=Path(folder) / "run"))
        start = time.perf_counter()
        run = Run.new(partial(RECIPES[name], **options), here, data).train()
        seconds = time.perf_counter() - start
        figures, learned = run.judge(), law_figures(run, setup.run.seed)
    return [*(float(figures[key] or "nan") for key in FIGURES), *learned, seconds]


@torch.no_grad()
def law_figures(run: Run, seed: int) -> list[float]:
    """What the law learned in training is."""
    density = run.learner.objective.density
    law = density()
    train, held_out = some(run.data.train, MOST), run.data.held_out
    pairs = view_pairs(run.embedder, train, seed, Which.embeddings).joint
    owner = law.responsibilities(pairs).argmax(1)
    dead = law.count - len(owner.unique())
    parts = density.statistics["parts"].item() if isinstance(density, GrowingPrototypes) else float("nan")
    test = view_pairs(run.embedder, held_out, seed + 1, Which.embeddings)
    draws = law.swap().marginal(law.split).sample((DRAWS,), torch.Generator().manual_seed(seed))
    real = torch.cat([test.context, test.target])
    real = real[torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:DRAWS]]
    found = overlap(real, unit(draws)[: len(real)] if density.sphere else draws[: len(real)])
    nll = -law.log_prob(test.joint).mean().item()
    return [float(law.count), float(dead), parts, found.density, found.coverage, nll]


def subset(data: Data, samples: int | None) -> Data:
    """At most so many samples to train on and to fit probes to, and as many to judge by."""
    if samples is None:
        return data
    parts = {part: some(getattr(data, part), samples) for part in ("train", "probe", "held_out")}
    return data._replace(**parts)


def some(source: Source, most: int) -> Source:
    return source.take(torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:most].sort().values)


def show(name: str, seed: int | str, row: Iterable[float]) -> None:
    cells = " ".join(f"{value:10.4f}" for value in row)
    print(f"{name:34s} {seed!s:>4s} {cells}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--samples", type=int, help="train on a random choice of so many")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--fixed", type=int, nargs="*", default=FIXED)
    parser.add_argument("--growing", nargs="*", default=[""], help="options of gmje-gng, such as utility=10,age=50")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    cases: list[tuple[str, str, dict[str, object]]] = [
        (f"gmje components={count}", "gmje", {"components": count}) for count in chosen.fixed
    ]
    for words in chosen.growing:
        options = dict(word.split("=") for word in words.split(",") if word)
        cases.append((f"gmje-gng {words}", "gmje-gng", {name: number(value) for name, value in options.items()}))
    print(f"{'':34s} seed " + " ".join(f"{column:>10s}" for column in COLUMNS), flush=True)
    for title, name, options in cases:
        rows = []
        for seed in chosen.seeds:
            data = subset(load(chosen.data), chosen.samples)
            settings = RunSettings(epochs=chosen.epochs, threads=chosen.threads, seed=seed, report=False)
            rows.append(measure(name, Setup(data=chosen.data, run=settings), options, data))
            show(title, seed, rows[-1])
        show(title, "mean", torch.tensor(rows).mean(0).tolist())


def number(word: str) -> object:
    try:
        return int(word)
    except ValueError:
        with contextlib.suppress(ValueError):
            return float(word)
    return {"None": None, "True": True, "False": False}.get(word, word)


if __name__ == "__main__":
    main()

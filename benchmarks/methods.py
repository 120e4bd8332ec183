"""Every recipe on the same data, encoder and budget: does it learn, and does it collapse?

    python benchmarks/methods.py
    python benchmarks/methods.py --data fashion-mnist --epochs 5 --recipes simclr moco smc-gmje

Columns: accuracy of the linear probe at backbone and projector and of nearest neighbours, RankMe of both, share of
active units, seconds of training, and the symptoms of collapse.
"""

import argparse
import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training.recipes import RECIPES, Method, dual_gje

METHODS: dict[str, Callable[..., Method]] = {name: recipe for name, recipe in RECIPES.items() if name != "compose"}
METHODS["dual-gje-linear"] = partial(dual_gje, kernel="linear")

KEYS = (
    "probe.backbone.accuracy",
    "probe.projector.accuracy",
    "knn.accuracy",
    "rankme.backbone",
    "rankme.projector",
    "sparsity.l0",
    "seconds",
)


def measure(setup: Setup, name: str) -> tuple[list[float], str]:
    with tempfile.TemporaryDirectory() as folder:
        here = replace(setup, run=replace(setup.run, folder=Path(folder) / "run", report=False))
        with contextlib.redirect_stdout(io.StringIO()):  # its progress lines would cut the table up
            run = Run.new(METHODS[name], here).train()
        run.judge()
        figures = run.workspace.read_results()
    said = [note.split(".")[0] for note in run.notes if note.startswith("Collapse")]
    return [float("nan") if (value := figures[key]) is None else value for key in KEYS], "; ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--recipes", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    setup = Setup(data=options.data, run=RunSettings(epochs=options.epochs, threads=options.threads))
    print(f"{'recipe':24s} backbone projector neighbours  rank  rank-z   active  seconds", flush=True)
    for name in options.recipes:
        (backbone, projector, neighbours, rank, rank_z, active, seconds), said = measure(setup, name)
        print(
            f"{name:24s} {backbone:8.4f} {projector:9.4f} {neighbours:10.4f} {rank:5.0f} {rank_z:7.0f} {active:8.4f}"
            f" {seconds:8.0f}  {said}",
            flush=True,
        )


if __name__ == "__main__":
    main()

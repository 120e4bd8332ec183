"""Planned against measured activity over a sweep of the dial: uniform slices (the paper's) against the default.

    python benchmarks/dial.py --data fashion-mnist --epochs 5
    python benchmarks/dial.py --data digits --epochs 200 --locs 0 -3 --ps 1

Every run has the same encoder, budget and seed. Columns: p, loc, slices, planned and measured share of active units
on held-out samples (in views drawn as in training; and clean), share of dead units, accuracy of the linear probe at
backbone and projector, rank of the embeddings, seconds of training.
"""

import argparse
import logging
import tempfile
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

from jointlaw.regularizers import Slices, Uniform
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training.recipes import rectified_lpjepa

FAMILIES: dict[str, Slices | None] = {"uniform": Uniform(2048), "default": None}


def measure(
    setup: Setup, p: float, loc: float, slices: Slices | None, width: int, paper: bool
) -> dict[str, float | None]:
    rate = {"rate": 0.0} if paper else {}
    recipe = partial(rectified_lpjepa, loc=loc, p=p, width=width, slices=slices, **rate)
    with tempfile.TemporaryDirectory() as folder:
        here = replace(setup, run=replace(setup.run, folder=Path(folder) / "run", report=False))
        run = Run.new(recipe, here).train()
        run.judge()
        return run.workspace.read_results()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--ps", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--locs", type=float, nargs="+", default=[1.0, 0.0, -1.0, -2.0, -3.0])
    parser.add_argument("--slices", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
    setup = Setup(data=options.data, run=RunSettings(epochs=options.epochs, batch=options.batch))
    print("   p    loc   slices  planned measured    clean   dead  backbone projector  rank  seconds", flush=True)
    for p in options.ps:
        for loc in options.locs:
            for name in options.slices:
                figures = measure(setup, p, loc, FAMILIES[name], options.width, name == "uniform")
                row = [
                    figures[key]
                    for key in (
                        "sparsity.l0_expected",
                        "sparsity.l0",
                        "sparsity.l0_clean",
                        "dead_units",
                        "probe.backbone.accuracy",
                        "probe.projector.accuracy",
                        "rankme.projector",
                        "seconds",
                    )
                ]
                print(
                    f"{p:4g} {loc:6g} {name:>8s} {row[0]:8.4f} {row[1]:8.4f} {row[2]:8.4f} {row[3]:6.3f}"
                    f" {row[4]:9.4f} {row[5]:9.4f} {row[6]:5.0f} {row[7]:8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

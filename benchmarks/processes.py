"""One process or several: what every objective computes on W processes that share a batch, against one with all of it.

Three training steps in float64 over the same global batches, gradients averaged as data-parallel training does, by the
harness of ``tests/distributed``. Processes talk by gloo.

Columns, for each W: the largest relative difference from one process over the three steps and all processes, in the
loss (its mean over processes); in gradients, by the largest gradient of the step's parameters; and in the state after
the third step: weights, banks, moving statistics, counters, each by its own largest entry.

    python benchmarks/processes.py
    python benchmarks/processes.py --worlds 2 --all     # regularizers and families of slices too
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contracts.test_objectives import OBJECTIVES
from distributed.cases import CASES
from distributed.processes import together, train

Trace = dict[str, dict[str, Any]]
KINDS = ("mean", "gradient", "state")


def train_these(names: list[str]) -> Trace:
    """One after the other, so that processes start once."""
    return {name: train(CASES[name]) for name in names}


def gap(found: Tensor, expected: Tensor) -> float:
    """The largest absolute difference; infinities that agree differ by nothing."""
    found, expected = found.double(), expected.double()
    return float(torch.where(found == expected, 0.0, found - expected).abs().max()) if expected.numel() else 0.0


def size(expected: Tensor) -> float:
    finite = expected.double()[expected.double().isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def difference(parts: list[dict[str, Any]], alone: dict[str, Any], kind: str) -> float:
    """The largest relative difference of one kind of entry."""
    entries = {what: value for what, value in alone.items() if what.startswith(kind)}
    sizes = {what: size(value) for what, value in entries.items()}
    largest, worst = max(sizes.values()), 0.0
    for what, expected in entries.items():
        found = [part[what] for part in parts]
        if kind == "mean":
            found = [torch.stack(found).mean(0)]
        scale = largest if kind == "gradient" else sizes[what]
        worst = max([worst, *(gap(value, expected) / (scale or 1.0) for value in found)])
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=[2, 4], help="numbers of processes, besides one")
    parser.add_argument("--all", action="store_true", help="not objectives alone")
    options = parser.parse_args()
    names = list(CASES if options.all else OBJECTIVES)
    task = partial(train_these, names)
    (alone,) = together(1, task)
    several = {world: together(world, task) for world in options.worlds}
    print(f"{'':36}" + "".join(f"{f'W = {world}: loss':>15}{'gradients':>11}{'state':>10}" for world in several))
    for name in names:
        cells = []
        for traces in several.values():
            parts = [trace[name] for trace in traces]
            loss, gradients, state = (difference(parts, alone[name], kind) for kind in KINDS)
            cells.append(f"{loss:15.1e}{gradients:11.1e}{state:10.1e}")
        print(f"{name:36}" + "".join(cells))


if __name__ == "__main__":
    main()

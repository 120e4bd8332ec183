"""The library beside the published formulas and other packages: one value each for the same embeddings, in float64.

Columns: our value (of a matrix, its sum of squares), the relative difference from the formula written out in
``tests/agreement``, and from another package where one is importable (``lightly`` is not a dependency).

    python benchmarks/agreement.py
    PYTHONPATH=folder/with/lightly python benchmarks/agreement.py
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.pop(0)  # this folder, where "agreement" is this file
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from agreement.comparisons import COMPARISONS, Comparison, Z


def difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def peers(comparison: Comparison, ours: Tensor) -> str:
    if comparison.peer is None:
        return ""
    value = attempted(comparison.peer)
    if value is None:
        return f"{'not installed':>16}  {comparison.package}"
    note = f" ({comparison.note})" if comparison.note else ""
    return f"{difference(ours, value):16.1e}  {comparison.package}{note}"


def attempted(peer: Callable[[Tensor], Tensor]) -> Tensor | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return peer(Z)
    except ModuleNotFoundError:
        return None


def main() -> None:
    print(f"{'':24}{'ours':>14}{'formula':>12}{'package':>16}")
    for name, comparison in COMPARISONS.items():
        ours = comparison.ours(Z).detach()
        value = float(ours if ours.ndim == 0 else ours.square().sum())
        apart = difference(ours, comparison.formula(Z).detach())
        print(f"{name:24}{value:14.8f}{apart:12.1e}{peers(comparison, ours)}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

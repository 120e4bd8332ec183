"""Sliced Wasserstein matching: every variant against the plain two-sample form, forward and backward, two views.

The plain form is the official one: a sample of the law per view, one matrix of uniform slices per view, a sort along
the batch dimension, automatic differentiation. All variants match the same embeddings to the same law.

Columns
    time     median over alternating repetitions in one process, and plain time / time
    memory   most bytes allocated at once beyond the embeddings
    error    mean squared error of the gradient, relative to the squared norm of the true gradient, which uses
             100,000 slices with expected order statistics (its own noise, estimated from its parts, is taken off):
             uniform ones, or for a mixture those of the mixture, which has another limit; and plain error / error
    floor    the value for embeddings drawn from the law (0 would be ideal), and as a share of total collapse

Run ``python benchmarks/matching.py --quick`` for two shapes at p = 1, or the whole table without ``--quick``.
On a machine shared with others ``--clock=cpu`` counts processor time instead of wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate

import torch
from torch import Generator, Tensor

from jointlaw.functional import sliced_wasserstein
from jointlaw.functional._slicing import unit_rows
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.regularizers import (
    Axes,
    Blend,
    FastOrthogonal,
    LowerEigen,
    Orthogonal,
    SlicedWasserstein,
    Sparse,
    TwoSample,
    Uniform,
    default_slices,
)

SHAPES = [(128, 512, 512), (256, 512, 2048), (256, 512, 8192), (128, 2048, 8192), (1024, 512, 4096)]
POWERS = [0.5, 1.0, 2.0]
REFERENCE, PARTS = 100_000, 10
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Law = RectifiedGeneralizedGaussian
Distance = Callable[[Tensor], Tensor]


class Plain:
    """The official form, with fresh slices and a fresh sample for each view."""

    def __init__(self, law: Law, count: int) -> None:
        self.law, self.count = law, count
        self.generator = Generator().manual_seed(0)

    def __call__(self, z: Tensor) -> Tensor:
        """Match every view."""
        return torch.stack([self.match(view) for view in z]).mean()

    def match(self, z: Tensor) -> Tensor:
        """Match one view to a sample of its own."""
        sample = self.law.draw(z.shape, self.generator)
        return sliced_wasserstein(z, sample, unit_rows((self.count, z.shape[1]), z, self.generator))

    def update(self) -> None:
        """Slices and samples are new at every call already."""

    def anchors(self, batch: int, dim: int) -> tuple[float, float]:
        """The value for embeddings drawn from the law and for zeros."""
        perfect = self.law.draw((4, batch, dim), Generator().manual_seed(1))
        with torch.no_grad():
            return float(self(perfect)), float(self(torch.zeros_like(perfect[:1])))


def mixtures(law: Law, count: int, seed: int = 0) -> dict[str, SlicedWasserstein]:
    """The default families, more or fewer slices of each."""
    dense, sparse, axes, lower = (weight for weight, _ in default_slices().families)
    quarter, sets = max(count // 4, 1), max(count // 2048, 1)
    families = [(dense, FastOrthogonal(count // 2)), (sparse, Sparse(quarter)), (axes, Axes(quarter))]
    default = Blend([*families, *[(lower / sets, LowerEigen(samples=128))] * sets])
    return {
        "mixture, no singular vectors": SlicedWasserstein(law, Blend(families), seed=seed),
        "default mixture": SlicedWasserstein(law, default, seed=seed),
    }


def variants(law: Law, count: int) -> dict[str, Plain | SlicedWasserstein]:
    return {
        "plain": Plain(law, count),
        "uniform, sample per view": SlicedWasserstein(law, Uniform(count), TwoSample(shared=False)),
        "uniform, one sample": SlicedWasserstein(law, Uniform(count), TwoSample()),
        "uniform, order statistics": SlicedWasserstein(law, Uniform(count)),
        "orthogonal, order statistics": SlicedWasserstein(law, Orthogonal(count)),
        "fast orthogonal, one sample": SlicedWasserstein(law, FastOrthogonal(count), TwoSample()),
        "fast orthogonal, order statistics": SlicedWasserstein(law, FastOrthogonal(count)),
        "the same, N / 4 slices": SlicedWasserstein(law, FastOrthogonal(max(count // 4, 1))),
        **mixtures(law, count),
    }


def mixture(law: Law, name: str, seed: int) -> SlicedWasserstein:
    """Part of the slices of a mixture's true gradient; the views take turns from seed to seed."""
    part = mixtures(law, REFERENCE // PARTS, seed)[name]
    part.step = seed
    return part


def embeddings(law: Law, batch: int, dim: int) -> Tensor:
    """Two views in the middle of training: half the variance before the rectifier comes from 32 common factors."""
    generator = Generator().manual_seed(7)
    factors = torch.randn(batch, 32, generator=generator) @ torch.randn(32, dim, generator=generator) / 32**0.5
    own = torch.randn(2, batch, dim, generator=generator)
    before = law.loc + (factors + own) / 2**0.5
    return before.relu().requires_grad_()


def gradient(distance: Distance, z: Tensor) -> Tensor:
    return torch.autograd.grad(distance(z), z)[0]


def seconds(clock: Callable[[], float], distance: Distance, z: Tensor) -> float:
    start = clock()
    gradient(distance, z)
    return clock() - start


def times(
    entries: dict[str, Plain | SlicedWasserstein], z: Tensor, repeat: int, clock: Callable[[], float]
) -> dict[str, float]:
    rounds = [{name: seconds(clock, distance, z) for name, distance in entries.items()} for _ in range(repeat + 1)]
    return {name: statistics.median(turn[name] for turn in rounds[1:]) for name in entries}


def peak(distance: Distance, z: Tensor) -> int:
    gradient(distance, z)  # tables are computed once
    with torch.profiler.profile(profile_memory=True) as profile:
        gradient(distance, z)
    events = profile.profiler.kineto_results.events()
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


class Truth:
    """The gradient of very many slices, with the variance it still has."""

    def __init__(self, part: Callable[[int], SlicedWasserstein], z: Tensor) -> None:
        parts = torch.stack([gradient(part(seed), z) for seed in range(101, 101 + PARTS)])
        self.gradient = parts.mean(0)
        self.noise = (parts - self.gradient).square().sum() / (PARTS * (PARTS - 1))
        self.size = self.gradient.square().sum() - self.noise

    def error(self, distance: Plain | SlicedWasserstein, z: Tensor, steps: int = 8) -> float:
        """Mean squared error of the gradient, relative to its squared norm."""
        total = 0.0
        for _ in range(steps):
            total += float((gradient(distance, z) - self.gradient).square().sum() - self.noise)
            distance.update()
        return total / steps / float(self.size)


def table(shape: tuple[int, int, int], p: float, repeat: int, clock: Callable[[], float]) -> None:
    batch, dim, count = shape
    law = RectifiedGeneralizedGaussian(p, 0.0)
    z = embeddings(law, batch, dim)
    entries = variants(law, count)
    measured = times(entries, z, repeat, clock)
    uniform = Truth(lambda seed: SlicedWasserstein(law, Uniform(REFERENCE // PARTS), seed=seed), z)
    truths = {name: Truth(partial(mixture, law, name), z) for name in mixtures(law, count)}
    print(f"\nB = {batch}, D = {dim}, N = {count}, p = {p:g}")
    print(f"{'':34}{'time':>9}{'':>7}{'memory':>11}{'error':>11}{'':>7}{'floor':>9}{'':>8}")
    plain_error = uniform.error(entries["plain"], z)
    for name, distance in entries.items():
        line = f"{name:34}{1e3 * measured[name]:7.1f}ms{measured['plain'] / measured[name]:6.1f}x"
        line += f"{peak(distance, z) / 2**20:9.1f}MB"
        error = plain_error if name == "plain" else truths.get(name, uniform).error(distance, z)
        line += f"{error:11.5f}{plain_error / error:6.1f}x"
        floor, collapse = distance.anchors(batch, dim)
        print(line + f"{floor:9.4f}{100 * floor / collapse:7.1f}%", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="first two shapes, p = 1, three repetitions")
    parser.add_argument("--shapes", type=int, nargs="+", default=range(len(SHAPES)), help=f"which of {SHAPES}")
    parser.add_argument("--powers", type=float, nargs="+", default=POWERS, help="values of p")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each timing")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    shapes, powers, repeat = options.shapes, options.powers, options.repeat
    if options.quick:
        shapes, powers, repeat = [0, 1], [1.0], 3
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.clock} clock")
    for index in shapes:
        for p in powers:
            table(SHAPES[index], p, repeat, CLOCKS[options.clock])


if __name__ == "__main__":
    main()

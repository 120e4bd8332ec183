"""Log-densities of Gaussian mixtures: ours against torch's, forward and backward, and scikit-learn's, forward.

torch's is ``MixtureSameFamily(Categorical, MultivariateNormal)``; gradients are with respect to values, logits, means
and factors. scikit-learn's is ``GaussianMixture.score_samples`` on the same float32 parameters, against our forward
pass.

Columns
    ours, torch   forward and backward: median over alternating rounds in one process, and torch time / our time
    memory        most bytes allocated at once beyond parameters and values, forward and backward
    sklearn       forward: scikit-learn time / our time
    error         largest difference of log-densities from torch's in float64, in nats (the median density beside it)

Run ``python benchmarks/mixtures.py --quick`` for three cases, or the whole table without it; ``--cases`` picks single
ones. On a machine shared with others ``--clock=cpu`` counts processor time instead of wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Generator, Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily, MultivariateNormal

from jointlaw.laws import JointMixture

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
ROUND = 0.2  # seconds


class Case(NamedTuple):
    """Components, coordinates, and whether the covariance is one for all."""

    count: int
    dim: int
    shared: bool


CASES = [
    *(Case(count, dim, True) for count in (10, 50, 500) for dim in (128, 256, 512)),
    *(Case(count, dim, False) for count in (10, 50) for dim in (128, 256, 512)),
]
QUICK = [Case(50, 128, True), Case(500, 128, True), Case(50, 128, False)]


class Problem:
    """Values near their components, with an ill-shaped covariance (condition number about 1,000)."""

    def __init__(self, case: Case, batch: int) -> None:
        generator = Generator().manual_seed(0)
        count, dim, self.shared = case

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        spread = torch.logspace(-1.5, 0, dim)
        root = normal(1 if self.shared else count, dim, 2 * dim) * spread[:, None]
        self.factor = torch.linalg.cholesky(root @ root.mT / (2 * dim))
        self.logits, self.loc = normal(count), normal(count, dim)
        noise = normal(batch, dim)
        chosen = torch.randint(count, (batch,), generator=generator)
        factors = self.factor.expand(count, dim, dim)
        shifts = torch.stack([factors[k] @ row for k, row in zip(chosen.tolist(), noise, strict=True)])
        self.value = self.loc[chosen] + shifts
        self.inputs = [x.requires_grad_() for x in (self.value, self.logits, self.loc, self.factor)]

    def ours(self) -> Distribution:
        """The law under test."""
        return JointMixture(self.logits, self.loc, self.factor, validate_args=False)

    def torchs(self, dtype: torch.dtype = torch.float32) -> Distribution:
        """The same law by torch's classes."""
        count, dim = self.loc.shape
        factor = self.factor.to(dtype).expand(count, dim, dim)
        normal = MultivariateNormal(self.loc.to(dtype), scale_tril=factor, validate_args=False)
        weights = Categorical(logits=self.logits.to(dtype), validate_args=False)
        return MixtureSameFamily(weights, normal, validate_args=False)

    def sklearns(self) -> GaussianMixture:
        """The same law as a fitted model."""
        model = GaussianMixture(self.loc.shape[0], covariance_type="tied" if self.shared else "full")
        inverse = torch.linalg.inv(self.factor.detach()).mT.contiguous().numpy()
        model.precisions_cholesky_ = inverse[0] if self.shared else inverse
        model.means_ = self.loc.detach().numpy()
        model.weights_ = np.asarray(torch.softmax(self.logits.detach(), -1))
        return model

    def gradient(self, build: Callable[[], Distribution]) -> None:
        """Forward and backward, the law built anew as in training."""
        torch.autograd.grad(build().log_prob(self.value).sum(), self.inputs)

    def density(self) -> None:
        """Forward only."""
        with torch.no_grad():
            self.ours().log_prob(self.value)

    @torch.no_grad()
    def error(self, rows: int = 32) -> tuple[float, float]:
        """Largest error of our log-densities, and their median size."""
        exact = self.torchs(torch.float64).log_prob(self.value[:rows].double())
        found = self.ours().log_prob(self.value)
        return float((found[:rows] - exact).abs().max()), float(found.median())


def times(tasks: dict[str, Callable[[], None]], repeat: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median seconds of each task over alternating rounds; short tasks run often enough in each to fill ``ROUND``."""
    counts = {name: max(1, int(ROUND / seconds(task, 1, clock))) for name, task in tasks.items()}
    rounds = [{name: seconds(task, counts[name], clock) for name, task in tasks.items()} for _ in range(repeat)]
    return {name: statistics.median(turn[name] for turn in rounds) for name in tasks}


def seconds(task: Callable[[], None], count: int, clock: Callable[[], float]) -> float:
    """Seconds of one call, averaged over ``count`` in a row."""
    start = clock()
    for _ in range(count):
        task()
    return (clock() - start) / count


def peak(task: Callable[[], None]) -> float:
    """Most MiB allocated at once."""
    with torch.profiler.profile(profile_memory=True) as profile:
        task()
    events = profile.profiler.kineto_results.events()
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]")) / 2**20


def row(case: Case, options: argparse.Namespace) -> None:
    problem = Problem(case, options.batch)
    tasks = {"ours": lambda: problem.gradient(problem.ours), "forward": problem.density}
    needed = (
        4 * options.batch * case.count * case.dim * 4 / 2**20
    )  # MiB of the four tensors of all distances torch holds
    with_torch = needed < options.most_memory
    if with_torch:
        tasks["torch"] = lambda: problem.gradient(problem.torchs)
    model, values = problem.sklearns(), problem.value.detach().numpy()
    tasks["sklearn"] = lambda: model.score_samples(values)
    measured = times(tasks, options.repeat, CLOCKS[options.clock])
    line = f"{case.count:4d}{case.dim:5d} {'shared' if case.shared else 'own':7}{1e3 * measured['ours']:8.1f}ms"
    ours = peak(tasks["ours"])
    if with_torch:
        ratio = measured["torch"] / measured["ours"]
        line += f"{1e3 * measured['torch']:9.1f}ms{ratio:7.1f}x{ours:8.0f}MB{peak(tasks['torch']):7.0f}MB"
    else:
        line += f"{'-':>11}{'-':>8}{ours:8.0f}MB{'-':>9}"
    error, typical = problem.error()
    print(f"{line}{measured['sklearn'] / measured['forward']:8.1f}x{error:10.1e} ({typical:.0f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three cases, three repetitions")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)), help=f"which of {len(CASES)}")
    parser.add_argument("--batch", type=int, default=1024, help="samples")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions of each timing")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--most-memory", type=float, default=6000, help="MiB that torch may need before it is left out")
    options = parser.parse_args()
    cases = QUICK if options.quick else [CASES[index] for index in options.cases]
    options.repeat = 3 if options.quick else options.repeat
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.clock} clock, B = {options.batch}")
    heads = f"{'K':>4}{'E':>5} {'factor':7}{'ours':>10}{'torch':>11}{'':>8}{'memory':>10}{'torch':>9}{'sklearn':>9}"
    print(heads + "     error")
    for case in cases:
        row(case, options)


if __name__ == "__main__":
    main()

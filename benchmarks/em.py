"""Expectation-maximisation against scikit-learn's GaussianMixture: the same start, the same number of iterations.

Columns
    ours, theirs   seconds for all iterations (median over repetitions, alternating in one process), starts left out
    ratio          theirs / ours
    difference     of the mean log-likelihoods per sample after the last iteration, in nats
    float32        seconds and ratio with dtype=torch.float32 (scikit-learn stays in float64)

Samples come from as many random Gaussians as there are components. ``--spread`` is the distance of their centres per
coordinate in deviations: at 3 almost every sample belongs to one component, which the full-covariance fit makes use of
(it does so at 0.2, too, when there are few samples for a covariance); with ``--spread 0.05 --samples 50000`` they
overlap. Run ``python benchmarks/em.py`` for K = 50 and 10,000 x 128, or smaller with ``--samples 2000 --dim 32``.
On a machine shared with others ``--clock=cpu`` counts processor time instead of wall time.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from jointlaw.densities.em import ExpectationMaximization, Responsibilities
from jointlaw.densities.em._covariances import COVARIANCES

THEIRS = {"full": "full", "shared": "tied", "diagonal": "diag", "spherical": "spherical"}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def data(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and the components that both start from: the true ones, but for a tenth of the samples."""
    rng = np.random.default_rng(0)
    centres = args.spread * rng.normal(size=(args.components, args.dim))
    label = rng.integers(args.components, size=args.samples)
    x = centres[label] + rng.normal(size=(args.samples, args.dim)) @ (
        np.eye(args.dim) + 0.3 * rng.normal(size=(args.dim, args.dim)) / args.dim**0.5
    )
    astray = rng.random(args.samples) < 0.1
    start = np.where(astray, rng.integers(args.components, size=args.samples), label)
    return x, np.eye(args.components)[start]


def ours(name: str, x: np.ndarray, share: np.ndarray, args: argparse.Namespace, dtype: torch.dtype) -> float:
    em = ExpectationMaximization(
        args.components, COVARIANCES[name], tolerance=0.0, iterations=args.iterations, dtype=dtype
    )
    return em.fit(x, start=Responsibilities(torch.from_numpy(share))).history[-1]


def theirs(name: str, x: np.ndarray, share: np.ndarray, args: argparse.Namespace) -> float:
    count = share.sum(0)
    means = share.T @ x / count[:, None]
    model = GaussianMixture(
        args.components,
        covariance_type=THEIRS[name],
        weights_init=count / count.sum(),
        means_init=means,
        precisions_init=precisions(name, x, share, means),
        tol=0.0,
        max_iter=args.iterations,
    )
    return float(model.fit(x).lower_bound_)


def precisions(name: str, x: np.ndarray, share: np.ndarray, means: np.ndarray) -> np.ndarray:
    count = share.sum(0)
    own = np.stack([((x - m) * s[:, None]).T @ (x - m) for m, s in zip(means, share.T, strict=True)])
    floor = 1e-6 * np.eye(x.shape[1])
    full = own / count[:, None, None] + floor
    if name == "full":
        return np.linalg.inv(full)
    if name == "shared":
        return np.linalg.inv(own.sum(0) / count.sum() + floor)
    diagonal = full.diagonal(axis1=1, axis2=2)
    return 1 / (diagonal if name == "diagonal" else diagonal.mean(1))


def timed(run: Callable[[], float], clock: Callable[[], float]) -> tuple[float, float]:
    start = clock()
    level = run()
    return clock() - start, level


def compare(name: str, x: np.ndarray, share: np.ndarray, args: argparse.Namespace) -> None:
    runs = [
        lambda: ours(name, x, share, args, torch.float64),
        lambda: ours(name, x, share, args, torch.float32),
        lambda: theirs(name, x, share, args),
    ]
    rounds = [[timed(run, CLOCKS[args.clock]) for run in runs] for _ in range(args.repeat)]
    double, single, other = (statistics.median(turn[i][0] for turn in rounds) for i in range(3))
    gap = rounds[0][0][1] - rounds[0][2][1]
    print(
        f"{name:<10} {double:>8.2f} {other:>8.2f} {other / double:>7.1f}x {gap:>11.1e} "
        f"{single:>8.2f} {other / single:>7.1f}x",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--components", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--spread", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--kinds", nargs="+", choices=THEIRS, default=list(THEIRS))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")  # neither fit converges in so few iterations
    x, share = data(args)
    print(
        f"{args.samples} x {args.dim}, K = {args.components}, spread {args.spread:g}, {args.iterations} iterations, "
        f"{args.threads} thread(s)\n{'':<10} {'ours':>8} {'theirs':>8} {'ratio':>8} {'difference':>11} "
        f"{'float32':>8} {'ratio':>8}"
    )
    with threadpool_limits(args.threads):
        for name in args.kinds:
            compare(name, x, share, args)


if __name__ == "__main__":
    main()

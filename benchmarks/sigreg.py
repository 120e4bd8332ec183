"""SIGReg: sliced and streamed, and averaged over the sphere, against the published form, forward and backward.

Columns
    time     median over alternating repetitions in one process, and published time / time
    memory   most bytes allocated at once beyond the embeddings
    value    of one call; the sphere's is what the others scatter around
    error    squared error of the gradient relative to the squared norm of the sphere's, which is exact

Run ``python benchmarks/sigreg.py``; ``--quick`` for two shapes. On a machine shared with others ``--clock=cpu`` counts
processor time instead of wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Generator, Tensor

from jointlaw.functional import sigreg
from jointlaw.functional._slicing import unit_rows
from jointlaw.regularizers import FastOrthogonal, SIGReg, SphereSIGReg, Uniform

SHAPES = [(256, 512, 1024), (256, 128, 256), (128, 2048, 1024), (256, 512, 4096), (1024, 512, 1024), (256, 64, 1024)]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Form = Callable[[Tensor], Tensor]


def forms(count: int) -> dict[str, Form]:
    generator = Generator().manual_seed(0)

    def published(z: Tensor) -> Tensor:
        return sigreg(z, unit_rows((count, z.shape[1]), z, generator))

    return {
        "published": published,
        "streamed, uniform slices": SIGReg(Uniform(count)),
        "streamed, fast orthogonal slices": SIGReg(FastOrthogonal(count)),
        "sphere, no slices": SphereSIGReg(),
    }


def gradient(form: Form, z: Tensor) -> Tensor:
    return torch.autograd.grad(form(z), z)[0]


def seconds(form: Form, z: Tensor, clock: Callable[[], float]) -> float:
    start = clock()
    gradient(form, z)
    return clock() - start


def peak(form: Form, z: Tensor) -> int:
    with torch.profiler.profile(profile_memory=True) as profile:
        gradient(form, z)
    events = profile.profiler.kineto_results.events()
    return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))


def table(shape: tuple[int, int, int], repeat: int, clock: Callable[[], float]) -> None:
    batch, dim, count = shape
    z = (1.2 * torch.randn(batch, dim, generator=Generator().manual_seed(1)) + 0.1).requires_grad_()
    entries = forms(count)
    rounds = [{name: seconds(form, z, clock) for name, form in entries.items()} for _ in range(repeat + 1)]
    times = {name: statistics.median(turn[name] for turn in rounds[1:]) for name in entries}
    truth = gradient(SphereSIGReg(), z)
    print(f"\nB = {batch}, D = {dim}, N = {count}")
    print(f"{'':34}{'time':>9}{'':>7}{'memory':>11}{'value':>9}{'error':>10}")
    for name, form in entries.items():
        error = float((gradient(form, z) - truth).square().sum() / truth.square().sum())
        line = f"{name:34}{1e3 * times[name]:7.1f}ms{times['published'] / times[name]:6.1f}x"
        print(f"{line}{peak(form, z) / 2**20:9.1f}MB{float(form(z).detach()):9.4f}{error:10.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="first two shapes")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each timing")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {options.clock} clock")
    for shape in SHAPES[: 2 if options.quick else None]:
        table(shape, options.repeat, CLOCKS[options.clock])


if __name__ == "__main__":
    main()

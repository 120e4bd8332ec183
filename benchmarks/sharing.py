"""Slices shared out over processes: the cost of a step to each process at a fixed batch of its own.

Each of W processes has 128 samples of width 512; together they match W x 128 samples to a law along 8,192 slices,
forward and backward. Either every process treats all slices, or its part of them (``share=True``).

Columns: processor time of the slowest process (median over steps; the machine may have fewer cores than processes),
and as a multiple of one process's.

    python benchmarks/sharing.py --worlds 1 2 4
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import Generator

from jointlaw.distributed import rank
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.regularizers import FastOrthogonal, Regularizer, SIGReg, SlicedWasserstein, Uniform

BATCH, DIM, SLICES, STEPS = 128, 512, 8192, 7


def entries() -> dict[str, Regularizer]:
    law = RectifiedGeneralizedGaussian(1.0)
    found: dict[str, Regularizer] = {}
    for share in (False, True):
        how = "shared out" if share else "all by all"
        found[f"Wasserstein, uniform, {how}"] = SlicedWasserstein(law, Uniform(SLICES), share=share)
        found[f"Wasserstein, fast orthogonal, {how}"] = SlicedWasserstein(law, FastOrthogonal(SLICES), share=share)
        found[f"SIGReg, fast orthogonal, {how}"] = SIGReg(FastOrthogonal(SLICES), share=share)
    return found


def seconds(regularizer: Regularizer) -> float:
    z = torch.randn(BATCH, DIM, generator=Generator().manual_seed(rank())).requires_grad_()
    times = []
    for _ in range(STEPS + 1):  # tables are computed in the first
        start = time.process_time()
        torch.autograd.grad(regularizer(z), z)
        times.append(time.process_time() - start)
        regularizer.update()
    return statistics.median(times[1:])


def process(number: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", (folder / "address").as_uri(), world_size=world, rank=number)
    times = {name: seconds(regularizer) for name, regularizer in entries().items()}
    torch.save(times, folder / f"{number}.pt")
    if world > 1:
        dist.destroy_process_group()


def slowest(world: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(process, (world, Path(folder)), nprocs=world)
        found = [torch.load(Path(folder) / f"{number}.pt") for number in range(world)]
    return {name: max(times[name] for times in found) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="+", default=[1, 2, 4], help="numbers of processes, ascending")
    options = parser.parse_args()
    measured = {world: slowest(world) for world in options.worlds}
    print(f"{'':44}" + "".join(f"{f'W = {world}':>18}" for world in measured))
    first = next(iter(measured.values()))
    for name in first:
        cells = (f"{1e3 * times[name]:9.1f}ms{times[name] / first[name]:6.2f}x" for times in measured.values())
        print(f"{name:44}" + " ".join(cells))


if __name__ == "__main__":
    main()

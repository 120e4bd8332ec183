"""Processor time from the command to its answer, against an earlier build in the same run.

    git worktree add /tmp/before v0.1.0
    python benchmarks/startup.py --against /tmp/before/src

Each command is a process of its own; the two builds take turns, each with one uncounted start. Printed are medians of
user plus system seconds and of wall seconds, and the ratio of the processor times (before / now). Without ``--against``
only the present build is timed.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent.parent / "src"
COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "train: help": ["train", "--help"],
    "recipe: help": ["train", "rectified-lpjepa", "--help"],
    "wrong option": ["train", "rectified-lpjepa", "--activty=0.1"],
    "no such run": ["probe", "nowhere"],
}
START = "import sys; from jointlaw.cli import main; sys.exit(main(sys.argv[1:]))"


def seconds(source: Path, words: list[str]) -> tuple[float, float]:
    """Processor and wall seconds of one process; what it prints and its exit code do not count."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", START, *words], env=environment, capture_output=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="the src folder of another build")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    builds = {"now": HERE} | ({} if options.against is None else {"before": options.against})
    print(f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}")
    print(
        f"{'command':14s} {'now: cpu':>9s} {'wall':>6s}"
        + (f" {'before: cpu':>12s} {'wall':>6s} {'ratio':>6s}" * (len(builds) - 1))
    )
    for command, words in COMMANDS.items():
        found: dict[str, list[tuple[float, float]]] = {build: [] for build in builds}
        for turn in range(options.repeats + 1):
            for build, source in builds.items():
                measured = seconds(source, words)
                if turn:
                    found[build].append(measured)
        medians = {
            build: [statistics.median(part) for part in zip(*rows, strict=True)] for build, rows in found.items()
        }
        (cpu, wall), line = medians["now"], ""
        if "before" in medians:
            old_cpu, old_wall = medians["before"]
            line = f" {old_cpu:12.2f} {old_wall:6.2f} {old_cpu / cpu:6.1f}"
        print(f"{command:14s} {cpu:9.2f} {wall:6.2f}{line}", flush=True)


if __name__ == "__main__":
    main()

"""Banks: a full step of contrast against a particle bank, against a queue, and against a plain queue.

A step is the loss of a batch of queries against the bank, its backward pass and the bank's update. "Plain" is the usual
form: the bank is cloned, positives and negatives are concatenated into one matrix of logits, and automatic
differentiation does the rest. Embeddings gather in clusters, as trained ones do, so that particles are cloned and die.

Columns
    step     median over alternating repetitions in one process, in ms, and as a ratio to the queue's
    encoder  the same with a small convolutional encoder, its moving average and a projector in the step: two views of
             B grey images of 28 x 28 pixels (only with --encoder)
    then     what the particles did in the last step (see ``Particles``); a step costs what distinct ones cost, which
             are all of them where nothing is resampled

Run ``python benchmarks/banks.py`` and, on a machine shared with others, add ``--clock=cpu`` to count processor time
instead of wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.networks import ConvEncoder, Projector
from jointlaw.objectives import MoCo
from jointlaw.types import Embeddings

B, D, TEMPERATURE = 256, 128, 0.1
SIZES = [4_096, 65_536]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Plain:
    """The usual queue: cloned, concatenated, differentiated automatically."""

    def __init__(self, size: int) -> None:
        self.bank = FIFO(size, D)

    def __call__(self, z: Embeddings) -> None:
        """Loss, backward pass, update."""
        query, key = F.normalize(z.context[0], dim=-1), F.normalize(z.target[1], dim=-1)
        negatives = query @ self.bank.embeddings.clone().T
        logits = torch.cat([(query * key).sum(1, keepdim=True), negatives], dim=1) / TEMPERATURE
        F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.int64)).backward()
        self.bank.update(key)


class Step:
    """The library's."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.objective = MoCo(bank, TEMPERATURE)

    def __call__(self, z: Embeddings) -> None:
        """Loss, backward pass, update."""
        outcome = self.objective(z)
        outcome.loss.backward()
        self.objective.update(Embeddings(z.context.detach(), z.target), outcome)


def variants(size: int) -> dict[str, Plain | Step]:
    return {
        "plain queue": Plain(size),
        "FIFO": Step(FIFO(size, D)),
        "particles, systematic": Step(Particles(size, D, TEMPERATURE)),
        "particles, stratified": Step(Particles(size, D, TEMPERATURE, resampling="stratified")),
        "particles, multinomial": Step(Particles(size, D, TEMPERATURE, resampling="multinomial")),
        "particles, residual": Step(Particles(size, D, TEMPERATURE, resampling="residual")),
        "particles, postponed to .5": Step(Particles(size, D, TEMPERATURE, threshold=0.5)),
        "weighted, never resampled": Step(Particles(size, D, TEMPERATURE, threshold=0.0)),
    }


class Clusters:
    """Batches of two views around ten centres."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.centres = torch.randn(10, D, generator=self.generator)

    def __call__(self) -> Embeddings:
        """Draw a batch."""
        which = torch.randint(10, (B,), generator=self.generator)
        shared = self.centres[which] + torch.randn(B, D, generator=self.generator)
        z = shared + 0.5 * torch.randn(2, B, D, generator=self.generator)
        return Embeddings(z.requires_grad_(), z.detach())


class Encoded:
    """Batches that go through an encoder and its moving average first."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(ConvEncoder(), Projector(256, D)).to(memory_format=torch.channels_last)
        self.slow = nn.Sequential(ConvEncoder(), Projector(256, D)).to(memory_format=torch.channels_last)
        self.images = torch.randn(2 * B, 1, 28, 28).to(memory_format=torch.channels_last)

    def __call__(self) -> Embeddings:
        """Embed the images."""
        with torch.no_grad():
            target = self.slow(self.images).view(2, B, D)
        return Embeddings(self.network(self.images).view(2, B, D), target)


def fill(steps: dict[str, Plain | Step], size: int, batches: Callable[[], Embeddings]) -> None:
    """Fill the banks, then let particles settle for a few steps."""
    for _ in range(size // B):
        z = F.normalize(batches().target[1], dim=-1)
        for step in steps.values():
            step.bank.update(z)
    for _ in range(5):
        z = batches()
        for step in steps.values():
            step(z)


def times(
    steps: dict[str, Plain | Step], batches: Callable[[], Embeddings], repeats: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Milliseconds of the steps on their own, all of them on the same batch in turn."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats):
        z = batches()
        for name, step in shuffled(steps, repeat):
            start = clock()
            step(z)
            taken[name].append(1e3 * (clock() - start))
    return taken


def encoded_times(steps: dict[str, Plain | Step], repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Milliseconds of the steps with an encoder."""
    encoded = Encoded()
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats):
        for name, step in shuffled(steps, repeat):
            start = clock()
            step(encoded())
            taken[name].append(1e3 * (clock() - start))
    return taken


def shuffled(steps: dict[str, Plain | Step], repeat: int) -> list[tuple[str, Plain | Step]]:
    """A new order every time: what ran before leaves its mark on the caches."""
    pairs = list(steps.items())
    return [pairs[i] for i in torch.randperm(len(pairs), generator=torch.Generator().manual_seed(repeat))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="slots of the banks")
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--encoder", action="store_true", help="time steps with an encoder too")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    for size in options.sizes:
        steps, batches = variants(size), Clusters()
        fill(steps, size, batches)
        taken = times(steps, batches, options.repeats, clock)
        with_encoder = encoded_times(steps, max(options.repeats // 3, 3), clock) if options.encoder else {}
        print(f"\nM = {size:,}, B = {B}, D = {D}; {options.clock} time, {torch.get_num_threads()} thread(s)")
        print(f"{'':28}{'step, ms':>10}{'ratio':>8}" + ("   with encoder, ms   ratio" * options.encoder))
        for name, step in steps.items():
            print(row(name, step, taken, with_encoder))


def row(name: str, step: Plain | Step, taken: dict[str, list[float]], with_encoder: dict[str, list[float]]) -> str:
    line = f"{name:28}{statistics.median(taken[name]):10.1f}{ratio(taken, name):8.2f}"
    if with_encoder:
        line += f"{statistics.median(with_encoder[name]):19.1f}{ratio(with_encoder, name):8.2f}"
    if isinstance(step.bank, Particles):
        figures = step.bank.statistics
        line += "   " + ", ".join(f"{key} {float(figures[key]):.4g}" for key in ("ess", "survival", "distinct", "age"))
    return line


def ratio(taken: dict[str, list[float]], name: str) -> float:
    """Median over repetitions of this step's time over the queue's in the same repetition."""
    return statistics.median(a / b for a, b in zip(taken[name], taken["FIFO"], strict=True))


if __name__ == "__main__":
    main()

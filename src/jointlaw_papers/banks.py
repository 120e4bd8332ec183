"""Particles against the queue: does a weighted memory of 256 make better negatives, and what helps where it does not?

Trainings:

- ``smoke``: 7 banks of 2 epochs of digits, one seed;
- ``cpu``: 6 banks of 4 epochs of Fashion-MNIST with 3 seeds, 72 epochs and 18 judgements: two hours on one slow core;
- ``paper``: the queue and the particles as published, 1,000 epochs of CIFAR-10 with a ResNet-18, and the five variants,
  with 3 seeds each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.data._samples import Data
from jointlaw.evaluation._embed import embed
from jointlaw.networks import MLP
from jointlaw.objectives._contrastive import MoCo
from jointlaw.runs._setup import Run, Setup
from jointlaw.training._datamodule import clean_views
from jointlaw.training._learner import Learner
from jointlaw.training._optimizers import SGD
from jointlaw.training.recipes import Method
from jointlaw.types import Memory
from jointlaw.views._makers import ViewSettings
from jointlaw_papers.seeds import Found
from jointlaw_papers.trials import Figures, Trial, carry_out


class Case(NamedTuple):
    """A bank.

    Attributes:
        label: as it is shown.
        options: of `Particles`; None is the queue.
    """

    label: str
    options: Mapping[str, object] | None

    def bank(self, size: int, width: int, temperature: float, seed: int) -> Bank:
        """A new one, empty."""
        return FIFO(size, width) if self.options is None else _particles(size, width, temperature, seed, self.options)


def _particles(size: int, width: int, temperature: float, seed: int, options: Mapping[str, object]) -> Particles:
    make: Callable[..., Particles] = Particles
    return make(size, width, temperature, seed=seed, **options)


QUEUE, PUBLISHED, RANDOM = "queue", "particles", "thinned"

CASES: dict[str, Case] = {
    QUEUE: Case("queue (FIFO)", None),
    PUBLISHED: Case("published", {"resampling": "multinomial"}),
    "systematic": Case("systematic", {"resampling": "systematic"}),
    "postponed": Case("postponed", {"resampling": "multinomial", "threshold": 0.5}),
    "tempered": Case("tempered", {"resampling": "multinomial", "tempering": 0.5}),
    "aged": Case("age limit", {"resampling": "multinomial", "oldest": 2}),
    RANDOM: Case("random", {"resampling": "multinomial", "tempering": 0.0}),
}
"""The queue, the particles of the source, and these with one change each; the last one weighs nothing."""


def two_layers(features: int) -> nn.Module:
    """The source's projector, 512-512-128, for a backbone of any width."""
    return MLP((features, 512, WIDTH))


WIDTH = 128


@dataclass(frozen=True)
class Scale:
    """How much of the experiment is run.

    Attributes:
        setup: data, encoder, optimiser and run.
        seeds: of each bank.
        cases: names of the banks.
        size: of the bank.
        temperature: of the loss and of the particles.
        momentum: of the moving-average network.
        labels: training samples that the probes are fitted to; None is all.
    """

    setup: Setup
    seeds: int = 3
    cases: tuple[str, ...] = tuple(CASES)
    size: int = 256
    temperature: float = 0.1
    momentum: float = 0.99
    labels: int | None = None

    @property
    def pool(self) -> int:
        """Entries that compete for the bank's places: the bank and a batch."""
        return self.size + self.setup.run.batch

    def trials(self, seed: int) -> list[tuple[str, Trial]]:
        """Every bank with every seed; all banks' first seeds come first."""
        return [(name, self._trial(name, seed + k)) for k in range(self.seeds) for name in self.cases]

    def _trial(self, name: str, seed: int) -> Trial:
        case = CASES[name]

        def method() -> Method:
            bank = case.bank(self.size, WIDTH, self.temperature, seed)
            return Method(MoCo(bank, self.temperature), two_layers, self.momentum)

        loss = {"temperature": self.temperature, "momentum": self.momentum}
        shared = {"size": self.size, **loss, "projector": f"512-{WIDTH}"}
        options = {"bank": "queue"} if case.options is None else {"bank": "particles", **case.options}
        return Trial(
            f"{name}-s{seed}", method, self.setup, {**options, **shared}, seed, online=True, labels=self.labels
        )


CIFAR_VIEWS = ViewSettings(
    scale=(0.08, 1.0), saturation=0.4, hue=0.1, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)
)
"""The source's views: crops of torchvision's default sizes, flips, colour jitter (.4, .4, .4, .1), grey-scale."""

SCALES = {
    "smoke": Scale(
        Setup(data="digits", encoder="mlp", run=Run(epochs=2, threads=1, precision="32")), seeds=1, labels=200
    ),
    "cpu": Scale(
        Setup(data="fashion-mnist", download=True, encoder="conv-fast", run=Run(epochs=4)),
        cases=(QUEUE, PUBLISHED, "postponed", "tempered", "aged", RANDOM),
        labels=20_000,
    ),
    "paper": Scale(
        Setup(
            data="cifar10", download=True, encoder="resnet18", views=CIFAR_VIEWS, optimizer=SGD(), run=Run(epochs=1000)
        ),
    ),
}
"""What is run.

Source of the paper's scale: Huang (2026), arXiv 2603.26799, sections 5.2.1 and P.3: ResNet-18 with a 3x3 stem,
projector 512-512-128, batch 256, bank of 256, moving average at .99, 1,000 epochs.
Differs from the authors' code in: temperature (.1) and optimiser (SGD at .06, momentum .9, decay 5e-4, cosine), which
the source's text lost; the linear probe is fitted to its optimum instead of for 100 epochs.
"""


def run(scale: Scale, folder: Path, seed: int, say: Callable[[str], None]) -> dict[str, Found]:
    """Train and judge every bank with every seed.

    Args:
        scale: how much.
        folder: of the experiment; what is there already is not done again.
        seed: the first.
        say: is told of each trial.
    """
    pairs = scale.trials(seed)
    done = carry_out([trial for _, trial in pairs], folder, say, lambda learner, data: inside(learner, data, scale))
    rows = zip(pairs, done, strict=True)
    kept = [(name, one) for (name, _), one in rows]
    return {case: Found(CASES[case].label, [one for name, one in kept if name == case]) for case in scale.cases}


ROWS = 2_000
"""Held-out samples that stand for queries; they also tell the class of what is in the bank."""


def inside(learner: Learner, data: Data, scale: Scale) -> Figures:
    """What a trained learner's bank holds, by class."""
    objective, label = learner.objective, data.held_out.label[:ROWS]
    if not isinstance(objective, MoCo) or not bool((label >= 0).all()):
        return {}
    some = data.held_out.take(torch.arange(len(label)))
    views = clean_views(some, scale.setup.view_maker(data), scale.setup.run.batch)
    return classes_inside(objective.bank.read(), embed(learner, views).embeddings, label, scale.temperature)


@torch.no_grad()
def classes_inside(memory: Memory, query: Tensor, label: Tensor, temperature: float) -> Figures:
    """Which classes a bank holds, and how much of the negatives' weight is of the query's own class.

    An embedding has the class of the query nearest to it. Figures: ``bank.classes``, the effective number of classes
    ``exp(H)`` by the bank's weights; ``bank.own``, the mean over queries of the share of
    ``sum_m w_m exp(q . k_m / tau)`` that comes from the query's own class: negatives that should be none;
    ``bank.own.even``, what it would be if likelihood made no difference.

    Args:
        memory: the bank.
        query: unit vectors ``[N, D]``.
        label: ``[N]``.
        temperature: tau.
    """
    embeddings, weights = memory.embeddings.to(query.dtype), memory.log_weights.double().exp()
    similarity = query @ embeddings.T  # [N, M]
    owner = label[similarity.argmax(0)]  # [M]
    share = torch.zeros(int(label.max()) + 1, dtype=torch.float64).index_add_(0, owner, weights / weights.sum())
    same = (label[:, None] == owner).double()  # [N, M]
    pull = (similarity.double() / temperature + memory.log_weights.double()).softmax(1)
    return {
        "bank.classes": float(torch.special.entr(share).sum().exp()),
        "bank.own": float((pull * same).sum(1).mean()),
        "bank.own.even": float((same @ (weights / weights.sum())).mean()),
    }

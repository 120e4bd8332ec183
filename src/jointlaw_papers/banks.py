"""Particles against the queue: does a weighted memory of 256 make better negatives, and what helps where it does not?

Trainings:

- ``smoke``: 7 banks of 2 epochs of digits, one seed;
- ``cpu``: 6 banks of 4 epochs of Fashion-MNIST with 3 seeds, 72 epochs and 18 judgements: two hours on one slow core;
- ``paper``: the queue and the particles as published, 1,000 epochs of CIFAR-10 with a ResNet-18, and the five variants,
  with 3 seeds each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.networks import MLP
from jointlaw.objectives import MoCo
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training import SGD
from jointlaw.training.recipes import Method
from jointlaw.types import Memory
from jointlaw.views import ViewSettings
from jointlaw_papers.experiment import Bench
from jointlaw_papers.seeds import Found, gathered
from jointlaw_papers.trials import Figures, Trial, carry_out


class Case(NamedTuple):
    """A bank.

    Attributes:
        label: what it is called on the page.
        options: how `Particles` differ from their defaults; None is the queue.
    """

    label: str
    options: Mapping[str, Any] | None


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


def with_bank(
    *,
    particles: Mapping[str, Any] | None = None,
    size: int = 256,
    temperature: float = 0.1,
    momentum: float = 0.99,
    seed: int = 0,
) -> Method:
    """MoCo with a queue, or with particles.

    Args:
        particles: how `Particles` differ from their defaults; None is a queue.
        size: how many embeddings the bank holds.
        temperature: that of the loss and of the particles' likelihood.
        momentum: how slowly the moving-average network follows.
        seed: determines which particles are resampled.
    """
    bank: Bank = FIFO(size, WIDTH)
    if particles is not None:
        bank = Particles(size, WIDTH, temperature, seed=seed, **particles)
    return Method(MoCo(bank, temperature), two_layers, momentum)


def two_layers(features: int) -> nn.Module:
    """The source's projector, 512-512-128, for a backbone of any width."""
    return MLP((features, 512, WIDTH))


WIDTH = 128


@dataclass(frozen=True)
class BanksPlan:
    """How much of the experiment is run.

    Attributes:
        setup: data, encoder, optimiser and run.
        seeds: how often each bank is trained.
        cases: names of the banks.
        size: how many embeddings the bank holds.
        temperature: that of the loss and of the particles' likelihood.
        momentum: how slowly the moving-average network follows.
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

    def trials(self, seed: int) -> list[Trial]:
        """Every bank with every seed; all banks' first seeds come first."""
        return [self._trial(name, seed + k) for k in range(self.seeds) for name in self.cases]

    def _trial(self, name: str, seed: int) -> Trial:
        recipe = partial(
            with_bank,
            particles=CASES[name].options,
            size=self.size,
            temperature=self.temperature,
            momentum=self.momentum,
        )
        return Trial(f"{name}-s{seed}", name, recipe, self.setup, seed, self.labels)


CIFAR_VIEWS = ViewSettings(
    scale=(0.08, 1.0), saturation=0.4, hue=0.1, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)
)
"""The source's views: crops of torchvision's default sizes, flips, colour jitter (.4, .4, .4, .1), grey-scale."""

PLANS = {
    "smoke": BanksPlan(
        Setup(data="digits", encoder="mlp", run=RunSettings(epochs=2, threads=1, precision="32")), seeds=1, labels=200
    ),
    "cpu": BanksPlan(
        Setup(data="fashion-mnist", download=True, encoder="conv-fast", run=RunSettings(epochs=4)),
        cases=(QUEUE, PUBLISHED, "postponed", "tempered", "aged", RANDOM),
        labels=20_000,
    ),
    "paper": BanksPlan(
        Setup(
            data="cifar10",
            download=True,
            encoder="resnet18",
            views=CIFAR_VIEWS,
            optimizer=SGD(),
            run=RunSettings(epochs=1000),
        ),
    ),
}
"""What is run.

Source of the paper's scale: Huang (2026), arXiv 2603.26799, sections 5.2.1 and P.3: ResNet-18 with a 3x3 stem,
projector 512-512-128, batch 256, bank of 256, moving average at .99, 1,000 epochs.
Differs from the authors' code in: temperature (.1) and optimiser (SGD at .06, momentum .9, decay 5e-4, cosine), which
the source's text lost; the linear probe is fitted to its optimum instead of for 100 epochs.
"""


class BanksResult(NamedTuple):
    """What came of the experiment.

    Attributes:
        plan: what was done.
        found: bank -> its trials.
    """

    plan: BanksPlan
    found: dict[str, Found[Case]]


def solve(plan: BanksPlan, bench: Bench) -> BanksResult:
    """Train and judge every bank with every seed."""
    done = carry_out(plan.trials(bench.seed), plan.setup.load_data(), bench, inside)
    return BanksResult(plan, gathered({name: CASES[name] for name in plan.cases}, done))


ROWS = 2_000
"""Held-out samples that stand for queries; they also tell the class of what is in the bank."""


def inside(run: Run) -> Figures:
    """What a trained run's bank holds, by class."""
    objective, held_out = run.learner.objective, run.data.held_out
    label = held_out.label[:ROWS]
    if not isinstance(objective, MoCo) or not bool((label >= 0).all()):
        return {}
    queries = run.embedder.clean(held_out.take(torch.arange(len(label)))).embeddings
    return classes_inside(objective.bank.read(), queries, label, objective.temperature)


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

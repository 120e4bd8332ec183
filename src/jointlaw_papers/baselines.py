"""The methods at one budget, each at a learning rate that it chose itself from a declared few.

The choice looks at validation samples only: a linear probe fitted to 10,000 training samples and judged on 5,000
others (two thirds and the rest, of fewer). Held-out samples have no say in it. A search at the full budget is the first
seed of the rate it chooses.

Trainings:

- ``smoke``: 4 methods at 2 rates, 1 epoch of digits;
- ``cpu``: 8 methods at 3 rates, and 2 further seeds at the chosen one: 40 trainings of 2 epochs of Fashion-MNIST, an
  hour and a half, and 40 judgements of half a minute;
- ``paper``: 8 methods at 3 rates for 20 epochs of CIFAR-10 with a ResNet-18, then 3 seeds of 200 epochs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import torch

from jointlaw.evaluation import linear_probe
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training import SGD, AdamW
from jointlaw.training.recipes import RECIPES, Method
from jointlaw_papers.banks import CIFAR_VIEWS, WIDTH, two_layers
from jointlaw_papers.experiment import Bench
from jointlaw_papers.seeds import Found, gathered, plural
from jointlaw_papers.trials import Done, Figures, Trial, carry_out

VALIDATION = "validation.accuracy"


class Case(NamedTuple):
    """A method.

    Attributes:
        label: what it is called on the page.
        recipe: its name.
        options: where the recipe's options are not its defaults.
    """

    label: str
    recipe: str
    options: Mapping[str, Any]


def small_projector(*, method: str, options: Mapping[str, Any], seed: int = 0) -> Method:
    """A recipe with the projector that all methods have in common.

    Args:
        method: name of the recipe.
        options: where the recipe's options are not its defaults.
        seed: determines which particles are resampled, for the recipe that has some.
    """
    make = RECIPES[method]
    drawn = {"seed": seed} if "seed" in signature(make).parameters else {}
    return make(**options, **drawn, width=WIDTH)._replace(projector=two_layers)


BANK = 4096
"""The size of both banks; the source's text lost it."""

CASES: dict[str, Case] = {
    "simclr": Case("SimCLR", "simclr", {}),
    "byol": Case("BYOL", "byol", {}),
    "moco": Case("MoCo v2", "moco", {"bank": BANK, "symmetric": False}),
    "smc-gmje": Case("SMC-GMJE", "smc-gmje", {"bank": BANK, "symmetric": False, "resampling": "multinomial"}),
    "swav": Case("SwAV", "swav", {}),
    "vicreg": Case("VICReg", "vicreg", {}),
    "gmje": Case("GMJE prototypes", "gmje", {}),
    "gmje-mdn": Case("GMJE-MDN", "gmje-mdn", {}),
}
"""The source's four, and the four that it tried and left out of its table."""


@dataclass(frozen=True)
class BaselinesPlan:
    """How much of the experiment is run.

    Attributes:
        setup: data, encoder, optimiser (its rate is searched) and run.
        rates: learning rates that each method may choose from.
        search: epochs of the search.
        seeds: how often each method is trained at its rate.
        cases: names of the methods.
        labels: training samples that the probes are fitted to; None is all.
    """

    setup: Setup
    rates: tuple[float, ...]
    search: int
    seeds: int = 3
    cases: tuple[str, ...] = tuple(CASES)
    labels: int | None = None

    @property
    def epochs(self) -> int:
        """Of a training at the chosen rate."""
        return self.setup.run.epochs or self.search

    def searches(self, seed: int) -> list[Trial]:
        """Every method at every rate, with the first seed."""
        return [self._trial(name, rate, seed, self.search) for name in self.cases for rate in self.rates]

    def trials(self, chosen: Mapping[str, float], seed: int) -> list[Trial]:
        """Every method at its chosen rate with every seed; all methods' first seeds come first."""
        return [self._trial(one, chosen[one], seed + k, self.epochs) for k in range(self.seeds) for one in self.cases]

    def _trial(self, name: str, rate: float, seed: int, epochs: int) -> Trial:
        case = CASES[name]
        optimizer = AdamW() if self.setup.optimizer is None else self.setup.optimizer
        budget = replace(self.setup.run, epochs=epochs)
        setup = replace(self.setup, optimizer=replace(optimizer, learning_rate=rate), run=budget)
        recipe = partial(small_projector, method=case.recipe, options=case.options)
        return Trial(f"{name}-lr{rate:g}-e{epochs}-s{seed}", name, recipe, setup, seed, self.labels)


PLANS = {
    "smoke": BaselinesPlan(
        Setup(data="digits", encoder="mlp", run=RunSettings(epochs=1, threads=1, precision="32")),
        rates=(5e-4, 2e-3),
        search=1,
        seeds=1,
        cases=("simclr", "moco", "smc-gmje", "gmje"),
        labels=200,
    ),
    "cpu": BaselinesPlan(
        Setup(data="fashion-mnist", download=True, encoder="conv-fast", run=RunSettings(epochs=2)),
        rates=(7e-4, 2e-3, 6e-3),
        search=2,
        labels=20_000,
    ),
    "paper": BaselinesPlan(
        Setup(
            data="cifar10",
            download=True,
            encoder="resnet18",
            views=CIFAR_VIEWS,
            optimizer=SGD(),
            run=RunSettings(epochs=200),
        ),
        rates=(0.02, 0.06, 0.18),
        search=20,
    ),
}
"""What is run.

Source of the paper's scale: Huang (2026), arXiv 2603.26799, sections 5.2.2 and P.3.5: ResNet-18 with a 3x3 stem,
projector 512-512-128, batch 256, 200 epochs.
Differs from the authors' code in: every method has SGD at a rate of its own choice (theirs: one rate for SimCLR and
MoCo, LARS for VICReg; the numbers are lost); temperatures, prototypes and components are those of our recipes, and both
banks hold 4,096; VICReg has the projector of all; the linear probe is fitted to its optimum instead of for 100 epochs.
"""


class BaselinesResult(NamedTuple):
    """What came of the experiment.

    Attributes:
        plan: what was done.
        searched: method -> rate -> accuracy on validation samples.
        chosen: method -> rate.
        found: method -> trials at that rate.
    """

    plan: BaselinesPlan
    searched: dict[str, dict[float, float]]
    chosen: dict[str, float]
    found: dict[str, Found[Case]]


def solve(plan: BaselinesPlan, bench: Bench) -> BaselinesResult:
    """Search each method's rate, then train and judge it with every seed."""
    data, validate = plan.setup.load_data(), partial(validated, seed=bench.seed, labels=plan.labels)
    bench.say(f"search: {len(plan.rates)} rates for each of {len(plan.cases)} methods")
    searched: dict[str, dict[float, float]] = {name: {} for name in plan.cases}
    for one in carry_out(plan.searches(bench.seed), data, bench, validate):
        searched[one.trial.case][_rate(one)] = _accuracy(one)
    chosen = {name: max(rates, key=lambda rate: rates[rate]) for name, rates in searched.items()}
    bench.say(f"at the chosen rates: {plural(plan.seeds, 'seed')} of each method")
    done = carry_out(plan.trials(chosen, bench.seed), data, bench, validate)
    return BaselinesResult(plan, searched, chosen, gathered({name: CASES[name] for name in plan.cases}, done))


def _rate(done: Done) -> float:
    optimizer = done.trial.setup.optimizer
    return 0.0 if optimizer is None else optimizer.learning_rate


def _accuracy(done: Done) -> float:
    value = done.figures.get(VALIDATION)
    if value is None:
        raise ValueError(
            f"{done.folder}: expected {VALIDATION} among its results, found none: it was trained for another "
            "purpose. Choose another --folder."
        )
    return value


FITTED, JUDGED = 10_000, 5_000
"""Training samples that the validation probe is fitted to, and judged on; of fewer, two thirds and the rest."""


def validated(run: Run, seed: int, labels: int | None = None) -> Figures:
    """Accuracy of a linear probe on training samples that it was not fitted to, by which a rate is chosen.

    The encoder has seen their images, as it has those of all training samples, but labels only ever reach the probe,
    at most ``labels`` of them.
    """
    source = run.data.train
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))
    fitted = min(FITTED, labels or FITTED, len(order) * 2 // 3)
    rows = (order[:fitted], order[fitted : fitted + min(JUDGED, len(order) - fitted)])
    train, test = (run.embedder.clean(source.take(part)) for part in rows)
    return {VALIDATION: linear_probe(train.features, train.label, test.features, test.label, seed=seed).accuracy}

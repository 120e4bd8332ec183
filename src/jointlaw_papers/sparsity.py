"""The dial of Rectified LpJEPA: sparsity planned and measured, what it costs, and what it takes to hold it.

Trainings (settings, some of them with several seeds):

- ``smoke``: 12 of 1 epoch, digits;
- ``cpu``: 65 of 1 epoch of Fashion-MNIST (468 steps), two hours on one slow core;
- ``paper``: 114 of 1,000 epochs of ImageNet-100 with a ResNet-50.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from jointlaw.data import Data, Source, Stored
from jointlaw.evaluation import l0, linear_probe
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.training import LARS
from jointlaw.views import ViewSettings
from jointlaw_papers.experiment import Bench
from jointlaw_papers.seeds import Found, gathered
from jointlaw_papers.sparsity_cases import BASELINES, FAMILIES, Case, Dial, baseline, ours, published
from jointlaw_papers.trials import Extra, Figures, Trial, carry_out, fewer


@dataclass(frozen=True)
class Elsewhere:
    """Other data for the encoders.

    Attributes:
        name: what they are called on the page.
        spec: what ``--data`` calls them.
        turned: by a quarter, so that data serve as others than themselves.
    """

    name: str
    spec: str
    turned: bool = False

    def load(self, setup: Setup, shape: tuple[int, ...]) -> Data:
        """Read the data in the shape of the samples that a learner was trained on."""
        other = setup.load_like(self.spec, shape)
        if not self.turned:
            return other
        train, held_out, probe = (_turned(source) for source in (other.train, other.held_out, other.probe))
        return Data(self.name, train, held_out, probe)


def _turned(source: Source) -> Source:
    values = source.read(torch.arange(len(source))).rot90(1, (2, 3)).contiguous()
    return Stored(values=values, label=source.label, classes=source.classes)


REFERENCE, SPARSE = Dial(1, 0), Dial(1, -1)
"""The source's default, and a setting in which most units are silent."""


@dataclass(frozen=True)
class SparsityPlan:
    """How much of the experiment is run.

    Attributes:
        setup: data, encoder, optimiser and run.
        width: that of the embeddings and of the projector's hidden layers.
        grid: dials in the library's form.
        published: dials in the published form too.
        count: slices of the published form.
        counts: further numbers of slices.
        compared: the dial of the parts on slices.
        ablated: the dial of the ablations.
        baselines: recipes.
        repeated: dials of the grid, and recipes, that are trained with several seeds.
        repeated_published: dials of the published form that are, too.
        seeds: how many these are trained with.
        labels: training samples that the probes are fitted to; None is all.
        elsewhere: data for the transfer.
        caution: what a reader must know of the budget.
    """

    setup: Setup
    width: int
    grid: tuple[Dial, ...]
    published: tuple[Dial, ...]
    count: int
    counts: tuple[int, ...]
    elsewhere: tuple[Elsewhere, ...]
    compared: Dial = REFERENCE
    ablated: Dial = SPARSE
    baselines: tuple[str, ...] = tuple(BASELINES)
    repeated: tuple[Dial | str, ...] = ()
    repeated_published: tuple[Dial, ...] = ()
    seeds: int = 1
    labels: int | None = None
    caution: str = ""

    def cases(self) -> dict[str, Case]:
        """All that is trained, by name, each once."""
        return {case.name: case for case in self._cases()}

    def _cases(self) -> Iterator[Case]:
        yield from map(ours, self.grid)
        yield from map(baseline, self.baselines)
        yield from (published(dial, self.count) for dial in self.published)
        yield from (ours(self.ablated, features=f, target=t) for f in (True, False) for t in (True, False))
        yield from (published(self.compared, count) for count in sorted({*self.counts, self.count}))
        yield from (published(self.compared, self.count, family) for family in FAMILIES)
        yield ours(self.compared)

    def seeds_of(self, case: Case) -> int:
        """How many seeds a case has."""
        several = {ours(one).name if isinstance(one, Dial) else one for one in self.repeated}
        several |= {published(dial, self.count).name for dial in self.repeated_published}
        return self.seeds if case.name in several else 1

    def trials(self, seed: int) -> list[Trial]:
        """Every case with every seed, the first seed of all cases first."""
        made = [(k, case) for k in range(self.seeds) for case in self.cases().values() if k < self.seeds_of(case)]
        return [self._trial(case, seed + k) for k, case in made]

    def _trial(self, case: Case, seed: int) -> Trial:
        facts = {"elsewhere": ", ".join(f"{place.name}={place.spec}" for place in self.elsewhere)}
        recipe = case.recipe(self.width)
        return Trial(f"{case.name}-s{seed}", case.name, recipe, self.setup, seed, self.labels, facts)


LOCATIONS = (1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0)
WHOLE = (1, 0, -1, -2, -3)
SHAPES = (0.5, 1.0, 2.0)
OF_THE_TABLE = (Dial(2, 0), Dial(2, 1), Dial(1, 0.25), Dial(1, -3))
"""The source's table has these settings."""

DIGITS = Elsewhere("digits", "digits")

SMOKE = SparsityPlan(
    setup=Setup(data="digits", encoder="mlp", run=RunSettings(epochs=1, batch=128, threads=1, precision="32")),
    width=64,
    grid=(Dial(1, 0), Dial(1, -1)),
    published=(Dial(1, -1),),
    count=256,
    counts=(64,),
    elsewhere=(Elsewhere("digits, turned", "digits", turned=True),),
    baselines=("lejepa",),
    repeated=(Dial(1, 0),),
    seeds=2,
    labels=200,
    caution="Trainings this short learn nothing of worth: this scale shows that everything runs, not what holds.",
)

CPU = SparsityPlan(
    setup=Setup(data="fashion-mnist", download=True, encoder="conv-fast", run=RunSettings(epochs=1, batch=128)),
    width=512,
    grid=(
        *(Dial(1, loc) for loc in LOCATIONS),
        *(Dial(2, loc) for loc in WHOLE),
        *(Dial(0.5, loc) for loc in (0, -1, -3)),
        *(Dial(1, loc, "RGN") for loc in (0, -1, -2, -3)),
        Dial(1, 0.25),
    ),
    published=tuple(Dial(p, loc) for p in (1, 2) for loc in WHOLE),
    count=1024,
    counts=(64, 256, 8192),
    elsewhere=(DIGITS,),
    repeated=(Dial(1, 0), Dial(1, -1), Dial(1, -3), Dial(2, 0), *BASELINES),
    repeated_published=(Dial(1, -3),),
    seeds=3,
    labels=20_000,
    caution=(
        "One epoch is far from convergence, and the grid is a part of the paper's: the order of settings that lie "
        "close to one another may change with longer training."
    ),
)

IMAGENET_VIEWS = ViewSettings(
    size=224, blur=0.5, solarise=0.1, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), blur_kernel=23
)

PAPER = SparsityPlan(
    setup=Setup(
        data="folder:data/imagenet100",
        download=True,  # of the data of the transfer
        resolution=256,
        encoder="resnet50",
        small_stem=False,
        views=IMAGENET_VIEWS,
        optimizer=LARS(learning_rate=0.165 * 128 / 256, trust=0.02, clip=True),
        run=RunSettings(epochs=1000, batch=128),
    ),
    width=2048,
    grid=(*(Dial(p, loc, s) for s in ("GN", "RGN") for p in SHAPES for loc in LOCATIONS), Dial(1, 0.25)),
    published=(*OF_THE_TABLE, *(Dial(1, loc) for loc in LOCATIONS[:-1])),
    count=8192,
    counts=(64, 128, 256, 512, 1024, 2048, 4096),
    elsewhere=(Elsewhere("CIFAR-10", "cifar10"), Elsewhere("CIFAR-100", "cifar100")),
    repeated=(*OF_THE_TABLE, Dial(1, 0), Dial(1, -1), *BASELINES),
    repeated_published=OF_THE_TABLE,
    seeds=3,
)

PLANS = {"smoke": SMOKE, "cpu": CPU, "paper": PAPER}
"""What is run.

Source of the paper's scale: Kuang et al. (2026), arXiv 2602.01456, and the authors' ImageNet-100 configuration.
Differs from the authors' code in: images come as their centre squares of 256 pixels; every baseline has the same
projector and budget (theirs 400 epochs for VICReg and SimCLR); the data of the transfer.
"""


class SparsityResult(NamedTuple):
    """What came of the experiment.

    Attributes:
        plan: what was done.
        found: name of a case -> its trials.
    """

    plan: SparsityPlan
    found: dict[str, Found[Case]]

    @property
    def dials(self) -> list[Found[Case]]:
        """The dials in the library's form, by scale and shape, from dense to sparse."""
        ordered = sorted(self.plan.grid, key=lambda dial: (dial.scale, dial.p, -dial.loc))
        return [self.found[ours(dial).name] for dial in ordered]

    @property
    def published(self) -> list[Found[Case]]:
        """The dials in the published form."""
        return [self.found[published(dial, self.plan.count).name] for dial in self.plan.published]

    @property
    def baselines(self) -> list[Found[Case]]:
        """The other methods."""
        return [self.found[recipe] for recipe in self.plan.baselines]

    @property
    def ablated(self) -> list[Found[Case]]:
        """The four ablations, the method itself first; see ``COMBINATIONS``."""
        return [self.found[ours(self.plan.ablated, features=f, target=t).name] for f, t in COMBINATIONS]

    @property
    def sliced(self) -> list[tuple[int, Found[Case]]]:
        """The published form by its number of slices."""
        counts = sorted({*self.plan.counts, self.plan.count})
        return [(count, self.found[published(self.plan.compared, count).name]) for count in counts]

    @property
    def compared(self) -> Found[Case]:
        """The library's form at the dial of the parts on slices."""
        return self.found[ours(self.plan.compared).name]

    def family(self, name: str) -> Found[Case]:
        """The published form with slices of a family."""
        return self.found[published(self.plan.compared, self.plan.count, name).name]


COMBINATIONS = ((True, True), (True, False), (False, True), (False, False))
"""Whether features and law are rectified."""


def solve(plan: SparsityPlan, bench: Bench) -> SparsityResult:
    """Train and judge everything, and gather the figures by case."""
    data = plan.setup.load_data()
    done = carry_out(plan.trials(bench.seed), data, bench, transfer(plan, data.train.shape))
    return SparsityResult(plan, gathered(plan.cases(), done))


def transfer(plan: SparsityPlan, shape: tuple[int, ...]) -> Extra:
    """Linear probes of a trained run on other data, and how sparse their embeddings are (clean training samples).

    Figures: ``held_out``, and for each place ``transfer.NAME.backbone``, ``.projector``, ``.l0`` and ``.held_out``.
    """
    places = {place.name: fewer(place.load(plan.setup, shape), plan.labels) for place in plan.elsewhere}

    def measure(run: Run) -> Figures:
        figures: Figures = {"held_out": float(len(run.data.held_out))}
        for name, other in places.items():
            train, test = (run.embedder.clean(part) for part in (other.probe, other.held_out))
            backbone = linear_probe(train.features, train.label, test.features, test.label)
            projector = linear_probe(train.embeddings, train.label, test.embeddings, test.label)
            figures |= {
                f"transfer.{name}.backbone": backbone.accuracy,
                f"transfer.{name}.projector": projector.accuracy,
                f"transfer.{name}.l0": l0(train.embeddings),
                f"transfer.{name}.held_out": float(len(test)),
            }
        return figures

    return measure

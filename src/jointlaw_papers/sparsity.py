"""The dial of Rectified LpJEPA: sparsity planned and measured, what it costs, and what it takes to hold it.

Trainings (settings, some of them with several seeds):

- ``smoke``: 12 of 1 epoch, digits;
- ``cpu``: 65 of 1 epoch of Fashion-MNIST (468 steps), two hours on one slow core;
- ``paper``: 114 of 1,000 epochs of ImageNet-100 with a ResNet-50.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from jointlaw.data._samples import Data, Source, Stored
from jointlaw.evaluation import _sparsity as sparsity
from jointlaw.evaluation._embed import embed
from jointlaw.evaluation._probes import linear_probe
from jointlaw.runs._setup import Run, Setup
from jointlaw.training._datamodule import clean_views
from jointlaw.training._learner import Learner
from jointlaw.training._optimizers import LARS
from jointlaw.views._makers import ViewSettings
from jointlaw_papers.seeds import Measured
from jointlaw_papers.sparsity_cases import BASELINES, FAMILIES, Case, Dial, baseline, ours, published
from jointlaw_papers.trials import Extra, Figures, Trial, carry_out, fewer_labels


@dataclass(frozen=True)
class Elsewhere:
    """Other data for the encoders.

    Attributes:
        name: as it is shown.
        spec: as ``--data`` has it.
        turned: by a quarter, so that data serve as others than themselves.
    """

    name: str
    spec: str
    turned: bool = False

    def load(self, setup: Setup, like: Data) -> Data:
        """Read the data in the shape of those a learner was trained on."""
        other = setup.load_other(self.spec, like)
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
class Scale:
    """How much of the experiment is run.

    Attributes:
        setup: data, encoder, optimiser and run.
        width: of the embeddings and of the projector's hidden layers.
        grid: dials in the library's form.
        published: dials in the published form too.
        count: slices of the published form.
        counts: further numbers of slices.
        compared: the dial of the parts on slices.
        ablated: the dial of the ablations.
        baselines: recipes.
        repeated: dials of the grid and recipes that have ``seeds`` seeds.
        repeated_published: dials of the published form that have them.
        seeds: of these.
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

    def trials(self, seed: int) -> list[tuple[Case, Trial]]:
        """Every case with every seed, the first seed of all cases first."""
        made = [(k, case) for k in range(self.seeds) for case in self.cases().values() if k < self.seeds_of(case)]
        return [(case, self._trial(case, seed + k)) for k, case in made]

    def _trial(self, case: Case, seed: int) -> Trial:
        other = ", ".join(f"{place.name}={place.spec}" for place in self.elsewhere)
        facts = {**case.facts, "width": self.width, "hidden": self.width, "elsewhere": other}
        return Trial(
            f"{case.name}-s{seed}", lambda: case.method(self.width, seed), self.setup, facts, seed, labels=self.labels
        )


LOCATIONS = (1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0, -2.5, -3.0)
WHOLE = (1, 0, -1, -2, -3)
SHAPES = (0.5, 1.0, 2.0)
OF_THE_TABLE = (Dial(2, 0), Dial(2, 1), Dial(1, 0.25), Dial(1, -3))
"""The source's table has these settings."""

DIGITS = Elsewhere("digits", "digits")

SMOKE = Scale(
    setup=Setup(data="digits", encoder="mlp", run=Run(epochs=1, batch=128, threads=1, precision="32")),
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

CPU = Scale(
    setup=Setup(data="fashion-mnist", download=True, encoder="conv-fast", run=Run(epochs=1, batch=128)),
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

PAPER = Scale(
    setup=Setup(
        data="folder:data/imagenet100",
        download=True,  # of the data of the transfer
        resolution=256,
        encoder="resnet50",
        small_stem=False,
        views=IMAGENET_VIEWS,
        optimizer=LARS(learning_rate=0.165 * 128 / 256, trust=0.02, clip=True),
        run=Run(epochs=1000, batch=128),
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

SCALES = {"smoke": SMOKE, "cpu": CPU, "paper": PAPER}
"""What is run.

Source of the paper's scale: Kuang et al. (2026), arXiv 2602.01456, and the authors' ImageNet-100 configuration.
Differs from the authors' code in: images come as their centre squares of 256 pixels; every baseline has the same
projector and budget (theirs 400 epochs for VICReg and SimCLR); the data of the transfer.
"""


@dataclass(frozen=True, eq=False)
class Found(Measured):
    """What came of a case.

    Attributes:
        case: what was trained.
        figures: of each seed.
    """

    case: Case
    figures: list[Figures]


def run(scale: Scale, folder: Path, seed: int, say: Callable[[str], None]) -> dict[str, Found]:
    """Train and judge everything, and gather the figures by case.

    Args:
        scale: how much.
        folder: of the experiment; what is there already is not done again.
        seed: the first.
        say: is told of each trial.
    """
    pairs = scale.trials(seed)
    done = carry_out([trial for _, trial in pairs], folder, say, transfer(scale))
    found = {name: Found(case, []) for name, case in scale.cases().items()}
    for (case, _), one in zip(pairs, done, strict=True):
        found[case.name].figures.append(one.figures)
    return found


def transfer(scale: Scale) -> Extra:
    """Linear probes of a trained learner on other data, and how sparse their embeddings are (clean training samples).

    Figures: ``held_out``, and for each place ``transfer.NAME.backbone``, ``.projector``, ``.l0`` and ``.held_out``.
    """
    setup = scale.setup

    def measure(learner: Learner, data: Data) -> Figures:
        views = setup.view_maker(data)
        figures: Figures = {"held_out": float(len(data.held_out))}
        for place in scale.elsewhere:
            other = fewer_labels(place.load(setup, data), scale.labels)
            train, test = (
                embed(learner, clean_views(part, views, setup.run.batch)) for part in (other.probe, other.held_out)
            )
            backbone = linear_probe(train.features, train.label, test.features, test.label)
            projector = linear_probe(train.embeddings, train.label, test.embeddings, test.label)
            figures |= {
                f"transfer.{place.name}.backbone": backbone.accuracy,
                f"transfer.{place.name}.projector": projector.accuracy,
                f"transfer.{place.name}.l0": sparsity.l0(train.embeddings),
                f"transfer.{place.name}.held_out": float(len(test)),
            }
        return figures

    return measure

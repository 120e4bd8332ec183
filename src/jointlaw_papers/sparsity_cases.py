"""What the sparsity experiment compares: dials in the library's and in the published form, and other methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jointlaw.functional._families import Eigen, LowerEigen, Slices, Uniform
from jointlaw.functional._targets import TwoSample
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.regularizers import default_slices
from jointlaw.training.recipes import RECIPES, Method
from jointlaw.training.recipes._laws import rectified_law, rectified_lpjepa
from jointlaw_papers.trials import bound


class Dial(NamedTuple):
    """A setting of the law.

    Attributes:
        p: shape.
        loc: location before the rectifier.
        scale: unit variance before (GN) or after (RGN) the rectifier.
    """

    p: float
    loc: float
    scale: Literal["GN", "RGN"] = "GN"

    @property
    def law(self) -> RectifiedGeneralizedGaussian:
        """The law of one unit, in float64."""
        law = rectified_law(None, self.loc, self.p, self.scale)
        return RectifiedGeneralizedGaussian(law.p.double(), law.loc.double(), law.scale.double())

    @property
    def planned(self) -> float:
        """The law's share of active units."""
        return float(self.law.activity)

    @property
    def planned_l1(self) -> float:
        """What ``l1`` of wide embeddings approaches under the law: (E x)^2 / E x^2."""
        mean, square = self.law.raw_moments(2)
        return float(mean**2 / square)

    @property
    def label(self) -> str:
        """As the source writes it; the scale is named where it is not sigma_GN."""
        return f"RGN_{self.p:g}({self.loc:g})" + ("" if self.scale == "GN" else "\u00a0σRGN")

    @property
    def name(self) -> str:
        """For a folder."""
        return f"p{self.p:g}-loc{self.loc:g}-{self.scale.lower()}"


@dataclass(frozen=True, eq=False)
class Case:
    """What is trained, but for data, network and seed.

    Attributes:
        name: of its folder.
        label: as it is shown.
        method: makes objective and projector from the embedding width and a seed.
        facts: what distinguishes it, as plain values.
        dial: of the law, for those that match one.
    """

    name: str
    label: str
    method: Callable[[int, int], Method]
    facts: Mapping[str, object]
    dial: Dial | None = None


def ablation(features: bool, target: bool) -> str:
    """What is rectified, in words."""
    return f"{'RGN' if target else 'GN'} law, {'rectified' if features else 'plain'} features"


def ours(dial: Dial, *, features: bool = True, target: bool = True) -> Case:
    """The library's form: thresholds, default slices, expected order statistics; with its ablations."""

    def method(width: int, seed: int) -> Method:
        return rectified_lpjepa(
            **dial._asdict(), width=width, seed=seed, rectified_features=features, rectified_target=target
        )

    kept = {"rectified_features": features, "rectified_target": target}
    words = ablation(features, target)
    plain = features and target
    name = f"ours-{dial.name}" + ("" if plain else f"-{'rgn' if target else 'gn'}-{'relu' if features else 'plain'}")
    made = {**bound(rectified_lpjepa, **dial._asdict(), **kept), "slices": str(default_slices())}
    facts = {"recipe": "rectified-lpjepa", **made}
    return Case(name, dial.label if plain else words, method, facts, dial)


FAMILIES: dict[str, Callable[[int], Slices]] = {"uniform": Uniform, "eigen": Eigen, "lower-eigen": LowerEigen}
"""The source's families of slices."""


def published(dial: Dial, count: int, family: str = "uniform") -> Case:
    """The form as published: plain rectifier, ``count`` slices of one family, a sample of the law per view and step."""

    def method(width: int, seed: int) -> Method:
        slices, targets = FAMILIES[family](count), TwoSample(shared=False)
        return rectified_lpjepa(**dial._asdict(), width=width, seed=seed, rate=0.0, slices=slices, targets=targets)

    form = {"rate": 0.0, "slices": FAMILIES[family](count), "targets": "two-sample"}
    facts = {"recipe": "rectified-lpjepa", **bound(rectified_lpjepa, **dial._asdict(), **form)}
    return Case(f"{family}-{dial.name}-n{count}", f"{dial.label}, {count} {family}", method, facts, dial)


BASELINES = {"lejepa": "LeJEPA", "vicreg": "VICReg", "simclr": "SimCLR", "ncl": "NCL", "nvicreg": "NVICReg"}
"""Recipe -> name, as the source lists them."""


def baseline(recipe: str) -> Case:
    """Another method with its recipe's defaults, but the projector's widths are those of all."""

    def method(width: int, _: int) -> Method:  # none of them has slices to seed
        return RECIPES[recipe](width=width, hidden=width)

    return Case(recipe, BASELINES[recipe], method, {"recipe": recipe, **bound(RECIPES[recipe])})

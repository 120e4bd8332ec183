"""What the sparsity experiment compares: dials in the library's and in the published form, and other methods."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.regularizers import Eigen, LowerEigen, Slices, TwoSample, Uniform
from jointlaw.training.recipes import RECIPES, Method


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
        law = RectifiedGeneralizedGaussian.unit_variance(self.p, self.loc, after_rectifier=self.scale == "RGN")
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
        name: what its trials' folders are called.
        label: what it is called on the page.
        method: name of the recipe.
        options: where the recipe's options are not its defaults.
        dial: the setting of the law, for those that match one.
    """

    name: str
    label: str
    method: str
    options: dict[str, Any]
    dial: Dial | None = None

    def recipe(self, width: int) -> Callable[..., Method]:
        """The recipe at an embedding width, which is also that of the projector's hidden layers."""
        return partial(RECIPES[self.method], **self.options, width=width, hidden=width)

    @property
    def facts(self) -> dict[str, object]:
        """Recipe and options as plain values."""
        return {"recipe": self.method, **{name: _plain(value) for name, value in self.options.items()}}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"{type(value).__name__}({', '.join(f'{name}={part}' for name, part in vars(value).items())})"


def ablation(features: bool, target: bool) -> str:
    """What is rectified, in words."""
    return f"{'RGN' if target else 'GN'} law, {'rectified' if features else 'plain'} features"


RECTIFIED = "rectified-lpjepa"


def ours(dial: Dial, *, features: bool = True, target: bool = True) -> Case:
    """The library's form: thresholds, default slices, expected order statistics; with its ablations."""
    if features and target:
        return Case(f"ours-{dial.name}", dial.label, RECTIFIED, dial._asdict(), dial)
    options = {**dial._asdict(), "rectified_features": features, "rectified_target": target}
    name = f"ours-{dial.name}-{'rgn' if target else 'gn'}-{'relu' if features else 'plain'}"
    return Case(name, ablation(features, target), RECTIFIED, options, dial)


FAMILIES: dict[str, Callable[[int], Slices]] = {"uniform": Uniform, "eigen": Eigen, "lower-eigen": LowerEigen}
"""The source's families of slices."""


def published(dial: Dial, count: int, family: str = "uniform") -> Case:
    """The form as published: plain rectifier, ``count`` slices of one family, a sample of the law per view and step."""
    form = {"rate": 0.0, "slices": FAMILIES[family](count), "targets": TwoSample(shared=False)}
    name, label = f"{family}-{dial.name}-n{count}", f"{dial.label}, {count} {family}"
    return Case(name, label, RECTIFIED, {**dial._asdict(), **form}, dial)


BASELINES = {"lejepa": "LeJEPA", "vicreg": "VICReg", "simclr": "SimCLR", "ncl": "NCL", "nvicreg": "NVICReg"}
"""Recipe -> name, as the source lists them."""


def baseline(recipe: str) -> Case:
    """Another method with its recipe's defaults, but the projector's widths are those of all."""
    return Case(recipe, BASELINES[recipe], recipe, {})

"""What several seeds of one setting say together, and whether two settings can be told apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, NamedTuple, Protocol, TypeVar

from scipy.stats import t as student

from jointlaw_papers.trials import Done, Figures

Curve = list[tuple[float, float]]


class Interval(NamedTuple):
    """A mean over seeds with the half-width of its 95 % interval (Student's t); no half-width for one seed.

    Attributes:
        mean: the mean of the values.
        half: half the interval's width, or None.
        seeds: how many values there were.
    """

    mean: float
    half: float | None
    seeds: int

    def text(self, form: str = "{:.1%}") -> str:
        """Such as ``89.3% ± 0.4%``."""
        return form.format(self.mean) + ("" if self.half is None else " ± " + form.format(self.half))


def interval(values: Iterable[float | None]) -> Interval | None:
    """The mean over the values that exist, with its interval; None if there are none.

    >>> interval([1.0, 2.0, 3.0]).text("{:.2f}")
    '2.00 ± 2.48'
    """
    found = [value for value in values if value is not None]
    if not found:
        return None
    mean = sum(found) / len(found)
    if len(found) == 1:
        return Interval(mean, None, 1)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in found) / (len(found) - 1))
    half = float(student.ppf(0.975, len(found) - 1)) * deviation / math.sqrt(len(found))
    return Interval(mean, half, len(found))


class Setting(Protocol):
    """What is compared, such as a method: it has a label, as it is shown."""

    @property
    def label(self) -> str:
        """As it is shown."""


Case = TypeVar("Case", bound=Setting)


@dataclass(frozen=True, eq=False)
class Found(Generic[Case]):
    """What came of one setting.

    Attributes:
        case: the setting.
        done: its trials, one per seed, in the order of seeds.
    """

    case: Case
    done: Sequence[Done]

    @property
    def label(self) -> str:
        """Of the setting, as it is shown."""
        return self.case.label

    @property
    def figures(self) -> list[Figures]:
        """Of each seed."""
        return [one.figures for one in self.done]

    def values(self, key: str) -> list[float | None]:
        """A figure of each seed."""
        return [figures.get(key) for figures in self.figures]

    def interval(self, key: str) -> Interval | None:
        """Mean over seeds with its interval."""
        return interval(self.values(key))

    def mean(self, key: str) -> float | None:
        """Mean over seeds."""
        found = self.interval(key)
        return None if found is None else found.mean

    def text(self, key: str, form: str = "{:.1%}") -> str:
        """Mean and interval in words, a dash where nothing was measured."""
        found = self.interval(key)
        return "–" if found is None else found.text(form)

    def curve(self, key: str) -> Curve:
        """Mean over seeds of a logged metric, at the steps that all seeds logged; empty if there are none."""
        curves = [dict(one.curve(key)) for one in self.done]
        steps = sorted(set.intersection(*(set(curve) for curve in curves)))
        return [(step, sum(curve[step] for curve in curves) / len(curves)) for step in steps]


def gathered(cases: Mapping[str, Case], done: Sequence[Done]) -> dict[str, Found[Case]]:
    """Finished trials by their setting."""
    return {name: Found(case, [one for one in done if one.trial.case == name]) for name, case in cases.items()}


def plural(count: int, noun: str) -> str:
    """Such as "1 epoch" and "1,000 epochs"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def difference(one: Found[Case], other: Found[Case], key: str) -> Interval | None:
    """``one`` minus ``other``, seed by seed, with the interval of the mean difference."""
    pairs = zip(one.values(key), other.values(key), strict=True)
    return interval(a - b for a, b in pairs if a is not None and b is not None)


def verdict(gap: Interval | None) -> str:
    """``beats``, ``trails`` or ``level`` by a paired difference; one seed shows nothing."""
    if gap is None or gap.half is None or abs(gap.mean) <= gap.half:
        return "level"
    return "beats" if gap.mean > 0 else "trails"


def points(gap: Interval | None) -> str:
    """A difference of accuracies in percentage points, such as ``+1.2 ± 0.4``."""
    if gap is None:
        return "–"
    return f"{100 * gap.mean:+.1f}" + ("" if gap.half is None else f" ± {100 * gap.half:.1f}")


def tail(curve: Curve, share: float = 0.25) -> float | None:
    """Mean over the last part of a curve; None of an empty one."""
    last = [value for _, value in curve[-max(1, round(share * len(curve))) :]]
    return sum(last) / len(last) if last else None


def head(curve: Curve, share: float = 0.25) -> float | None:
    """Mean over the first part of a curve; None of an empty one."""
    first = [value for _, value in curve[: max(1, round(share * len(curve)))]]
    return sum(first) / len(first) if first else None


def roughness(curve: Curve) -> float | None:
    """Root mean square of the steps between neighbours over the last half of a curve; None of fewer than two points."""
    last = [value for _, value in curve[len(curve) // 2 :]]
    steps = [(b - a) ** 2 for a, b in pairwise(last)]
    return (sum(steps) / len(steps)) ** 0.5 if steps else None

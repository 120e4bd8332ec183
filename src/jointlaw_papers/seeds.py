"""What several seeds of one setting say together, and whether two settings can be told apart."""

from collections.abc import Sequence
from itertools import pairwise

from jointlaw_papers.trials import Done, Figures, Interval, interval

Curve = list[tuple[float, float]]


class Measured:
    """Something with the same figures of several seeds.

    Attributes:
        figures: of each seed.
    """

    figures: Sequence[Figures]

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


class Found(Measured):
    """What came of one setting.

    Args:
        label: as it is shown.
        done: its trials, one per seed, in the order of seeds.
    """

    def __init__(self, label: str, done: Sequence[Done]) -> None:
        self.label = label
        self.done = done
        self.figures = [one.figures for one in done]

    def curve(self, key: str) -> Curve:
        """Mean over seeds of a logged metric, at the steps that all seeds logged; empty if there are none."""
        curves = [dict(one.curve(key)) for one in self.done]
        steps = sorted(set.intersection(*(set(curve) for curve in curves)))
        return [(step, sum(curve[step] for curve in curves) / len(curves)) for step in steps]


def difference(one: Measured, other: Measured, key: str) -> Interval | None:
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

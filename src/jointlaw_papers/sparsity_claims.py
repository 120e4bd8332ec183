"""What the source says of sparsity, held against what was measured here: every sentence is computed."""

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from jointlaw_papers.seeds import Found
from jointlaw_papers.seeds import difference as paired
from jointlaw_papers.sparsity import COMBINATIONS, Elsewhere, SparsityResult
from jointlaw_papers.sparsity_cases import BASELINES, Case, Dial, ablation, ours
from jointlaw_papers.trials import BACKBONE, L0, PROJECTOR

HOLDS, FAILS, OPEN = "agrees", "does not agree", "too close to tell"

EXACT = "within 5 % of it, 10 % where fewer than 2 % are active; a point at most"
"""When a measured share of active units counts as the planned one."""

POINT = 0.01
"""A percentage point: accuracy that lies further below the best has fallen."""


LATE = 0.95
"""A share of zeros: the source sees accuracy fall only beyond it."""


class Claim(NamedTuple):
    """A claim and what became of it.

    Attributes:
        text: what the source says.
        found: what was measured here.
        verdict: whether the two agree.
    """

    text: str
    found: str
    verdict: str


class Theirs(NamedTuple):
    """A row of the source's table: accuracies of the linear probes, soft sparsity and share of active units."""

    backbone: float
    projector: float
    l1: float
    l0: float


THEIRS: dict[Dial | str, Theirs] = {
    Dial(2, 0): Theirs(0.8508, 0.8000, 0.341, 0.730),
    Dial(2, 1): Theirs(0.8508, 0.8054, 0.628, 0.867),
    Dial(1, 0.25): Theirs(0.8498, 0.8076, 0.375, 0.744),
    Dial(1, -3): Theirs(0.8272, 0.7188, 0.006, 0.010),
    "lejepa": Theirs(0.8480, 0.7952, 0.637, 1.0),
    "vicreg": Theirs(0.8418, 0.7888, 0.795, 1.0),
    "simclr": Theirs(0.8344, 0.7790, 0.634, 1.0),
    "ncl": Theirs(0.8258, 0.7688, 0.004, 0.009),
    "nvicreg": Theirs(0.8448, 0.7774, 0.521, 0.712),
}
"""ImageNet-100, ResNet-50. Source: Kuang et al. (2026), arXiv 2602.01456, table 1."""


ABLATED = [ablation(*flags) for flags in COMBINATIONS]
"""The ablations in words, the method itself first."""


def claims(result: SparsityResult) -> list[Claim]:
    """All claims that this scale can say something about."""
    made: Iterator[Claim | None] = _claims(result)
    return [claim for claim in made if claim is not None]


def _claims(result: SparsityResult) -> Iterator[Claim | None]:
    yield dial_holds(result.dials, "with thresholds and default slices")
    yield dial_holds(result.published, "in the published form")
    yield from (falls_late(result, key) for key in (BACKBONE, PROJECTOR))
    yield from (against(result, recipe) for recipe in result.plan.baselines)
    yield only_both(result)
    yield less_dependence(result)
    yield few_slices(result)
    yield eigen_is_faster(result)
    yield from (adapts(result, place) for place in result.plan.elsewhere)


def exact(planned: float, measured: float) -> bool:
    """Whether a measured share of active units counts as the planned one: see ``EXACT``."""
    return abs(measured - planned) <= min(0.01, planned * (0.05 if planned >= 0.02 else 0.1))


def dial_holds(rows: Sequence[Found[Case]], form: str) -> Claim | None:
    """The measured share of active units is the planned one."""
    pairs = [(one.case.dial, one.mean(L0)) for one in rows]
    known = [(dial, value) for dial, value in pairs if dial is not None and value is not None]
    if not known:
        return None
    kept = sum(exact(dial.planned, value) for dial, value in known)
    worst, value = max(known, key=lambda pair: abs(math.log(max(pair[1], 1e-6) / pair[0].planned)))
    words = (
        f"{kept} of {len(known)} settings on the dial {form}; the furthest off (as a ratio) is {worst.label}: planned "
        f"{share(worst.planned)}, measured {share(value)}."
    )
    return Claim(
        "The measured share of active units is the planned one.", words, HOLDS if kept == len(known) else FAILS
    )


def falls_late(result: SparsityResult, key: str) -> Claim | None:
    """Accuracy falls only beyond 95 % zeros."""
    points = [(one.mean(L0), one.mean(key), one) for one in result.dials]
    known = [(1 - l0, value, one) for l0, value, one in points if l0 is not None and value is not None]
    if not known:
        return None
    peak, best, champion = max(known, key=itemgetter(1))
    beyond = [(z, v, one) for z, v, one in known if z > peak]  # a denser setting that is worse has not fallen
    fallen = [(z, v, one) for z, v, one in beyond if v < best - max(POINT, difference(champion, one, key)[1])]
    sparsest = max(known, key=itemgetter(0))
    name = "backbone" if key == BACKBONE else "projector"
    text = f"Accuracy falls only beyond 95 % zeros ({name})."
    if not fallen:
        words = (
            f"No setting beyond the best ({best:.1%} with {share(peak)} zeros), up to {share(sparsest[0])} zeros, lies "
            "a point and the noise below it."
        )
        return Claim(text, words, HOLDS if sparsest[0] > LATE else OPEN)
    zeros, value, first = min(fallen, key=itemgetter(0))
    words = (
        f"The best is {champion.case.label}, {best:.1%} with {share(peak)} zeros; the densest beyond it to lie a "
        f"point, and the noise, below is {first.case.label} with {share(zeros)} zeros: {value:.1%}. The sparsest, "
        f"{share(sparsest[0])} zeros, has {sparsest[1]:.1%}."
    )
    return Claim(text, words, HOLDS if zeros > LATE else FAILS)


def against(result: SparsityResult, recipe: str) -> Claim | None:
    """RGN_2(0) beats a baseline at the backbone, as in the source's table."""
    champion, other = result.found.get(ours(Dial(2, 0)).name), result.found[recipe]
    theirs = THEIRS[Dial(2, 0)].backbone - THEIRS[recipe].backbone
    text = f"RGN_2(0) beats {BASELINES[recipe]} by {100 * theirs:.1f} points (backbone)."
    if champion is None:
        return None
    gap, noise = difference(champion, other, BACKBONE)
    if gap is None:
        return None
    way = "is level with it" if abs(gap) < POINT / 20 else f"{'beats' if gap > 0 else 'trails'} it by {_points(gap)}"
    source = f"{len(other.figures)} pairs of trainings" if _paired(champion, other) else "the test samples' luck alone"
    words = f"It {way}, give or take {_points(noise)} ({source})."
    return Claim(text, words, OPEN if abs(gap) <= noise else HOLDS if gap > 0 else FAILS)


def difference(one: Found[Case], other: Found[Case], key: str) -> tuple[float | None, float]:
    """The gap of two accuracies with its noise.

    The noise is the half-width of the 95 % interval over pairs of trainings where both have several seeds, and two
    standard errors of the test samples, taken as different ones, where they have not: then the luck of a training is
    not in it.
    """
    gap = paired(one, other, key) if _paired(one, other) else None
    if gap is not None and gap.half is not None:
        return gap.mean, gap.half
    a, b, count = one.mean(key), other.mean(key), one.mean("held_out")
    if a is None or b is None or count is None:
        return None, math.inf
    return a - b, 2 * math.sqrt((a * (1 - a) + b * (1 - b)) / count)


def _paired(one: Found[Case], other: Found[Case]) -> bool:
    return len(one.figures) == len(other.figures) > 1


def only_both(result: SparsityResult) -> Claim | None:
    """Only rectified features with a rectified law have both accuracy and sparsity."""
    both, *others = result.ablated
    l0 = both.mean(L0)
    if l0 is None:
        return None
    rivals = []
    for other in others:
        gap, noise = difference(both, other, BACKBONE)
        other_l0 = other.mean(L0)
        if gap is not None and other_l0 is not None and gap <= noise and other_l0 <= 1.5 * l0:
            rivals.append(other.case.label)
    costs = [
        f"{one.case.label} {_percent(one.mean(BACKBONE))} at {share(one.mean(L0))}, "
        f"{_percent(one.mean('dead_units'))} dead"
        for one in others
    ]
    best = max(value for one in (both, *others) if (value := one.mean(BACKBONE)) is not None)
    accurate = (both.mean(BACKBONE) or 0.0) >= best - POINT
    words = (
        f"Both rectified: {_percent(both.mean(BACKBONE))} (backbone) with {share(l0)} of the units active, "
        f"{_percent(both.mean('dead_units'))} dead; "
        f"{'; '.join(costs)}."
        + (f" As accurate and about as sparse: {', '.join(rivals)}." if rivals else "")
        + ("" if accurate else " Both rectified is more than a point below the best.")
    )
    text = "Only rectified features with a rectified law have both accuracy and sparsity."
    return Claim(text, words, HOLDS if accurate and not rivals else FAILS)


def less_dependence(result: SparsityResult) -> Claim | None:
    """Units depend less on each other than under VICReg."""
    if "vicreg" not in result.plan.baselines:
        return None
    vicreg = result.found["vicreg"].mean("nhsic")
    values = [(value, one.case.label) for one in result.dials if (value := one.mean("nhsic")) is not None]
    if vicreg is None or not values:
        return None
    lower = sum(value < vicreg for value, _ in values)
    words = (
        f"nHSIC of {lower} of {len(values)} settings is below VICReg's {vicreg:.4f}: from {min(values)[0]:.4f} "
        f"({min(values)[1]}) to {max(values)[0]:.4f} ({max(values)[1]})."
    )
    text = "Pairs of units depend less on each other than under VICReg."
    return Claim(text, words, HOLDS if lower == len(values) else FAILS)


def few_slices(result: SparsityResult) -> Claim | None:
    """Few slices suffice."""
    points = [(count, value) for count, one in result.sliced if (value := one.mean(BACKBONE)) is not None]
    if len(points) < 2:
        return None
    best = max(value for _, value in points)
    enough, value = next(point for point in points if point[1] >= best - POINT)
    words = (
        f"{enough} slices have {value:.1%} (backbone), within a point of the best of {len(points)} numbers, {best:.1%}."
    )
    return Claim("A few hundred slices suffice.", words, HOLDS if enough <= 512 else FAILS)


def eigen_is_faster(result: SparsityResult) -> Claim | None:
    """The batch's singular vectors as slices remove second-order dependence sooner."""
    pair = [result.family(name) for name in ("uniform", "eigen")]
    uniform, eigen = (one.mean("rankme.projector") for one in pair)
    if uniform is None or eigen is None:
        return None
    words = (
        f"Effective rank of the embeddings {eigen:.0f} with eigen slices, {uniform:.0f} with uniform ones; backbone "
        f"{_percent(pair[1].mean(BACKBONE))} and {_percent(pair[0].mean(BACKBONE))}."
    )
    text = "Singular vectors of the batch as slices remove correlations sooner (after this budget: a higher rank)."
    return Claim(text, words, HOLDS if eigen > 1.05 * uniform else FAILS if eigen < uniform / 1.05 else OPEN)


def adapts(result: SparsityResult, place: Elsewhere) -> Claim | None:
    """Embeddings of other data are of other sparsity."""
    rows = [(one.mean("sparsity.l0_clean"), one.mean(f"transfer.{place.name}.l0")) for one in result.dials]
    ratios = sorted(there / here for here, there in rows if here and there is not None)
    if not ratios:
        return None
    apart = sum(abs(ratio - 1) > 0.1 for ratio in ratios)
    words = (
        f"On {place.name} the share of active units is {ratios[0]:.2f} to {ratios[-1]:.2f} times that on clean samples "
        f"of the training data; more than a tenth apart in {apart} of {len(ratios)} settings."
    )
    text = "Embeddings of other data are of another sparsity, which could tell them apart."
    return Claim(text, words, HOLDS if 2 * apart > len(ratios) else FAILS)


def share(value: float | None) -> str:
    """A share with enough digits to see it, such as ``12.2 %`` or ``0.72 %``."""
    if value is None:
        return "–"
    near = min(value, 1 - value)
    digits = 1 if near >= 0.05 or near <= 0 else 2
    return f"{100 * value:.{digits}f} %"


def _points(gap: float) -> str:
    return f"{100 * abs(gap):.1f} points"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"

"""The sparsity experiment, from its scale to results.json and a page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jointlaw.report import FigureTable, Page, Section
from jointlaw_papers import sparsity_charts as charts
from jointlaw_papers.record import write_record
from jointlaw_papers.seeds_page import probed
from jointlaw_papers.sparsity import SCALES, Found, Scale, run
from jointlaw_papers.sparsity_cases import BASELINES, Dial, ours, published
from jointlaw_papers.sparsity_claims import (
    ABLATED,
    BACKBONE,
    EXACT,
    HOLDS,
    L0,
    PROJECTOR,
    THEIRS,
    Claim,
    Results,
    ablated,
    claims,
    dials,
    exact,
    published_dials,
    share,
    sliced,
)

COLUMNS = {
    BACKBONE: ("backbone", "{:.1%}"),
    PROJECTOR: ("projector", "{:.1%}"),
    "sparsity.l1": ("l1", "{:.3f}"),
    L0: ("active", "{:.3g}"),
    "dead_units": ("dead units", "{:.1%}"),
    "nhsic": ("nHSIC", "{:.4f}"),
    "rankme.projector": ("RankMe", "{:.0f}"),
    "entropy.value": ("entropy", "{:.3f}"),
    "seconds": ("seconds", "{:.0f}"),
}
"""Figure -> heading and form of a table's column."""

WHOLE = (BACKBONE, PROJECTOR, "sparsity.l1", L0, "dead_units", "nhsic", "rankme.projector")

INTRODUCTION = (
    "Rectified LpJEPA lets one choose how many units are active in an embedding. Does the measured share follow the "
    "plan, what does sparsity cost, and what does it take to hold it?"
)


def reproduce(scale: str, folder: Path, seed: int, say: Callable[[str], None]) -> dict[str, object]:
    """Run the experiment and write ``results.json`` and ``report.html``.

    Args:
        scale: smoke, cpu or paper.
        folder: created; trainings that are there already are not done again.
        seed: the first of each setting's seeds.
        say: is told of each training.

    Returns:
        What is in ``results.json``: ``settings`` (name -> figures of each seed, with facts and plan) and ``claims``.

    Raises:
        ValueError: if the scale is unknown, or the folder holds trainings of another one.
    """
    if scale not in SCALES:
        raise ValueError(f"sparsity: expected scale to be one of {', '.join(SCALES)}, found {scale!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    found = run(SCALES[scale], folder, seed, say)
    results = gathered(scale, seed, found)
    write_record(folder, results, essay(scale, seed, found))
    return results


def gathered(scale: str, seed: int, found: Results) -> dict[str, object]:
    """All figures and claims as plain values."""
    settings = {
        name: {
            "facts": dict(one.case.facts),
            "planned": None if one.case.dial is None else one.case.dial.planned,
            "seeds": one.figures,
        }
        for name, one in found.items()
    }
    judged = [claim._asdict() for claim in claims(found, SCALES[scale])]
    return {"scale": scale, "seed": seed, "settings": settings, "claims": judged}


def lines(results: Mapping[str, object]) -> list[str]:
    """The claims with their verdicts as lines of text."""
    judged = results["claims"]
    made = []
    for claim in judged if isinstance(judged, list) else []:
        made += [f"  {claim['text']}", f"    {claim['verdict']}: {claim['found']}"]
    return made


def essay(name: str, seed: int, found: Results) -> Page:
    """The page."""
    scale = SCALES[name]
    run_of = scale.setup.run
    budget = (
        f" Here: {scale.setup.data}, encoder {scale.setup.encoder}, embedding width {scale.width}, {run_of.epochs} "
        f"{'epoch' if run_of.epochs == 1 else 'epochs'} in batches of {run_of.batch}; {scale.seeds} seeds where an "
        f"interval (95 %, Student's t) is shown, one elsewhere. {probed(scale.labels)}{scale.caution}"
    )
    parts = [
        _findings(claims(found, scale)),
        _beside(found, scale),
        _dial(found, scale),
        _front(found, scale),
        _ablations(found, scale),
        _published(found, scale),
        _slices(found, scale),
        _elsewhere(found, scale),
    ]
    command = f"jointlaw reproduce sparsity --scale={name} --seed={seed}"
    return Page("The sparsity dial", INTRODUCTION + budget, parts, "jointlaw experiment", command)


def _findings(judged: Sequence[Claim]) -> Section:
    agreed = sum(claim.verdict == HOLDS for claim in judged)
    introduction = (
        f"{agreed} of {len(judged)} claims hold here. Accuracies of other data and networks cannot be compared with "
        "the paper's; whether one setting beats another can. Unless it says otherwise, a claim is judged on the "
        "library's form: a threshold per unit, default slices, expected order statistics."
    )
    rows = [[f"{claim.text} Here: {claim.found}", claim.verdict] for claim in judged]
    sheet = FigureTable("Claims and verdicts", ("what the paper says, and what was found here", "verdict"), rows)
    return Section("findings", "What holds", introduction, [sheet])


def _beside(found: Results, scale: Scale) -> Section:
    headings = (
        "method",
        "planned",
        *(h for key in (BACKBONE, PROJECTOR, "sparsity.l1", L0) for h in (_head(key), "theirs")),
    )
    rows = []
    for key, theirs in THEIRS.items():
        other = (f"{theirs.backbone:.1%}", f"{theirs.projector:.1%}", f"{theirs.l1:.3f}", f"{theirs.l0:.3g}")
        for label, one in _forms(found, scale, key):
            cells = [_text(one, figure) for figure in (BACKBONE, PROJECTOR, "sparsity.l1", L0)]
            planned = f"{key.planned:.3g}" if isinstance(key, Dial) else ""
            rows.append([label, planned, *(cell for pair in zip(cells, other, strict=True) for cell in pair)])
    plans = ((key, theirs) for key, theirs in THEIRS.items() if isinstance(key, Dial))
    worst, row = max(plans, key=lambda pair: abs(pair[1].l0 - pair[0].planned))
    note = (
        "Theirs: ImageNet-100, ResNet-50. Active: share of non-zero coordinates (l0 / D). High values of l1 and active "
        f"mean dense. The paper's own share lies furthest from its plan at {worst.label}: planned "
        f"{share(worst.planned)}, theirs {share(row.l0)}."
    )
    sheet = FigureTable("The paper's table", headings, rows, note)
    introduction = (
        "Each method here, with the paper's figure to its right; laws in the library's form and as published."
    )
    return Section("table", "The paper's table", introduction, [sheet])


def _forms(found: Results, scale: Scale, key: Dial | str) -> list[tuple[str, Found]]:
    """What was trained of a row of the paper's table, with its name."""
    if not isinstance(key, Dial):
        named = {BASELINES[key]: key}
    else:
        named = {key.label: ours(key).name, f"{key.label}, as published": published(key, scale.count).name}
    return [(label, found[name]) for label, name in named.items() if name in found]


def _dial(found: Results, scale: Scale) -> Section:
    rows = dials(found, scale)
    kept = sum(exact(d.planned, v) for one in rows if (d := one.case.dial) and (v := one.mean(L0)) is not None)
    headings = (
        "law",
        "planned",
        _head(L0),
        "planned l1",
        *(_head(k) for k in COLUMNS if k not in (L0, "seconds")),
        "law's entropy",
    )
    body = []
    for one in rows:
        dial = one.case.dial
        if dial is not None:
            others = (_text(one, key) for key in COLUMNS if key not in (L0, "seconds"))
            law = _text(one, "entropy.expected", "{:.3f}")
            body.append([dial.label, f"{dial.planned:.3g}", _text(one, L0), f"{dial.planned_l1:.3f}", *others, law])
    introduction = (
        f"The library's form: a threshold per unit, default slices. {kept} of {len(rows)} settings measure what was "
        f"planned ({EXACT})."
    )
    note = "Measured on held-out samples in views drawn as in training. Entropies are of a unit, in nats."
    plots = [charts.dial(found, scale), charts.entropies(found, scale), charts.dead(found, scale)]
    return Section("dial", "The dial", introduction, [FigureTable("The dial", headings, body, note), *plots])


def _front(found: Results, scale: Scale) -> Section:
    rows = [(one.case.label, one) for one in (found[recipe] for recipe in scale.baselines)]
    note = "Baselines have the defaults of their recipes and the same projector; none was tuned to this budget."
    sheet = _sheet("Baselines", rows, WHOLE, note)
    plots = [charts.front(found, scale, key) for key in (BACKBONE, PROJECTOR)]
    return Section(
        "front", "What sparsity costs", "Accuracy of linear probes against measured sparsity.", [sheet, *plots]
    )


def _ablations(found: Results, scale: Scale) -> Section:
    rows = list(zip(ABLATED, ablated(found, scale), strict=True))
    introduction = (
        f"Features or law left as they are, at {scale.ablated.label} (planned: {share(scale.ablated.planned)}). Only "
        "where both are rectified are there thresholds, too."
    )
    sheet = _sheet("Ablations", rows, WHOLE)
    return Section("ablations", "Rectifying features and law", introduction, [sheet, charts.ablations(found, scale)])


def _published(found: Results, scale: Scale) -> Section:
    rows = []
    for dial, one in zip(scale.published, published_dials(found, scale), strict=True):
        twin = found.get(ours(dial).name)
        rows += [(f"{dial.label}, published form", one)]
        rows += [] if twin is None else [(f"{dial.label}, library's form", twin)]
    introduction = (
        f"As published: a plain rectifier, {scale.count:,} uniform slices, a sample of the law at every step. The "
        "library's form: thresholds, default slices, expected order statistics."
    )
    plans = "; ".join(f"{dial.label} {share(dial.planned)}" for dial in scale.published)
    sheet = _sheet("Published and library's form", rows, WHOLE, f"Planned shares of active units: {plans}.")
    return Section("published", "As published, and here", introduction, [sheet])


def _slices(found: Results, scale: Scale) -> Section:
    keys = (BACKBONE, PROJECTOR, L0, "dead_units", "nhsic", "rankme.projector", "seconds")
    rows = [(f"{count:,} uniform", one) for count, one in sliced(found, scale)]
    for family, words in (("eigen", "eigen"), ("lower-eigen", "lower eigen")):
        rows.append((f"{scale.count:,} {words}", found[published(scale.compared, scale.count, family).name]))
    rows.append(("default, thresholds", found[ours(scale.compared).name]))
    note = (
        "Eigen: the right singular vectors of one view of the batch, filled up with uniform slices; lower eigen: the "
        "half with the least singular values. Default: dense orthogonal slices, sparse ones, axes and the lower "
        "singular vectors. Seconds of training are wall time beside whatever else the machine did: "
        "benchmarks/matching.py compares costs."
    )
    sheet = _sheet("Slices", rows, keys, note)
    introduction = f"The published form at {scale.compared.label} with fewer, more and other slices."
    return Section("slices", "Slices", introduction, [sheet, *charts.slices(found, scale)])


def _elsewhere(found: Results, scale: Scale) -> Section:
    sheets, plots = [], []
    for place in scale.elsewhere:
        key = f"transfer.{place.name}"
        headings = ("setting", "active, clean", "active there", "backbone there", "projector there")
        rows = [
            [
                one.case.label,
                _text(one, "sparsity.l0_clean", "{:.3g}"),
                _text(one, f"{key}.l0", "{:.3g}"),
                _text(one, f"{key}.backbone", "{:.1%}"),
                _text(one, f"{key}.projector", "{:.1%}"),
            ]
            for one in (*dials(found, scale), *(found[recipe] for recipe in scale.baselines))
        ]
        count = next((value for one in found.values() if (value := one.mean(f"{key}.held_out"))), 0.0)
        noise = 100 / max(count, 1.0) ** 0.5
        note = f"{count:,.0f} test samples: an accuracy is uncertain by up to {noise:.1f} points (two standard errors)."
        sheets.append(FigureTable(f"On {place.name}", headings, rows, note))
        plots += charts.elsewhere(found, scale, place)
    names = ", ".join(place.name for place in scale.elsewhere)
    return Section("elsewhere", "Other data", f"The same encoders, frozen, on other data: {names}.", [*sheets, *plots])


def _sheet(title: str, rows: Sequence[tuple[str, Found]], keys: Sequence[str], note: str = "") -> FigureTable:
    body = [[label, *(_text(one, key) for key in keys)] for label, one in rows]
    return FigureTable(title, ("setting", *(_head(key) for key in keys)), body, note)


def _head(key: str) -> str:
    return COLUMNS[key][0]


def _text(one: Found, key: str, form: str | None = None) -> str:
    return one.text(key, COLUMNS[key][1] if form is None else form)

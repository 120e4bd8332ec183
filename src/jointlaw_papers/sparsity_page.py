"""The sparsity experiment, from its scale to results.json and a page."""

from collections.abc import Sequence

from jointlaw.report import FigureTable, Section
from jointlaw_papers import sparsity_charts as charts
from jointlaw_papers.experiment import Experiment
from jointlaw_papers.seeds import Found, plural
from jointlaw_papers.seeds_page import probed
from jointlaw_papers.sparsity import PLANS, SparsityResult, solve
from jointlaw_papers.sparsity_cases import BASELINES, Case, Dial, ours, published
from jointlaw_papers.sparsity_claims import ABLATED, EXACT, HOLDS, THEIRS, claims, exact, share
from jointlaw_papers.trials import BACKBONE, L0, PROJECTOR

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

QUESTION = (
    "Rectified LpJEPA lets one choose how many units are active in an embedding. Does the measured share follow the "
    "plan, what does sparsity cost, and what does it take to hold it?"
)


def _results(result: SparsityResult) -> dict[str, object]:
    """All figures and claims as plain values."""
    settings = {
        name: {
            "facts": one.case.facts,
            "planned": None if one.case.dial is None else one.case.dial.planned,
            "seeds": one.figures,
        }
        for name, one in result.found.items()
    }
    return {"settings": settings, "claims": [claim._asdict() for claim in claims(result)]}


def _lines(result: SparsityResult) -> list[str]:
    """The claims with their verdicts as lines of text."""
    return [line for claim in claims(result) for line in (f"  {claim.text}", f"    {claim.verdict}: {claim.found}")]


def _budget(result: SparsityResult) -> str:
    plan, settings = result.plan, result.plan.setup.run
    return (
        f"Here: {plan.setup.data}, encoder {plan.setup.encoder}, embedding width {plan.width}, "
        f"{plural(settings.epochs or 0, 'epoch')} in batches of {settings.batch}; {plan.seeds} seeds where an interval "
        f"(95 %, Student's t) is shown, one elsewhere. {probed(plan.labels)}{plan.caution}"
    )


def _findings(result: SparsityResult) -> Section:
    judged = claims(result)
    agreed = sum(claim.verdict == HOLDS for claim in judged)
    introduction = (
        f"{agreed} of {len(judged)} claims hold here. Accuracies of other data and networks cannot be compared with "
        "the paper's; whether one setting beats another can. Unless it says otherwise, a claim is judged on the "
        "library's form: a threshold per unit, default slices, expected order statistics."
    )
    rows = [[f"{claim.text} Here: {claim.found}", claim.verdict] for claim in judged]
    sheet = FigureTable("Claims and verdicts", ("what the paper says, and what was found here", "verdict"), rows)
    return Section("findings", "What holds", introduction, [sheet])


def _beside(result: SparsityResult) -> Section:
    headings = (
        "method",
        "planned",
        *(h for key in (BACKBONE, PROJECTOR, "sparsity.l1", L0) for h in (_head(key), "theirs")),
    )
    rows = []
    for key, theirs in THEIRS.items():
        other = (f"{theirs.backbone:.1%}", f"{theirs.projector:.1%}", f"{theirs.l1:.3f}", f"{theirs.l0:.3g}")
        for label, one in _forms(result, key):
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


def _forms(result: SparsityResult, key: Dial | str) -> list[tuple[str, Found[Case]]]:
    """What was trained of a row of the paper's table, with its name."""
    if not isinstance(key, Dial):
        named = {BASELINES[key]: key}
    else:
        named = {key.label: ours(key).name, f"{key.label}, as published": published(key, result.plan.count).name}
    return [(label, result.found[name]) for label, name in named.items() if name in result.found]


def _dial(result: SparsityResult) -> Section:
    rows = result.dials
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
    plots = [charts.dial(result), charts.entropies(result), charts.dead(result)]
    return Section("dial", "The dial", introduction, [FigureTable("The dial", headings, body, note), *plots])


def _front(result: SparsityResult) -> Section:
    rows = [(one.case.label, one) for one in result.baselines]
    note = "Baselines have the defaults of their recipes and the same projector; none was tuned to this budget."
    sheet = _sheet("Baselines", rows, WHOLE, note)
    plots = [charts.front(result, key) for key in (BACKBONE, PROJECTOR)]
    return Section(
        "front", "What sparsity costs", "Accuracy of linear probes against measured sparsity.", [sheet, *plots]
    )


def _ablations(result: SparsityResult) -> Section:
    rows = list(zip(ABLATED, result.ablated, strict=True))
    dial = result.plan.ablated
    introduction = (
        f"What comes of features or a law that are not rectified, at {dial.label} (planned: {share(dial.planned)}). "
        "There are thresholds only where both are rectified."
    )
    sheet = _sheet("Ablations", rows, WHOLE)
    return Section("ablations", "Rectifying features and law", introduction, [sheet, charts.ablations(result)])


def _published(result: SparsityResult) -> Section:
    rows = []
    for dial, one in zip(result.plan.published, result.published, strict=True):
        twin = result.found.get(ours(dial).name)
        rows += [(f"{dial.label}, published form", one)]
        rows += [] if twin is None else [(f"{dial.label}, library's form", twin)]
    introduction = (
        f"As published: a plain rectifier, {result.plan.count:,} uniform slices, a sample of the law at every step. "
        "The library's form: thresholds, default slices, expected order statistics."
    )
    plans = "; ".join(f"{dial.label} {share(dial.planned)}" for dial in result.plan.published)
    sheet = _sheet("Published and library's form", rows, WHOLE, f"Planned shares of active units: {plans}.")
    return Section("published", "As published, and here", introduction, [sheet])


def _slices(result: SparsityResult) -> Section:
    keys = (BACKBONE, PROJECTOR, L0, "dead_units", "nhsic", "rankme.projector", "seconds")
    rows = [(f"{count:,} uniform", one) for count, one in result.sliced]
    for family, words in (("eigen", "eigen"), ("lower-eigen", "lower eigen")):
        rows.append((f"{result.plan.count:,} {words}", result.family(family)))
    rows.append(("default, thresholds", result.compared))
    note = (
        "Eigen: the right singular vectors of one view of the batch, filled up with uniform slices; lower eigen: the "
        "half with the least singular values. Default: dense orthogonal slices, sparse ones, axes and the lower "
        "singular vectors. Seconds of training are wall time beside whatever else the machine did: "
        "benchmarks/matching.py compares costs."
    )
    sheet = _sheet("Slices", rows, keys, note)
    introduction = f"The published form at {result.plan.compared.label} with fewer, more and other slices."
    return Section("slices", "Slices", introduction, [sheet, *charts.slices(result)])


def _elsewhere(result: SparsityResult) -> Section:
    sheets, plots = [], []
    for place in result.plan.elsewhere:
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
            for one in (*result.dials, *result.baselines)
        ]
        count = next((value for one in result.found.values() if (value := one.mean(f"{key}.held_out"))), 0.0)
        noise = 100 / max(count, 1.0) ** 0.5
        note = f"{count:,.0f} test samples: an accuracy is uncertain by up to {noise:.1f} points (two standard errors)."
        sheets.append(FigureTable(f"On {place.name}", headings, rows, note))
        plots += charts.elsewhere(result, place)
    names = ", ".join(place.name for place in result.plan.elsewhere)
    return Section("elsewhere", "Other data", f"The same encoders, frozen, on other data: {names}.", [*sheets, *plots])


def _sheet(title: str, rows: Sequence[tuple[str, Found[Case]]], keys: Sequence[str], note: str = "") -> FigureTable:
    body = [[label, *(_text(one, key) for key in keys)] for label, one in rows]
    return FigureTable(title, ("setting", *(_head(key) for key in keys)), body, note)


def _head(key: str) -> str:
    return COLUMNS[key][0]


def _text(one: Found[Case], key: str, form: str | None = None) -> str:
    return one.text(key, COLUMNS[key][1] if form is None else form)


def _sections(result: SparsityResult) -> list[Section]:
    shown = (_findings, _beside, _dial, _front, _ablations, _published, _slices, _elsewhere)
    return [part(result) for part in shown]


EXPERIMENT = Experiment(
    name="sparsity",
    title="The sparsity dial",
    question=QUESTION,
    plans=PLANS,
    solve=solve,
    budget=_budget,
    figures=_results,
    sections=_sections,
    lines=_lines,
)

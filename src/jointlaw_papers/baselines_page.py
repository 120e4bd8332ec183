"""The baselines experiment, from its scale to results.json and a page."""

from collections.abc import Sequence
from itertools import combinations

from jointlaw.report import FigureTable, Section
from jointlaw_papers.baselines import CASES, PLANS, BaselinesResult, solve
from jointlaw_papers.experiment import Experiment
from jointlaw_papers.seeds import difference, plural, points, verdict
from jointlaw_papers.seeds_page import PROBE, findings_section, over_run, probed
from jointlaw_papers.trials import BACKBONE, NEIGHBOURS, PROJECTOR

THEIRS = {"simclr": 0.8150, "byol": 0.7904, "moco": 0.7902, "smc-gmje": 0.7452}
"""Linear probes on CIFAR-10 after 200 epochs. Source: Huang (2026), arXiv 2603.26799, table 1."""

QUESTION = (
    "Methods that learn without labels, with one network, one budget and one set of views; each chose its own "
    "learning rate from a few declared ones. The paper shows four and leaves four out as too hard to train in a short "
    "time."
)


def findings(result: BaselinesResult) -> list[str]:
    """What the figures say, in sentences; every word is computed from them."""
    made = [_best(result), _order(result), _bank(result), _left_out(result), _edges(result)]
    return [sentence for sentence in made if sentence]


def _best(result: BaselinesResult) -> str:
    ranked = _ranked(result)
    first = result.found[ranked[0]]
    level = [name for name in ranked[1:] if verdict(difference(first, result.found[name], BACKBONE)) == "level"]
    end = f"; {_names(level)} cannot be told from it" if level else ""
    return f"Highest is {first.label} with {first.text(BACKBONE)} of the linear probe{end}."


def _order(result: BaselinesResult) -> str:
    shown = [name for name in _ranked(result) if name in THEIRS]
    if len(shown) < 2:
        return ""
    theirs = sorted(shown, key=lambda name: -THEIRS[name])
    against = [
        f"{CASES[b].label} beats {CASES[a].label}"
        for a, b in combinations(theirs, 2)
        if verdict(difference(result.found[b], result.found[a], BACKBONE)) == "beats"
    ]
    said = f"; against it, here {' and '.join(against)}" if against else "; nothing here speaks against it"
    return f"Of those that the paper shows, the order here is {_names(shown)}, there {_names(theirs)}{said}."


def _bank(result: BaselinesResult) -> str:
    if not {"smc-gmje", "moco"} <= result.found.keys():
        return ""
    gap = difference(result.found["smc-gmje"], result.found["moco"], BACKBONE)
    words = {"beats": "beats", "trails": "trails", "level": "cannot be told from"}[verdict(gap)]
    theirs = 100 * (THEIRS["smc-gmje"] - THEIRS["moco"])
    return f"SMC-GMJE {words} MoCo v2: {points(gap)} points; in the paper {theirs:+.1f}."


def _left_out(result: BaselinesResult) -> str:
    ranked = _ranked(result)
    others, shown = [name for name in ranked if name not in THEIRS], [name for name in ranked if name in THEIRS]
    if not others or not shown:
        return ""
    lowest = result.found[shown[-1]]
    words = {"beats": "above", "level": "level with", "trails": "below"}
    groups: dict[str, list[str]] = {word: [] for word in words}
    for name in others:
        groups[verdict(difference(result.found[name], lowest, BACKBONE))].append(name)
    said = "; ".join(f"{words[word]} it {_names(names)}" for word, names in groups.items() if names)
    return f"{lowest.label} is the lowest of those that the paper shows; of those that it leaves out, {said}."


def _edges(result: BaselinesResult) -> str:
    inside = {name: sorted(row)[1:-1] for name, row in result.searched.items() if len(row) > 2}
    edge = [name for name, rates in inside.items() if result.chosen[name] not in rates]
    if not edge:
        return ""
    return f"{_names(edge)} chose a rate at the edge of the search: a wider one might serve them better."


def _score(result: BaselinesResult, name: str) -> float:
    value = result.found[name].mean(BACKBONE)
    return -1.0 if value is None else value


def _ranked(result: BaselinesResult) -> list[str]:
    return sorted(result.found, key=lambda name: -_score(result, name))


def _names(names: list[str]) -> str:
    return ", ".join(CASES[name].label for name in names)


def _budget(result: BaselinesResult) -> str:
    plan = result.plan
    return (
        f"Here: {plan.setup.data}, encoder {plan.setup.encoder}, {plural(plan.epochs, 'epoch')} in batches of "
        f"{plan.setup.run.batch}, {plural(plan.seeds, 'seed')}. {probed(plan.labels)}Intervals hold 95 % (Student's t "
        "over seeds), each by itself."
    )


def _figures(result: BaselinesResult) -> Section:
    headings = ("method", "rate", "backbone", "in the paper", "projector", "neighbours", "RankMe", "seconds")
    rows = [
        [
            result.found[name].label,
            f"{result.chosen[name]:g}",
            result.found[name].text(BACKBONE),
            f"{THEIRS[name]:.2%}" if name in THEIRS else "left out",
            result.found[name].text(PROJECTOR),
            result.found[name].text(NEIGHBOURS),
            result.found[name].text("rankme.backbone", "{:.0f}"),
            result.found[name].text("seconds", "{:.0f}"),
        ]
        for name in _ranked(result)
    ]
    note = (
        "In the paper: CIFAR-10, ResNet-18, 200 epochs; only orders and gaps can be compared. Linear probes and "
        "neighbours on held-out samples; RankMe of the backbone's features; seconds are wall time beside whatever else "
        "the machine did."
    )
    sheet = FigureTable("Figures", headings, rows, note)
    return Section("figures", "Figures", "Each method at the rate it chose, the highest first.", [sheet])


def _search(result: BaselinesResult) -> Section:
    headings = ("method", *(f"{rate:g}" for rate in result.plan.rates), "chosen")
    rows = [
        [CASES[name].label, *(f"{row[rate]:.1%}" for rate in result.plan.rates), f"{result.chosen[name]:g}"]
        for name, row in result.searched.items()
    ]
    note = (
        f"After {plural(result.plan.search, 'epoch')} with the first seed: a linear probe fitted "
        "to some training samples and judged on others. Held-out samples have no say."
    )
    sheet = FigureTable("Learning rates", headings, rows, note)
    return Section("search", "The search", "Validation accuracy of each method at each learning rate.", [sheet])


def _course(result: BaselinesResult) -> Section:
    plot = over_run(PROBE, [result.found[name] for name in _ranked(result)])
    return Section("course", "Over the run", "How fast each method learns.", [plot])


def _results(result: BaselinesResult) -> dict[str, object]:
    searched = {name: {f"{rate:g}": value for rate, value in row.items()} for name, row in result.searched.items()}
    methods = {name: method.figures for name, method in result.found.items()}
    return {"searched": searched, "chosen": result.chosen, "methods": methods, "findings": findings(result)}


def _sections(result: BaselinesResult) -> Sequence[Section]:
    return [findings_section(findings(result)), _figures(result), _search(result), _course(result)]


EXPERIMENT = Experiment(
    name="baselines",
    title="Baselines at one budget",
    question=QUESTION,
    plans=PLANS,
    solve=solve,
    budget=_budget,
    figures=_results,
    sections=_sections,
    lines=lambda result: [f"  {sentence}" for sentence in findings(result)],
)

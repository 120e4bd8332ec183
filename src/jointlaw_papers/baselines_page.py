"""The baselines experiment, from its scale to results.json and a page."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from jointlaw.report import FigureTable, Page, Section
from jointlaw_papers.baselines import CASES, SCALES, Outcome, Scale, run
from jointlaw_papers.record import write_record
from jointlaw_papers.seeds import difference, points, verdict
from jointlaw_papers.seeds_page import findings_part, over_run, probed

BACKBONE, PROJECTOR, NEIGHBOURS = "probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy"

THEIRS = {"simclr": 0.8150, "byol": 0.7904, "moco": 0.7902, "smc-gmje": 0.7452}
"""Linear probes on CIFAR-10 after 200 epochs. Source: Huang (2026), arXiv 2603.26799, table 1."""

INTRODUCTION = (
    "Methods that learn without labels, with one network, one budget and one set of views; each chose its own "
    "learning rate from a few declared ones. The paper shows four and leaves four out as too hard to train in a short "
    "time."
)


def reproduce(scale: str, folder: Path, seed: int, say: Callable[[str], None]) -> dict[str, object]:
    """Run the experiment and write ``results.json`` and ``report.html``.

    Args:
        scale: smoke, cpu or paper.
        folder: created; trainings that are there already are not done again.
        seed: the first of each method's seeds.
        say: is told of each training.

    Returns:
        ``scale``, ``seed``, ``searched`` (method -> rate -> validation accuracy), ``chosen`` (method -> rate),
        ``methods`` (method -> figures of each seed) and ``findings``.

    Raises:
        ValueError: if the scale is unknown, or the folder holds trainings of another one.
    """
    if scale not in SCALES:
        raise ValueError(f"baselines: expected scale to be one of {', '.join(SCALES)}, found {scale!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    outcome = run(SCALES[scale], folder, seed, say)
    results: dict[str, object] = {
        "scale": scale,
        "seed": seed,
        "searched": {
            name: {f"{rate:g}": value for rate, value in row.items()} for name, row in outcome.searched.items()
        },
        "chosen": outcome.chosen,
        "methods": {name: [one.figures for one in method.done] for name, method in outcome.found.items()},
        "findings": findings(outcome),
    }
    write_record(folder, results, _essay(scale, seed, outcome))
    return results


def findings(outcome: Outcome) -> list[str]:
    """What the figures say, in sentences; every word is computed from them."""
    made = [_best(outcome), _order(outcome), _bank(outcome), _left_out(outcome), _edges(outcome)]
    return [sentence for sentence in made if sentence]


def _best(outcome: Outcome) -> str:
    ranked = _ranked(outcome)
    first = outcome.found[ranked[0]]
    level = [name for name in ranked[1:] if verdict(difference(first, outcome.found[name], BACKBONE)) == "level"]
    end = f"; {_names(level)} cannot be told from it" if level else ""
    return f"Highest is {first.label} with {first.text(BACKBONE)} of the linear probe{end}."


def _order(outcome: Outcome) -> str:
    shown = [name for name in _ranked(outcome) if name in THEIRS]
    if len(shown) < 2:
        return ""
    theirs = sorted(shown, key=lambda name: -THEIRS[name])
    against = [
        f"{CASES[b].label} beats {CASES[a].label}"
        for a, b in combinations(theirs, 2)
        if verdict(difference(outcome.found[b], outcome.found[a], BACKBONE)) == "beats"
    ]
    said = f"; against it, here {' and '.join(against)}" if against else "; nothing here speaks against it"
    return f"Of those that the paper shows, the order here is {_names(shown)}, there {_names(theirs)}{said}."


def _bank(outcome: Outcome) -> str:
    if not {"smc-gmje", "moco"} <= outcome.found.keys():
        return ""
    gap = difference(outcome.found["smc-gmje"], outcome.found["moco"], BACKBONE)
    words = {"beats": "beats", "trails": "trails", "level": "cannot be told from"}[verdict(gap)]
    theirs = 100 * (THEIRS["smc-gmje"] - THEIRS["moco"])
    return f"SMC-GMJE {words} MoCo v2: {points(gap)} points; in the paper {theirs:+.1f}."


def _left_out(outcome: Outcome) -> str:
    ranked = _ranked(outcome)
    others, shown = [name for name in ranked if name not in THEIRS], [name for name in ranked if name in THEIRS]
    if not others or not shown:
        return ""
    lowest = outcome.found[shown[-1]]
    words = {"beats": "above", "level": "level with", "trails": "below"}
    groups: dict[str, list[str]] = {word: [] for word in words}
    for name in others:
        groups[verdict(difference(outcome.found[name], lowest, BACKBONE))].append(name)
    said = "; ".join(f"{words[word]} it {_names(names)}" for word, names in groups.items() if names)
    return f"{lowest.label} is the lowest of those that the paper shows; of those that it leaves out, {said}."


def _edges(outcome: Outcome) -> str:
    inside = {name: sorted(row)[1:-1] for name, row in outcome.searched.items() if len(row) > 2}
    edge = [name for name, rates in inside.items() if outcome.chosen[name] not in rates]
    if not edge:
        return ""
    return f"{_names(edge)} chose a rate at the edge of the search: a wider one might serve them better."


def _score(outcome: Outcome, name: str) -> float:
    value = outcome.found[name].mean(BACKBONE)
    return -1.0 if value is None else value


def _ranked(outcome: Outcome) -> list[str]:
    return sorted(outcome.found, key=lambda name: -_score(outcome, name))


def _names(names: list[str]) -> str:
    return ", ".join(CASES[name].label for name in names)


def _essay(name: str, seed: int, outcome: Outcome) -> Page:
    scale = SCALES[name]
    seeds = "one seed" if scale.seeds == 1 else f"{scale.seeds} seeds"
    budget = (
        f" Here: {scale.setup.data}, encoder {scale.setup.encoder}, {scale.epochs:,} "
        f"{'epoch' if scale.epochs == 1 else 'epochs'} in batches of {scale.setup.run.batch}, {seeds}. "
        f"{probed(scale.labels)}Intervals hold 95 % (Student's t over seeds), each by itself."
    )
    parts = [findings_part(findings(outcome)), _figures(outcome), _search(outcome, scale), _course(outcome)]
    command = f"jointlaw reproduce baselines --scale={name} --seed={seed}"
    return Page("Baselines at one budget", INTRODUCTION + budget, parts, "jointlaw experiment", command)


def _figures(outcome: Outcome) -> Section:
    headings = ("method", "rate", "backbone", "in the paper", "projector", "neighbours", "RankMe", "seconds")
    rows = [
        [
            outcome.found[name].label,
            f"{outcome.chosen[name]:g}",
            outcome.found[name].text(BACKBONE),
            f"{THEIRS[name]:.2%}" if name in THEIRS else "left out",
            outcome.found[name].text(PROJECTOR),
            outcome.found[name].text(NEIGHBOURS),
            outcome.found[name].text("rankme.backbone", "{:.0f}"),
            outcome.found[name].text("seconds", "{:.0f}"),
        ]
        for name in _ranked(outcome)
    ]
    note = (
        "In the paper: CIFAR-10, ResNet-18, 200 epochs; only orders and gaps can be compared. Linear probes and "
        "neighbours on held-out samples; RankMe of the backbone's features; seconds are wall time beside whatever else "
        "the machine did."
    )
    sheet = FigureTable("Figures", headings, rows, note)
    return Section("figures", "Figures", "Each method at the rate it chose, the highest first.", [sheet])


def _search(outcome: Outcome, scale: Scale) -> Section:
    headings = ("method", *(f"{rate:g}" for rate in scale.rates), "chosen")
    rows = [
        [CASES[name].label, *(f"{row[rate]:.1%}" for rate in scale.rates), f"{outcome.chosen[name]:g}"]
        for name, row in outcome.searched.items()
    ]
    note = (
        f"After {scale.search} {'epoch' if scale.search == 1 else 'epochs'} with the first seed: a linear probe fitted "
        "to some training samples and judged on others. Held-out samples have no say."
    )
    sheet = FigureTable("Learning rates", headings, rows, note)
    return Section("search", "The search", "Validation accuracy of each method at each learning rate.", [sheet])


def _course(outcome: Outcome) -> Section:
    reading = "Accuracy of the linear probe that learns beside the run, on held-out samples; means over seeds."
    ranked = [outcome.found[name] for name in _ranked(outcome)]
    plot = over_run("probe", "Probe over the run", ranked, "probe/backbone", ("accuracy (%)", 100.0), reading)
    return Section("course", "Over the run", "How fast each method learns.", [plot])

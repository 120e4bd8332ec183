"""The banks experiment, from its scale to results.json and a page."""

from collections.abc import Callable, Mapping
from pathlib import Path

from jointlaw.report import FigureTable, Page, Section
from jointlaw_papers.banks import PUBLISHED, QUEUE, RANDOM, SCALES, Scale, run
from jointlaw_papers.record import write_record
from jointlaw_papers.seeds import Found, difference, head, points, roughness, tail, verdict
from jointlaw_papers.seeds_page import findings_part, over_run, probed
from jointlaw_papers.trials import interval

BACKBONE, PROJECTOR, NEIGHBOURS = "probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy"

THEIRS = {QUEUE: 0.7808, PUBLISHED: 0.8199}
"""Linear probes on CIFAR-10 after 1,000 epochs. Source: Huang (2026), arXiv 2603.26799, section 5.2.1."""

INTRODUCTION = (
    "A small memory of past embeddings gives the negatives of a contrastive loss. A queue forgets by age; particles "
    "stay for as long as they explain new queries. Which learns better features, and what helps the one that trails?"
)

CHANGES = {
    "systematic": "systematic: that scheme",
    "postponed": "postponed: resampling only where the effective sample size is below half of the pool",
    "tempered": "tempered: the likelihood to the power 1/2",
    "aged": "age limit: two updates",
    RANDOM: "random: the power 0, which looks at no likelihood",
}
"""Bank -> what is changed."""

Results = Mapping[str, Found]


def reproduce(scale: str, folder: Path, seed: int, say: Callable[[str], None]) -> dict[str, object]:
    """Run the experiment and write ``results.json`` and ``report.html``.

    Args:
        scale: smoke, cpu or paper.
        folder: created; trainings that are there already are not done again.
        seed: the first of each bank's seeds.
        say: is told of each training.

    Returns:
        ``scale``, ``seed``, ``banks`` (name -> figures of each seed) and ``findings``.

    Raises:
        ValueError: if the scale is unknown, or the folder holds trainings of another one.
    """
    if scale not in SCALES:
        raise ValueError(f"banks: expected scale to be one of {', '.join(SCALES)}, found {scale!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    found = run(SCALES[scale], folder, seed, say)
    banks = {name: [one.figures for one in bank.done] for name, bank in found.items()}
    results: dict[str, object] = {
        "scale": scale,
        "seed": seed,
        "banks": banks,
        "findings": findings(found, SCALES[scale]),
    }
    write_record(folder, results, _essay(scale, seed, found))
    return results


def findings(found: Results, scale: Scale) -> list[str]:
    """What the figures say, in sentences; every word is computed from them."""
    made = [_against_queue(found), _sample_size(found, scale), _loss(found), _negatives(found), _variants(found)]
    return [sentence for sentence in made if sentence]


def _essay(name: str, seed: int, found: Results) -> Page:
    scale = SCALES[name]
    run_of, seeds = scale.setup.run, "one seed" if scale.seeds == 1 else f"{scale.seeds} seeds"
    budget = (
        f" Here: {scale.setup.data}, encoder {scale.setup.encoder}, {run_of.epochs:,} epochs in batches of "
        f"{run_of.batch}, a bank of {scale.size}, temperature {scale.temperature:g}, {seeds}. "
        f"{probed(scale.labels)}Intervals hold 95 % (Student's t over seeds), each by itself."
    )
    parts = [
        findings_part(findings(found, scale)),
        _figures(found, scale),
        _variants_part(found),
        _inside(found, scale),
        _course(found),
    ]
    command = f"jointlaw reproduce banks --scale={name} --seed={seed}"
    return Page("Particles against the queue", INTRODUCTION + budget, parts, "jointlaw experiment", command)


def _figures(found: Results, scale: Scale) -> Section:
    headings = ("bank", "backbone", "in the paper", "projector", "neighbours", "loss, last quarter", "seconds")
    rows = [
        [
            one.label,
            one.text(BACKBONE),
            f"{THEIRS[name]:.2%}" if name in THEIRS else "–",
            one.text(PROJECTOR),
            one.text(NEIGHBOURS),
            _number(tail(one.curve("train/loss"))),
            one.text("seconds", "{:.0f}"),
        ]
        for name, one in found.items()
    ]
    note = (
        "In the paper: CIFAR-10, ResNet-18, 1,000 epochs; only the gap between its two figures can be compared. Losses "
        f"(nats) of different banks differ in their negatives, too: harder ones make them higher. {scale.seeds} "
        f"{'seed' if scale.seeds == 1 else 'seeds'}."
    )
    sheet = FigureTable("Figures", headings, rows, note)
    return Section("figures", "Figures", "Linear probes, neighbours and loss of each bank.", [sheet])


def _variants_part(found: Results) -> Section:
    headings = ("bank", "against the queue", "", "against published", "")
    rows = []
    for name, one in found.items():
        gaps = [difference(one, found[other], BACKBONE) for other in (QUEUE, PUBLISHED)]
        cells = [
            ("–", "") if name == other else (points(gap), verdict(gap))
            for other, gap in zip((QUEUE, PUBLISHED), gaps, strict=True)
        ]
        rows.append([one.label, *(cell for pair in cells for cell in pair)])
    note = (
        "Points of the backbone's linear probe against the queue and the particles as published, seed by seed. "
        "Level: the interval of the mean difference holds zero, or there is one seed only."
    )
    sheet = FigureTable("Differences", headings, rows, note)
    said = "; ".join(CHANGES[name] for name in found if name in CHANGES)
    introduction = f"The particles as published (multinomial resampling at every step) with one change each: {said}."
    return Section("variants", "What helps", introduction, [sheet])


def _inside(found: Results, scale: Scale) -> Section:
    headings = ("bank", "sample size", "age", "in use", "classes", "own class", "own class, even")
    rows = []
    for one in found.values():
        curves = {key: tail(one.curve(f"train/{key}")) for key in ("ess", "age", "distinct")}
        share = None if curves["ess"] is None else curves["ess"] / scale.pool
        cells = [_number(share, "{:.0%}"), _number(curves["age"], "{:.1f}"), _number(curves["distinct"], "{:.0%}")]
        inside = [one.text("bank.classes", "{:.1f}"), one.text("bank.own"), one.text("bank.own.even")]
        rows.append([one.label, *cells, *inside])
    note = (
        "Effective sample size as a share of the pool, slots in use, mean age in updates: over the last quarter of "
        "training. Classes: effective "
        "number of classes in the bank, by weight. Own class: the share of a query's negatives, weighed as in the "
        "loss, that are of its own class, and the same if all negatives pulled alike. A negative's class is taken from "
        "the held-out query next to it, which favours the own class; compare banks, not with other figures."
    )
    sheet = FigureTable("Inside the bank", headings, rows, note)
    return Section("inside", "What the banks hold", "Concentration, age and classes of the negatives.", [sheet])


COURSE = (
    (
        "probe",
        "Probe over the run",
        "probe/backbone",
        ("accuracy (%)", 100.0),
        "Accuracy of the linear probe that learns beside the run, on held-out samples.",
    ),
    ("loss", "Loss over the run", "train/loss", ("loss (nats)", 1.0), "Harder negatives raise the loss."),
    (
        "ess",
        "Effective sample size",
        "train/ess",
        ("particles", 1.0),
        "Of the pool of bank and batch, before resampling. A fall: the weight gathers on few particles.",
    ),
    ("age", "Age of the bank", "train/age", ("mean age (updates)", 1.0), "How stale the negatives are."),
    (
        "distinct",
        "Slots in use",
        "train/distinct",
        ("share of the bank (%)", 100.0),
        "Clones share a slot: few slots in use means many copies of few particles.",
    ),
)
"""Name, heading, metric, axis and caption of each chart."""


def _course(found: Results) -> Section:
    banks = list(found.values())
    plots = [over_run(name, title, banks, key, axis, reading) for name, title, key, axis, reading in COURSE]
    return Section("course", "Over the run", "Means over seeds.", plots)


def _against_queue(found: Results) -> str:
    gap = difference(found[PUBLISHED], found[QUEUE], BACKBONE)
    if gap is None:
        return ""
    theirs = 100 * (THEIRS[PUBLISHED] - THEIRS[QUEUE])
    words = {"beats": "beat", "trails": "trail", "level": "cannot be told from"}[verdict(gap)]
    return (
        f"The particles as published {words} the queue: {points(gap)} points of the linear probe; in the paper "
        f"{theirs:+.1f} after 1,000 epochs of CIFAR-10."
    )


def _sample_size(found: Results, scale: Scale) -> str:
    curve = found[PUBLISHED].curve("train/ess")
    early, late = head(curve), tail(curve)
    if early is None or late is None:
        return ""
    course = "falls" if late < 0.95 * early else "rises" if late > 1.05 * early else "stays"
    return (
        f"The effective sample size {course} from {early / scale.pool:.0%} of the pool in the first quarter to "
        f"{late / scale.pool:.0%} in the last; in the paper it falls as clusters form."
    )


def _loss(found: Results) -> str:
    rough = {name: [roughness(one.curve("train/loss")) for one in found[name].done] for name in (QUEUE, PUBLISHED)}
    pairs = [(a, b) for a, b in zip(rough[QUEUE], rough[PUBLISHED], strict=True) if a is not None and b is not None]
    if not pairs:
        return ""
    words = {"beats": "rougher than", "trails": "smoother than", "level": "as smooth as"}
    found_here = words[verdict(interval(a - b for a, b in pairs))]
    queue, particles = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return (
        f"Over the last half the queue's loss is {found_here} the particles' ({queue:.3f} and {particles:.3f} nats "
        "between neighbouring logged steps); in the paper the queue's becomes unstable after 500 epochs."
    )


def _negatives(found: Results) -> str:
    own = [found[name].mean("bank.own") for name in (QUEUE, PUBLISHED)]
    classes = [found[name].mean("bank.classes") for name in (QUEUE, PUBLISHED)]
    if None in own or None in classes:
        return ""
    return (
        f"Of the negatives' pull, {own[0]:.1%} comes from the query's own class in the queue and {own[1]:.1%} in the "
        f"particles; they hold {classes[0]:.1f} and {classes[1]:.1f} effective classes."
    )


def _variants(found: Results) -> str:
    others = [name for name in found if name not in (QUEUE, PUBLISHED)]
    gaps = {name: difference(found[name], found[PUBLISHED], BACKBONE) for name in others}
    said = {"beats": "Better than", "trails": "Worse than", "level": "Level with"}
    groups = {word: [name for name in others if verdict(gaps[name]) == word] for word in said}

    def named(names: list[str]) -> str:
        return ", ".join(f"{found[name].label} ({points(gaps[name])} points)" for name in names)

    parts = [f"{said[word]} the particles as published: {named(names)}." for word, names in groups.items() if names]
    end = "Where the random bank helps as much, it is the weighting that costs."
    return " ".join([*parts, *([end] if RANDOM in groups["beats"] else [])])


def _number(value: float | None, form: str = "{:.3f}") -> str:
    return "–" if value is None else form.format(value)

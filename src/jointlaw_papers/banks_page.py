"""The banks experiment, from its scale to results.json and a page."""

from collections.abc import Sequence

from jointlaw.report import FigureTable, Section
from jointlaw_papers.banks import PLANS, PUBLISHED, QUEUE, RANDOM, BanksResult, solve
from jointlaw_papers.experiment import Experiment
from jointlaw_papers.seeds import difference, head, interval, plural, points, roughness, tail, verdict
from jointlaw_papers.seeds_page import PROBE, Course, findings_section, over_run, probed
from jointlaw_papers.trials import BACKBONE, NEIGHBOURS, PROJECTOR

THEIRS = {QUEUE: 0.7808, PUBLISHED: 0.8199}
"""Linear probes on CIFAR-10 after 1,000 epochs. Source: Huang (2026), arXiv 2603.26799, section 5.2.1."""

QUESTION = (
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


def findings(result: BanksResult) -> list[str]:
    """What the figures say, in sentences; every word is computed from them."""
    made = [part(result) for part in (_against_queue, _sample_size, _loss, _negatives, _variants)]
    return [sentence for sentence in made if sentence]


def _budget(result: BanksResult) -> str:
    plan, settings = result.plan, result.plan.setup.run
    return (
        f"Here: {plan.setup.data}, encoder {plan.setup.encoder}, {settings.epochs:,} epochs in batches of "
        f"{settings.batch}, a bank of {plan.size}, temperature {plan.temperature:g}, {plural(plan.seeds, 'seed')}. "
        f"{probed(plan.labels)}Intervals hold 95 % (Student's t over seeds), each by itself."
    )


def _figures(result: BanksResult) -> Section:
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
        for name, one in result.found.items()
    ]
    note = (
        "In the paper: CIFAR-10, ResNet-18, 1,000 epochs; only the gap between its two figures can be compared. Losses "
        "(nats) of different banks differ in their negatives, too: harder ones make them higher. Means over "
        f"{plural(result.plan.seeds, 'seed')}."
    )
    sheet = FigureTable("Figures", headings, rows, note)
    return Section("figures", "Figures", "Linear probes, neighbours and loss of each bank.", [sheet])


def _variants_section(result: BanksResult) -> Section:
    headings = ("bank", "against the queue", "", "against published", "")
    rows = []
    for name, one in result.found.items():
        gaps = [difference(one, result.found[other], BACKBONE) for other in (QUEUE, PUBLISHED)]
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
    said = "; ".join(CHANGES[name] for name in result.found if name in CHANGES)
    introduction = f"The particles as published (multinomial resampling at every step) with one change each: {said}."
    return Section("variants", "What helps", introduction, [sheet])


def _inside(result: BanksResult) -> Section:
    headings = ("bank", "sample size", "age", "in use", "classes", "own class", "own class, even")
    rows = []
    for one in result.found.values():
        curves = {key: tail(one.curve(f"train/{key}")) for key in ("ess", "age", "distinct")}
        share = None if curves["ess"] is None else curves["ess"] / result.plan.pool
        cells = [_number(share, "{:.0%}"), _number(curves["age"], "{:.1f}"), _number(curves["distinct"], "{:.0%}")]
        shares = [one.text("bank.classes", "{:.1f}"), one.text("bank.own"), one.text("bank.own.even")]
        rows.append([one.label, *cells, *shares])
    note = (
        "Effective sample size as a share of the pool, slots in use, mean age in updates: over the last quarter of "
        "training. Classes: the effective number of classes in the bank, by weight. Own class: the share of a query's "
        "negatives, weighed as in the loss, that are of its own class, and the same if all negatives pulled alike. A "
        "negative counts as of the class of the held-out query nearest to it, which makes the shares of the own class "
        "too high: compare banks with one another, not with other figures."
    )
    sheet = FigureTable("Inside the bank", headings, rows, note)
    return Section("inside", "What the banks hold", "Concentration, age and classes of the negatives.", [sheet])


COURSES = (
    PROBE,
    Course("loss", "Loss over the run", "train/loss", "loss (nats)", "Harder negatives raise the loss."),
    Course(
        "ess",
        "Effective sample size",
        "train/ess",
        "particles",
        "Of the pool of bank and batch, before resampling. Where it falls, the weight gathers on few particles.",
    ),
    Course("age", "Age of the bank", "train/age", "mean age (updates)", "How stale the negatives are."),
    Course(
        "distinct",
        "Slots in use",
        "train/distinct",
        "share of the bank (%)",
        "Copies of a particle share a slot: few slots in use mean many copies of few particles.",
        100.0,
    ),
)


def _course(result: BanksResult) -> Section:
    plots = [over_run(course, list(result.found.values())) for course in COURSES]
    return Section("course", "Over the run", "Means over seeds.", plots)


def _against_queue(result: BanksResult) -> str:
    gap = difference(result.found[PUBLISHED], result.found[QUEUE], BACKBONE)
    if gap is None:
        return ""
    theirs = 100 * (THEIRS[PUBLISHED] - THEIRS[QUEUE])
    words = {"beats": "beat", "trails": "trail", "level": "cannot be told from"}[verdict(gap)]
    return (
        f"The particles as published {words} the queue: {points(gap)} points of the linear probe; in the paper "
        f"{theirs:+.1f} after 1,000 epochs of CIFAR-10."
    )


def _sample_size(result: BanksResult) -> str:
    curve = result.found[PUBLISHED].curve("train/ess")
    early, late = head(curve), tail(curve)
    if early is None or late is None:
        return ""
    course = "falls" if late < 0.95 * early else "rises" if late > 1.05 * early else "stays"
    return (
        f"The effective sample size {course} from {early / result.plan.pool:.0%} of the pool in the first quarter to "
        f"{late / result.plan.pool:.0%} in the last; in the paper it falls as clusters form."
    )


def _loss(result: BanksResult) -> str:
    rough = {
        name: [roughness(one.curve("train/loss")) for one in result.found[name].done] for name in (QUEUE, PUBLISHED)
    }
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


def _negatives(result: BanksResult) -> str:
    own = [result.found[name].mean("bank.own") for name in (QUEUE, PUBLISHED)]
    classes = [result.found[name].mean("bank.classes") for name in (QUEUE, PUBLISHED)]
    if None in own or None in classes:
        return ""
    return (
        f"Of the negatives' pull, {own[0]:.1%} comes from the query's own class in the queue and {own[1]:.1%} in the "
        f"particles; they hold {classes[0]:.1f} and {classes[1]:.1f} effective classes."
    )


def _variants(result: BanksResult) -> str:
    others = [name for name in result.found if name not in (QUEUE, PUBLISHED)]
    gaps = {name: difference(result.found[name], result.found[PUBLISHED], BACKBONE) for name in others}
    said = {"beats": "Better than", "trails": "Worse than", "level": "Level with"}
    groups = {word: [name for name in others if verdict(gaps[name]) == word] for word in said}

    def named(names: list[str]) -> str:
        return ", ".join(f"{result.found[name].label} ({points(gaps[name])} points)" for name in names)

    parts = [f"{said[word]} the particles as published: {named(names)}." for word, names in groups.items() if names]
    end = "The random bank weighs nothing: where it helps as much, weighing by likelihood is what costs accuracy."
    return " ".join([*parts, *([end] if RANDOM in groups["beats"] else [])])


def _number(value: float | None, form: str = "{:.3f}") -> str:
    return "–" if value is None else form.format(value)


def _results(result: BanksResult) -> dict[str, object]:
    return {"banks": {name: bank.figures for name, bank in result.found.items()}, "findings": findings(result)}


def _sections(result: BanksResult) -> Sequence[Section]:
    return [
        findings_section(findings(result)),
        *(part(result) for part in (_figures, _variants_section, _inside, _course)),
    ]


EXPERIMENT = Experiment(
    name="banks",
    title="Particles against the queue",
    question=QUESTION,
    plans=PLANS,
    solve=solve,
    budget=_budget,
    figures=_results,
    sections=_sections,
    lines=lambda result: [f"  {sentence}" for sentence in findings(result)],
)

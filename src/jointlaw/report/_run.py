"""The page of a run, from what is known of it."""

from collections.abc import Callable, Sequence

from jointlaw.report import _charts as charts
from jointlaw.report import _curves as curves
from jointlaw.report._blocks import Absent, Block, Chart, Section, Strip
from jointlaw.report._components import holdings
from jointlaw.report._contents import Contents
from jointlaw.report._neighbourhood import draw_map
from jointlaw.report._page import Page
from jointlaw.report._strips import strips
from jointlaw.report._tables import duality_table, figure_table, probe_table, tiles


def run_page(contents: Contents) -> Page:
    """The report of a run: whether its law holds, what its features are worth, and how it came to that.

    >>> import numpy as np
    >>> page = run_page(Contents("Mine", np.eye(4), np.eye(4), label=np.zeros(4, int)))
    >>> page.title, [section.title for section in page.sections][:2]
    ('Mine', ['At a glance', 'Training'])
    """
    sections = [
        Section("glance", "At a glance", _overview(contents), tiles(contents)),
        *_over_the_run(contents),
        _made(
            contents,
            Section("law", "The law", f"{_law_words(contents)} {_judged_on(contents)}"),
            [charts.dial, charts.quantiles, charts.histogram],
        ),
        _made(
            contents,
            Section(
                "geometry",
                "Geometry",
                "How many directions the representation uses, and which samples it takes to be alike.",
            ),
            [charts.spectrum, draw_map],
        ),
        *_duality(contents),
        _neighbours(contents),
        _probes(contents),
    ]
    return Page(
        contents.title,
        sections=sections,
        command=contents.command,
        warnings=contents.warnings,
        environment=contents.environment,
        configuration=contents.config,
        figures=figure_table(contents.figures, "All figures", keys=True) if contents.figures else None,
    )


def _over_the_run(contents: Contents) -> list[Section]:
    training = Section(
        "training", "Training", "What the run minimised, and what it meant for the law, the classes and the dial."
    )
    health = Section(
        "health",
        "Health",
        "Whether the representation collapsed on the way, by the signs that the alarm watches on held-out samples.",
    )
    bank = Section("bank", "Memory bank", "What past embeddings the run contrasted its queries with.")
    mixture = Section(
        "components", "Components", "The mixture that was learned along with the encoder: how many, and which samples."
    )
    remembers = any(contents.curve(f"train/{name}") for name in curves.BANK)
    return [
        _made(contents, training, [curves.losses, curves.matching, curves.probes, curves.activity]),
        _made(contents, health, [curves.rank, curves.spread]),
        *([_made(contents, mixture, [curves.graph, holdings])] if contents.joint is not None else []),
        *([_made(contents, bank, [curves.bank_size, curves.bank_age, curves.bank_shares])] if remembers else []),
    ]


def _made(contents: Contents, section: Section, plots: Sequence[Callable[[Contents], Chart | Absent]]) -> Section:
    """The section with its plots."""
    return Section(section.name, section.title, section.introduction, [plot(contents) for plot in plots])


def _duality(contents: Contents) -> list[Section]:
    """The section on a loss that has two forms; none for other runs."""
    table = duality_table(contents)
    words = (
        "With a linear kernel the loss over pairs of samples is one over pairs of units, that of a single Gaussian. "
        "Each term in both forms, on two views of held-out samples, in float64: of the target given the context it is "
        "the loss of the run; of joint embeddings, which are context and target at once, the primal likelihood."
    )
    return [] if table is None else [Section("duality", "Dual and primal", words, [table])]


def _neighbours(contents: Contents) -> Section:
    rows: Sequence[Strip] = strips(contents)
    if not rows:
        absent = Absent("Nearest neighbours", "The data are no images: there are no pictures of neighbours.")
        return Section("neighbours", "Neighbours", content=[absent])
    judged = [image.match for strip in rows for image in strip.neighbours if image.match is not None]
    words = (
        "First in each row an image, then the images whose features point in the most similar direction (cosine), "
        "nearest first."
    )
    agreement = f" Of the {len(judged)} neighbours shown, {sum(judged)} share their query's class." if judged else ""
    return Section("neighbours", "Neighbours", words + agreement, rows)


def _probes(contents: Contents) -> Section:
    table = probe_table(contents)
    content: list[Block] = [table or Absent("Probe accuracies", "There are no labels, or no probe was fitted.")]
    words = "How well simple classifiers read the classes off frozen features, on samples they were not fitted to."
    return Section("probes", "Probes", words if table else "", content)


def _law_words(contents: Contents) -> str:
    if contents.law is None:
        return "No law was given; what the units do is shown on its own."
    parameters = ", ".join(f"{name} {float(value):.4g}" for name, value in contents.law.tensors.items())
    return f"Every unit was asked to follow one law, {type(contents.law).__name__} with {parameters}."


def _judged_on(contents: Contents) -> str:
    count = f"{len(contents.matched):,}"
    if contents.drawn is None:
        return f"Judged on {count} held-out samples, one clean view each."
    return f"Judged on {count} embeddings of held-out samples, in views drawn as in training."


def _overview(contents: Contents) -> str:
    samples, width = contents.embeddings.shape
    what = f"{samples:,} held-out samples, {width} units each"
    known = len(contents.classes)
    labels = f"{known} classes" if known else "no labels"
    epochs, seed = contents.figure("epochs"), contents.figure("seed")
    run = [f"{epochs:g} epochs"] if epochs is not None else []
    run += [f"seed {seed:g}"] if seed is not None else []
    speed = contents.figure("images_per_second")
    run += [f"{speed:,.0f} samples per second in training"] if speed is not None else []
    return ", ".join([what, labels, *run]) + "."

"""The report as one file: it opens without a network, and asks for nothing once open."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from jointlaw.report import _charts as charts
from jointlaw.report import _curves as curves
from jointlaw.report._canvas import Absent, Chart
from jointlaw.report._contents import Contents
from jointlaw.report._neighbourhood import draw_map
from jointlaw.report._pictures import Strip, strips
from jointlaw.report._tables import every_figure, probe_table, tiles


def write_report(path: str | os.PathLike[str], contents: Contents) -> None:
    """Write the report to ``path``, whole or not at all: a reader never meets half a page.

    Args:
        path: where the HTML file goes; its folder must exist.
        contents: what to show.

    Raises:
        ValueError: if the folder does not exist.
    """
    write_whole(Path(path), render(contents))


def write_whole(target: Path, text: str) -> None:
    """Write a page beside its place and move it there: a reader never meets half of it.

    Raises:
        ValueError: if the folder does not exist.
    """
    if not target.parent.is_dir():
        raise ValueError(f"write_report: expected a folder {target.parent}, found none. Create it first.")
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        # File names need not be valid text; what cannot be encoded is shown as an escape.
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class Section:
    """A part of the page: heading, one sentence of introduction, plots and what stands in their place."""

    name: str
    title: str
    introduction: str
    plots: Sequence[Chart | Absent]

    @property
    def charts(self) -> list[Chart]:
        """The plots that could be made."""
        return [plot for plot in self.plots if isinstance(plot, Chart)]

    @property
    def absent(self) -> list[Absent]:
        """The plots that could not, with their reasons."""
        return [plot for plot in self.plots if isinstance(plot, Absent)]


def templates() -> Environment:
    """The pages' templates; every label, name and text is escaped by the engine."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(contents: Contents) -> str:
    """The page's HTML."""
    plane, rows = draw_map(contents), strips(contents)
    return (
        templates()
        .get_template("page.html")
        .render(
            contents=contents,
            overview=_overview(contents),
            tiles=tiles(contents),
            sections=_sections(contents, plane.chart),
            cards=[[card.png, card.label, card.name] for card in plane.cards],
            strips=rows,
            agreement=_agreement(rows),
            probes=probe_table(contents),
            figures=every_figure(contents),
            plotly=get_plotlyjs(),
        )
    )


def _sections(contents: Contents, plane: Chart | Absent) -> list[Section]:
    remembers = any(contents.curve(f"train/{name}") for name in curves.BANK)
    return [
        Section(
            "training",
            "Training",
            "What the run minimised, and what it meant for the law, the classes and the dial.",
            [build(contents) for build in (curves.losses, curves.matching, curves.probes, curves.activity)],
        ),
        Section(
            "health",
            "Health",
            "Whether the representation collapsed on the way, by the signs that the alarm watches on held-out samples.",
            [build(contents) for build in (curves.rank, curves.spread)],
        ),
        *([_bank(contents)] if remembers else []),
        Section(
            "law",
            "The law",
            f"{_law_words(contents)} {_judged_on(contents)}",
            [build(contents) for build in (charts.dial, charts.quantiles, charts.histogram)],
        ),
        Section(
            "geometry",
            "Geometry",
            "How many directions the representation uses, and which samples it holds for alike.",
            [charts.spectrum(contents), plane],
        ),
    ]


def _bank(contents: Contents) -> Section:
    return Section(
        "bank",
        "Memory bank",
        "What past embeddings the run contrasted its queries with.",
        [build(contents) for build in (curves.bank_size, curves.bank_age, curves.bank_shares)],
    )


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


def _agreement(rows: list[Strip]) -> str:
    judged = [picture.match for strip in rows for picture in strip.neighbours if picture.match is not None]
    if not judged:
        return ""
    return f"Of the {len(judged)} neighbours shown, {sum(judged)} share their query's class."

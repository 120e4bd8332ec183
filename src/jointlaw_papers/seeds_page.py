"""What pages about several settings with several seeds have in common."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jointlaw.report import Absent, Chart, FigureTable, Section
from jointlaw.report.drawing import canvas, cycle, line
from jointlaw_papers.seeds import Found

COLOURS = 5
"""The palette has so many; further curves are dotted."""


def probed(labels: int | None) -> str:
    """What a reader must know of the probes' labels: nothing where they learn from all."""
    return "" if labels is None else f"The probes of the tables are fitted to {labels:,} labelled samples. "


def findings_section(findings: Sequence[str]) -> Section:
    """The section that says what was found."""
    sheet = FigureTable("Findings", ("finding",), [[sentence] for sentence in findings])
    return Section("findings", "What was found", "Computed from the figures below.", [sheet])


class Course(NamedTuple):
    """A logged metric over the run.

    Attributes:
        name: the chart's address in the page.
        title: heading.
        key: what the metric is called in metrics.csv.
        axis: what the axis says.
        reading: the caption.
        factor: what values are multiplied by.
    """

    name: str
    title: str
    key: str
    axis: str
    reading: str
    factor: float = 1.0


PROBE = Course(
    "probe",
    "Probe over the run",
    "probe/backbone",
    "accuracy (%)",
    "Accuracy of the linear probe that learns beside the run, on held-out samples; means over seeds.",
    100.0,
)


def over_run(course: Course, settings: Sequence[Found[Any]]) -> Chart | Absent:
    """A metric over the run, one curve per setting, which has one colour in all charts of a page."""
    figure, ends = canvas("optimiser step", course.axis), []
    for index, (one, colour) in enumerate(zip(settings, cycle(len(settings)), strict=True)):
        curve = [(step, course.factor * value) for step, value in one.curve(course.key)]
        if curve:
            line(figure, curve, one.label, colour, "solid" if index < COLOURS else "dot")
            figure.data[-1].mode = "lines" if len(curve) > 1 else "markers"
            ends.append(f"{one.label} {curve[-1][1]:.3g}")
    figure.update_layout(legend={"entrywidth": 85, "font": {"size": 11}})  # two to a row on a phone
    if not ends:
        return Absent(course.title, "It was not logged.")
    return Chart(course.name, course.title, figure, course.reading, f"Line chart; at the end: {', '.join(ends)}.")

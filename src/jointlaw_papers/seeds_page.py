"""What pages about several settings with several seeds have in common."""

from collections.abc import Mapping, Sequence

from jointlaw.report import Absent, Chart, FigureTable, Section
from jointlaw.report.drawing import canvas, cycle, line
from jointlaw_papers.seeds import Found

COLOURS = 5
"""A palette has so many; further curves are dotted."""


def probed(labels: int | None) -> str:
    """What a reader must know of the probes' labels: nothing where they learn from all."""
    return "" if labels is None else f"The probes of the tables are fitted to {labels:,} labelled samples. "


def findings_part(findings: Sequence[str]) -> Section:
    """The section that says what was found."""
    sheet = FigureTable("Findings", ("finding",), [[sentence] for sentence in findings])
    return Section("findings", "What was found", "Computed from the figures below.", [sheet])


def over_run(
    name: str, title: str, settings: Sequence[Found], key: str, axis: tuple[str, float], reading: str
) -> Chart | Absent:
    """A logged metric over the run, one curve per setting, which has one colour in all charts of a page.

    Args:
        name: of the chart.
        title: heading.
        settings: in order.
        key: of the metric.
        axis: its name, and what values are multiplied by.
        reading: the caption.
    """
    words, scale = axis
    figure, ends = canvas("optimiser step", words), []
    for index, (one, colour) in enumerate(zip(settings, cycle(len(settings)), strict=True)):
        curve = [(step, scale * value) for step, value in one.curve(key)]
        if curve:
            line(figure, curve, one.label, colour, "solid" if index < COLOURS else "dot")
            figure.data[-1].mode = "lines" if len(curve) > 1 else "markers"
            ends.append(f"{one.label} {curve[-1][1]:.3g}")
    figure.update_layout(legend={"entrywidth": 85, "font": {"size": 11}})  # two to a row on a phone
    if not ends:
        return Absent(title, "It was not logged.")
    return Chart(name, title, figure, reading, f"Line chart; at the end: {', '.join(ends)}.")


def lines(results: Mapping[str, object]) -> list[str]:
    """The findings as lines of text."""
    found = results["findings"]
    return [f"  {sentence}" for sentence in found] if isinstance(found, list) else []

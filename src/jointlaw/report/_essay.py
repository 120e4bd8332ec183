"""An experiment's page: sections of words, tables and plots, in the dress of the run report."""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from plotly.offline import get_plotlyjs

from jointlaw.report._canvas import Absent, Chart
from jointlaw.report._page import templates, write_whole


@dataclass(frozen=True)
class TableOfFigures:
    """A table: the first column names the row, the others hold its figures as text.

    Attributes:
        title: what it shows, for who cannot see it.
        columns: headings.
        rows: as many cells each.
        note: a line under it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"TableOfFigures: expected {len(self.columns)} cells in each row of {self.title!r}.")


@dataclass(frozen=True)
class Picture:
    """A picture of few pixels, shown large, with its heading, the line that says what is seen, and its words.

    Attributes:
        title: heading.
        png: the file's bytes.
        reading: what is seen.
        alt: for who cannot see it.
        wide: as wide as the page.
    """

    title: str
    png: bytes
    reading: str
    alt: str
    wide: bool = False

    @property
    def code(self) -> str:
        """The file as text that a page can hold inside itself."""
        return base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Part:
    """A section: heading, a sentence, tables, pictures, then plots and what stands in their place."""

    name: str
    title: str
    introduction: str
    tables: Sequence[TableOfFigures] = ()
    plots: Sequence[Chart | Absent] = ()
    pictures: Sequence[Picture] = ()

    @property
    def charts(self) -> list[Chart]:
        """The plots that could be made."""
        return [plot for plot in self.plots if isinstance(plot, Chart)]

    @property
    def absent(self) -> list[Absent]:
        """The plots that could not, with their reasons."""
        return [plot for plot in self.plots if isinstance(plot, Absent)]


@dataclass(frozen=True)
class Essay:
    """All that an experiment's page shows.

    Attributes:
        title: heading.
        command: what makes it again.
        introduction: what was asked.
        sections: the parts, in order.
        environment: versions and machine.
    """

    title: str
    command: str
    introduction: str
    sections: Sequence[Part] = field(default_factory=tuple)
    environment: str = ""


def write_essay(path: str | os.PathLike[str], essay: Essay) -> None:
    """Write the page to ``path``, whole or not at all; its folder must exist."""
    text = templates().get_template("essay.html").render(essay=essay, plotly=get_plotlyjs())
    write_whole(Path(path), text)

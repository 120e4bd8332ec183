"""The page as one file: it opens without a network, and asks for nothing once open."""

import os
import tempfile
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from jointlaw import _files as files
from jointlaw.report._blocks import FigureTable, Section


@dataclass(frozen=True)
class Page:
    """A page that is complete in itself: ``write`` it, ``open`` it in a browser, or let a notebook show it.

    Attributes:
        title: heading.
        introduction: under the heading.
        sections: in order.
        kind: the words above the heading, such as "jointlaw experiment".
        command: what makes it again.
        warnings: sentences that a reader must see first.
        environment: versions and machine, as text.
        configuration: as YAML; None where there is none.
        figures: all figures, folded away at the end.

    >>> "<title>Mine" in Page("Mine", sections=[Section("law", "The law", "It holds.")]).html()
    True
    """

    title: str
    introduction: str = ""
    sections: Sequence[Section] = ()
    kind: str = "jointlaw report"
    command: str = ""
    warnings: Sequence[str] = ()
    environment: str = ""
    configuration: str | None = None
    figures: FigureTable | None = None
    _written: list[Path] = field(default_factory=list, init=False, repr=False, compare=False)

    def html(self) -> str:
        """The page's text; every label, name and sentence is escaped."""
        drawn = any(section.charts for section in self.sections)
        text = _templates().get_template("page.html").render(page=self, plotly=get_plotlyjs() if drawn else "")
        return text.encode("utf-8", errors="backslashreplace").decode()  # file names need not be valid text

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to ``path``, whole or not at all: a reader never meets half of it.

        Raises:
            ValueError: if the folder does not exist.
        """
        files.write_text(path, self.html())
        self._written.append(Path(path))
        return self._written[-1]

    def open(self) -> Path:
        """Show the page in the browser: the file it was last written to, or a temporary one.

        Returns:
            The file, for a machine without a browser.
        """
        known = [path for path in self._written if path.exists()]
        path = known[-1] if known else self.write(Path(tempfile.mkdtemp(prefix="jointlaw-")) / "page.html")
        webbrowser.open(path.resolve().as_uri())
        return path

    def __repr__(self) -> str:
        sections = ", ".join(section.title for section in self.sections)
        return f"Page({self.title!r}: {sections})"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which keeps its styles and scripts away from a notebook's."""
        look = "box-sizing: border-box; width: 100%; height: min(80vh, 860px); border: 1px solid #8883"
        frame = f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" style="{look}"'
        return f'{frame} srcdoc="{escape(self.html())}"></iframe>'


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

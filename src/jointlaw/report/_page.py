"""The page of sections: reports of runs and of experiments."""

from collections.abc import Sequence
from dataclasses import dataclass

from plotly.offline import get_plotlyjs

from jointlaw.report._blocks import FigureTable, Section
from jointlaw.report._document import Document, rendered


@dataclass(frozen=True)
class Page(Document):
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

    introduction: str = ""
    sections: Sequence[Section] = ()
    kind: str = "jointlaw report"
    command: str = ""
    warnings: Sequence[str] = ()
    environment: str = ""
    configuration: str | None = None
    figures: FigureTable | None = None

    def html(self) -> str:
        """The page's text; every label, name and sentence is escaped."""
        drawn = any(section.charts for section in self.sections)
        return rendered("page.html", page=self, plotly=get_plotlyjs() if drawn else "")

    def __repr__(self) -> str:
        sections = ", ".join(section.title for section in self.sections)
        return f"Page({self.title!r}: {sections})"

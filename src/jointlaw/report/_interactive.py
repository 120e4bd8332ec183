"""Pages that are moved by hand: they compute in the browser what the library computes, from a few numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jointlaw.report._document import Document, rendered


@dataclass(frozen=True)
class Quantity:
    """A number of a page's start, as the page shows it before anything was moved.

    Attributes:
        key: what the page's script calls it.
        name: in the table.
        meaning: a line in small print.
        value: the number, or a text in its place.
    """

    key: str
    name: str
    meaning: str
    value: float | str

    @property
    def text(self) -> str:
        """Six significant digits."""
        return self.value if isinstance(self.value, str) else f"{self.value:.6g}"


@dataclass(frozen=True)
class InteractivePage(Document):
    """A page to be moved by hand, as `law_page` and `mixture_page` make it; it is written and opened like a `Page`.

    Attributes:
        title: heading.
        kind: "law" or "mixture".
        introduction: under the heading.
        command: what writes the page.
        figures: the numbers of its start.
        data: what its script starts from.

    >>> from jointlaw.laws import RectifiedGeneralizedGaussian
    >>> from jointlaw.report import law_page
    >>> page = law_page(RectifiedGeneralizedGaussian.with_activity(0.1))
    >>> page.figures[0].name, page.figures[0].text
    ('activity', '0.1')
    """

    kind: str
    introduction: str
    command: str
    figures: Sequence[Quantity]
    data: Mapping[str, Any]

    def html(self) -> str:
        """The page's text; every name and sentence is escaped."""
        return rendered(f"interactive/{self.kind}.html", page=self)

    def __repr__(self) -> str:
        return f"InteractivePage({self.title!r})"

"""What every page is: one file that opens without a network, and asks for nothing once open."""

import os
import tempfile
import webbrowser
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jointlaw import _files as files


@dataclass(frozen=True)
class Document(ABC):
    """A page that is complete in itself: ``write`` it, ``open`` it in a browser, or let a notebook show it.

    Attributes:
        title: heading.
    """

    title: str
    _written: list[Path] = field(default_factory=list, init=False, repr=False, compare=False)

    @abstractmethod
    def html(self) -> str:
        """The page's text; every label, name and sentence is escaped."""

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

    def _repr_html_(self) -> str:
        """The page in a frame of its own, which keeps its styles and scripts away from a notebook's."""
        look = "box-sizing: border-box; width: 100%; height: min(80vh, 860px); border: 1px solid #8883"
        frame = f'<iframe title="{escape(self.title)}" sandbox="allow-scripts" style="{look}"'
        return f'{frame} srcdoc="{escape(self.html())}"></iframe>'


def rendered(template: str, **values: Any) -> str:
    """The text of a template beside this file; file names in it need not be valid text."""
    text = _templates().get_template(template).render(**values)
    return text.encode("utf-8", errors="backslashreplace").decode()


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

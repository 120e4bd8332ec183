"""What a page is made of: sections, and the blocks that stand in them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from jointlaw.report._pictures import png


@dataclass(frozen=True)
class Card:
    """What a reader sees when pointing at a marker of a chart.

    Attributes:
        image: address of its picture, which may be a data URI; "" for none.
        label: in bold, such as the class.
        name: in small print.
    """

    image: str
    label: str
    name: str


@dataclass(frozen=True)
class Chart:
    """A plot with its heading, the line that says how to read it, and its words for who cannot see it.

    Attributes:
        name: its address in the page, which no other chart of the page has: letters, digits and dashes.
        title: heading.
        figure: a Plotly figure, such as `drawing.canvas` makes; one whose layout has a height keeps it.
        reading: how to read it.
        alt: what it shows, for who cannot see it.
        wide: whether it takes the page's whole width.
        cards: what pointing at a marker shows; a marker's ``customdata`` is the number of its card.

    >>> from jointlaw.report import drawing
    >>> figure = drawing.canvas("epoch", "loss (nats)")
    >>> Chart("loss", "Loss", figure, "Lower is better.", "A line that falls.").json[:8]
    '{"data":'
    """

    kind: ClassVar[str] = "chart"
    name: str
    title: str
    figure: Any
    reading: str
    alt: str
    wide: bool = False
    cards: Sequence[Card] = ()

    @property
    def json(self) -> str:
        """The figure as JSON that may stand inside a script element: no ``<`` or ``>`` is left to close it."""
        text: str = self.figure.to_json()
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of few pixels, shown large, with its heading, the line that says what is seen, and its words.

    Attributes:
        title: heading.
        pixels: uint8 ``[C, H, W]``, grey (C = 1) or RGB (C = 3); `tiled` lays many images out in one.
        reading: what is seen.
        alt: what it shows, for who cannot see it.
        wide: whether it takes the page's whole width.

    >>> Picture("Draws", np.zeros((1, 8, 8), np.uint8), "Each is a draw.", "A black square.").png[1:4]
    b'PNG'
    """

    kind: ClassVar[str] = "picture"
    title: str
    pixels: npt.NDArray[np.uint8]
    reading: str
    alt: str
    wide: bool = False

    @property
    def png(self) -> bytes:
        """The picture as a PNG file."""
        return png(self.pixels)

    @property
    def source(self) -> str:
        """The picture as an address that holds all of it."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class FigureTable:
    """A table: the first column names the row, the others hold its figures as text.

    Attributes:
        title: what it shows, for who cannot see it.
        columns: headings.
        rows: each with a cell for every column.
        note: a line under it.
        meanings: for each row, a sentence in small print under its name; empty: none has one.
        bars: for each row, the length of a bar behind its last cell, from 0 to 1; empty: there are no bars.

    Raises:
        ValueError: if a row has another number of cells than there are columns, or meanings or bars are not one a row.

    >>> FigureTable("Accuracies", ["method", "accuracy"], [["ours", "91.0 %"]], bars=[0.91]).rows
    [['ours', '91.0 %']]
    """

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    meanings: Sequence[str] = ()
    bars: Sequence[float] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(
                f"FigureTable: expected {len(self.columns)} cells in each row of {self.title!r}, found "
                f"{sorted({len(row) for row in self.rows})}. Give every column a cell, which may be empty."
            )
        for name, column in (("meanings", self.meanings), ("bars", self.bars)):
            if column and len(column) != len(self.rows):
                raise ValueError(
                    f"FigureTable: expected {len(self.rows)} {name} in {self.title!r}, found {len(column)}. "
                    "Give every row one, or none."
                )


@dataclass(frozen=True)
class Tile:
    """One big figure, the ``value``, with its ``name``, and in its ``caption`` what it means in plain words.

    >>> Section("glance", "At a glance", content=[Tile("10.0 %", "activity", "Share of units that fire.")]).groups
    [('tile', [Tile(value='10.0 %', name='activity', caption='Share of units that fire.')])]
    """

    kind: ClassVar[str] = "tile"
    value: str
    name: str
    caption: str


@dataclass(frozen=True)
class Thumbnail:
    """One image of a strip: its address, class, name, and whether it shares the query's class (None: unknown)."""

    image: str
    label: str
    name: str
    match: bool | None = None


@dataclass(frozen=True)
class Strip:
    """A query and its nearest neighbours, nearest first."""

    kind: ClassVar[str] = "strip"
    query: Thumbnail
    neighbours: Sequence[Thumbnail]


@dataclass(frozen=True)
class Absent:
    """What cannot be shown, and why: a sentence, or one after the title of what is missing.

    >>> Section("probes", "Probes", content=[Absent("Accuracies", "There are no labels.")]).tables
    []
    """

    kind: ClassVar[str] = "absent"
    title: str
    reason: str


Block: TypeAlias = FigureTable | Chart | Picture | Tile | Strip | Absent


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        name: its address in the page: letters, digits and dashes.
        title: heading, and the word in the page's menu.
        introduction: a sentence or two.
        content: tables, charts, pictures, tiles, strips and what is absent, in order; neighbours of one kind stand
            side by side where there is room, and what is absent comes last.

    >>> content = [Absent("Dial", "There is no law."), Tile("1", "seed", "Of the run.")]
    >>> [kind for kind, _ in Section("law", "The law", content=content).groups]
    ['tile', 'absent']
    """

    name: str
    title: str
    introduction: str = ""
    content: Sequence[Block] = ()

    @property
    def groups(self) -> list[tuple[str, list[Block]]]:
        """The content as runs of one kind."""
        ordered = sorted(self.content, key=lambda block: isinstance(block, Absent))
        return [(kind, list(blocks)) for kind, blocks in groupby(ordered, lambda block: block.kind)]

    @property
    def tables(self) -> list[FigureTable]:
        """The tables, in order."""
        return [block for block in self.content if isinstance(block, FigureTable)]

    @property
    def charts(self) -> list[Chart]:
        """The charts, in order."""
        return [block for block in self.content if isinstance(block, Chart)]

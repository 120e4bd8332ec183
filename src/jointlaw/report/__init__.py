"""Pages: one self-contained file that shows whether a run's law holds, and any other in the same dress.

`run_page` makes the report of a run from its `Contents`, which are plain arrays and figures. A `Page` is an object: it
can be written to a file, opened in a browser, or left to a notebook, which shows it.

>>> import numpy as np
>>> from jointlaw.report import Chart, Contents, Page, Section, drawing, figure_table, run_page
>>> z = np.maximum(np.random.default_rng(0).normal(size=(200, 16)), 0)
>>> page = run_page(Contents("Noise", embeddings=z, features=z, label=np.full(200, -1)))
>>> [section.title for section in page.sections]
['At a glance', 'Training', 'Health', 'The law', 'Geometry', 'Neighbours', 'Probes']

A page of your own has sections of tables, charts and pictures, and says what is absent:

>>> figure = drawing.canvas("optimiser step", "loss (nats)")
>>> drawing.line(figure, [(0, 3.0), (10, 1.5)], "training", drawing.MEASURED)
>>> chart = Chart("loss", "Loss", figure, "Lower is better.", "A line that falls from 3 to 1.5.")
>>> table = figure_table({"sparsity.l0": 0.101, "knn.accuracy": None})
>>> "10.10 %" in Page("Mine", "What was asked.", [Section("loss", "Loss", content=[table, chart])]).html()
True

A `Section` holds what is shown: a `Chart`, whose marks are in `drawing`, a `FigureTable`, a `Tile` for one big figure,
a `Picture`, in which `tiled` lays out many images, and `Absent` with the reason. `figure_table` words the figures of a
run as `jointlaw.evaluation.FIGURES` does.

Two pages are moved by hand. Each is an `InteractivePage`, of less than 1.5 MB, which computes in the browser what the
library computes: `law_page` the rectified family while its dial turns, `mixture_page` what a joint mixture says about
the target while the context moves. The commands are ``jointlaw law`` and ``jointlaw mixture``.

>>> from jointlaw import RectifiedGeneralizedGaussian
>>> from jointlaw.report import law_page
>>> law_page(RectifiedGeneralizedGaussian.with_activity(0.1)).data["settings"]
[{'p': 1.0, 'scale': 'GN', 'activity': 0.1}]
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.report._blocks import Absent, Chart, FigureTable, Picture, Section, Tile
    from jointlaw.report._contents import Contents
    from jointlaw.report._interactive import InteractivePage
    from jointlaw.report._law_page import law_page
    from jointlaw.report._mixture_page import mixture_page
    from jointlaw.report._page import Page
    from jointlaw.report._pictures import tiled
    from jointlaw.report._run import run_page
    from jointlaw.report._tables import figure_table

__all__ = [
    "Absent",
    "Chart",
    "Contents",
    "FigureTable",
    "InteractivePage",
    "Page",
    "Picture",
    "Section",
    "Tile",
    "figure_table",
    "law_page",
    "mixture_page",
    "run_page",
    "tiled",
]

__getattr__, __dir__ = attach(  # Plotly and Jinja take a second to import
    __name__,
    _blocks="Absent Chart FigureTable Picture Section Tile",
    _contents="Contents",
    _interactive="InteractivePage",
    _law_page="law_page",
    _mixture_page="mixture_page",
    _page="Page",
    _pictures="tiled",
    _run="run_page",
    _tables="figure_table",
)

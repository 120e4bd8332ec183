"""The alignment experiment, from its scale to results.json and a page."""

from collections.abc import Sequence

from jointlaw.report import FigureTable, Section
from jointlaw_papers.alignment import PLANS, TRUTH, Solved, solve
from jointlaw_papers.alignment_charts import charts, internals
from jointlaw_papers.experiment import Experiment

Results = dict[str, Solved]
"""Problem -> what came of it."""

COLUMNS = {
    "nll": ("NLL (nats)", "{:.3f}"),
    "energy_score": ("energy score", "{:.4f}"),
    "coverage": ("coverage at 90 %", "{:.1%}"),
    "calibration_error": ("calibration error", "{:.3f}"),
    "branches": ("branches recovered", "{:.1%}"),
    "scale_error": ("scale error", "{:+.1%}"),
    "fit_seconds": ("fit (s)", "{:.1f}"),
}
"""Figure -> heading and form of a table's column."""

WORDS = {
    "A": "Three branches that stay apart: x² + 1/2, -x² - 1/2 and x³, equally likely, noise 0.05.",
    "B": "Three branches that cross at zero: sin 3x, -sin 3x and 0, equally likely, noise 0.05.",
    "arm": "Where must shoulder and elbow of a two-joint arm turn to put its hand at a place? Two poses do.",
}

QUESTION = (
    "A context has several right targets. What does each predictor say about them? Deterministic and single-Gaussian "
    "predictors stand between the branches; mixtures can follow them."
)


def lines(results: Results) -> list[str]:
    """One table per problem as lines of text."""
    head = f"{'':26s}" + "".join(f"{heading:>20s}" for heading, _ in COLUMNS.values())
    made = []
    for key, result in results.items():
        rows = (f"{name:26s}" + "".join(f"{cell:>20s}" for cell in cells) for name, *cells in _rows(result.figures))
        made += ["", f"problem {key}", head, *rows]
    return made


def table(result: Solved) -> FigureTable:
    """All figures of one problem, the true law last."""
    headings = ["predictor", *(heading for heading, _ in COLUMNS.values())]
    note = (
        f"On {len(result.test.target)} test pairs. Lower is better for NLL, energy score and calibration error. A "
        "branch is recovered where the law has a mode within three deviations of the noise; the scale error compares "
        f"the law's noise with the true one. No law can beat {TRUTH!r}, up to the luck of the test pairs."
    )
    return FigureTable(f"Figures of problem {result.problem.name}", headings, _rows(result.figures), note)


def _rows(figures: dict[str, dict[str, float | None]]) -> list[list[str]]:
    return [
        [name, *("" if (value := row[key]) is None else form.format(value) for key, (_, form) in COLUMNS.items())]
        for name, row in figures.items()
    ]


def _sections(results: Results) -> Sequence[Section]:
    return [
        Section(
            key,
            f"Problem {result.problem.name}",
            WORDS[key],
            [table(result), *charts(result, key), *internals(result, key)],
        )
        for key, result in results.items()
    ]


EXPERIMENT = Experiment(
    name="alignment",
    title="Ambiguous alignment",
    question=QUESTION,
    plans=PLANS,
    solve=solve,
    budget=lambda _: "",
    figures=lambda results: {key: result.figures for key, result in results.items()},
    sections=_sections,
    lines=lines,
)

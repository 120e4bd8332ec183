"""The alignment experiment, from its scale to results.json and a page."""

from pathlib import Path

from jointlaw.report import FigureTable, Page, Section
from jointlaw_papers.alignment import PROBLEMS, SCALES, TRUTH, Result, solve
from jointlaw_papers.alignment_charts import charts, internals
from jointlaw_papers.record import write_record

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

INTRODUCTION = (
    "A context has several right targets. What does each predictor say about them? Deterministic and single-Gaussian "
    "predictors stand between the branches; mixtures can follow them."
)


def reproduce(scale: str, folder: Path, seed: int = 111) -> dict[str, dict[str, dict[str, float | None]]]:
    """Run the experiment and write ``results.json`` and ``report.html``.

    Args:
        scale: smoke, cpu or paper.
        folder: created; results that are there are replaced whole.
        seed: of the data and of every fit.

    Returns:
        problem -> predictor -> figure -> value.

    Raises:
        ValueError: if the scale is unknown.
    """
    if scale not in SCALES:
        raise ValueError(f"alignment: expected scale to be one of {', '.join(SCALES)}, found {scale!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    results = {key: solve(problem(), SCALES[scale], seed) for key, problem in PROBLEMS.items()}
    figures = {key: result.figures for key, result in results.items()}
    command = f"jointlaw reproduce alignment --scale={scale} --seed={seed}"
    parts = [_part(key, result) for key, result in results.items()]
    essay = Page("Ambiguous alignment", INTRODUCTION, parts, "jointlaw experiment", command)
    write_record(folder, {"scale": scale, "seed": seed, **figures}, essay)
    return figures


def lines(figures: dict[str, dict[str, float | None]]) -> list[str]:
    """One problem's figures as lines of text."""
    head = "".join(f"{heading:>20s}" for heading, _ in COLUMNS.values())
    return [
        f"{'':26s}{head}",
        *(f"{cells[0]:26s}" + "".join(f"{c:>20s}" for c in cells[1:]) for cells in _rows(figures)),
    ]


def table(result: Result) -> FigureTable:
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


def _part(key: str, result: Result) -> Section:
    plots = [*charts(result, key), *internals(result, key)]
    return Section(key, f"Problem {result.problem.name}", WORDS[key], [table(result), *plots])

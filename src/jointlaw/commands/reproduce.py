"""The experiments that can be run, by name."""

from collections.abc import Callable
from pathlib import Path

from jointlaw.commands.run import say
from jointlaw.experiments import alignment_page


def alignment(scale: str, folder: Path, seed: int) -> None:
    """Six predictors of a target with several right answers; prints one table per problem."""
    figures = alignment_page.reproduce(scale, folder, seed)
    for problem, rows in figures.items():
        say("", f"problem {problem}", *alignment_page.lines(rows))
    say(f"  page: {folder / 'report.html'}")


EXPERIMENTS: dict[str, Callable[[str, Path, int], None]] = {"alignment": alignment}

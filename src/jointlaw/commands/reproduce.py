"""The experiments that can be run, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from jointlaw.commands.run import say
from jointlaw.experiments import alignment_page, generation_page, sparsity_page


def alignment(scale: str, folder: Path, seed: int) -> None:
    """Six predictors of a target with several right answers; prints one table per problem."""
    figures = alignment_page.reproduce(scale, folder, seed)
    for problem, rows in figures.items():
        say("", f"problem {problem}", *alignment_page.lines(rows))
    say(f"  page: {folder / 'report.html'}")


def sparsity(scale: str, folder: Path, seed: int) -> None:
    """The dial of Rectified LpJEPA, its price and its parts; prints the paper's claims with what was found."""
    results = sparsity_page.reproduce(scale, folder, seed, say)
    say("", *sparsity_page.lines(results), f"  page: {folder / 'report.html'}")


def generation(scale: str, folder: Path, seed: int) -> None:
    """Draws from the latent laws of three encoders, decoded; prints their figures."""
    figures = generation_page.reproduce(scale, folder, seed, say)
    say("", *generation_page.lines(figures), f"  page: {folder / 'report.html'}")


Name = Literal["alignment", "generation", "sparsity"]
"""What the command line accepts."""

EXPERIMENTS: dict[Name, Callable[[str, Path, int], None]] = {
    "alignment": alignment,
    "generation": generation,
    "sparsity": sparsity,
}

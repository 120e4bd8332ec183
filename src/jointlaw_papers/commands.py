"""The experiments that can be run, by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from jointlaw.runs._commands import say
from jointlaw_papers import alignment_page, banks_page, baselines_page, generation_page, seeds_page, sparsity_page


def alignment(scale: str, folder: Path, seed: int) -> None:
    """Seven predictors of a target with several right answers; prints one table per problem."""
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


def banks(scale: str, folder: Path, seed: int) -> None:
    """Particles against the queue at a small bank, and what helps the one that trails; prints what was found."""
    results = banks_page.reproduce(scale, folder, seed, say)
    say("", *seeds_page.lines(results), f"  page: {folder / 'report.html'}")


def baselines(scale: str, folder: Path, seed: int) -> None:
    """Eight methods at one budget, each at a rate of its own choice; prints what was found."""
    results = baselines_page.reproduce(scale, folder, seed, say)
    say("", *seeds_page.lines(results), f"  page: {folder / 'report.html'}")


Name = Literal["alignment", "banks", "baselines", "generation", "sparsity"]
"""What the command line accepts."""

EXPERIMENTS: dict[Name, Callable[[str, Path, int], None]] = {
    "alignment": alignment,
    "banks": banks,
    "baselines": baselines,
    "generation": generation,
    "sparsity": sparsity,
}

"""``jointlaw mixture``: a joint mixture of two columns, and the page that conditions it."""

import warnings
from dataclasses import replace
from pathlib import Path
from shlex import quote

import numpy as np
import numpy.typing as npt

from jointlaw.cli._columns import read_columns
from jointlaw.cli._main import COMMANDS
from jointlaw.cli._numbers import count, number
from jointlaw.cli._pages import check_output, deliver
from jointlaw.cli._parsing import parse, parser
from jointlaw.cli._units import units_of
from jointlaw.densities.em import ExpectationMaximization, Fit, choose_components
from jointlaw.laws import JointMixture
from jointlaw.report import mixture_page

MOST = 12
"""Components among which the criterion chooses."""

LEAST = 3
"""Rows from which a covariance of two columns can be told."""

BRANCHES = "branches"


def carry_out(name: str, words: list[str]) -> None:
    """Carry out the command."""
    known = parser(prog=f"jointlaw {name}", description=COMMANDS[name])
    known.add_function_arguments(mixture, as_positional=True)
    mixture(**parse(known, words))


def mixture(  # noqa: PLR0913 (the signature is the command line)
    table: str,
    *,
    context: str | None = None,
    target: str | None = None,
    components: str | None = None,
    at: str | None = None,
    seed: int = 0,
    out: Path = Path("mixture.html"),
    open: bool = False,  # noqa: A002 (--open)
) -> None:
    """Fit a mixture to two columns, print what it says about one given the other, and write its page.

    Args:
        table: branches (one context, three right targets: x^2 + 1/2, -x^2 - 1/2 and x^3 with noise), or a .csv, .tsv,
            .npy, .npz or .parquet file.
        context: the column that is given; needed where there are more than two. Columns without names are 1, 2, ...
        target: the column that is predicted.
        components: Gaussians of the mixture (default: chosen by BIC, at most 12).
        at: the context at which the page starts (default: the median).
        seed: determines the starts of the fit.
        out: the page.
        open: show the page in the browser.
    """
    check_output("mixture", out)
    chosen, start = count("mixture", "components", components), number("mixture", "at", at)
    samples, names = _samples(table, context, target, max(LEAST, chosen or 1))
    law, asked = _fitted(samples, names, chosen, seed)
    words = ["jointlaw mixture", quote(table)]
    words += [] if table == BRANCHES else [f"--context={quote(names[0])}", f"--target={quote(names[1])}"]
    words += [f"--components={asked}", f"--seed={seed}"]
    title = "Three branches" if table == BRANCHES else f"{names[1]} given {names[0]}"
    page = mixture_page(law, samples, at=start, names=names, title=title, command=" ".join(words))
    print(f"  {law.count} components, {names[0]} = {page.data['context']:g}")
    deliver(page, out, open)


def _samples(
    table: str, context: str | None, target: str | None, least: int
) -> tuple[npt.NDArray[np.float64], tuple[str, str]]:
    if table != BRANCHES:
        return read_columns(Path(table), context, target, least)
    if context is not None or target is not None:
        raise ValueError(
            f"mixture: expected --context and --target with a file only, found --context={context} and "
            f"--target={target} with branches. Leave them out: branches has two columns of its own."
        )
    samples = branches()
    if len(samples) < least:
        raise ValueError(
            f"mixture: expected at most {len(samples)} components for as many samples, found {least}. Ask for fewer "
            "--components."
        )
    return samples, ("context", "target")


def _fitted(
    samples: npt.NDArray[np.float64], names: tuple[str, str], components: int | None, seed: int
) -> tuple[JointMixture, int]:
    """The law of the samples and the number of components asked for; the fit is to standardised columns.

    So the logits, and all else but the units, do not depend on the units of the data.
    """
    units = units_of(samples, names)
    standard = units.standardised(samples)
    em = ExpectationMaximization(1, split=1, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what concerns the fit that is shown is said below
        asked, fit = (
            _by_criterion(standard, em)
            if components is None
            else (components, replace(em, components=components).fit(standard))
        )
    if fit.law.count < asked:
        print(f"  {asked - fit.law.count} of {asked} components lost all samples and were left out.")
    if not fit.converged:
        print(f"  The fit has not converged after {len(fit.history)} steps; fewer --components may suit the data.")
    return units.law(fit.law), asked


def branches(count: int = 1500) -> npt.NDArray[np.float64]:
    """Contexts on (-1, 1) with a target on one of three branches, ``[count, 2]``.

    Source: Huang (2026), arXiv 2603.26799, section 5.1, dataset A; the branches' constants are ours, the source lost
    them.
    """
    random = np.random.default_rng(0)
    x, branch = random.uniform(-1, 1, count), random.integers(0, 3, count)
    target = np.choose(branch, [x**2 + 0.5, -(x**2) - 0.5, x**3]) + 0.05 * random.normal(size=count)
    return np.stack([x, target], axis=1)


def _by_criterion(samples: npt.NDArray[np.float64], em: ExpectationMaximization) -> tuple[int, Fit]:
    """The number of components that BIC prefers, and their fit; each has ten samples at least."""
    most = max(1, min(MOST, len(samples) // 10))
    choice = choose_components(samples, range(1, most + 1), em)
    return choice.components, choice.fit

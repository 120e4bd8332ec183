"""``jointlaw mixture``: a joint mixture of two columns, and the page that conditions it."""

from pathlib import Path
from shlex import quote

import numpy as np
import numpy.typing as npt

from jointlaw.cli._columns import read_columns
from jointlaw.cli._main import COMMANDS
from jointlaw.cli._pages import check_output, deliver
from jointlaw.cli._parsing import parse, parser
from jointlaw.densities.em import ExpectationMaximization, Fit, choose_components
from jointlaw.report import mixture_page

MOST = 12
"""Components among which the criterion chooses."""

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
    components: int | None = None,
    at: float | None = None,
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
    if table == BRANCHES:
        samples, names = branches(), ("context", "target")
    else:
        samples, names = read_columns(Path(table), context, target)
    em = ExpectationMaximization(1 if components is None else components, split=1, seed=seed)
    fit = _by_criterion(samples, em) if components is None else em.fit(samples)
    count = fit.law.count
    words = ["jointlaw mixture", quote(table)]
    words += [] if table == BRANCHES else [f"--context={quote(names[0])}", f"--target={quote(names[1])}"]
    words += [f"--components={count}", f"--seed={seed}"]
    title = "Three branches" if table == BRANCHES else f"{names[1]} given {names[0]}"
    page = mixture_page(fit.law, samples, at=at, names=names, title=title, command=" ".join(words))
    print(f"  {count} components, {names[0]} = {page.data['context']:g}")
    deliver(page, out, open)


def branches(count: int = 1500) -> npt.NDArray[np.float64]:
    """Contexts on (-1, 1) with a target on one of three branches, ``[count, 2]``.

    Source: Huang (2026), arXiv 2603.26799, section 5.1, dataset A; the branches' constants are ours, the source lost
    them.
    """
    random = np.random.default_rng(0)
    x, branch = random.uniform(-1, 1, count), random.integers(0, 3, count)
    target = np.choose(branch, [x**2 + 0.5, -(x**2) - 0.5, x**3]) + 0.05 * random.normal(size=count)
    return np.stack([x, target], axis=1)


def _by_criterion(samples: npt.NDArray[np.float64], em: ExpectationMaximization) -> Fit:
    """The fit with the number of components that BIC prefers; each has ten samples at least."""
    most = max(1, min(MOST, len(samples) // 10))
    return choose_components(samples, range(1, most + 1), em).fit

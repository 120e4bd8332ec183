"""``jointlaw law``: the rectified family's numbers, and its page."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import torch

from jointlaw.cli._main import COMMANDS
from jointlaw.cli._numbers import number
from jointlaw.cli._pages import check_output, deliver
from jointlaw.cli._parsing import parse, parser
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.report import InteractivePage, law_page

if TYPE_CHECKING:
    from jointlaw.runs import Run

Scale = Literal["GN", "RGN"] | float

ACTIVITY = 0.1
"""Where the dial starts unless it is told."""


def carry_out(name: str, words: list[str]) -> None:
    """Carry out the command."""
    known = parser(prog=f"jointlaw {name}", description=COMMANDS[name])
    known.add_function_arguments(law)
    law(**parse(known, words))


def law(  # noqa: PLR0913 (the signature is the command line)
    *,
    activity: str | None = None,
    loc: str | None = None,
    p: str | None = None,
    scale: str | None = None,
    run: Path | None = None,
    data: str | None = None,
    trust: bool = False,
    out: Path | None = None,
    open: bool = False,  # noqa: A002 (--open)
) -> None:
    """Print a law's numbers and write its page.

    Args:
        activity: the dial: share of units that are not zero, in (0, 1). Give this or loc, not both (default: the run's
            law, or 0.1).
        loc: mode before the rectifier.
        p: shape of the law; 1 is a rectified Laplace (the default), 2 a rectified Gaussian.
        scale: GN (variance 1 before the rectifier; the default), RGN (variance 1 after it) or a number.
        run: a run folder, whose held-out embeddings are shown under the law.
        data: with --run, other data than its own, such as folder:photos.
        trust: with --run, allow its configuration to import encoders, views and classes that are not jointlaw's.
        out: the page (default: law.html here, or in the run folder).
        open: show the page in the browser.
    """
    _check(activity, loc, p, scale, run, data, trust)
    file = (run or Path()) / "law.html" if out is None else out
    if out is not None:
        check_output("law", out)
    shape, place = number("law", "p", p), number("law", "loc", loc)
    start = _chosen(_share(activity), place, 1.0 if shape is None else shape, _scale(scale))
    if run is None:
        page = law_page(start)
    else:
        page = _page_of_run(run, data, trust, None if activity is None and loc is None else start)
    deliver(page, file, open)


def _check(
    activity: str | None,
    loc: str | None,
    p: str | None,
    scale: str | None,
    run: Path | None,
    data: str | None,
    trust: bool,
) -> None:
    if activity is not None and loc is not None:
        raise ValueError(
            f"law: expected --activity or --loc, found both ({activity} and {loc}). One determines the other."
        )
    if run is None and (data is not None or trust):
        raise ValueError("law: expected --data and --trust with --run only, found no run. Name its folder by --run.")
    if run is not None and activity is None and loc is None and not (p is None and scale is None):
        raise ValueError(
            "law: expected --activity or --loc beside --p and --scale, found neither. The run has a law of its own; to "
            "start from another one, name all of it."
        )


def _share(text: str | None) -> float | None:
    """The share that --activity gives."""
    expected = "a share inside (0, 1) such as 0.1"
    share = number("law", "activity", text, expected)
    if share is not None and not 0 < share < 1:
        raise ValueError(f"law: expected --activity to be {expected}, found {text!r}. Choose a share inside.")
    return share


def _scale(text: str | None) -> Scale:
    """The convention or number that --scale gives."""
    match "GN" if text is None else text.upper():
        case "GN":
            return "GN"
        case "RGN":
            return "RGN"
    return number("law", "scale", text, "GN, RGN or a number") or 0.0  # zero is refused as a scale


def _chosen(activity: float | None, loc: float | None, p: float, scale: Scale) -> RectifiedGeneralizedGaussian:
    """The law of the options, in float64."""
    family = RectifiedGeneralizedGaussian
    if loc is not None:
        mode = torch.tensor(loc, dtype=torch.float64)
        if isinstance(scale, str):
            return family.unit_variance(p, mode, after_rectifier=scale == "RGN")
        return family(p, mode, scale)
    share = torch.tensor(ACTIVITY if activity is None else activity, dtype=torch.float64)
    if isinstance(scale, str):
        return family.with_activity(share, p, scale)
    unit = family.with_activity(share, p)
    return family(p, unit.loc / unit.scale * scale, scale)


def _page_of_run(
    folder: Path, data: str | None, trust: bool, start: RectifiedGeneralizedGaussian | None
) -> InteractivePage:
    """The page over the held-out embeddings of a run, in views drawn as in training."""
    from jointlaw.runs import Run

    run = Run.open(folder, trust, data)
    units = run.embedder.drawn(run.data.held_out, run.setup.run.seed).embeddings
    if float(units.min()) < 0:
        raise ValueError(
            f"law: expected embeddings that are zero or above, found {float((units < 0).double().mean()):.1%} below in "
            f"{folder}. The rectified family has none; see its report instead."
        )
    words = ["jointlaw law", f"--run={quote(str(folder))}"]
    words += [f"--data={quote(data)}"] if data else []
    words += ["--trust"] if trust else []
    title = f"The law of {run.title}"
    return law_page(start or _asked_of(run, units), units.numpy(), title=title, command=" ".join(words))


def _asked_of(run: "Run", units: torch.Tensor) -> RectifiedGeneralizedGaussian:
    """The law that the run's units were to follow; where it is no rectified one, that of their activity."""
    asked = run.learner.objective.law
    if isinstance(asked, RectifiedGeneralizedGaussian):
        return asked
    share = float((units != 0).double().mean())
    name = "no law" if asked is None else f"a {type(asked).__name__}"
    print(f"  The run was asked for {name}, not for a rectified one: the dial starts at the activity of its units.")
    return _chosen(float(f"{min(max(share, 1e-6), 1 - 1e-6):.6g}"), None, 1.0, "GN")

"""The page of the rectified family: a law whose dial is turned by hand, over the units of a run if there are some."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.report._arrays import real_array
from jointlaw.report._interactive import InteractivePage, Quantity

WIDTH = 512
"""Units of the embedding that is drawn where there is no run."""

BINS = 60

LEAST_P, MOST_P = 0.1, 100.0
"""Shapes that the page accepts: beyond them float64 loses digits, or the law is a point or a box."""

INTRODUCTION = (
    "Turn the dial and see what becomes of the law: how much of it is zero, what the units that fire look like, and "
    "how much they can say."
)


def law_page(
    law: RectifiedGeneralizedGaussian,
    units: npt.ArrayLike | torch.Tensor | None = None,
    *,
    title: str = "The rectified family",
    command: str = "jointlaw law",
) -> InteractivePage:
    """A page on which the rectified generalised Gaussian is moved by hand; it starts at ``law``.

    The page computes the density, the distribution function, moments, entropy and draws itself, to the library's
    numbers within 1e-6; its address holds the setting.

    Args:
        law: of one unit.
        units: embeddings ``[N, D]`` of a trained run, zero or above, an array, a tensor or a list; their histogram and
            activity are shown over the law.
        title: heading.
        command: what writes the page, to which it adds the options of a setting.

    Raises:
        ValueError: if the law has a batch of parameters, p is extreme, no unit is active in float64, or the units are
            not finite ``[N, D]`` from zero up.

    >>> page = law_page(RectifiedGeneralizedGaussian.with_activity(0.1))
    >>> {figure.key: figure.text for figure in page.figures}["entropy"]
    '0.390426'
    """
    if law.batch_shape.numel() != 1:
        raise ValueError(
            f"law_page: expected one law for all units, found batch shape {list(law.batch_shape)}. "
            "Show one law at a time; the page can compare two."
        )
    array = None if units is None else real_array("law_page", "units", units)
    counted = None if array is None else _counted(array)
    width = WIDTH if array is None else array.shape[1]
    figures = _sound_figures(law, width)
    data = {"settings": [_setting(law)], "units": counted, "width": width, "command": command}
    return InteractivePage(title, "law", INTRODUCTION, command, figures, data)


def _sound_figures(law: RectifiedGeneralizedGaussian, width: int) -> list[Quantity]:
    """The numbers of a law, which float64 can hold."""
    if not LEAST_P <= round(float(law.p), 6) <= MOST_P:
        raise ValueError(
            f"law_page: expected p between {LEAST_P:g} and {MOST_P:g}, found {float(law.p):g}. Beyond them "
            f"float64 loses digits: choose p between {LEAST_P:g} and {MOST_P:g}."
        )
    figures = _figures(law, width)
    found = f"p={float(law.p):g}, loc={float(law.loc):g}, scale={float(law.scale):g}"
    if not all(math.isfinite(float(figure.value)) for figure in figures):
        raise ValueError(
            f"law_page: expected a law whose moments float64 can hold, found {found}. Choose loc within a few scales "
            "of 0."
        )
    if float(figures[0].value) == 0:
        raise ValueError(
            f"law_page: expected a law under which units are active, found activity 0 in float64 ({found}). Choose a "
            "larger loc, or an activity above 0."
        )
    return figures


def _figures(law: RectifiedGeneralizedGaussian, width: int) -> list[Quantity]:
    """The numbers of a law, in float64."""
    exact = law.to(dtype=torch.float64)
    activity = float(exact.activity)
    silent = float(exact.log_prob(torch.zeros((), dtype=torch.float64)).exp())
    return [
        Quantity("activity", "activity", "share of units that are not zero; Rényi's dimension of a unit", activity),
        Quantity("zero", "mass at zero", "share of units that are exactly zero", silent),
        Quantity("active", "active units, expected", f"l0 norm of an embedding of {width:,} units", width * activity),
        Quantity("mean", "mean", "of a unit", float(exact.mean)),
        Quantity("variance", "variance", "of a unit", float(exact.variance)),
        Quantity("entropy", "entropy", "of a unit: Rényi's, of the dimension above; nats", float(exact.entropy())),
        Quantity("loc", "loc", "mode before the rectifier", float(exact.loc)),
        Quantity("scale", "scale", "sigma, before the rectifier", float(exact.scale)),
    ]


def _setting(law: RectifiedGeneralizedGaussian) -> dict[str, float | str]:
    """The law as the page's controls say it: its p, its convention of the scale, and its activity or its loc.

    Of activity and loc, the number that is shorter to write is taken for the one that somebody chose.
    """
    exact = law.to(dtype=torch.float64)
    close = 10 * torch.finfo(law.loc.dtype).resolution
    p, loc, scale = (_short(value) for value in (law.p, law.loc, law.scale))
    activity = float(f"{float(exact.activity):.{12 if law.loc.dtype == torch.float64 else 6}g}")
    before = RectifiedGeneralizedGaussian(exact.p, exact.loc)
    convention: float | str = scale
    if abs(float(exact.scale / before.scale) - 1) < close:
        convention = "GN"
    elif abs(float(exact.variance) - 1) < close:
        convention = "RGN"
    chosen = {"activity": activity} if 0 < activity < 1 and len(repr(activity)) <= len(repr(loc)) else {"loc": loc}
    return {"p": p, "scale": convention, **chosen}


def _short(value: torch.Tensor) -> float:
    """The shortest number that stands for the value in its own precision: 0.1 rather than 0.10000000149."""
    return float(value) if value.dtype == torch.float64 else float(str(np.float32(float(value))))


def _counted(units: npt.NDArray[np.floating]) -> dict[str, Any]:
    """What the page shows of embeddings ``[N, D]``: the histogram of non-zero values, shares, and one sample."""
    if units.ndim != 2 or not units.size or not np.isfinite(units).all() or units.min() < 0:
        low = f", the least {units.min():.3g}" if units.size else ""
        raise ValueError(
            f"law_page: expected finite embeddings [N, D] that are zero or above, found shape "
            f"{list(units.shape)}{low}. The rectified family has no negative values."
        )
    values = units.ravel().astype(np.float64)
    high = max(float(np.quantile(values, 0.9995)), 1e-6)
    edges = np.linspace(0, high, BINS + 1)
    count, _ = np.histogram(values[values > 0], edges)
    zero = float((values == 0).mean())
    return {
        "count": len(units),
        "zero": zero,
        "edges": edges.tolist(),
        "density": (count / (values.size * np.diff(edges))).tolist(),
        "below": (zero + np.cumsum(count) / values.size).tolist(),
        "activity": (units != 0).mean(axis=0).round(6).tolist(),
        "sample": [float(f"{value:.4g}") for value in units[0]],
    }

"""The page of a joint mixture of two numbers: the context is moved by hand, and the law of the target follows."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from jointlaw.laws import JointMixture
from jointlaw.laws._regions import Region
from jointlaw.report._arrays import real_array
from jointlaw.report._interactive import InteractivePage, Quantity

SHOWN = 1_000
"""Samples that are drawn; more make dragging slow and nothing clearer."""

REACH = 10
"""Ranges of the data beyond either end from which a context may be chosen."""

INTRODUCTION = (
    "Drag the context and see what the mixture says about the target: where it may lie, which component answers, and "
    "whether it is noise or ambiguity that leaves it open."
)


def mixture_page(
    law: JointMixture,
    samples: npt.ArrayLike | torch.Tensor,
    *,
    at: float | None = None,
    names: tuple[str, str] = ("context", "target"),
    title: str = "A joint mixture",
    command: str = "jointlaw mixture",
) -> InteractivePage:
    """A page on which a mixture of one context and one target is conditioned by hand.

    The page computes router weights, p(target | context), its regions of highest density of 50 and 90 %, noise and
    ambiguity itself, to the library's numbers within 1e-6; its address holds the context.

    Args:
        law: of two coordinates with ``split`` 1, without a batch.
        samples: ``[N, 2]``, context and target, an array, a tensor or a list; up to 1,000 of them are
            drawn behind the law, and their range is the axis.
        at: the context at which the page starts (default: the median of the samples'), at most ten ranges of the
            samples' beyond either end.
        names: of context and target.
        title: heading.
        command: what writes the page, to which it adds ``--at`` with a context.

    Raises:
        ValueError: if the law is not of one context and one target, the samples are not finite ``[N, 2]``,
            or ``at`` is not finite or far from the samples.

    >>> law = JointMixture(torch.zeros(2), torch.tensor([[0.0, -1.0], [0.0, 1.0]]), torch.tensor([[0.5]]), split=1)
    >>> page = mixture_page(law, np.array([[-1.0, 0.0], [1.0, 0.0]]))
    >>> {figure.key: figure.text for figure in page.figures}["ambiguity"]
    '1'
    """
    pairs = real_array("mixture_page", "samples", samples)
    _check(law, pairs)
    pairs = pairs.astype(np.float64)
    low, high = (float(end) for end in (pairs[:, 0].min(), pairs[:, 0].max()))
    room, limits = 0.05 * (high - low) or 1.0, _limits(low, high)
    context = _short(float(np.median(pairs[:, 0])), high - low, 3) if at is None else _near(at, limits)
    kept = pairs[:: -(-len(pairs) // SHOWN)]
    spread = np.ptp(pairs, axis=0).tolist()
    data = {
        "law": _factors(law),
        "points": [[_short(value, size, 6) for value, size in zip(row, spread, strict=True)] for row in kept.tolist()],
        "ends": [min(low - room, context), max(high + room, context)],
        "limits": limits,
        "context": context,
        "names": list(names),
        "command": command,
    }
    return InteractivePage(title, "mixture", INTRODUCTION, command, _figures(law, context), data)


def _limits(low: float, high: float) -> tuple[float, float]:
    """Between which contexts may be chosen."""
    reach = REACH * ((high - low) or 1.0)
    return float(f"{low - reach:.12g}"), float(f"{high + reach:.12g}")


def _near(at: float, limits: tuple[float, float]) -> float:
    if not limits[0] <= at <= limits[1]:  # NaN neither
        raise ValueError(
            f"mixture_page: expected a finite context between {limits[0]:g} and {limits[1]:g} (ten ranges of the data "
            f"beyond either end), found at={at}. Choose one nearer to the data."
        )
    return at


def _short(value: float, spread: float, digits: int) -> float:
    """The value rounded to so many digits of the spread: what is large and varies little still varies."""
    if spread == 0:
        return value
    return round(value, digits - 1 - math.floor(math.log10(spread)))


def _check(law: JointMixture, samples: npt.NDArray[np.floating]) -> None:
    if law.dim != 2 or law.split != 1 or law.batch_shape:
        raise ValueError(
            f"mixture_page: expected a law of one context and one target (split=1), found {law.dim} coordinates, split "
            f"{law.split} and batch shape {list(law.batch_shape)}. Take two coordinates of it, or fit two columns."
        )
    if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"mixture_page: expected finite samples [N, 2], found shape {list(samples.shape)}. Give those that the law "
            "was fitted to."
        )


def _factors(law: JointMixture) -> dict[str, Any]:
    """The components that are not empty, as the page's script takes them, in float64."""
    exact = law.to(dtype=torch.float64)
    covariance = exact.components.covariance.expand(law.count, 2, 2)
    root, there = torch.linalg.cholesky(covariance), exact.log_weights > -torch.inf
    return {
        "logWeights": exact.log_weights[there].tolist(),
        "loc": exact.loc[there].tolist(),
        "scale": torch.stack([root[:, 0, 0], root[:, 1, 0], root[:, 1, 1]], -1)[there].tolist(),
    }


def _figures(law: JointMixture, context: float) -> list[Quantity]:
    """The numbers of the target's law, in float64."""
    after = law.to(dtype=torch.float64).given(torch.tensor([context], dtype=torch.float64))
    noise, ambiguity, total = (float(part) for part in after.uncertainty())
    half, most = (_region_text(after.highest_density_region(level)) for level in (0.5, 0.9))
    return [
        Quantity("mean", "mean", "of the target", float(after.mean)),
        Quantity("noise", "noise", "variance within components", noise),
        Quantity("ambiguity", "ambiguity", "variance between their means", ambiguity),
        Quantity("total", "variance", "their sum", total),
        Quantity("half", "50 % region", "the smallest that holds half", half),
        Quantity("most", "90 % region", "the smallest that holds nine tenths", most),
    ]


def _region_text(region: Region) -> str:
    ends = zip(region.lower.tolist(), region.upper.tolist(), strict=True)
    return ", ".join(f"{low:.4g} to {high:.4g}" for low, high in ends if math.isfinite(low))

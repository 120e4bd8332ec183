"""Samples as a density is fitted to them: checked once, weighted, in the precision of the fit."""

import numpy as np
import torch
from torch import Tensor

from jointlaw.densities.em._covariances import Covariance

Samples = Tensor | np.ndarray


def samples(where: str, x: Samples) -> Tensor:
    """The samples as a tensor without gradient.

    Raises:
        ValueError: unless they are floating, ``[N, E]`` and finite.
    """
    x = torch.as_tensor(x).detach()
    if x.ndim != 2 or not x.is_floating_point() or not x.shape[1]:
        raise ValueError(
            f"{where}: expected floating samples [N, E], found {x.dtype} of shape {list(x.shape)}. Put one sample in "
            "each row; for one number per sample use x[:, None]."
        )
    bad = (~x.isfinite()).any(1).nonzero().squeeze(1)
    if len(bad):
        shown = ", ".join(str(int(row)) for row in bad[:5])
        raise ValueError(
            f"{where}: expected finite samples, found NaN or infinity in {len(bad)} of {len(x)} rows (first: {shown}). "
            "Drop these rows, x[x.isfinite().all(1)], or find where they come from."
        )
    return x


def weights(where: str, x: Tensor, weight: Samples | None, dtype: torch.dtype) -> Tensor:
    """Weights ``[N]`` scaled to a mean of one over the samples that have any.

    Raises:
        ValueError: unless they are one finite, non-negative number per sample, not all zero.
    """
    if weight is None:
        return torch.ones(len(x), dtype=dtype, device=x.device)
    weight = torch.as_tensor(weight).detach().to(x.device, dtype)
    if weight.shape != x.shape[:1]:
        raise ValueError(
            f"{where}: expected one weight per sample [{len(x)}], found shape {list(weight.shape)}. "
            "Pass a vector as long as the samples."
        )
    if not bool((weight.isfinite() & (weight >= 0)).all()) or not bool(weight.any()):
        raise ValueError(
            f"{where}: expected finite weights >= 0, not all zero, found values between {float(weight.min())} and "
            f"{float(weight.max())}. Drop samples by giving them weight zero."
        )
    return weight / weight.sum() * (weight > 0).sum()


def enough(where: str, count: int, components: int, dim: int, covariance: Covariance) -> None:
    """Raise unless there are at least as many samples as components and as a covariance needs."""
    if count < components:
        raise ValueError(
            f"{where}: expected at least as many samples as components, found {count} samples for {components} "
            "components. Use fewer components or more samples."
        )
    least = covariance.least(dim)
    if count < least:
        raise ValueError(
            f"{where}: expected at least {least} samples for a {covariance.name} covariance of {dim} coordinates, "
            f"found {count}. Use more samples, fewer coordinates, or Diagonal() or Spherical() covariances."
        )


def law_dtype(x: Tensor) -> torch.dtype:
    """The dtype of the fitted law: that of the samples, float32 at least."""
    return torch.promote_types(x.dtype, torch.float32)

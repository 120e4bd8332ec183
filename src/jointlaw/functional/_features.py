"""Random Fourier features: finite maps whose inner products approximate a kernel of differences."""

import math

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional._linalg import wide, without_autocast


@without_autocast
def fourier_features(x: Tensor, frequencies: Tensor, phases: Tensor) -> Tensor:
    r"""Features whose inner products are an unbiased estimate of the kernel with that spectral law.

    .. math:: \phi(x) = \sqrt{2 / R} \cos(W^\top x + b)

    The error of phi(x)^T phi(y) falls as 1 / sqrt(R).

    Args:
        x: ``[*, B, d]``.
        frequencies: W ``[d, R]`` in radians per embedding unit, drawn from the kernel's spectral law.
        phases: b ``[R]``, uniform in [0, 2 pi).

    Returns:
        ``[*, B, R]``, in float32 or better.

    Source: Rahimi and Recht (2007), "Random features for large-scale kernel machines"; as an approximation of the
        dual objective: Huang (2026), arXiv 2603.26799, appendix F.1.

    Differs from the authors' code in: nothing.
    """
    count = frequencies.shape[-1]
    return math.sqrt(2 / count) * torch.cos(wide(x) @ frequencies + phases)


def gaussian_frequencies(dim: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw frequencies ``[dim, count]`` of the RBF kernel of unit length: standard normal."""
    check.at_least("gaussian_frequencies", 1, dim=dim, count=count)
    return torch.randn(dim, count, generator=generator)


def student_frequencies(dim: int, count: int, smoothness: float, generator: torch.Generator | None = None) -> Tensor:
    r"""Draw frequencies ``[dim, count]`` of the Matern kernel of unit length: multivariate t.

    A standard normal vector over sqrt(chi^2 / (2 nu)), with 2 nu degrees of freedom.

    Args:
        dim: d.
        count: R.
        smoothness: nu, a multiple of 1/2.
        generator: source of randomness.

    Raises:
        ValueError: if ``smoothness`` is no positive multiple of 1/2.
    """
    check.at_least("student_frequencies", 1, dim=dim, count=count)
    degrees = round(2 * smoothness)
    if degrees < 1 or degrees != 2 * smoothness:
        raise ValueError(
            f"student_frequencies: expected smoothness 1/2, 1, 3/2, ..., found {smoothness}. "
            "The kernels here have 1/2, 3/2 and 5/2."
        )
    chi_square = torch.randn(degrees, count, generator=generator).square().sum(0)
    return torch.randn(dim, count, generator=generator) / (chi_square / degrees).sqrt()


def uniform_phases(count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw phases ``[count]``, uniform in [0, 2 pi)."""
    return 2 * math.pi * torch.rand(count, generator=generator)

r"""Averages over all directions of the sphere, as functions of a distance.

For c uniform on the unit sphere of R^D and any x, the mean of ``cos(c^T x)`` depends on ``s = ||x||`` alone:

.. math:: \Omega_D(s) = \Gamma(D/2) \, (2/s)^{D/2 - 1} J_{D/2 - 1}(s) = {}_0F_1(; D/2; -s^2/4),
    \qquad \frac{d \, \Omega_D(s)}{d \, s^2} = -\frac{\Omega_{D+2}(s)}{2 D}

- **Wide** embeddings: with ``a = s^2 / (2 D)``, ``log Omega_D = -a - a^2 / (D + 2) - ...``. It tends to
  ``exp(-a)`` with an error of order ``1/D``, which the table keeps.
- **Narrow** ones: ``Omega_1 = cos s``, ``Omega_2 = J_0(s)``, ``Omega_3 = sin(s) / s``. These ring on, with amplitude
  ``s^{-(D - 1) / 2}``.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import gammaln, jv
from torch import Tensor

Array = NDArray[np.float64]

STEP = 0.0125  # of a table in units of sqrt(D), within which kernels hardly bend: interpolation errs by 1e-9
TAIL = 1e-8  # a kernel of scale 1 ends where it stays below this
FARTHEST = 1024.0  # longest distance in a table; only kernels narrower than eight units still ring there
BESSEL = 64  # widest for which Bessel functions are in range


class Radial(NamedTuple):
    """A function of distance and its slope, as a table of cubics.

    Attributes:
        step: width of a cell, embedding units.
        cubics: ``[8, T]``: four coefficients of the function and four of its slope; those of the last cell are zero.
    """

    step: float
    cubics: Tensor

    def at(self, square: Tensor) -> tuple[Tensor, Tensor]:
        """The function and its derivative by the squared distance, at squared distances of any shape."""
        place = square.reshape(-1).clamp_min(0).sqrt_().div_(self.step).clamp_(max=self.cubics.shape[1] - 1)
        cell = place.nan_to_num(nan=0.0).int()  # nan stays in what follows, and must not be an index
        place -= cell
        value, slope = (self._cubic(row, cell, place).view(square.shape) for row in (0, 4))
        return value, slope

    def _cubic(self, row: int, cell: Tensor, place: Tensor) -> Tensor:
        value = self.cubics[row + 3].index_select(0, cell)
        for power in (2, 1, 0):
            value.mul_(place).add_(self.cubics[row + power].index_select(0, cell))
        return value


@lru_cache(maxsize=16)
def radials(
    dim: int,
    scales: tuple[float, ...],
    weights: tuple[tuple[float, ...], ...],
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Radial, ...]:
    """Tabulate ``sum_k w_k Omega_D(t_k r)`` for each w; a tenth of a second from 16 units on, a second for two, once.

    Args:
        dim: D >= 2.
        scales: t, ascending and above zero.
        weights: one w per table.
        device: where the tables are kept.
        dtype: in which they are kept.
    """
    reach = min(_tail(dim) / scales[0], FARTHEST)
    step = STEP * math.sqrt(dim)
    r = step * np.arange(math.ceil(reach / step) + 1, dtype=np.float64)
    value, slope, bend = np.zeros((3, len(weights), len(r)))
    for t, weight in zip(scales, np.array(weights, dtype=np.float64).T[:, :, None], strict=True):
        mean, first, second = (_cut(np.multiply(t, r), dim + more) for more in (0, 2, 4))
        value += weight * mean
        slope -= weight * t**2 / (2 * dim) * first
        bend += weight * t**4 / (4 * dim * (dim + 2)) * second
    cubics = np.concatenate([_hermite(value, 2 * r * slope * step), _hermite(slope, 2 * r * bend * step)])
    cubics = np.concatenate([cubics, np.zeros_like(cubics[:, :, :1])], axis=2).swapaxes(0, 1)  # [tables, 8, T]
    return tuple(Radial(step, torch.tensor(table, dtype=dtype, device=device)) for table in cubics)


def mean_cosine(s: Array, dim: int) -> Array:
    """``Omega_D(s)`` for D >= 2, to 1e-13 up to ``s = 9 sqrt(D)`` and, up to 64 units, everywhere.

    >>> bool(np.isclose(mean_cosine(np.array([2.0]), 3)[0], np.sin(2.0) / 2))
    True
    """
    if dim > BESSEL:
        places, weights = _gegenbauer(dim)
        mean: Array = np.cos(np.outer(s, places)) @ weights
        return mean
    order = dim / 2 - 1
    far = np.maximum(s, 1e-6)  # below, the mean is one to rounding, and the factors out of range
    scaled: Array = np.exp(gammaln(order + 1) + order * np.log(2 / far)) * jv(order, far)
    return scaled


@lru_cache(maxsize=8)
def _gegenbauer(dim: int, count: int = 160) -> tuple[Array, Array]:
    """Gauss quadrature for the law of one coordinate of the sphere (Golub and Welsch); half of its symmetric nodes."""
    k = np.arange(1.0, count)
    beside = np.sqrt(k * (k + dim - 3) / ((2 * k + dim - 2) * (2 * k + dim - 4)))
    places, vectors = eigh_tridiagonal(np.zeros(count), beside)
    half = slice(count // 2, None)
    return places[half].astype(np.float64), 2 * vectors[0, half].astype(np.float64) ** 2


def _tail(dim: int) -> float:
    """Where ``Omega_D`` stays below `TAIL`: by its normal limit, or by the envelope of the Bessel function."""
    normal = math.sqrt(-2 * dim * math.log(TAIL))
    if normal < dim / 2:  # before the first zero
        return normal
    envelope = (math.lgamma(dim / 2) - math.log(TAIL) - math.log(math.pi) / 2) / ((dim - 1) / 2)
    return max(normal, 2 * math.exp(min(envelope, 50.0)))


def _cut(s: Array, dim: int) -> Array:
    """``Omega_D``, zero where it is negligible."""
    mean = np.zeros_like(s)
    near = s <= _tail(dim)
    mean[near] = mean_cosine(s[near], dim)
    return mean


def _hermite(value: Array, slope: Array) -> Array:
    """Coefficients ``[4, ..., T - 1]`` of the cubics through values and slopes (per cell) at T places."""
    left, right, rise, leave = value[..., :-1], value[..., 1:], slope[..., :-1], slope[..., 1:]
    return np.stack([left, rise, 3 * (right - left) - 2 * rise - leave, 2 * (left - right) + rise + leave])

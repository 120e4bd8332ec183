"""Checks that raise a ``ValueError`` saying what was expected, what was found and what to do."""

import math

from torch import Tensor


def positive(where: str, **values: float) -> None:
    """Raise unless every value is finite and above zero."""
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{where}: expected {name} > 0, found {value}. Choose a positive, finite {name}.")


def non_negative(where: str, **values: float) -> None:
    """Raise unless every value is finite and at least zero."""
    for name, value in values.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{where}: expected {name} >= 0, found {value}. Choose zero or a positive {name}.")


def fraction(where: str, **values: float) -> None:
    """Raise unless every value lies strictly between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{where}: expected 0 < {name} < 1, found {value}. Choose a share inside (0, 1).")


def at_least(where: str, least: int, **values: int) -> None:
    """Raise unless every whole number reaches ``least``."""
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{where}: expected {name} >= {least}, found {value}. Raise {name}.")


def embeddings(where: str, z: Tensor, least_batch: int = 2) -> None:
    """Raise unless ``z`` is floating, ``[..., B, D]`` with B >= ``least_batch`` (shapes only: no device sync)."""
    if z.ndim < 2 or not z.is_floating_point():
        raise ValueError(
            f"{where}: expected floating embeddings [..., batch, dim], found {z.dtype} of shape {list(z.shape)}. "
            "Stack samples along the dimension before the last."
        )
    if z.shape[-2] < least_batch or z.shape[-1] < 1:
        raise ValueError(
            f"{where}: expected at least {least_batch} samples of width >= 1, found shape {list(z.shape)}. "
            "A batch law needs a larger batch."
        )


def views(where: str, z: Tensor, least: int = 1) -> None:
    """Raise unless ``z`` is ``[V, B, D]`` with V >= ``least`` and B >= 2."""
    if z.ndim != 3 or z.shape[0] < least:
        raise ValueError(
            f"{where}: expected embeddings [views, batch, dim] with at least {least} views, found shape "
            f"{list(z.shape)}. Stack one [batch, dim] tensor per view."
        )
    embeddings(where, z)

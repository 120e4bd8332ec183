"""Columns in units of their own spread, and laws taken back to the units of the data."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from jointlaw.laws import JointMixture

LARGEST = 1e100
"""Spreads between 1 / LARGEST and LARGEST have squares in float64, and so have products of a few of them."""


class Units(NamedTuple):
    """Mean and deviation of each column ``[2]``, in float64."""

    loc: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def standardised(self, samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Samples ``[N, 2]`` with mean 0 and deviation 1 in each column."""
        return (samples - self.loc) / self.scale

    def law(self, standard: JointMixture) -> JointMixture:
        """The law of the data where ``standard`` is that of the standardised samples, in the same float64."""
        loc, scale = torch.from_numpy(self.loc), torch.from_numpy(self.scale)
        return JointMixture(
            standard.logits, standard.loc * scale + loc, standard.scale_tril * scale[:, None], standard.split
        )


def units_of(samples: npt.NDArray[np.float64], names: tuple[str, str]) -> Units:
    """The units of two columns ``[N, 2]``.

    Raises:
        ValueError: if a column is constant, or its spread is such that float64 cannot hold its square.
    """
    for name, column in zip(names, samples.T, strict=True):
        low, high = float(column.min()), float(column.max())
        if low == high:
            raise ValueError(
                f"mixture: expected columns that vary, found {name} to be {low:g} in every row. Take another column."
            )
        if max(abs(low), abs(high)) > LARGEST or float(column.std()) < 1 / LARGEST:
            raise ValueError(
                f"mixture: expected columns whose spread float64 can square, found {name} between {low:g} and "
                f"{high:g}. Use other units."
            )
    return Units(samples.mean(axis=0), samples.std(axis=0))

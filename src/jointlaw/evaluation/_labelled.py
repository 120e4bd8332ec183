"""Labelled training and test samples as arrays, and the score of a classifier on the test samples."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jointlaw import _check as check

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """How a probe did on the test set.

    Attributes:
        accuracy: share of the labelled test samples that are classified rightly.
        classes: int64 ``[K]``, ascending: every class of either set.
        confusion: int64 ``[K, K]``, the true class by row, the predicted class by column.
        dropped: number of unlabelled samples that were left out, of both sets.
        converged: whether the fit ended before its limit of steps; true where nothing is fitted.
        penalty: the chosen L2 penalty of a linear probe, None for others.
    """

    accuracy: float
    classes: Tensor
    confusion: Tensor
    dropped: int
    converged: bool = True
    penalty: float | None = None

    @property
    def per_class(self) -> Tensor:
        """Accuracy within each class, float64 ``[K]``; NaN where the test set has no sample of it."""
        return self.confusion.diag().double() / self.confusion.sum(dim=1)


class Split(NamedTuple):
    """The labelled samples of a training and a test set as arrays; ``dropped`` had no label."""

    train_x: Array
    train_y: Labels
    test_x: Array
    test_y: Labels
    dropped: int

    @classmethod
    def of(cls, where: str, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> "Split":
        """Keep the labelled samples of ``(x [N, F], y [N])`` pairs; a ``ValueError`` names what does not fit."""
        train_x, train_y = _labelled(f"{where}, training set", *train)
        test_x, test_y = _labelled(f"{where}, test set", *test)
        if train_x.shape[1] != test_x.shape[1]:
            raise ValueError(
                f"{where}: expected features of one width, found {train_x.shape[1]} and {test_x.shape[1]}. "
                "Use the same model for both sets."
            )
        if len(np.unique(train_y)) < 2:
            raise ValueError(f"{where}: expected at least two classes, found only class {train_y[0]}. Add samples.")
        dropped = len(train[1]) - len(train_y) + len(test[1]) - len(test_y)
        return cls(train_x, train_y, test_x, test_y, dropped)

    @property
    def classes(self) -> Labels:
        """Every class of either set, ascending."""
        return np.union1d(self.train_y, self.test_y)

    def result(self, predicted: Labels, converged: bool = True, penalty: float | None = None) -> ProbeResult:
        """Score the classes predicted for the test set."""
        classes = self.classes
        true, named = np.searchsorted(classes, self.test_y), np.searchsorted(classes, predicted)
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(confusion, (true, named), 1)
        return ProbeResult(
            accuracy=float((true == named).mean()),
            classes=torch.from_numpy(classes),
            confusion=torch.from_numpy(confusion),
            dropped=self.dropped,
            converged=converged,
            penalty=penalty,
        )


def _labelled(where: str, x: Tensor, y: Tensor) -> tuple[Array, Labels]:
    features = array(where, x)
    if y.shape != x.shape[:1] or y.is_floating_point():
        raise ValueError(
            f"{where}: expected {len(x)} integer labels, found {y.dtype} of shape {list(y.shape)}. "
            "Give one class per sample, -1 where unknown."
        )
    labels = y.cpu().long().numpy()
    known = labels >= 0
    if not known.any():
        raise ValueError(f"{where}: expected labelled samples, found none. A probe needs a labelled set.")
    return (features, labels) if known.all() else (features[known], labels[known])


def array(where: str, x: Tensor) -> Array:
    """Finite features ``[N, F]`` as an array, or a ``ValueError``."""
    check.embeddings(where, x, least_batch=1)
    exact = x.detach().cpu()
    values: Array = (exact if exact.dtype == torch.float64 else exact.float()).numpy()
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"{where}: expected finite features [N, width], found shape {list(x.shape)} or NaN or inf. "
            "Check the model that made them."
        )
    return values

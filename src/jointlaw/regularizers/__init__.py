"""Regularizers: how far a batch of embeddings is from what it should be, as a scalar to minimise.

A `Regularizer` measures ``[B, D]``, or views ``[V, B, D]``, of all processes together. Calling it changes no state;
``update`` moves on to the next step's random slices.

`SlicedWasserstein` compares with any law of one unit, along slices of the embedding space. What it compares along is a
family of `Slices` and what it compares with are `Targets`, each an object: dense slices (`Uniform`, `Orthogonal`,
`FastOrthogonal`) see how units depend on each other, `Sparse` ones and `Axes` the shape of the law, `Eigen` and
`LowerEigen` the directions of the batch itself; `Blend` takes several together, as `default_slices` does. Sorted
projections are compared with those of a drawn sample (`TwoSample`) or with their expected values (`OrderStatistics`).

>>> import torch
>>> from jointlaw.laws import RectifiedGeneralizedGaussian
>>> law = RectifiedGeneralizedGaussian.with_activity(0.2)
>>> distance = SlicedWasserstein(law, Blend([(3.0, FastOrthogonal(256)), (1.0, Axes())]))
>>> floor, collapse = distance.anchors(batch=256, dim=64)  # of a batch of the law, and of one that is all zeros
>>> z = law.sample((256, 64), torch.Generator().manual_seed(0))
>>> bool(distance(z) < distance(2 * z)), floor < collapse
(True, True)

`SIGReg` compares characteristic functions with the standard normal law's, `SphereSIGReg` does so over all directions at
once. `VarianceCovariance` and `LogDetEntropy` look at second moments, and `HSIC` at how much the two blocks of joint
embeddings tell of each other.
"""

from jointlaw.regularizers._dependence import HSIC
from jointlaw.regularizers._families import (
    Axes,
    Blend,
    Eigen,
    FastOrthogonal,
    LowerEigen,
    Orthogonal,
    Slices,
    Sparse,
    Uniform,
)
from jointlaw.regularizers._moments import LogDetEntropy, VarianceCovariance
from jointlaw.regularizers._regularizer import Regularizer
from jointlaw.regularizers._sigreg import SIGReg, SphereSIGReg
from jointlaw.regularizers._targets import OrderStatistics, Targets, TwoSample
from jointlaw.regularizers._wasserstein import SlicedWasserstein, default_slices

__all__ = [
    "HSIC",
    "Axes",
    "Blend",
    "Eigen",
    "FastOrthogonal",
    "LogDetEntropy",
    "LowerEigen",
    "OrderStatistics",
    "Orthogonal",
    "Regularizer",
    "SIGReg",
    "SlicedWasserstein",
    "Slices",
    "Sparse",
    "SphereSIGReg",
    "Targets",
    "TwoSample",
    "Uniform",
    "VarianceCovariance",
    "default_slices",
]

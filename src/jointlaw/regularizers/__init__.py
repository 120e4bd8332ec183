"""Regularizers: how far a batch of embeddings is from a law."""

from jointlaw.regularizers._dependence import HSIC
from jointlaw.regularizers._moments import LogDetEntropy, VarianceCovariance
from jointlaw.regularizers._regularizer import Regularizer
from jointlaw.regularizers._sigreg import SIGReg, SphereSIGReg
from jointlaw.regularizers._wasserstein import SlicedWasserstein, default_slices

__all__ = [
    "HSIC",
    "LogDetEntropy",
    "Regularizer",
    "SIGReg",
    "SlicedWasserstein",
    "SphereSIGReg",
    "VarianceCovariance",
    "default_slices",
]

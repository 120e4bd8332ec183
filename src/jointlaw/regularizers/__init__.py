"""Regularizers: how far a batch of embeddings is from a law."""

from jointlaw.regularizers.dependence import HSIC
from jointlaw.regularizers.moments import LogDetEntropy, VarianceCovariance
from jointlaw.regularizers.regularizer import Regularizer
from jointlaw.regularizers.sigreg import SIGReg, SphereSIGReg
from jointlaw.regularizers.wasserstein import SlicedWasserstein, default_slices

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

"""jointlaw: choose or learn the law of joint embeddings, then train, infer and diagnose with it.

This module brings the mathematics: importing it loads torch, NumPy and SciPy, no training framework, and changes no
global state. Training lives in ``jointlaw.training``, judging in ``jointlaw.evaluation``.
"""

from jointlaw.densities import Density, fit_gaussian, fit_mixture
from jointlaw.laws import (
    GeneralizedGaussian,
    JointGaussian,
    JointMixture,
    Law,
    RectifiedGeneralizedGaussian,
    TruncatedGeneralizedGaussian,
)
from jointlaw.networks import MLP, ConvEncoder, MLPEncoder, Projector
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.regularizers import Regularizer, SlicedWasserstein
from jointlaw.types import Embeddings, Outcome, Views

__version__ = "0.1.0"

__all__ = [
    "MLP",
    "ConvEncoder",
    "Density",
    "Embeddings",
    "GeneralizedGaussian",
    "JointGaussian",
    "JointMixture",
    "Law",
    "MLPEncoder",
    "Objective",
    "Outcome",
    "Projector",
    "RectifiedGeneralizedGaussian",
    "RectifiedLpJEPA",
    "Regularizer",
    "SlicedWasserstein",
    "TruncatedGeneralizedGaussian",
    "Views",
    "fit_gaussian",
    "fit_mixture",
]

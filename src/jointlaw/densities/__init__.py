"""Densities: modules that return laws, learned by gradient or fitted to embeddings."""

from jointlaw.densities._density import Density
from jointlaw.densities._descend import descend
from jointlaw.densities._deterministic import Deterministic
from jointlaw.densities._fitted import Fitted
from jointlaw.densities._gas import GrowingNeuralGas
from jointlaw.densities._gas_graph import Growth
from jointlaw.densities._heads import DiagonalHead, Head, LowRankHead, SphericalHead
from jointlaw.densities._kernels import RBF, Kernel, Linear, Matern
from jointlaw.densities._moving import Moving
from jointlaw.densities._network import MixtureDensityNetwork
from jointlaw.densities._process import FourierProcess, GaussianProcess
from jointlaw.densities._prototypes import Prototypes
from jointlaw.densities._scales import FixedScale, LearnedScale, MovingScale
from jointlaw.densities.em._choice import BIC, Choice, HeldOut, choose_components
from jointlaw.densities.em._covariances import COVARIANCES, Covariance, Diagonal, Full, Shared, Spherical
from jointlaw.densities.em._estimator import ConvergenceWarning, ExpectationMaximization, Fit
from jointlaw.densities.em._fit import fit_gaussian, fit_mixture
from jointlaw.densities.em._starts import FromLaw, KMeans, Means, Responsibilities, Start
from jointlaw.densities.em._steps import EmptyComponentWarning

__all__ = [
    "BIC",
    "COVARIANCES",
    "RBF",
    "Choice",
    "ConvergenceWarning",
    "Covariance",
    "Density",
    "Deterministic",
    "Diagonal",
    "DiagonalHead",
    "EmptyComponentWarning",
    "ExpectationMaximization",
    "Fit",
    "Fitted",
    "FixedScale",
    "FourierProcess",
    "FromLaw",
    "Full",
    "GaussianProcess",
    "GrowingNeuralGas",
    "Growth",
    "Head",
    "HeldOut",
    "KMeans",
    "Kernel",
    "LearnedScale",
    "Linear",
    "LowRankHead",
    "Matern",
    "Means",
    "MixtureDensityNetwork",
    "Moving",
    "MovingScale",
    "Prototypes",
    "Responsibilities",
    "Shared",
    "Spherical",
    "SphericalHead",
    "Start",
    "choose_components",
    "descend",
    "fit_gaussian",
    "fit_mixture",
]

"""Densities: modules that return laws, learned by gradient or fitted to embeddings."""

from jointlaw.densities.choice import BIC, Choice, HeldOut, choose_components
from jointlaw.densities.covariances import COVARIANCES, Covariance, Diagonal, Full, Shared, Spherical
from jointlaw.densities.density import Density
from jointlaw.densities.descend import descend
from jointlaw.densities.deterministic import Deterministic
from jointlaw.densities.em import ConvergenceWarning, ExpectationMaximization, Fit
from jointlaw.densities.em_steps import EmptyComponentWarning
from jointlaw.densities.fit import fit_gaussian, fit_mixture
from jointlaw.densities.fitted import Fitted
from jointlaw.densities.gas import GrowingNeuralGas
from jointlaw.densities.gas_graph import Growth
from jointlaw.densities.heads import DiagonalHead, Head, LowRankHead, SphericalHead
from jointlaw.densities.kernels import RBF, Kernel, Linear, Matern
from jointlaw.densities.moving import Moving
from jointlaw.densities.network import MixtureDensityNetwork
from jointlaw.densities.process import FourierProcess, GaussianProcess
from jointlaw.densities.prototypes import Prototypes
from jointlaw.densities.scales import FixedScale, LearnedScale, MovingScale
from jointlaw.densities.starts import FromLaw, KMeans, Means, Responsibilities, Start

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

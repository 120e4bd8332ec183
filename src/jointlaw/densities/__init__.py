"""Densities: modules that return laws, learned by gradient or fitted to embeddings."""

from jointlaw.densities.choice import BIC, Choice, HeldOut, choose_components
from jointlaw.densities.covariances import COVARIANCES, Covariance, Diagonal, Full, Shared, Spherical
from jointlaw.densities.density import Density
from jointlaw.densities.em import ConvergenceWarning, ExpectationMaximization, Fit
from jointlaw.densities.em_steps import EmptyComponentWarning
from jointlaw.densities.fit import fit_gaussian, fit_mixture
from jointlaw.densities.fitted import Fitted
from jointlaw.densities.gas import GrowingNeuralGas
from jointlaw.densities.gas_graph import Growth
from jointlaw.densities.kernels import RBF, Kernel, Linear, Matern
from jointlaw.densities.process import FourierProcess, GaussianProcess
from jointlaw.densities.starts import FromLaw, KMeans, Means, Responsibilities, Start

__all__ = [
    "BIC",
    "COVARIANCES",
    "RBF",
    "Choice",
    "ConvergenceWarning",
    "Covariance",
    "Density",
    "Diagonal",
    "EmptyComponentWarning",
    "ExpectationMaximization",
    "Fit",
    "Fitted",
    "FourierProcess",
    "FromLaw",
    "Full",
    "GaussianProcess",
    "GrowingNeuralGas",
    "Growth",
    "HeldOut",
    "KMeans",
    "Kernel",
    "Linear",
    "Matern",
    "Means",
    "Responsibilities",
    "Shared",
    "Spherical",
    "Start",
    "choose_components",
    "fit_gaussian",
    "fit_mixture",
]

"""Expectation-maximisation: maximum-likelihood mixtures of Gaussians from arrays.

`fit_gaussian` and `fit_mixture` do it with defaults that serve; `ExpectationMaximization` is the same with every choice
in the open: the `Covariance` of the components (`Full`, `Shared`, `Diagonal`, `Spherical`), the `Start` (`KMeans`,
given `Means` or `Responsibilities`, or the law of an earlier fit, `FromLaw`), restarts, tolerance, floor and precision.
What it returns, a `Fit`, holds the law, the log-likelihood of every iteration and what information criteria need.
`choose_components` compares numbers of components by `BIC` or on `HeldOut` samples.

Everything is computed in float64 unless another dtype is asked for, on the device of the samples, block by block, so
that memory does not grow with their number. Samples may have weights. A fit that ends before it has converged warns
(`ConvergenceWarning`), and so does a component that loses all of its samples and is put where the fit is worst
(``EmptyComponentWarning``).

>>> import torch
>>> x = torch.cat([torch.linspace(-1, 1, 40), torch.linspace(9, 11, 40)])[:, None]
>>> fit = ExpectationMaximization(2, Diagonal()).fit(x)
>>> fit.law.loc.flatten().sort().values.round().tolist()
[0.0, 10.0]
>>> choose_components(x, [1, 2, 3]).components
2
"""

from jointlaw.densities.em._choice import BIC, HeldOut, choose_components
from jointlaw.densities.em._covariances import Covariance, Diagonal, Full, Shared, Spherical
from jointlaw.densities.em._estimator import ConvergenceWarning, ExpectationMaximization, Fit
from jointlaw.densities.em._fit import fit_gaussian, fit_mixture
from jointlaw.densities.em._starts import FromLaw, KMeans, Means, Responsibilities, Start

__all__ = [
    "BIC",
    "ConvergenceWarning",
    "Covariance",
    "Diagonal",
    "ExpectationMaximization",
    "Fit",
    "FromLaw",
    "Full",
    "HeldOut",
    "KMeans",
    "Means",
    "Responsibilities",
    "Shared",
    "Spherical",
    "Start",
    "choose_components",
    "fit_gaussian",
    "fit_mixture",
]

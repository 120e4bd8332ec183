"""Recipes that match the batch's moments, or its characteristic function."""

from jointlaw.objectives._contrastive import RepReLU
from jointlaw.objectives._lejepa import LeJEPA
from jointlaw.objectives._vicreg import VICReg
from jointlaw.regularizers import SIGReg, Uniform
from jointlaw.training.recipes._method import Method, projector


def lejepa(
    *, sigreg: float = 0.05, slices: int | None = None, width: int = 128, hidden: int | None = 512, seed: int = 0
) -> Method:
    """LeJEPA: views predict their centre, embeddings follow the standard normal law (Balestriero and LeCun 2025).

    Args:
        sigreg: weight of the distance to the law, in [0, 1]; the weight of the prediction is 1 less this.
        slices: number of directions, 1024 as published (default: the exact mean over all directions).
        width: embedding width D.
        hidden: width of the projector's hidden layers.
        seed: determines the directions of every step, where there are slices.
    """
    regularizer = None if slices is None else SIGReg(Uniform(slices), seed)
    return Method(LeJEPA(regularizer, sigreg=sigreg), projector(width, hidden))


def vicreg(
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    width: int = 512,
    hidden: int | None = None,
) -> Method:
    """VICReg: variance of every unit held at 1 or above, covariances at 0 (Bardes et al. 2022).

    Args:
        invariance: weight of the squared distance between views.
        variance: weight of the hinge on deviations.
        covariance: weight of the squared covariances.
        width: embedding width D.
        hidden: width of the projector's hidden layers (default: width).
    """
    objective = VICReg(invariance=invariance, variance=variance, covariance=covariance)
    return Method(objective, projector(width, hidden, bias=False))


def nvicreg(
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    width: int = 512,
    hidden: int | None = None,
) -> Method:
    """VICReg on non-negative embeddings: rectified forward, with GELU's gradient backward.

    Args:
        invariance: weight of the squared distance between views.
        variance: weight of the hinge on deviations.
        covariance: weight of the squared covariances.
        width: embedding width D.
        hidden: width of the projector's hidden layers (default: width).
    """
    objective = VICReg(invariance=invariance, variance=variance, covariance=covariance, rectifier=RepReLU())
    return Method(objective, projector(width, hidden))

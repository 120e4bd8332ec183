"""Recipes that match the batch to a generalised Gaussian law, and the one that composes anything."""

from typing import Literal

from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.regularizers import Slices, Targets, TwoSample, Uniform
from jointlaw.training.recipes._method import Method, projector


def rectified_lpjepa(  # noqa: PLR0913 (a recipe's signature is its command line)
    *,
    activity: float | None = None,
    loc: float | None = None,
    p: float = 1.0,
    scale: Literal["GN", "RGN"] = "GN",
    width: int = 512,
    hidden: int | None = None,
    invariance: float = 25.0,
    matching: float = 125.0,
    rate: float = 0.1,
    slices: Slices | None = None,
    targets: Targets | None = None,
    rectified_features: bool = True,
    rectified_target: bool = True,
    seed: int = 0,
) -> Method:
    """Sparse, non-negative embeddings that follow a rectified generalised Gaussian (Kuang et al. 2026).

    Args:
        activity: the dial: share of units active in an embedding, in (0, 1). Give this or loc, not both.
        loc: location of the generalised Gaussian before rectification (default 0, half of the units active).
        p: shape of the law; 1 is a rectified Laplace, 2 a rectified Gaussian.
        scale: whether the law has unit variance before (GN) or after (RGN) the rectifier.
        width: embedding width D.
        hidden: width of the projector's hidden layers (default: width).
        invariance: weight of the squared distance between views.
        matching: weight of the sliced distance to the law.
        rate: how fast each unit's threshold follows the planned share of active samples, in [0, 1]; 0 is a plain
            rectifier, which lets units die.
        slices: directions in which batch and law are compared (default: a mixture of dense orthogonal blocks, sparse
            blocks, coordinate axes and the batch's lower singular vectors).
        targets: what sorted projections are compared with (default: the law's expected order statistics).
        rectified_features: whether to rectify the projector's output.
        rectified_target: whether the law is rectified, too; otherwise it is the generalised Gaussian itself.
        seed: determines the slices of every step.
    """
    law: GeneralizedGaussian | RectifiedGeneralizedGaussian = rectified_law(activity, loc, p, scale)
    if not rectified_target:
        law = GeneralizedGaussian(law.p, law.loc, law.scale)
    objective = RectifiedLpJEPA(
        law,
        invariance=invariance,
        matching=matching,
        rate=rate,
        rectify=rectified_features,
        slices=slices,
        targets=targets,
        seed=seed,
    )
    return Method(objective, projector(width, hidden, bias=objective.threshold is None))


def rectified_lpjepa_paper(  # noqa: PLR0913
    *,
    loc: float = 0.0,
    p: float = 1.0,
    scale: Literal["GN", "RGN"] = "GN",
    width: int = 2048,
    slices: int = 8192,
    invariance: float = 25.0,
    matching: float = 125.0,
    seed: int = 0,
) -> Method:
    """Rectified LpJEPA's loss as published: uniform slices, a fresh draw of the target per view and step, width 2048.

    Args:
        loc: location of the generalised Gaussian before rectification.
        p: shape of the law.
        scale: whether the law has unit variance before (GN) or after (RGN) the rectifier.
        width: embedding width D.
        slices: number of uniform slices N.
        invariance: weight of the squared distance between views.
        matching: weight of the distance to the law.
        seed: determines the slices and the draws of the law at every step.
    """
    law = rectified_law(None, loc, p, scale)
    objective = RectifiedLpJEPA(
        law,
        invariance=invariance,
        matching=matching,
        rate=0.0,
        slices=Uniform(slices),
        targets=TwoSample(shared=False),
        seed=seed,
    )
    return Method(objective, projector(width, None))


def compose(objective: Objective, *, width: int = 512, hidden: int | None = None, bias: bool = True) -> Method:
    """Any objective with any law, slices and targets, given by class_path (best in a --config file).

    Args:
        objective: gives the loss of a batch of embeddings, for example class_path:
            jointlaw.objectives.RectifiedLpJEPA with init_args.law.
        width: embedding width D.
        hidden: width of the projector's hidden layers (default: width).
        bias: whether the projector's last layer has one; say false where the loss does not see the mean of a unit, as
            with thresholds.
    """
    return Method(objective, projector(width, hidden, bias))


def rectified_law(
    activity: float | None, loc: float | None, p: float, scale: Literal["GN", "RGN"]
) -> RectifiedGeneralizedGaussian:
    """The law for a dial setting, or for a location."""
    if activity is not None and loc is not None:
        raise ValueError(
            f"rectified-lpjepa: expected activity or loc, found both (activity={activity}, loc={loc}). "
            "One determines the other."
        )
    if activity is not None:
        return RectifiedGeneralizedGaussian.with_activity(activity, p=p, scale=scale)
    return RectifiedGeneralizedGaussian.unit_variance(p, 0.0 if loc is None else loc, after_rectifier=scale == "RGN")

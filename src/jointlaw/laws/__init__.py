"""Laws of embeddings: immutable values in the style of ``torch.distributions``."""

from jointlaw.laws.estimates import Bounds, Estimate, estimate_kl
from jointlaw.laws.gaussian import JointGaussian
from jointlaw.laws.generalized import GeneralizedGaussian
from jointlaw.laws.law import Law
from jointlaw.laws.mixture import JointMixture
from jointlaw.laws.modes import Modes
from jointlaw.laws.rectified import RectifiedGeneralizedGaussian
from jointlaw.laws.regions import Region
from jointlaw.laws.truncated import TruncatedGeneralizedGaussian
from jointlaw.laws.uncertainty import Uncertainty

__all__ = [
    "Bounds",
    "Estimate",
    "GeneralizedGaussian",
    "JointGaussian",
    "JointMixture",
    "Law",
    "Modes",
    "RectifiedGeneralizedGaussian",
    "Region",
    "TruncatedGeneralizedGaussian",
    "Uncertainty",
    "estimate_kl",
]

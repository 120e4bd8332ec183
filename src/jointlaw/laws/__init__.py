"""Laws of embeddings: immutable values in the style of ``torch.distributions``."""

from jointlaw.laws.gaussian import JointGaussian
from jointlaw.laws.generalized import GeneralizedGaussian
from jointlaw.laws.law import Law
from jointlaw.laws.mixture import JointMixture
from jointlaw.laws.rectified import RectifiedGeneralizedGaussian
from jointlaw.laws.truncated import TruncatedGeneralizedGaussian
from jointlaw.laws.uncertainty import Uncertainty

__all__ = [
    "GeneralizedGaussian",
    "JointGaussian",
    "JointMixture",
    "Law",
    "RectifiedGeneralizedGaussian",
    "TruncatedGeneralizedGaussian",
    "Uncertainty",
]

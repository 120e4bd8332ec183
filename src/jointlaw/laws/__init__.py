"""Laws of embeddings: immutable values in the style of ``torch.distributions``."""

from jointlaw.laws._estimates import Bounds, Estimate, estimate_kl
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._generalized import GeneralizedGaussian
from jointlaw.laws._law import Law
from jointlaw.laws._mixture import JointMixture
from jointlaw.laws._modes import Modes
from jointlaw.laws._rectified import RectifiedGeneralizedGaussian
from jointlaw.laws._regions import Region
from jointlaw.laws._truncated import TruncatedGeneralizedGaussian
from jointlaw.laws._uncertainty import Uncertainty

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

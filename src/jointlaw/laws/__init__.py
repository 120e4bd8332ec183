"""Laws of embeddings: immutable values in the style of ``torch.distributions``."""

from jointlaw.laws.generalized import GeneralizedGaussian
from jointlaw.laws.law import Law
from jointlaw.laws.rectified import RectifiedGeneralizedGaussian
from jointlaw.laws.truncated import TruncatedGeneralizedGaussian

__all__ = ["GeneralizedGaussian", "Law", "RectifiedGeneralizedGaussian", "TruncatedGeneralizedGaussian"]

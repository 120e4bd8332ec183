"""Where the variance of a law comes from."""

from typing import NamedTuple

from torch import Tensor


class Uncertainty(NamedTuple):
    """Variance per coordinate, split by the law of total variance; squared embedding units.

    Attributes:
        noise: ``[*batch, E]`` mean variance within the components (aleatoric), sum_k w_k diag S_k.
        ambiguity: ``[*batch, E]`` variance between their means (epistemic), sum_k w_k (m_k - m)^2.
        total: ``[*batch, E]`` their sum, the law's variance.

    >>> import torch
    >>> from jointlaw.laws import JointMixture
    >>> law = JointMixture(torch.zeros(2), torch.tensor([[-2.0], [2.0]]), torch.ones(1, 1))
    >>> noise, ambiguity, total = law.uncertainty()
    >>> noise.item(), ambiguity.item(), total.item()
    (1.0, 4.0, 5.0)
    """

    noise: Tensor
    ambiguity: Tensor
    total: Tensor

"""Laws of embeddings: immutable values in the style of ``torch.distributions``.

**Laws of one unit** say what every coordinate of an embedding should look like, independently of the others; an
objective matches batches to them. `GeneralizedGaussian` has the tails of its shape p (1: Laplace, 2: normal),
`RectifiedGeneralizedGaussian` is what a ReLU makes of it, with an atom at zero whose share one dials, and
`TruncatedGeneralizedGaussian` is the law of the values that are left.

>>> import torch
>>> law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
>>> z = law.sample((1000, 64), torch.Generator().manual_seed(0))
>>> law.activity, round((z != 0).float().mean().item(), 2)
(tensor(0.1000), 0.1)

**Joint laws** are laws of a whole vector whose first ``split`` coordinates are the context and the others the target:
`JointGaussian`, and `JointMixture` for targets of which there is more than one to a context. They answer questions:
``given`` a context, what is the target; what is the ``marginal`` of either block (``swap`` exchanges them); where do
the ``modes`` of the density lie (``Modes``), which is the smallest ``Region`` that holds nine tenths of it, and how
much of the variance is noise, how much a choice between alternatives (`Uncertainty`).

>>> branches = torch.tensor([[0.0, -1.0], [0.0, 1.0]])  # one context, two targets
>>> joint = JointMixture(torch.zeros(2), branches, torch.full((1, 1), 0.1), split=1)
>>> after = joint.given(torch.tensor([[0.0]]))
>>> after.batch_shape, after.mean.item(), round(after.uncertainty().ambiguity.item(), 2)
(torch.Size([1]), 0.0, 1.0)

Every `Law` is rebuilt from its own tensors, ``type(law)(**law.tensors, **law.constants)``, moves with ``to``, draws
from a generator that is given, and is differentiable where mathematics allows. Log-densities are in nats; they and all
probabilities are computed in float64 and returned in the law's dtype. What has no closed form comes as an ``Estimate``
with its standard error or between ``Bounds``; `estimate_kl` takes any two laws.
"""

from jointlaw.laws._estimates import estimate_kl
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._generalized import GeneralizedGaussian
from jointlaw.laws._law import Law
from jointlaw.laws._mixture import JointMixture
from jointlaw.laws._rectified import RectifiedGeneralizedGaussian
from jointlaw.laws._truncated import TruncatedGeneralizedGaussian
from jointlaw.laws._uncertainty import Uncertainty

__all__ = [
    "GeneralizedGaussian",
    "JointGaussian",
    "JointMixture",
    "Law",
    "RectifiedGeneralizedGaussian",
    "TruncatedGeneralizedGaussian",
    "Uncertainty",
    "estimate_kl",
]

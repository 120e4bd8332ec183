"""Objectives: what the embeddings of a batch are judged by, one class for each method.

An `Objective` takes the projector's outputs of V views of B samples and gives an ``Outcome``: the loss to
differentiate, and its unweighted terms to log. It owns whatever is learned or remembered beyond encoder and projector:
predictors, prototypes, densities, banks. ``forward`` never changes state; ``update`` does, once per batch after the
backward pass. ``activate`` says what of the projector's output is the embedding (rectified, or of unit length), so that
probes and files see what the loss saw. ``law`` is the law that embeddings are to follow, where there is one.

>>> import torch
>>> from jointlaw.laws import RectifiedGeneralizedGaussian
>>> from jointlaw.types import Embeddings
>>> objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.1))
>>> h = torch.randn(2, 128, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
>>> outcome = objective(Embeddings(h, h.detach()))  # what a learner does, step by step
>>> outcome.loss.backward()
>>> objective.update(Embeddings(h.detach(), h.detach()), outcome)
>>> objective.law.activity, sorted(outcome.terms)
(tensor(0.1000), ['invariance', 'matching'])

- A law or moments for the batch: `RectifiedLpJEPA` (with a `Threshold` for each unit), `LeJEPA`, `VICReg`.
- Contrast with other samples: `SimCLR`, `NCL` (non-negative features, by `RepReLU`), `MoCo` with a bank of
  ``jointlaw.banks``.
- Prediction of a moving-average network: `BYOL`, `JEPA`; of assignments to prototypes: `SwAV`.
- Joint embeddings, Gaussian: `PrimalGJE`, `PrimalHSIC`, `DualGJE`, and `NaiveGJE`, which shows how the plain likelihood
  fails; as a mixture: `GMJE`, `ConditionalGMJE`, `SMCGMJE`.
"""

from jointlaw.objectives._contrastive import NCL, MoCo, RepReLU, SimCLR
from jointlaw.objectives._gje import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.objectives._gmje import GMJE, ConditionalGMJE
from jointlaw.objectives._lejepa import LeJEPA
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.objectives._predictive import BYOL, JEPA
from jointlaw.objectives._smc import SMCGMJE
from jointlaw.objectives._swav import SwAV
from jointlaw.objectives._threshold import Threshold
from jointlaw.objectives._vicreg import VICReg

__all__ = [
    "BYOL",
    "GMJE",
    "JEPA",
    "NCL",
    "SMCGMJE",
    "ConditionalGMJE",
    "DualGJE",
    "LeJEPA",
    "MoCo",
    "NaiveGJE",
    "Objective",
    "PrimalGJE",
    "PrimalHSIC",
    "RectifiedLpJEPA",
    "RepReLU",
    "SimCLR",
    "SwAV",
    "Threshold",
    "VICReg",
]

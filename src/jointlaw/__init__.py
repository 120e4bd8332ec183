"""jointlaw: choose or learn the law of joint embeddings, then train, infer and diagnose with it.

The law of the embeddings is an object. Choose one, or learn one, and use it for everything:

>>> from jointlaw import RectifiedGeneralizedGaussian, SlicedWasserstein
>>> law = RectifiedGeneralizedGaussian.with_activity(0.1)     # "10 % of the units fire"
>>> z = law.sample((256, 64))
>>> distance = SlicedWasserstein(law)                          # how far a batch is from the law
>>> bool(distance(z) < distance(z + 1))
True

- `jointlaw.laws`: every `Law`. Of one unit: `GeneralizedGaussian`, `RectifiedGeneralizedGaussian` and
  `TruncatedGeneralizedGaussian`; of context and target, to be conditioned on: `JointGaussian` and `JointMixture`.
- `jointlaw.densities`: a `Density` learns a joint law, and `fit_gaussian` and `fit_mixture` fit one to samples.
- `jointlaw.regularizers`, `jointlaw.banks`, `jointlaw.objectives`: what training minimises. `SlicedWasserstein` and
  `SIGReg` are each a `Regularizer`; `RectifiedLpJEPA`, `LeJEPA` and `VICReg` are each an `Objective`, which turns
  `Embeddings` of `Views` into an `Outcome`. `jointlaw.functional` has the formulas.
- `jointlaw.networks`: `MLP`, `MLPEncoder`, `ConvEncoder` and `Projector`.
- `jointlaw.data`, `jointlaw.views`, `jointlaw.training`: samples, augmentations, the learner and its recipes.
- `jointlaw.evaluation`, `jointlaw.generation`, `jointlaw.report`: figures, draws, pages.
- `Run`: all of it in a folder, as a `Setup` says; `load_encoder`: a trained network as a function.

Importing this module loads nothing else; a name is imported when it is first asked for, and no global state changes.
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.densities import Density, fit_gaussian, fit_mixture
    from jointlaw.laws import (
        GeneralizedGaussian,
        JointGaussian,
        JointMixture,
        Law,
        RectifiedGeneralizedGaussian,
        TruncatedGeneralizedGaussian,
    )
    from jointlaw.networks import MLP, ConvEncoder, MLPEncoder, Projector
    from jointlaw.objectives import LeJEPA, Objective, RectifiedLpJEPA, VICReg
    from jointlaw.regularizers import Regularizer, SIGReg, SlicedWasserstein
    from jointlaw.runs import Run, Setup, load_encoder
    from jointlaw.types import Embeddings, Outcome, Views

__version__ = "0.2.0"

__all__ = [
    "MLP",
    "ConvEncoder",
    "Density",
    "Embeddings",
    "GeneralizedGaussian",
    "JointGaussian",
    "JointMixture",
    "Law",
    "LeJEPA",
    "MLPEncoder",
    "Objective",
    "Outcome",
    "Projector",
    "RectifiedGeneralizedGaussian",
    "RectifiedLpJEPA",
    "Regularizer",
    "Run",
    "SIGReg",
    "Setup",
    "SlicedWasserstein",
    "TruncatedGeneralizedGaussian",
    "VICReg",
    "Views",
    "fit_gaussian",
    "fit_mixture",
    "load_encoder",
]

__getattr__, __dir__ = attach(
    __name__,
    densities="Density fit_gaussian fit_mixture",
    laws="GeneralizedGaussian JointGaussian JointMixture Law RectifiedGeneralizedGaussian TruncatedGeneralizedGaussian",
    networks="MLP ConvEncoder MLPEncoder Projector",
    objectives="LeJEPA Objective RectifiedLpJEPA VICReg",
    regularizers="Regularizer SIGReg SlicedWasserstein",
    runs="Run Setup load_encoder",
    types="Embeddings Outcome Views",
)

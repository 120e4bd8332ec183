"""Densities: modules that return laws, learned by gradient or fitted to embeddings.

``density()`` is the law of joint embeddings ``[z_c, z_t]``, ``density(context)`` that of the target given a context.
Calling a density changes nothing; everything it knows is a parameter or a buffer.

Fitted to arrays, in one call each:

- `fit_gaussian`, `fit_mixture`; with every choice in the open by `ExpectationMaximization` and the covariances `Full`,
  `Shared`, `Diagonal` and `Spherical` (all of it in ``jointlaw.densities.em``);
- `GaussianProcess`, exact, and `FourierProcess`, by random features, with a `Kernel`: `RBF`, `Matern` or `Linear`;
- `GrowingNeuralGas`, which finds out itself how many components there are; its constants are a `Growth`;
- `Fitted`, which holds a law that is known.

>>> import torch
>>> context = torch.linspace(-1, 1, 400)[:, None]
>>> target = torch.where(torch.arange(400)[:, None] % 2 == 0, context, -context)  # two branches
>>> law = fit_mixture(torch.cat([context, target], 1), components=2, split=1)
>>> round(law.given(torch.tensor([[0.8]])).uncertainty().ambiguity.sqrt().item(), 1)  # either 0.8 or -0.8
0.8

Learned by gradient, through their ``loss``, which `descend` minimises over arrays and an objective in training:

- `MixtureDensityNetwork`, whose components get their covariance from a `Head`: `SphericalHead`, `DiagonalHead` or
  `LowRankHead`;
- `Prototypes`, whose covariance is a `ComponentScale`: `FixedScale`, `LearnedScale` or `MovingScale`;
- `GrowingPrototypes`, which are vertices of a growing neural gas and find out themselves how many they are;
- `Deterministic`, a plain predictor whose residuals are measured.

`Moving` learns nothing: it is the Gaussian of the batches that it is shown. `Density` is what all of them are.

>>> torch.manual_seed(0) and None
>>> network = MixtureDensityNetwork(1, 1, components=2, hidden=(16,))
>>> history = descend(network.loss, network.parameters(), context, target, epochs=50)
>>> history[-1] < history[0]
True
"""

from jointlaw.densities._density import Density
from jointlaw.densities._descend import descend
from jointlaw.densities._deterministic import Deterministic
from jointlaw.densities._fitted import Fitted
from jointlaw.densities._gas import GrowingNeuralGas
from jointlaw.densities._gas_graph import Growth
from jointlaw.densities._growing import GrowingPrototypes
from jointlaw.densities._heads import DiagonalHead, Head, LowRankHead, SphericalHead
from jointlaw.densities._kernels import RBF, Kernel, Linear, Matern
from jointlaw.densities._moving import Moving
from jointlaw.densities._network import MixtureDensityNetwork
from jointlaw.densities._process import FourierProcess, GaussianProcess
from jointlaw.densities._prototypes import Prototypes
from jointlaw.densities._scales import ComponentScale, FixedScale, LearnedScale, MovingScale
from jointlaw.densities.em import Diagonal, ExpectationMaximization, Full, Shared, Spherical, fit_gaussian, fit_mixture

__all__ = [
    "RBF",
    "ComponentScale",
    "Density",
    "Deterministic",
    "Diagonal",
    "DiagonalHead",
    "ExpectationMaximization",
    "Fitted",
    "FixedScale",
    "FourierProcess",
    "Full",
    "GaussianProcess",
    "GrowingNeuralGas",
    "GrowingPrototypes",
    "Growth",
    "Head",
    "Kernel",
    "LearnedScale",
    "Linear",
    "LowRankHead",
    "Matern",
    "MixtureDensityNetwork",
    "Moving",
    "MovingScale",
    "Prototypes",
    "Shared",
    "Spherical",
    "SphericalHead",
    "descend",
    "fit_gaussian",
    "fit_mixture",
]

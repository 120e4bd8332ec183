"""Recipes that maximise a joint likelihood of context and target (Huang 2026)."""

from typing import Literal

from jointlaw.densities._gas_graph import Growth
from jointlaw.densities._growing import GrowingPrototypes
from jointlaw.densities._kernels import RBF
from jointlaw.densities._network import MixtureDensityNetwork
from jointlaw.densities._process import FourierProcess, GaussianProcess
from jointlaw.densities._prototypes import Prototypes
from jointlaw.densities._scales import LearnedScale, MovingScale
from jointlaw.objectives._gje import DualGJE, NaiveGJE, PrimalGJE
from jointlaw.objectives._gmje import GMJE, ConditionalGMJE
from jointlaw.training.recipes._method import Method, projector


def primal_gje(*, alignment: float = 1.0, entropy: float = 1.0, width: int = 128, hidden: int | None = 512) -> Method:
    """Primal GJE: views agree on the sphere, and the joint embeddings fill the space (log-determinant).

    Args:
        alignment: weight of the squared distance between views.
        entropy: weight of the joint entropy.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(PrimalGJE(alignment=alignment, entropy=entropy), projector(width, hidden))


def dual_gje(
    *,
    length: float = 1.5,
    noise: float = 0.1,
    features: int | None = None,
    momentum: float = 0.99,
    width: int = 128,
    hidden: int | None = 512,
    seed: int = 0,
) -> Method:
    """Dual GJE: a moving-average network's embeddings are a Gaussian process of the context.

    Args:
        length: length scale of the RBF kernel, in embedding units (embeddings are unit vectors).
        noise: variance of the targets about the process.
        features: number of random Fourier features (default: the exact process, without any).
        momentum: how much of the moving-average network remains at each step, in [0, 1).
        width: embedding width D.
        hidden: width of the projector's hidden layers.
        seed: determines the random Fourier features.
    """
    kernel = RBF(length, learned=False)
    process: GaussianProcess | FourierProcess = (
        GaussianProcess(width, width, kernel, noise, learned=False)
        if features is None
        else FourierProcess(width, width, kernel, features, noise, learned=False, seed=seed)
    )
    return Method(DualGJE(process), projector(width, hidden), momentum)


def gmje(
    *, components: int = 50, entropy: float = 1.0, sphere: bool = True, width: int = 128, hidden: int | None = 512
) -> Method:
    """GMJE: joint embeddings are likely under learned prototypes with a learned shared covariance.

    Args:
        components: number of prototypes K.
        entropy: weight of the views' entropies.
        sphere: whether embeddings are unit vectors.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    scale = LearnedScale(2 * width, start=width**-0.5)  # a unit vector's coordinates have about this deviation
    density = Prototypes(2 * width, components, split=width, scale=scale, sphere=sphere)
    return Method(GMJE(density, entropy=entropy), projector(width, hidden))


def gmje_gng(  # noqa: PLR0913 (a recipe's signature is its command line)
    *,
    most: int = 100,
    every: int = 2000,
    utility: float | None = 20.0,
    moves: Literal["gas", "both"] = "gas",
    covariance: Literal["shared", "own"] = "shared",
    entropy: float = 1.0,
    sphere: bool = True,
    width: int = 128,
    hidden: int | None = 512,
) -> Method:
    """GMJE-GNG: prototypes are vertices of a graph that grows while the encoder learns, as many as the data ask for.

    Args:
        most: number of prototypes at which the graph stops growing.
        every: pairs of views between two new prototypes; each sample of a batch gives two.
        utility: how many times the largest error of a prototype may exceed what the least useful one saves, before
            that is removed; null removes only prototypes without neighbours.
        moves: what moves the prototypes: the gas, or both the gas and the gradient.
        covariance: whether all prototypes share one covariance, or each has its own.
        entropy: weight of the views' entropies.
        sphere: whether embeddings are unit vectors.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    # Moving means take in about 1 / winner samples, errors those between five new prototypes.
    growth = Growth(winner=0.02, neighbour=0.001, every=every, age=100, decay=1 - 0.2 / every)
    components, floor = (1, 0.01) if covariance == "shared" else (most, 0.1)
    scale = MovingScale(2 * width, components, start=width**-0.5, floor=floor)
    density = GrowingPrototypes(
        2 * width, width, most, growth=growth, utility=utility, scale=scale, moves=moves, sphere=sphere
    )
    return Method(GMJE(density, entropy=entropy), projector(width, hidden))


def gmje_mdn(
    *,
    components: int = 10,
    guard: float = 1.0,
    entropy: float = 1.0,
    sphere: bool = True,
    width: int = 64,
    hidden: int | None = 512,
) -> Method:
    """GMJE-MDN: a network predicts a mixture of one view's embedding from the other's.

    Args:
        components: number of components of the predicted mixture.
        guard: weight of the context's likelihood.
        entropy: weight of the views' entropies.
        sphere: whether embeddings are unit vectors. Others can be predicted well by differing in length alone, and then
            the encoder learns less.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    density = MixtureDensityNetwork(width, width, components, hidden=(256, 256))
    return Method(ConditionalGMJE(density, guard=guard, entropy=entropy, sphere=sphere), projector(width, hidden))


def naive_gje(*, ridge: float = 1e-6, width: int = 64, hidden: int | None = 512) -> Method:
    """A demonstration that collapses: the joint likelihood with the batch's own covariance (the trace trap).

    Args:
        ridge: added to the diagonal of the covariance, in squared embedding units.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(NaiveGJE(ridge), projector(width, hidden))

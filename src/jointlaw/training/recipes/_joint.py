"""Recipes that maximise a joint likelihood of context and target (Huang 2026)."""

from typing import Literal

from jointlaw import _check as check
from jointlaw.banks import Particles
from jointlaw.densities._gas_graph import Growth
from jointlaw.densities._growing import GrowingPrototypes
from jointlaw.densities._kernels import RBF, Linear
from jointlaw.densities._network import MixtureDensityNetwork
from jointlaw.densities._process import FourierProcess, GaussianProcess
from jointlaw.densities._prototypes import Prototypes
from jointlaw.densities._scales import LearnedScale, MovingScale
from jointlaw.objectives._gje import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.objectives._gmje import GMJE, ConditionalGMJE
from jointlaw.objectives._smc import SMCGMJE
from jointlaw.training.recipes._contrastive import Resampling
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


def primal_hsic(*, dependence: float = 15.0, entropy: float = 1.0, width: int = 32, hidden: int | None = 512) -> Method:
    """Primal HSIC: views depend on each other as much as they can, by kernels, and each fills the sphere.

    Args:
        dependence: weight of the views' dependence. At about twice as much embeddings fall into a few tight clusters.
        entropy: weight of the views' own entropies.
        width: embedding width D. Keep it small: in many dimensions unit vectors are all equally far apart, and kernels
            see no dependence before embeddings cluster.
        hidden: width of the projector's hidden layers.
    """
    return Method(PrimalHSIC(dependence=dependence, entropy=entropy), projector(width, hidden))


def dual_gje(  # noqa: PLR0913 (a recipe's signature is its command line)
    *,
    kernel: Literal["rbf", "linear"] = "rbf",
    length: float | None = None,
    noise: float = 0.1,
    features: int | None = None,
    momentum: float = 0.99,
    width: int = 128,
    hidden: int | None = 512,
    seed: int = 0,
) -> Method:
    """Dual GJE: a moving-average network's embeddings are a Gaussian process of the context.

    Args:
        kernel: of smooth functions (rbf), or of linear ones (linear), with which the loss is that of a single Gaussian.
        length: length scale of the kernel, in embedding units (embeddings are unit vectors; default: 1.5 for rbf, 4 for
            linear, which divides contexts by it). A linear kernel of length 1 lets embeddings draw together.
        noise: variance of the targets about the process.
        features: number of random Fourier features, which rbf alone has (default: the exact process, without any).
        momentum: how much of the moving-average network remains at each step, in [0, 1].
        width: embedding width D.
        hidden: width of the projector's hidden layers.
        seed: determines the random Fourier features.
    """
    process = (
        _linear_process(width, 4.0 if length is None else length, noise, features)
        if kernel == "linear"
        else _smooth_process(width, 1.5 if length is None else length, noise, features, seed)
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
    check.at_least("gmje", 1, width=width)
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
    check.at_least("gmje-gng", 1, width=width, every=every)
    if covariance not in ("shared", "own"):
        raise ValueError(f'gmje-gng: expected covariance "shared" or "own", found {covariance!r}. Choose one of them.')
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


def smc_gmje_joint(  # noqa: PLR0913 (a recipe's signature is its command line)
    *,
    bank: int = 1024,
    resampling: Resampling = "systematic",
    threshold: float = 1.0,
    tempering: float = 0.01,
    oldest: int | None = None,
    entropy: float = 1.0,
    sphere: bool = True,
    width: int = 128,
    hidden: int | None = 512,
    seed: int = 0,
) -> Method:
    """SMC-GMJE, general: pairs are likely under a set of past pairs as particles, in a learned metric.

    Args:
        bank: number of particles, each a pair of views; a batch brings two or more for each sample.
        resampling: the method of drawing particles in proportion to their weights.
        threshold: resample when the effective sample size falls below this share of the bank; 1 is every step.
        tempering: power to which the likelihood of the pairs is raised in the particles' weights, in [0, 1]. At 1, as
            published, only the newest batch is remembered: in so many dimensions a pair is far likelier about itself
            than about any other.
        oldest: steps that a particle may stay in the bank (default: no limit).
        entropy: weight of the views' entropies.
        sphere: whether embeddings are unit vectors.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
        seed: determines which particles are resampled.
    """
    particles = Particles(
        bank,
        2 * width,
        temperature=1.0,  # the metric has the scale
        resampling=resampling,
        threshold=threshold,
        tempering=tempering,
        oldest=oldest,
        seed=seed,
    )
    return Method(SMCGMJE(particles, entropy=entropy, sphere=sphere), projector(width, hidden))


def naive_gje(*, ridge: float = 1e-6, width: int = 64, hidden: int | None = 512) -> Method:
    """A demonstration that collapses: the joint likelihood with the batch's own covariance (the trace trap).

    Args:
        ridge: added to the diagonal of the covariance, in squared embedding units.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(NaiveGJE(ridge), projector(width, hidden))


def _smooth_process(
    width: int, length: float, noise: float, features: int | None, seed: int
) -> GaussianProcess | FourierProcess:
    kernel = RBF(length, learned=False)
    if features is None:
        return GaussianProcess(width, width, kernel, noise, learned=False)
    return FourierProcess(width, width, kernel, features, noise, learned=False, seed=seed)


def _linear_process(width: int, length: float, noise: float, features: int | None) -> GaussianProcess:
    if features is not None:
        raise ValueError(
            f"dual-gje: expected no random features with a linear kernel, found features={features}. Leave them out: "
            "they estimate kernels of differences."
        )
    check.positive("dual-gje", length=length)
    return GaussianProcess(width, width, Linear(length**-2, learned=False), noise, learned=False)

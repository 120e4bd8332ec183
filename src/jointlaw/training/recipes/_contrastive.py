"""Recipes that tell a sample's views from other samples."""

from typing import Literal

from jointlaw.banks import FIFO, Particles
from jointlaw.objectives._contrastive import NCL, MoCo, SimCLR
from jointlaw.training.recipes._method import Method, projector

Resampling = Literal["systematic", "stratified", "multinomial", "residual"]


def simclr(*, temperature: float = 0.5, width: int = 128, hidden: int | None = 512) -> Method:
    """SimCLR: other samples of the batch are the negatives (Chen et al. 2020).

    Args:
        temperature: similarities are divided by it before the softmax (the paper's is 0.5 for small images).
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(SimCLR(temperature), projector(width, hidden))


def ncl(*, temperature: float = 0.2, width: int = 512, hidden: int | None = None) -> Method:
    """Non-negative contrastive learning: SimCLR on rectified embeddings (Wang et al. 2024).

    Args:
        temperature: similarities are divided by it before the softmax.
        width: embedding width D.
        hidden: width of the projector's hidden layers (default: width).
    """
    return Method(NCL(temperature), projector(width, hidden))


def moco(
    *,
    bank: int = 4096,
    temperature: float = 0.2,
    symmetric: bool = True,
    momentum: float = 0.99,
    width: int = 128,
    hidden: int | None = 512,
) -> Method:
    """MoCo v2: negatives from a queue of past embeddings of a moving-average network (Chen et al. 2020).

    Args:
        bank: number of embeddings in the queue.
        temperature: similarities are divided by it before the softmax.
        symmetric: whether every view is both query and key; otherwise the last view gives the keys of the others.
        momentum: how much of the moving-average network remains at each step, in [0, 1].
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(MoCo(FIFO(bank, width), temperature, symmetric=symmetric), projector(width, hidden), momentum)


def smc_gmje(  # noqa: PLR0913 (a recipe's signature is its command line)
    *,
    bank: int = 256,
    temperature: float = 0.1,
    resampling: Resampling = "systematic",
    threshold: float = 1.0,
    tempering: float = 1.0,
    oldest: int | None = None,
    symmetric: bool = True,
    momentum: float = 0.99,
    width: int = 128,
    hidden: int | None = 512,
    seed: int = 0,
) -> Method:
    """SMC-GMJE: MoCo whose bank is a set of particles, weighted and resampled by likelihood (Huang 2026).

    Args:
        bank: number of particles.
        temperature: similarities are divided by it before the softmax, and in the particles' weights.
        resampling: the method of drawing particles in proportion to their weights.
        threshold: resample when the effective sample size falls below this share of the bank; 1 is every step.
        tempering: power to which the likelihood of the queries is raised, in [0, 1].
        oldest: steps that a particle may stay in the bank (default: no limit).
        symmetric: whether every view is both query and key; otherwise the last view gives the keys of the others.
        momentum: how much of the moving-average network remains at each step, in [0, 1].
        width: embedding width D.
        hidden: width of the projector's hidden layers.
        seed: determines which particles are resampled.
    """
    particles = Particles(
        bank,
        width,
        temperature,
        resampling=resampling,
        threshold=threshold,
        tempering=tempering,
        oldest=oldest,
        seed=seed,
    )
    return Method(MoCo(particles, temperature, symmetric=symmetric), projector(width, hidden), momentum)

"""Recipes that predict one view's embedding, or cluster, from another's."""

from jointlaw.objectives._predictive import BYOL, JEPA
from jointlaw.objectives._swav import SwAV
from jointlaw.training.recipes._method import Method, projector


def byol(*, predictor: int = 1024, momentum: float = 0.99, width: int = 256, hidden: int | None = 1024) -> Method:
    """BYOL: predict the direction of a moving-average network's embedding (Grill et al. 2020).

    Args:
        predictor: width of the predictor's hidden layer.
        momentum: how much of the moving-average network remains at each step, in [0, 1].
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(BYOL(width, predictor), projector(width, hidden, bias=False), momentum)


def jepa(
    *, predictor: int | None = None, momentum: float = 0.99, width: int = 256, hidden: int | None = 1024
) -> Method:
    """JEPA: predict a moving-average network's embedding by squared error (Assran et al. 2023, without masking).

    Args:
        predictor: width of the predictor's hidden layer (default: the objective's own).
        momentum: how much of the moving-average network remains at each step, in [0, 1].
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    return Method(JEPA(width, predictor), projector(width, hidden, bias=False), momentum)


def swav(
    *,
    prototypes: int = 300,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    queue: int = 0,
    frozen: int = 100,
    width: int = 128,
    hidden: int | None = 512,
) -> Method:
    """SwAV: views predict each other's assignment to prototypes (Caron et al. 2020).

    Args:
        prototypes: number of prototypes K.
        temperature: similarities are divided by it before the softmax over prototypes.
        epsilon: scores are divided by it before Sinkhorn's algorithm; smaller values give harder assignments.
        queue: number of past embeddings per view that are assigned together with the batch.
        frozen: number of steps before the prototypes begin to learn.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    objective = SwAV(width, prototypes, temperature=temperature, epsilon=epsilon, queue=queue, frozen=frozen)
    return Method(objective, projector(width, hidden))

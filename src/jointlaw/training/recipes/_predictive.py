"""Recipes that predict one view's embedding, or cluster, from another's."""

from jointlaw.objectives._predictive import BYOL, JEPA
from jointlaw.objectives._swav import SwAV
from jointlaw.training.recipes._method import Method, projector


def byol(*, predictor: int = 1024, momentum: float = 0.99, width: int = 256, hidden: int | None = 1024) -> Method:
    """BYOL: predict the direction of a moving-average network's embedding (Grill et al. 2020).

    Args:
        predictor: width of the predictor's hidden layer.
        momentum: of the moving average.
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
        momentum: of the moving average.
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
        prototypes: K.
        temperature: of the softmax over prototypes.
        epsilon: of Sinkhorn.
        queue: past embeddings per view that share in the assignment.
        frozen: steps before the prototypes learn.
        width: embedding width D.
        hidden: width of the projector's hidden layers.
    """
    objective = SwAV(width, prototypes, temperature=temperature, epsilon=epsilon, queue=queue, frozen=frozen)
    return Method(objective, projector(width, hidden))

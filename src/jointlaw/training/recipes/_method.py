"""What a recipe chooses."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from jointlaw.networks import Projector
from jointlaw.objectives._objective import Objective
from jointlaw.training._health import Limits


class Method(NamedTuple):
    """What a recipe chooses.

    Attributes:
        objective: judges the embeddings.
        projector: makes the projector for a backbone of a given width.
        momentum: of the moving-average network, for objectives that ask for one.
        limits: what counts as collapse, for the alarm in training and for the judgement.
    """

    objective: Objective
    projector: Callable[[int], nn.Module]
    momentum: float = 0.99
    limits: Limits = Limits()


def projector(width: int, hidden: int | None, bias: bool = True) -> Callable[[int], nn.Module]:
    """The three-layer projector, whose input width is not known yet.

    An objective to which the mean of a unit is nothing wants no bias at the end: the gradient would be rounding error,
    which Adam and the like scale up to whole steps.
    """
    return partial(Projector, width=width, hidden=hidden, bias=bias)

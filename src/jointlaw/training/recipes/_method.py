"""What a recipe returns: an objective, a projector, and what goes with them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import nn

from jointlaw import _check as check
from jointlaw.networks import Projector
from jointlaw.objectives._objective import Objective
from jointlaw.training._health import Limits


class Method(NamedTuple):
    """What a recipe chooses.

    Attributes:
        objective: judges the embeddings.
        projector: makes the projector for a backbone of a given width.
        momentum: how much of the moving-average network remains at each step, for objectives that ask for one.
        limits: the vital signs that count as collapse, in training and in the judgement.

    >>> from jointlaw.objectives import VICReg
    >>> Method(VICReg(), lambda features: nn.Linear(features, 64)).projector(256).weight.shape
    torch.Size([64, 256])
    """

    objective: Objective
    projector: Callable[[int], nn.Module]
    momentum: float = 0.99
    limits: Limits = Limits()


def projector(width: int, hidden: int | None, bias: bool = True) -> Callable[[int], nn.Module]:
    """A function that makes the three-layer projector, once the width of the backbone is known.

    Where the loss does not see the mean of a unit, the last layer should have no bias: its gradient would be nothing
    but rounding error, which Adam scales up to whole steps.
    """
    check.at_least("projector", 1, width=width, **({} if hidden is None else {"hidden": hidden}))
    return partial(Projector, width=width, hidden=hidden, bias=bias)

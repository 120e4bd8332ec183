"""Optimisers with the schedule used throughout the field: linear warm-up, then a cosine down to zero."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn, optim
from torch.optim import AdamW as TorchAdamW
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from jointlaw import _check as check


@dataclass(frozen=True)
class Optimizer(ABC):
    """A recipe for an optimiser and its schedule.

    Args:
        learning_rate: the peak, reached at the end of the warm-up.
        weight_decay: applied to matrices and filters only, never to biases and normalisation.
        warmup: share of all steps spent warming up linearly.

    Raises:
        ValueError: if a number is out of range.

    >>> recipe: Optimizer = SGD(learning_rate=1.0, warmup=0.5)
    >>> schedule = recipe.schedule(recipe.build([nn.Linear(3, 2)]), steps=4)
    >>> [round(rate, 2) for rate in schedule.get_last_lr()]  # of matrices, of vectors
    [0.33, 0.33]
    """

    learning_rate: float
    weight_decay: float
    warmup: float

    def __post_init__(self) -> None:
        check.positive(type(self).__name__, learning_rate=self.learning_rate)
        check.non_negative(type(self).__name__, weight_decay=self.weight_decay)
        if not 0 <= self.warmup < 1:
            raise ValueError(
                f"{type(self).__name__}: expected 0 <= warmup < 1, found {self.warmup}. It is a share of all steps."
            )

    @abstractmethod
    def build(self, modules: Iterable[nn.Module]) -> TorchOptimizer:
        """The optimiser over all trainable parameters of ``modules``."""

    def schedule(self, optimizer: TorchOptimizer, steps: int) -> LRScheduler:
        """Warm-up and cosine over ``steps`` optimiser steps; call its ``step`` after each."""
        warm = max(1, round(self.warmup * steps))

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / (warm + 1)
            return (1 + math.cos(math.pi * min(1, (step - warm) / max(1, steps - warm)))) / 2

        return LambdaLR(optimizer, factor)

    def groups(self, modules: Iterable[nn.Module]) -> list[dict[str, object]]:
        """Parameter groups: decayed matrices and filters, undecayed vectors and scalars."""
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay: the choice for short runs and small batches.

    >>> [group["weight_decay"] for group in AdamW().build([nn.Linear(3, 2)]).param_groups]
    [0.01, 0.0]
    """

    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05

    def build(self, modules: Iterable[nn.Module]) -> TorchOptimizer:
        """See ``Optimizer.build``."""
        return TorchAdamW(self.groups(modules), lr=self.learning_rate)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum: what the papers use for ResNets at usual batch sizes.

    Args:
        momentum: share of the last step that is added to the next one, in [0, 1).

    Raises:
        ValueError: if a number is out of range.

    >>> SGD(learning_rate=0.1).build([nn.Linear(3, 2)]).defaults["momentum"]
    0.9
    """

    learning_rate: float = 0.06
    weight_decay: float = 5e-4
    warmup: float = 0.0
    momentum: float = 0.9

    def build(self, modules: Iterable[nn.Module]) -> TorchOptimizer:
        """See ``Optimizer.build``."""
        return optim.SGD(self.groups(modules), lr=self.learning_rate, momentum=self.momentum)


@dataclass(frozen=True)
class LARS(Optimizer):
    """Layer-wise adaptive SGD with momentum, as the papers use it for ResNets (needs ``jointlaw[vision]``: timm).

    Args:
        momentum: share of the last step that is added to the next one, in [0, 1).
        trust: a layer's step is as long as this share of its weights, times the learning rate.
        clip: whether to limit a layer's step to that of plain SGD; the learning rate is then an upper bound only.

    Raises:
        ValueError: if a number is out of range.

    >>> LARS(learning_rate=1.0)
    LARS(learning_rate=1.0, weight_decay=0.0001, warmup=0.1, momentum=0.9, trust=0.001, clip=False)
    """

    learning_rate: float = 0.3
    weight_decay: float = 1e-4
    warmup: float = 0.1
    momentum: float = 0.9
    trust: float = 1e-3
    clip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check.positive("LARS", trust=self.trust)

    def build(self, modules: Iterable[nn.Module]) -> TorchOptimizer:
        """See ``Optimizer.build``."""
        from timm.optim.lars import Lars  # the extra `vision` brings it

        matrices, vectors = self.groups(modules)
        optimizer: TorchOptimizer = Lars(
            [{**matrices, "always_adapt": True}, vectors],  # left to itself, timm adapts what decays
            lr=self.learning_rate,
            momentum=self.momentum,
            trust_coeff=self.trust,
            trust_clip=self.clip,
        )
        return optimizer

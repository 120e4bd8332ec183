"""Fit a density to arrays by gradient."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from jointlaw import _check as check


@runtime_checkable
class Descending(Protocol):
    """A density with a loss to descend; ``loss`` and ``update`` take the same tensors."""

    @property
    def loss(self) -> Callable[..., Tensor]:
        """The scalar to minimise."""

    @property
    def update(self) -> Callable[..., None]:
        """What follows the batches without gradient."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What the optimiser moves."""


def descend(
    density: Descending,
    *data: Tensor,
    epochs: int = 1200,
    lr: float = 0.01,
    batch: int | None = None,
    anneal: bool = True,
    seed: int = 0,
) -> list[float]:
    """Minimise ``density.loss(*data)`` with Adam, calling ``density.update(*data)`` after every step.

    Args:
        density: such as ``MixtureDensityNetwork`` or ``Deterministic`` (data: context, target) or ``Prototypes``
            (data: the joint vectors).
        *data: tensors ``[B, ...]`` of paired samples, on the density's device and in its dtype.
        epochs: passes over the data.
        lr: learning rate at the start.
        batch: samples per step (default: all of them); the last, smaller batch of a pass is used too.
        anneal: let the learning rate fall to zero along a cosine, without which the end is left to Adam's last jump.
        seed: of the order of samples.

    Returns:
        The loss of every epoch: the mean over its samples, each before the step that it led to.

    Raises:
        ValueError: if a number is below its least value, tensors hold different numbers of samples, or the loss
            becomes NaN or infinite.

    >>> from jointlaw.densities._deterministic import Deterministic
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> history = descend(Deterministic(1, 1), x, x.square(), epochs=100)
    >>> history[-1] < history[0]
    True
    """
    count = _count(data)
    batch = count if batch is None else batch
    check.at_least("descend", 1, epochs=epochs, batch=batch)
    check.positive("descend", lr=lr)
    optimiser = torch.optim.Adam(density.parameters(), lr)
    generator = torch.Generator().manual_seed(seed)
    history = []
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2 if anneal else lr
        total = 0.0
        for part in _batches(data, batch, generator):
            loss = density.loss(*part)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            density.update(*part)
            total += loss.item() * len(part[0]) / count
        if not math.isfinite(total):
            raise ValueError(
                f"descend: expected a finite loss, found {total} in epoch {epoch + 1}. "
                "Lower lr, or look for NaN and very large values in the data."
            )
        history.append(total)
    return history


def _count(data: tuple[Tensor, ...]) -> int:
    sizes = [len(x) for x in data]
    if not sizes or len(set(sizes)) > 1 or sizes[0] < 1:
        raise ValueError(
            f"descend: expected tensors of one number of samples, found {sizes}. "
            "Pass the same samples in the same order."
        )
    return sizes[0]


def _batches(data: tuple[Tensor, ...], batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
    count = len(data[0])
    if batch >= count:
        yield data
        return
    for rows in torch.split(torch.randperm(count, generator=generator), batch):
        yield tuple(x[rows.to(x.device)] for x in data)

"""Minimise a loss over arrays by gradient: how densities are fitted that have no closed form."""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from jointlaw import _check as check


def descend(
    loss: Callable[..., Tensor],
    parameters: Iterable[nn.Parameter],
    *data: Tensor,
    after: Callable[..., object] | None = None,
    epochs: int = 1200,
    lr: float = 0.01,
    batch: int | None = None,
    seed: int = 0,
) -> list[float]:
    """Minimise ``loss(*data)`` over the parameters with Adam, whose learning rate falls to zero along a cosine.

    Args:
        loss: the scalar to minimise, of a batch: ``network.loss`` of a `MixtureDensityNetwork` (data: context and
            target), ``prototypes.loss`` of `Prototypes` (data: joint embeddings), or a function of one's own.
        parameters: what is moved, ``network.parameters()``.
        *data: tensors ``[N, ...]``, row by row of the same N samples; a batch is a choice of rows.
        after: called with each batch after its step, such as ``prototypes.update`` where a covariance is to follow.
        epochs: passes over the data.
        lr: learning rate at the start.
        batch: samples per step (default: all of them); the last, smaller batch of a pass is used too.
        seed: determines in which order samples come.

    Returns:
        The loss of every epoch: the mean over its samples, each before the step that it led to.

    Raises:
        ValueError: if a number is below its least value, tensors hold different numbers of samples, or the loss
            becomes NaN or infinite.

    >>> from jointlaw.densities import Deterministic
    >>> x, density = torch.linspace(-1, 1, 50)[:, None], Deterministic(1, 1)
    >>> history = descend(density.loss, density.parameters(), x, x.square(), epochs=100)
    >>> history[-1] < history[0]
    True
    """
    count = _count(data)
    batch = count if batch is None else batch
    check.at_least("descend", 1, epochs=epochs, batch=batch)
    check.positive("descend", lr=lr)
    optimiser = torch.optim.Adam(parameters, lr)
    generator = torch.Generator().manual_seed(seed)
    history = []
    for epoch in range(epochs):
        optimiser.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2
        total = 0.0
        for part in _batches(data, batch, generator):
            value = loss(*part)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if after is not None:
                after(*part)
            total += value.item() * len(part[0]) / count
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

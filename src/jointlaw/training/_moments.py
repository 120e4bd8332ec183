"""Moments of batch normalisation as the present weights make them; its running averages lag behind the weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

ROWS = 1024
"""Samples that moments are averaged over, or one batch where that is more."""


def random_batches(samples: int, batch: int, generator: Generator) -> Sequence[Tensor]:
    """Positions of up to 1,024 random samples, in batches that are all full: each counts alike in an average.

    >>> [len(rows) for rows in random_batches(1500, 300, torch.Generator())]
    [300, 300, 300]
    """
    size = min(batch, samples)
    order = torch.randperm(samples, generator=generator)
    return torch.split(order[: max(1, min(ROWS, samples) // size) * size], size)


def followers(*networks: nn.Module) -> list[_BatchNorm]:
    """The batch normalisations whose running moments follow the batches: those of frozen networks do not.

    A layer is frozen if it is in evaluation mode.

    >>> len(followers(nn.Sequential(nn.BatchNorm1d(4), nn.BatchNorm1d(4).eval())))
    1
    """
    layers = [layer for network in networks for layer in network.modules() if isinstance(layer, _BatchNorm)]
    return [layer for layer in layers if layer.training and layer.track_running_stats]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every module is in its own mode again, so that what was frozen stays so."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def averaging(network: nn.Module, layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """Make running moments anew: the average over the batches that pass through, each of equal weight.

    ``torch.optim.swa_utils.update_bn`` computes the same, but with the whole network in training mode. Here all but
    ``layers`` is in evaluation mode: dropout would add a variance that the network in use does not have.
    """
    momenta = [layer.momentum for layer in layers]
    with evaluating(network):
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
            layer.momentum = None  # torch's word for the average of all batches since the reset
        try:
            with torch.compiler.set_stance("force_eager"):  # not worth compiling anew
                yield
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum

"""Points drawn from a fitted density, brought back to whole representations; and pairs of half and whole images."""

from collections.abc import Iterator
from enum import StrEnum

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.data import Batches, Source
from jointlaw.densities._density import Density
from jointlaw.evaluation._embed import Embedder, embed
from jointlaw.evaluation._joint import PairTable, Reduction, conditional_law, target_law
from jointlaw.evaluation._table import Which
from jointlaw.types import Views


class Half(StrEnum):
    """The half of an image that is seen.

    >>> [half.value for half in Half]
    ['left', 'top']
    """

    left = "left"
    top = "top"


_PIXELS = 1000  # images that the median pixel is taken over


def expand(reduction: Reduction, y: Tensor) -> Tensor:
    """Representations ``[*, F]`` from principal components ``[*, r]``; all other directions are set to their mean."""
    return y @ reduction.directions.T + reduction.loc


@torch.no_grad()
def draw(density: Density, reduction: Reduction, count: int, seed: int = 0) -> Tensor:
    """Draw representations ``[count, F]`` of one view: the joint law's marginal over the target.

    Raises:
        ValueError: if the density has no joint law.
    """
    check.at_least("sample", 1, count=count)
    dim = reduction.directions.shape[1]
    return expand(reduction, target_law(density, dim).sample((count,), torch.Generator().manual_seed(seed)))


@torch.no_grad()
def draw_given(density: Density, reduction: Reduction, context: Tensor, count: int, seed: int = 0) -> Tensor:
    """Draw ``count`` representations of the target given each of the contexts ``[N, F]``: ``[N, count, F]``.

    Raises:
        ValueError: if the density's conditional law is neither a Gaussian nor a mixture.
    """
    check.at_least("sample", 1, count=count)
    law = conditional_law(density, reduction(context))
    return expand(reduction, law.sample((count,), torch.Generator().manual_seed(seed))).transpose(0, 1)


def hide(images: Tensor, seen: Half, fill: Tensor) -> Tensor:
    """Images ``[B, C, H, W]`` with one half hidden. Where the side is odd, the half that is seen is the larger one.

    Args:
        images: uint8 images.
        seen: the half that stays as it is.
        fill: ``[C]``, the colour that the other half gets.
    """
    half = images.clone()
    hidden = half[..., -(-images.shape[-1] // 2) :] if seen == Half.left else half[..., -(-images.shape[-2] // 2) :, :]
    hidden.copy_(fill[:, None, None].expand_as(hidden[0]))
    return half


def median_pixel(source: Source) -> Tensor:
    """The median of each channel ``[C]`` over 1,000 images: black where the ground is black, a mid-tone in photographs.

    Raises:
        ValueError: if the samples are no images.
    """
    if len(source.shape) != 3:
        raise ValueError(f"sample: expected images, found vectors of width {source.shape[0]}. Halves need images.")
    few = torch.linspace(0, len(source) - 1, min(_PIXELS, len(source))).long()
    return source.read(few).transpose(0, 1).flatten(1).median(1).values


def half_pairs(embedder: Embedder, source: Source, which: Which, seen: Half, fill: Tensor) -> PairTable:
    """Representations of every sample, both in clean views: of its seen half (context) and of the whole (target)."""
    context = embed(embedder.learner, _halves(embedder, source, seen, fill))
    return PairTable(context.part(which), embedder.clean(source).part(which))


def _halves(embedder: Embedder, source: Source, seen: Half, fill: Tensor) -> Iterator[Views]:
    for raw in Batches(source, embedder.batch, shuffle=False, drop_last=False):
        yield Views([embedder.views.clean(hide(raw.images, seen, fill))], raw.label, raw.index)

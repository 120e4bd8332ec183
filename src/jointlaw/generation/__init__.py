"""Generation: from representations back to images, and how good drawn images are.

`train_decoder` makes a `TrainedDecoder`, which turns a frozen encoder's representations back into images; `Decoding`
says how. `Half` is the part of an image from which the whole is completed. `overlap` (an `Overlap` of four figures),
`memorisation` and the `imbalance` of classes judge sets of samples, `latent_geometry` measures a latent law:

>>> import torch
>>> from jointlaw.generation import overlap
>>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
>>> overlap(x, x + 100).coverage, overlap(x, x).coverage
(0.0, 1.0)
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.generation._decoder import Decoding, TrainedDecoder, train_decoder
    from jointlaw.generation._latents import Half
    from jointlaw.generation._quality import Overlap, imbalance, latent_geometry, memorisation, overlap

__all__ = [
    "Decoding",
    "Half",
    "Overlap",
    "TrainedDecoder",
    "imbalance",
    "latent_geometry",
    "memorisation",
    "overlap",
    "train_decoder",
]

__getattr__, __dir__ = attach(
    __name__,
    _decoder="Decoding TrainedDecoder train_decoder",
    _latents="Half",
    _quality="Overlap imbalance latent_geometry memorisation overlap",
)

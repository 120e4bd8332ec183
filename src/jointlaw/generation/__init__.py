"""Generation: from representations back to images, and how good drawn images are.

`train_decoder` turns a frozen encoder's representations back into images; `draw` and `draw_given` take points from a
fitted density. `overlap` and `memorisation` compare sets of samples, `latent_geometry` measures a latent law:

>>> import torch
>>> from jointlaw.generation import overlap
>>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
>>> overlap(x, x + 100).coverage, overlap(x, x).coverage
(0.0, 1.0)
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.generation._decoder import Decoding, Surface, TrainedDecoder, reconstruction_error, train_decoder
    from jointlaw.generation._latents import Half, draw, draw_given, hide
    from jointlaw.generation._quality import Overlap, imbalance, latent_geometry, memorisation, overlap

__all__ = [
    "Decoding",
    "Half",
    "Overlap",
    "Surface",
    "TrainedDecoder",
    "draw",
    "draw_given",
    "hide",
    "imbalance",
    "latent_geometry",
    "memorisation",
    "overlap",
    "reconstruction_error",
    "train_decoder",
]

__getattr__, __dir__ = attach(
    __name__,
    _decoder="Decoding Surface TrainedDecoder reconstruction_error train_decoder",
    _latents="Half draw draw_given hide",
    _quality="Overlap imbalance latent_geometry memorisation overlap",
)

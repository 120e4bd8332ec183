"""Decoders: turn a frozen encoder's representations back into images; how they are trained, and their file."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from jointlaw import _check as check
from jointlaw._files import metadata
from jointlaw.data import Source
from jointlaw.densities import descend
from jointlaw.evaluation._table import Which
from jointlaw.networks import Decoder
from jointlaw.training._moments import random_batches

_ROWS = 1024  # samples decoded at a time: bounds the memory, does not change the values


class Surface(NamedTuple):
    """The surface on which representations lie, judged by samples of them; drawn points off it are moved to it.

    Attributes:
        positive: whether no coordinate is below zero (rectified units).
        unit: whether every vector has length 1.

    >>> Surface.of(torch.tensor([[0.6, 0.8], [1.0, 0.0]]))(torch.tensor([[3.0, -1.0]]))
    tensor([[1., 0.]])
    """

    positive: bool
    unit: bool

    @classmethod
    def of(cls, x: Tensor) -> "Surface":
        """The surface of representations ``[N, F]``; lengths count as 1 if they are within a thousandth of it."""
        length = torch.linalg.vector_norm(x, dim=-1)
        return cls(bool((x >= 0).all()), bool(((length - 1).abs() < 1e-3).all()))

    def __call__(self, x: Tensor) -> Tensor:
        """Bring points ``[*, F]`` to the surface: negative coordinates to zero, then lengths to one."""
        x = x.clamp(min=0) if self.positive else x
        return nn.functional.normalize(x, dim=-1) if self.unit else x


@dataclass(frozen=True)
class Decoding:
    """How a decoder is trained.

    Args:
        which: what the decoder reads: features of the backbone or embeddings of the projector.
        epochs: number of passes over the samples.
        batch: number of samples per step.
        learning_rate: learning rate of Adam at the start; it falls to zero along a cosine.
        width: number of channels of the decoder before its last convolution.
        seed: determines initial weights and the order of samples.

    Raises:
        ValueError: if a number is out of range.

    >>> Decoding(epochs=5).which
    <Which.features: 'features'>
    """

    which: Which = Which.features
    epochs: int = 20
    batch: int = 256
    learning_rate: float = 1e-3
    width: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        check.at_least("decode", 1, epochs=self.epochs, width=self.width)
        check.at_least("decode", 2, batch=self.batch)
        check.at_least("decode", 0, seed=self.seed)
        check.positive("decode", learning_rate=self.learning_rate)


@dataclass(frozen=True, eq=False)
class TrainedDecoder:
    """A trained decoder, ready to turn drawn points into images.

    Attributes:
        decoder: the network, in evaluation mode.
        surface: the surface of the representations that it was trained on.
        settings: how it was trained.

    >>> from jointlaw.data import as_source
    >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    >>> trained = train_decoder(torch.rand(4, 3), as_source(images), Decoding(epochs=1, width=4))
    >>> trained(torch.rand(2, 3)).shape, trained.settings.epochs
    (torch.Size([2, 1, 8, 8]), 1)
    """

    decoder: Decoder
    surface: Surface
    settings: Decoding

    def __call__(self, latent: Tensor) -> Tensor:
        """Images uint8 ``[N, C, H, W]`` of representations ``[N, F]``, which are brought to the surface first."""
        return decode(self.decoder, self.surface(latent))


def train_decoder(
    latent: Tensor, source: Source, settings: Decoding, advance: Callable[[int], None] = lambda _: None
) -> TrainedDecoder:
    r"""Train a decoder to turn representations back into the images that they were made of.

    .. math:: \frac{1}{B C H W} \sum \left(D(z_b) - x_b\right)^2

    with pixels x in shares of full brightness. Adam, whose learning rate falls along a cosine. The images are the
    source's own, neither augmented nor normalised.

    Args:
        latent: ``[N, F]``, one representation for each of the source's samples, in order; the decoder is trained on
            its device.
        source: the images.
        settings: how to train.
        advance: called after each step with the number of its samples, for a progress bar.

    Raises:
        ValueError: if the numbers of samples differ, there are fewer than two, or the samples are no small images.

    Source: Huang (2026), arXiv 2603.26799, appendix P.4.4.
    Differs from the authors' code in: the representations are standardised instead of scaled to unit length; the
    learning rate falls.

    >>> from jointlaw.data import as_source
    >>> source = as_source(torch.zeros(4, 1, 8, 8, dtype=torch.uint8))
    >>> train_decoder(torch.rand(4, 3), source, Decoding(epochs=1, width=4))(torch.rand(2, 3)).dtype
    torch.uint8
    """
    if len(latent) != len(source) or len(latent) < 2:
        raise ValueError(
            f"train_decoder: expected a representation for each of two or more images, found {len(latent)} for "
            f"{len(source)}. Embed the whole source, in order."
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        decoder = Decoder(latent.shape[1], source.shape, settings.width).to(latent.device)

    def loss(rows: Tensor, index: Tensor) -> Tensor:
        return nn.functional.mse_loss(decoder(rows), _brightness(source, index).to(rows.device))

    descend(
        loss,
        decoder.train().parameters(),
        latent,
        torch.arange(len(latent)),
        after=lambda rows, _: advance(len(rows)),
        epochs=settings.epochs,
        lr=settings.learning_rate,
        batch=batches_of(settings.batch, len(latent)),
        seed=settings.seed,
    )
    # its running moments lag behind the weights: after a few steps they are those of another network
    some = random_batches(len(latent), settings.batch, torch.Generator().manual_seed(settings.seed))
    update_bn((latent[rows] for rows in some), decoder)
    return TrainedDecoder(decoder.eval(), Surface.of(latent), settings)


def batches_of(most: int, samples: int) -> int:
    """The largest batch size, at most ``most``, whose last batch is not a single sample, which has no batch statistics.

    >>> batches_of(256, 1000), batches_of(256, 1025)
    (256, 255)
    """
    return next(size for size in range(most, 1, -1) if samples % size != 1 or size == 2)


@torch.no_grad()
def decode(decoder: Decoder, latent: Tensor) -> Tensor:
    """Images uint8 ``[N, C, H, W]`` of representations ``[N, F]``, on the CPU."""
    device = next(decoder.parameters()).device
    parts = [decoder(rows.to(device)).mul(255).round().to(torch.uint8).cpu() for rows in torch.split(latent, _ROWS)]
    return torch.cat(parts)


@torch.no_grad()
def reconstruction_error(decoder: Decoder, latent: Tensor, source: Source) -> float:
    """Mean squared error over images and pixels, in squared shares of full brightness."""
    device = next(decoder.parameters()).device
    total = 0.0
    for rows in torch.split(torch.arange(len(latent)), _ROWS):
        error = decoder(latent[rows].to(device)).cpu() - _brightness(source, rows)
        total += error.double().square().flatten(1).mean(1).sum().item()
    return total / len(latent)


def decoder_to_bytes(trained: TrainedDecoder) -> bytes:
    """The content of a safetensors file: a decoder, and the settings of its training."""
    decoder = trained.decoder
    facts = {
        "settings": json.dumps(asdict(trained.settings)),
        "surface": json.dumps(trained.surface._asdict()),
        "shape": json.dumps([decoder.features, *decoder.shape]),
    }
    return save({name: value.cpu().contiguous() for name, value in decoder.state_dict().items()}, facts)


def decoder_from_bytes(content: bytes, where: Path) -> TrainedDecoder:
    """Read back what ``decoder_to_bytes`` gave.

    Args:
        content: the bytes of the file.
        where: the path of the file, for the error.

    Raises:
        ValueError: if the content is not that of a decoder's file.
    """
    try:
        facts, state = metadata(content), load(content)
        kept = json.loads(facts["settings"])
        settings = Decoding(**{**kept, "which": Which(kept["which"])})
        features, *shape = json.loads(facts["shape"])
        decoder = Decoder(features, shape, settings.width)
        decoder.load_state_dict(state)
        return TrainedDecoder(decoder.eval(), Surface(**json.loads(facts["surface"])), settings)
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{where}: expected a decoder written by jointlaw decode, found another file ({error}). Train it anew."
        ) from error


def _brightness(source: Source, index: Tensor) -> Tensor:
    """Images in shares of full brightness."""
    return source.read(index).float() / 255

"""Small networks: encoders for vectors and small images, the projector behind an encoder, and a decoder.

They are plain ``torch.nn.Sequential``; any other module serves as well, and training takes bigger encoders from timm by
name. `MLP` has layers of any widths. `MLPEncoder` is for vectors, `ConvEncoder` for images of 8 to 64 pixels a side;
`Projector` turns features into embeddings, and `Decoder` representations into images.

>>> import torch
>>> encoder = ConvEncoder(channels=3, width=8)
>>> Projector(64, 32)(encoder(torch.zeros(2, 3, 32, 32))).shape
torch.Size([2, 32])
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn

from jointlaw import _check as check

__all__ = ["MLP", "ConvEncoder", "Decoder", "MLPEncoder", "Projector"]


class MLP(nn.Sequential):
    """Linear layers with batch normalisation and ReLU between them.

    Args:
        sizes: widths from input to output, at least two.
        norm: batch-normalise the hidden layers.
        bias: whether the last linear layer has one; hidden layers have one where they are not normalised.

    The input ``[B, ...]`` is flattened to ``[B, sizes[0]]``; the output is ``[B, sizes[-1]]``, with nothing
    applied after the last linear layer.

    >>> import torch
    >>> MLP((4, 16, 2))(torch.zeros(8, 4)).shape
    torch.Size([8, 2])
    """

    def __init__(self, sizes: Sequence[int], norm: bool = True, bias: bool = True) -> None:
        check.at_least("MLP", 2, layers=len(sizes))
        layers: list[nn.Module] = [nn.Flatten()]
        for n_in, n_out in pairwise(sizes[:-1]):
            layers.append(nn.Linear(n_in, n_out, bias=not norm))
            layers.extend([nn.BatchNorm1d(n_out), nn.ReLU()] if norm else [nn.ReLU()])
        layers.append(nn.Linear(sizes[-2], sizes[-1], bias=bias))
        super().__init__(*layers)


class MLPEncoder(nn.Sequential):
    """A batch-normalised MLP whose last layer is activated too: an encoder for vectors (or small images).

    Args:
        features_in: how many numbers a sample has.
        hidden: width of the hidden layer.
        features: width of the output.

    >>> import torch
    >>> MLPEncoder(features_in=4, features=32)(torch.zeros(8, 4)).shape
    torch.Size([8, 32])
    """

    def __init__(self, features_in: int, hidden: int = 512, features: int = 256) -> None:
        super().__init__(MLP((features_in, hidden, features)), nn.BatchNorm1d(features), nn.ReLU())


class ConvEncoder(nn.Sequential):
    """Four 3x3 convolutions (32-64-128-256, batch-normalised, ReLU) and a mean over positions.

    The first convolution keeps the resolution and each later one halves it, so that 8 to 64 pixels work alike.
    ``[B, C, H, W]`` becomes ``[B, 8 * width]``.

    Args:
        channels: colour channels of the images.
        width: channels of the first convolution; the others have 2, 4 and 8 times as many.
        stride: of the first convolution. 2 costs a quarter of the time and some accuracy.

    Source: Huang (2026), arXiv 2603.26799, appendix P.4.3.
    Differs from the authors' code in: the first convolution keeps the resolution (theirs has stride 2), and a mean over
    positions stands in place of flattening and two linear layers, so that any image size is accepted.

    >>> import torch
    >>> ConvEncoder(channels=1)(torch.zeros(8, 1, 28, 28)).shape
    torch.Size([8, 256])
    """

    def __init__(self, channels: int = 1, width: int = 32, stride: int = 1) -> None:
        check.at_least("ConvEncoder", 1, channels=channels, width=width, stride=stride)
        sizes = [channels, *(width * 2**k for k in range(4))]
        layers: list[nn.Module] = []
        for step, (n_in, n_out) in zip((stride, 2, 2, 2), pairwise(sizes), strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, step, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Features ``[B, 8 * width]``."""
        for layer in self:
            # In bfloat16 on a CPU, gradients of a 3x3 convolution over a single position may be no numbers.
            lone = isinstance(layer, nn.Conv2d) and x.shape[-2:] == (1, 1) and x.device.type == "cpu"
            with torch.autocast("cpu", enabled=False) if lone else nullcontext():
                x = layer(x.float() if lone else x)
        return x


class Projector(MLP):
    """The three-layer batch-normalised MLP between backbone features ``[B, F]`` and embeddings ``[B, D]``.

    It ends in a linear layer. An objective that wants rectified embeddings rectifies them itself, because it also
    looks at what stands before the rectifier.

    Args:
        features: width of the backbone's output.
        width: embedding width D.
        hidden: width of the two hidden layers (default: ``width``).
        bias: whether the last layer has one. Leave it out where thresholds or a batch normalisation follow.

    Source: Kuang et al. (2026), arXiv 2602.01456, section 4 (projector 2048-2048-2048).
    Differs from the authors' code in: the closing ReLU is the objective's.

    >>> import torch
    >>> Projector(features=256, width=64)(torch.zeros(8, 256)).shape
    torch.Size([8, 64])
    """

    def __init__(self, features: int, width: int = 512, hidden: int | None = None, bias: bool = True) -> None:
        check.at_least("Projector", 1, features=features, width=width)
        hidden = width if hidden is None else hidden
        super().__init__((features, hidden, hidden, width), bias=bias)


class Decoder(nn.Sequential):
    """From a representation to an image: two linear layers and four transposed 3x3 convolutions, each of stride 2.

    The vector is standardised (with moving statistics, so that representations of any scale will do), brought to the
    smallest grid of 8 * width channels and doubled four times (8, 4, 2, 1 times width and then the image's
    channels; batch normalisation and ReLU between), each time to the exact size, odd ones too. ``[B, F]`` becomes
    ``[B, C, H, W]`` in [0, 1]: share of full brightness.

    Args:
        features: width F of the representation.
        shape: of an image, (C, H, W), 8 to 64 pixels a side.
        width: channels before the last convolution.
        hidden: width of the layer between the two linear ones.

    Raises:
        ValueError: if the shape is not that of an image, or a number is out of range.

    Source: Huang (2026), arXiv 2603.26799, appendix P.4.3.
    Differs from the authors' code in: any size of image, where theirs is 32 x 32; the vector is standardised, where
    theirs is scaled to unit length; a logistic function in place of the closing tanh, so that pixels need no
    normalisation.

    >>> import torch
    >>> Decoder(features=64, shape=(1, 28, 28))(torch.zeros(8, 64)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, features: int, shape: Sequence[int], width: int = 32, hidden: int = 512) -> None:
        check.at_least("Decoder", 1, features=features, width=width, hidden=hidden)
        if len(shape) != 3 or shape[0] < 1 or not all(8 <= side <= 64 for side in shape[1:]):
            raise ValueError(
                f"Decoder: expected images (C, H, W) of 8 to 64 pixels a side, found shape {tuple(shape)}. "
                "Choose image data, or a smaller --resolution."
            )
        sizes = [tuple(math.ceil(side / 2**k) for side in shape[1:]) for k in (4, 3, 2, 1, 0)]
        channels = [*(width * 2**k for k in (3, 2, 1, 0)), shape[0]]
        first = (channels[0], *sizes[0])
        layers: list[nn.Module] = [
            nn.BatchNorm1d(features, affine=False),
            nn.Linear(features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, math.prod(first)),
            nn.ReLU(),
            nn.Unflatten(1, first),
        ]
        for (n_in, n_out), (small, large) in zip(pairwise(channels), pairwise(sizes), strict=True):
            extra = (large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1)
            layers += [nn.ConvTranspose2d(n_in, n_out, 3, 2, padding=1, output_padding=extra), nn.BatchNorm2d(n_out)]
            layers += [nn.ReLU()]
        super().__init__(*layers[:-2], nn.Sigmoid())  # the image itself is neither normalised nor rectified
        self.features, self.shape = features, tuple(shape)

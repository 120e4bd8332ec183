"""A small classifier of images, whose features samples are compared in."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from jointlaw.data import Source
from jointlaw.densities import descend
from jointlaw.networks import ConvEncoder

_ROWS = 1024  # images at a time: bounds the memory, does not change the values


class Classifier(nn.Module):
    """The small convolutional encoder and a linear layer; images come as uint8 ``[B, C, H, W]``.

    Args:
        channels: how many the images have.
        classes: how many there are, C.
        width: channels of the first convolution.
    """

    def __init__(self, channels: int, classes: int, width: int = 16) -> None:
        super().__init__()
        self.encoder = ConvEncoder(channels, width)
        self.head = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``[B, C]``."""
        scores: Tensor = self.head(self.encoder(images.float() / 255))
        return scores

    @torch.no_grad()
    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[N, 8 width]`` and classes ``[N]`` of images, in evaluation mode."""
        self.eval()
        features = torch.cat([self.encoder(rows.float() / 255) for rows in torch.split(images, _ROWS)])
        return features, self.head(features).argmax(1)

    def accuracy(self, source: Source) -> float:
        """Share of the samples that it names rightly."""
        right = sum(
            int((self.read(source.read(rows))[1] == source.label[rows]).sum())
            for rows in torch.split(torch.arange(len(source)), _ROWS)
        )
        return right / len(source)


def train_classifier(source: Source, path: Path, epochs: int, seed: int = 0) -> Classifier:
    """The classifier in the file ``path``, or a new one, trained on labelled images and kept there.

    Adam at 2e-3, falling along a cosine; batches of 128; no augmentation.

    Raises:
        ValueError: if samples are no images, some have no label, or the file holds one trained otherwise.
    """
    if len(source.shape) != 3 or not bool((source.label >= 0).all()):
        raise ValueError("train_classifier: expected images that all have labels, found others. Choose labelled data.")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        classifier = Classifier(source.shape[0], int(source.label.max()) + 1)
    how = {"epochs": str(epochs), "seed": str(seed)}
    if path.exists():
        with safe_open(path, "pt") as file:
            found = file.metadata()
        if found != how:
            raise ValueError(f"{path}: expected a classifier trained by {how}, found {found}. Delete the file.")
        classifier.load_state_dict(load_file(path))
        return classifier.eval()
    classifier.train()

    def loss(index: Tensor) -> Tensor:
        return nn.functional.cross_entropy(classifier(source.read(index)), source.label[index])

    index = torch.arange(len(source))
    descend(loss, classifier.parameters(), index, epochs=epochs, lr=2e-3, batch=128, seed=seed)
    draft = path.with_suffix(".draft")
    save_file({name: value.contiguous() for name, value in classifier.state_dict().items()}, draft, how)
    draft.replace(path)
    return classifier.eval()

"""Training a decoder on the representations of a run."""

from typing import TYPE_CHECKING

import torch
from rich.progress import Progress

from jointlaw.evaluation._table import Which
from jointlaw.generation._decoder import (
    Decoding,
    TrainedDecoder,
    decoder_from_bytes,
    decoder_to_bytes,
    reconstruction_error,
    train_decoder,
)
from jointlaw.runs._console import console
from jointlaw.runs._fit import FILE as DENSITY
from jointlaw.runs._fit import load_fit
from jointlaw.runs._setup import RunSettings

if TYPE_CHECKING:
    from jointlaw.data import Source
    from jointlaw.runs._run import Run

FILE = "decoder.safetensors"
_ROWS = 1000  # images read at a time


def decode(run: "Run", which: Which | None, epochs: int | None, seed: int) -> TrainedDecoder:
    """Train a decoder on the representations of clean training samples, judge it on held-out ones, and keep it.

    ``decoder.safetensors`` holds it, ``results.json`` gains ``decoder.mse`` and ``decoder.explained``.

    Args:
        run: the run.
        which: what the decoder reads (None: what the run's density is of, or features).
        epochs: passes over the training samples (None: as many as see about 600,000 of them, at least 10).
        seed: determines initial weights and the order of samples.
    """
    data, embedder = run.data, run.embedder
    if which is None:
        which = load_fit(run).which if (run.workspace.folder / DENSITY).exists() else Which.features
    settings = Decoding(Which(which), RunSettings(epochs=epochs).epochs_for(len(data.train)), seed=seed)
    train, test = (embedder.clean(source).part(which) for source in (data.train, data.held_out))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("decoding", total=settings.epochs * len(train))
        latent = train.to(_device(run.setup.run))
        trained = train_decoder(latent, data.train, settings, lambda n: progress.advance(task, n))
    error = reconstruction_error(trained.decoder, test, data.held_out)
    run.workspace.write_weights(FILE, decoder_to_bytes(trained))
    figures = {"decoder.mse": error, "decoder.explained": 1 - error / _variance(data.held_out)}
    run.workspace.add_results(figures, "decoder.", "samples.")  # those were another decoder's
    return trained


def load_decoder(run: "Run") -> TrainedDecoder:
    """The decoder in a run folder.

    Raises:
        ValueError: if there is none, or it was changed.
    """
    remedy = f"Train one by jointlaw decode {run.workspace.folder}."
    return decoder_from_bytes(run.workspace.read_weights(FILE, remedy), run.workspace.folder / FILE)


def _device(settings: RunSettings) -> torch.device:
    return torch.device("cuda" if settings.accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def _variance(source: "Source") -> float:
    """Variance of the pixels of images about the mean image, in squared shares of full brightness."""
    total, squares = torch.zeros(source.shape, dtype=torch.float64), torch.zeros(source.shape, dtype=torch.float64)
    for rows in torch.split(torch.arange(len(source)), _ROWS):
        images = source.read(rows).double() / 255
        total += images.sum(0)
        squares += images.square().sum(0)
    return (squares / len(source) - (total / len(source)).square()).mean().item()

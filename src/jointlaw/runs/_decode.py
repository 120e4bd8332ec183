"""Training a decoder on the representations of a run."""

import torch
from rich.progress import Progress

from jointlaw.runs._commands import Project, console, earlier_results, say, without
from jointlaw.evaluation._joint import Part, representations
from jointlaw.generation._decoder import Decoding, reconstruction_error, save_decoder, train_decoder
from jointlaw.data._samples import Source
from jointlaw.runs._setup import Run

_ROWS = 1000  # images read at a time


def decode_run(project: Project, part: Part, epochs: int | None, seed: int) -> None:
    """Train a decoder on the representations of clean training samples, judge it on held-out ones, and keep it.

    ``decoder.safetensors`` holds it, ``results.json`` gains ``decoder.mse`` and ``decoder.explained``.

    Args:
        project: the run.
        part: what the decoder reads.
        epochs: passes over the training samples (None: as many as see about 600,000 of them, at least 10).
        seed: of initial weights and order.
    """
    data, setup = project.setup.load_data(), project.setup
    how = Decoding(part, Run(epochs=epochs).epochs_for(len(data.train)), seed=seed)
    learner, views = project.trained(data), setup.view_maker(data)
    train, test = (
        representations(learner, source, views, setup.run.batch, how.part) for source in (data.train, data.held_out)
    )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("decoding", total=how.epochs * len(train))
        trained = train_decoder(train.to(_device(setup.run)), data.train, how, lambda n: progress.advance(task, n))
    error = reconstruction_error(trained.decoder, test, data.held_out)
    figures = {"decoder.mse": error, "decoder.explained": 1 - error / _variance(data.held_out)}
    path = project.workspace.folder / "decoder.safetensors"
    save_decoder(path, trained)
    kept = without(earlier_results(project.workspace), "decoder.", "samples.")  # those were another decoder's
    project.workspace.save_results({**kept, **figures})
    say(
        f"  squared error of decoded held-out images (share of full brightness, squared)  {error:.5f}",
        f"  share of the images' variance that decoding explains  {figures['decoder.explained']:.1%}",
        f"  decoder: {path}",
    )


def _device(run: Run) -> torch.device:
    return torch.device("cuda" if run.accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def _variance(source: Source) -> float:
    """Variance of the pixels of images about the mean image, in squared shares of full brightness."""
    total, squares = torch.zeros(source.shape, dtype=torch.float64), torch.zeros(source.shape, dtype=torch.float64)
    for rows in torch.split(torch.arange(len(source)), _ROWS):
        images = source.read(rows).double() / 255
        total += images.sum(0)
        squares += images.square().sum(0)
    return (squares / len(source) - (total / len(source)).square()).mean().item()

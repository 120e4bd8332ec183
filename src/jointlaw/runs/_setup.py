"""What every training has in common: data, views, network, optimiser and run, as plain settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import torch

from jointlaw import _check as check
from jointlaw import views
from jointlaw._own import own_function
from jointlaw.training._encoders import build_encoder, feature_width
from jointlaw.training._optimizers import Optimizer
from jointlaw.training.recipes import Method
from jointlaw.views import TensorSettings, ViewMaker, ViewSettings
from jointlaw.views._options import settled

if TYPE_CHECKING:
    from jointlaw.data import Data, Source
    from jointlaw.training import Learner

FEATURES_LISTED = 4096
"""Vectors up to this width are standardised feature by feature."""


@dataclass(frozen=True)
class RunSettings:
    """How and where to train.

    Args:
        folder: run folder (default: runs/RECIPE-DATA-DATE).
        epochs: passes over the data (default: as many as see about 600,000 samples, at least 10).
        batch: samples per process and step.
        seed: of initial weights, order, views and slices.
        resume: go on with the run in the folder; its configuration must be the same.
        precision: 32, bf16, or auto (bf16 where the processor computes in it, else 32).
        accelerator: cpu, gpu (CUDA), or auto: a GPU where there is one.
        devices: number of processes, -1 for all devices. Batch statistics are shared between GPUs, not between CPU
            processes: there each normalises by its own part of the batch. The saved network has statistics of whole
            batches, and banks and moving statistics of objectives are the same on all.
        accumulate: batches per optimiser step.
        clip: largest norm of the gradient (default: no clipping).
        checkpoint_steps: write checkpoints/last.ckpt every so many steps, and after the first epoch.
        loggers: further loggers beside metrics.csv.
        compile: pass the encoder through torch.compile.
        threads: CPU threads of torch (default: all).
        report: judge the trained network and write report.html at the end.

    Raises:
        ValueError: if a number is out of range, or there are several devices and no folder.

    >>> RunSettings().epochs_for(samples=30_000), RunSettings(epochs=5).epochs_for(samples=30_000)
    (20, 5)
    """

    folder: Path | None = None
    epochs: int | None = None
    batch: int = 256
    seed: int = 0
    resume: bool = False
    precision: Literal["auto", "32", "bf16"] = "auto"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: int = 1
    accumulate: int = 1
    clip: float | None = None
    checkpoint_steps: int = 200
    loggers: list[Literal["tensorboard", "wandb", "mlflow"]] = field(default_factory=list)
    compile: bool = False
    threads: int | None = None
    report: bool = True

    def __post_init__(self) -> None:
        if self.folder is not None:
            object.__setattr__(self, "folder", Path(self.folder))
        _of_their_types(self)
        check.at_least("run", 2, batch=self.batch)
        check.at_least("run", 0, seed=self.seed)
        check.at_least("run", 1, accumulate=self.accumulate, checkpoint_steps=self.checkpoint_steps)
        check.at_least("run", 1, **{k: v for k in ("epochs", "threads") if (v := getattr(self, k)) is not None})
        if self.clip is not None:
            check.positive("run", clip=self.clip)
        if self.devices < 1 and self.devices != -1:
            raise ValueError(f"run: expected devices >= 1, or -1 for all, found {self.devices}. 1 is the default.")
        if self.devices != 1 and self.folder is None:
            raise ValueError(
                f"run: expected a folder with devices = {self.devices}, found none. Name one by --run.folder, so that "
                "all processes have the same."
            )

    def epochs_for(self, samples: int) -> int:
        """The number of epochs, from the number of training samples where none was given."""
        return self.epochs if self.epochs is not None else max(10, -(-600_000 // samples))


@dataclass(frozen=True)
class Setup:
    """Data, views, network and run: the options that every recipe shares.

    Args:
        data: digits, fashion-mnist[:PATH], mnist[:PATH], cifar10[:PATH], cifar100[:PATH], stl10[:PATH],
            folder:PATH or tensors:FILE.
        probe_data: another, labelled source for the probes (default: the labels of data, where it has some).
        resolution: pixels to which images are resized (default: 64 for a folder, else as they come).
        on_bad_file: raise an error at an unreadable image, or skip and count it.
        download: let torchvision download MNIST, Fashion-MNIST, CIFAR or STL-10 where it is not there.
        encoder: conv, conv-fast (a quarter of its time), mlp, a timm model's name, or module:function, a function of
            your own that turns the shape of a sample into a module [B, ...] -> [B, F] (default: conv for images, mlp
            for vectors).
        small_stem: keep the resolution of small images in timm models (default: up to 64 pixels).
        views: settings of the views, or some of them by name (default: the papers' settings for the data), or
            module:function, a pipeline of your own that turns one uint8 tensor [C, H, W] into a float tensor;
            module:function:clean names a second one, without chance, for evaluation (default: the first, from a fixed
            seed).
        optimizer: AdamW (the default), SGD or LARS.
        run: how and where to train.

    >>> setup = Setup(data="digits", views={"rotate": 5.0}, run=RunSettings(epochs=5))
    >>> data = setup.load_data()
    >>> setup.settled(data).views.rotate, data.train.shape
    (5.0, (1, 8, 8))
    """

    data: str = "digits"
    probe_data: str | None = None
    resolution: int | None = None
    on_bad_file: Literal["raise", "skip"] = "raise"
    download: bool = False
    encoder: str | None = None
    small_stem: bool | None = None
    views: str | ViewSettings | TensorSettings | Mapping[str, Any] | None = None
    optimizer: Optimizer | None = None
    run: RunSettings = field(default_factory=RunSettings)

    def load_data(self) -> "Data":
        """Read the training data."""
        return self._load(self.data, self.resolution)

    def load_like(self, spec: str, shape: tuple[int, ...]) -> "Data":
        """Read other data in the shape of the samples that a network was trained on; images are resized to it.

        Raises:
            ValueError: if the samples have another shape all the same.
        """
        square = len(shape) == 3 and shape[-1] == shape[-2]
        other = self._load(spec, shape[-1] if square else None)
        if other.train.shape != shape:
            raise ValueError(
                f"{spec}: expected samples of shape {shape} as in training, found {other.train.shape}. "
                "Use data with the same number of channels or features."
            )
        return other

    def _load(self, spec: str, resolution: int | None) -> "Data":
        from jointlaw.data import load  # NumPy files, images and archives: nothing that settings need

        return load(spec, resolution=resolution, on_bad_file=self.on_bad_file, download=self.download)

    def settled(self, data: "Data") -> "Setup":
        """The same with complete view settings: what was not given is as the data want it."""
        return self if isinstance(self.views, str) else replace(self, views=settled(self.views, preset(data)))

    def view_maker(self, trust: bool = True) -> ViewMaker:
        """The maker of views; the settings must be complete, as ``settled`` makes them.

        Args:
            trust: whether functions of the user's own may be imported.
        """
        if isinstance(self.views, str):
            module, _, names = self.views.partition(":")
            drawn, _, clean = names.partition(":")
            evaluation = own_function("views", f"{module}:{clean}", trust) if clean else None
            return views.per_sample(own_function("views", f"{module}:{drawn}", trust), clean=evaluation)
        if isinstance(self.views, ViewSettings | TensorSettings):
            return views.view_maker(self.views)
        raise ValueError(f"views: expected complete settings, found {self.views!r}. Call Setup.settled(data) first.")

    def learner(self, method: Method, shape: tuple[int, ...], trust: bool = True) -> "Learner":
        """A fresh learner for samples of a shape: ``(C, H, W)`` of uint8 images, ``(F,)`` of vectors.

        Args:
            method: objective and projector.
            shape: of one sample as its source holds it.
            trust: whether functions of the user's own may be imported.
        """
        from jointlaw.training import Learner

        encoder, width = self.build_encoder(shape, trust)
        projector = method.projector(width)
        return Learner(encoder, projector, method.objective, self.optimizer, method.momentum, method.limits)

    def build_encoder(self, shape: tuple[int, ...], trust: bool = True) -> tuple[torch.nn.Module, int]:
        """A fresh encoder for clean views of samples of a shape, and the width of its features."""
        seen = tuple(self.view_maker(trust).clean(blank(shape)).shape[1:])  # views may have another size
        name = self.encoder or ("conv" if len(seen) == 3 else "mlp")
        encoder = build_encoder(name, seen, self.small_stem, trust)
        return encoder, feature_width(encoder, seen)


def blank(shape: tuple[int, ...]) -> torch.Tensor:
    """One sample ``[1, *shape]`` of the kind that a source of this shape holds: a black image, or zeros."""
    return torch.zeros(1, *shape, dtype=torch.uint8 if len(shape) == 3 else torch.float32)


def preset(data: "Data") -> ViewSettings | TensorSettings:
    """The papers' view settings for a kind of data; vectors are standardised by their training samples."""
    if len(data.train.shape) == 1:
        return _standardised(data.train)
    kind = data.name.split(":")[0]
    if kind == "digits":  # its 8 x 8 images are brighter than the MNIST ones that the preset was measured on
        return replace(views.digits(), mean=(0.3054,), std=(0.3760,))
    if kind == "mnist":
        return views.digits()
    return views.colour() if data.train.shape[0] == 3 else views.greyscale()


def _standardised(train: "Source") -> TensorSettings:
    """Settings with mean and deviation of each feature, or of all together where a list of them would be too long.

    A constant feature counts as one of deviation 1.
    """
    x = train.read(torch.arange(len(train))).double()
    if x.shape[1] > FEATURES_LISTED:
        x = x.reshape(-1, 1)
    spread = x.std(0, correction=0)
    mean, std = (
        tuple(float(f"{value:.9g}") for value in part.tolist()) for part in (x.mean(0), spread.where(spread > 0, 1.0))
    )
    return replace(views.tensor(), mean=mean, std=std)


def _of_their_types(settings: RunSettings) -> None:
    """Raise unless choices are among those allowed and counts are whole numbers, as the command line checks them."""
    for name, hint in get_type_hints(RunSettings).items():
        value, several = getattr(settings, name), name == "loggers"
        allowed = get_args(get_args(hint)[0]) if several else get_args(hint)
        if several or get_origin(hint) is Literal:
            wrong = [one for one in (value if several else [value]) if one not in allowed]
            if wrong:
                raise ValueError(f"run: expected {name} among {', '.join(allowed)}, found {wrong[0]!r}. Choose one.")
        elif hint in (int, int | None) and value is not None and type(value) is not int:
            raise ValueError(f"run: expected {name} to be a whole number, found {value!r}.")

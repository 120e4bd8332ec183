"""From settings to a trained learner in a run folder."""

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import Logger

from jointlaw.training.datamodule import ViewedData
from jointlaw.training.history import History
from jointlaw.training.learner import Learner, NonFiniteError
from jointlaw.training.online import OnlineProbe
from jointlaw.training.setup import Run
from jointlaw.training.workspace import Workspace
from jointlaw.types import Views

log = logging.getLogger(__name__)

VALIDATIONS = 20
"""A run looks at its held-out samples about this often."""


class FiniteWeights(Callback):
    """Stops before a checkpoint of weights that are no numbers could replace a good one."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look at every parameter."""
        bad = [name for name, parameter in pl_module.named_parameters() if not bool(parameter.isfinite().all())]
        if bad:
            raise NonFiniteError(
                f"training: expected finite weights at step {trainer.global_step}, found {bad[0]} and "
                f"{len(bad) - 1} others that are not. Lower the learning rate or clip gradients (--run.clip=1); "
                "the last good checkpoint is kept."
            )


class Speed(Callback):
    """Counts samples and the seconds spent on them, validation left out."""

    def __init__(self) -> None:
        self.samples = 0
        self.seconds = 0.0
        self._began = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Views, batch_idx: int
    ) -> None:
        """Start the clock, unless it runs since the batch before (so that waiting for data counts)."""
        self._began = self._began or time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """Count the batch of all processes."""
        now = time.perf_counter()
        self.samples += len(batch.index) * trainer.world_size
        self.seconds += now - self._began
        self._began = now

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._began = 0.0


def fit(
    learner: Learner, data: ViewedData, run: Run, workspace: Workspace, probe: OnlineProbe | None
) -> dict[str, float]:
    """Train to the end of the run (or go on with it) and write the weights.

    Returns:
        ``images_per_second`` (samples, whatever their number of views), ``seconds`` of training, ``epochs``, ``seed``.

    Raises:
        NonFiniteError: naming the term; the last good checkpoint stays.
    """
    precision = choose_precision(run)
    torch.set_num_threads(run.threads or torch.get_num_threads())
    resumed = torch.load(workspace.last, map_location="cpu", weights_only=True)["global_step"] if run.resume else None
    samples = len(data.data.train)
    epochs = run.epochs_for(samples)
    steps = max(1, samples // run.batch)
    speed = Speed()
    trainer = pl.Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        max_epochs=epochs,
        accumulate_grad_batches=run.accumulate,
        gradient_clip_val=run.clip,
        check_val_every_n_epoch=max(1, epochs // VALIDATIONS),
        log_every_n_steps=min(10, steps),
        num_sanity_val_steps=0,
        logger=[History(workspace.folder, resumed), *(_logger(name, workspace.folder) for name in run.loggers)],
        callbacks=[speed, *_callbacks(run, workspace, probe)],
        enable_model_summary=False,
        default_root_dir=workspace.folder,
        use_distributed_sampler=False,
    )
    if run.compile:
        learner.encoder.compile()
    log.info("training %d epochs of %d steps in %s", epochs, steps, precision)
    with warnings.catch_warnings():
        _expected_warnings()
        trainer.fit(learner, data, ckpt_path=workspace.last if run.resume else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    trainer.save_checkpoint(workspace.last)
    if trainer.is_global_zero:
        workspace.save_weights(learner)
    return {
        "images_per_second": speed.samples / speed.seconds if speed.seconds else 0.0,
        "seconds": speed.seconds,
        "epochs": epochs,
        "seed": run.seed,
    }


def choose_precision(run: Run) -> str:
    """``bf16`` where asked for or where the processor computes in it, else ``32``."""
    if run.precision != "auto":
        return run.precision
    if run.accelerator != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "32"


def _callbacks(run: Run, workspace: Workspace, probe: OnlineProbe | None) -> list[Callback]:
    callbacks: list[Callback] = [
        FiniteWeights(),
        TQDMProgressBar(refresh_rate=10),
        LearningRateMonitor("step"),
        ModelCheckpoint(
            workspace.checkpoints,
            filename="last",
            every_n_train_steps=run.checkpoint_steps,
            enable_version_counter=False,
        ),
    ]
    if probe is not None:
        best = ModelCheckpoint(
            workspace.checkpoints, filename="best", monitor="probe/backbone", mode="max", enable_version_counter=False
        )
        callbacks += [probe, best]
    return callbacks


def _logger(name: str, folder: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(folder, name="tensorboard", version="")
    if name == "wandb":
        return WandbLogger(name=folder.name, save_dir=folder)
    return MLFlowLogger(run_name=folder.name, tracking_uri=f"file:{folder / 'mlflow'}")


def _expected_warnings() -> None:
    """Silence what Lightning says about choices made here on purpose."""
    for text in (
        ".*does not have many workers.*",  # batches come from memory
        ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
        ".*The number of training batches .* is smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=text)

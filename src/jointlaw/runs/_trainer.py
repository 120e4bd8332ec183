"""From settings to a trained learner in a run folder."""

import warnings
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from pytorch_lightning.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.strategies import DDPStrategy

from jointlaw.runs._console import track
from jointlaw.runs._folder import Workspace
from jointlaw.runs._history import History
from jointlaw.runs._setup import RunSettings
from jointlaw.training._callbacks import FiniteWeights, LastCheckpoint, Speed, WholeFiles
from jointlaw.training._collapse import CollapseAlarm, planned_activity
from jointlaw.training._datamodule import ViewedData
from jointlaw.training._learner import Learner
from jointlaw.training._online import OnlineProbe
from jointlaw.training._progress import Bar, Lines, in_terminal
from jointlaw.training._settling import settle

VALIDATIONS = 20
"""A run looks at its held-out samples about this often."""


def fit(
    learner: Learner, data: ViewedData, run: RunSettings, workspace: Workspace, probe: OnlineProbe | None
) -> dict[str, float]:
    """Train to the end of the run, or go on with it, and settle the objective.

    Returns:
        ``epochs``, ``seed``, ``images_per_second`` (samples, whatever their number of views) and ``seconds`` of
        training, before and after a restart.

    Raises:
        NonFiniteError: naming the term; the last good checkpoint stays.
        KeyboardInterrupt: if the user stopped it.
    """
    torch.set_num_threads(run.threads or torch.get_num_threads())
    speed = Speed()
    with warnings.catch_warnings():
        _expected_warnings()
        alarm = CollapseAlarm(planned_activity(learner.objective), learner.limits)
        trainer = _trainer(data, run, workspace, [speed, alarm, *_callbacks(run, workspace, probe)])
        if run.compile:
            learner.encoder.compile()
        try:
            trainer.fit(learner, data, ckpt_path=workspace.last if run.resume else None, weights_only=True)
        except SystemExit as ended:  # so Lightning answers Ctrl-C
            raise KeyboardInterrupt from ended
        trainer.save_checkpoint(workspace.last)
    if dist.is_initialized():
        dist.destroy_process_group()  # the first process goes on alone: it must not wait for others in a gather
    if trainer.is_global_zero:
        settle(learner, data.data.train, data.views, run.batch * trainer.world_size, run.seed, track)
    rate = speed.samples / speed.seconds
    return {"epochs": trainer.max_epochs or 0, "seed": run.seed, "images_per_second": rate, "seconds": speed.seconds}


def choose_accelerator(run: RunSettings) -> str:
    """``cuda`` where there is a GPU, unless the CPU was asked for; else ``cpu``. Apple's GPUs have no float64.

    Raises:
        ValueError: if a GPU was asked for and there is none, or there are fewer than ``devices``.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if run.accelerator == "cpu" or (run.accelerator == "auto" and not found):
        return "cpu"
    if not found or run.devices > found:
        raise ValueError(
            f"run: expected {max(run.devices, 1)} CUDA GPU(s), found {found}. Choose fewer --run.devices, or "
            "--run.accelerator=cpu."
        )
    return "cuda"


def choose_precision(run: RunSettings) -> str:
    """``bf16`` where asked for or where the processor computes in it, else ``32``."""
    if run.precision != "auto":
        return run.precision
    if choose_accelerator(run) == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "32"


def choose_strategy(run: RunSettings) -> DDPStrategy | str:
    """Data-parallel where there are several processes, without the first one's buffers going to all in every step.

    Banks and moving statistics come from the batch of all processes and are equal without it; a bank of 65,536 vectors
    would be 33 MB a step.
    """
    several = run.devices > 1 or (
        run.devices == -1 and choose_accelerator(run) == "cuda" and torch.cuda.device_count() > 1
    )
    return DDPStrategy(broadcast_buffers=False) if several else "auto"


def _trainer(data: ViewedData, run: RunSettings, workspace: Workspace, callbacks: list[Callback]) -> pl.Trainer:
    samples = len(data.data.train)
    epochs = run.epochs_for(samples)
    resumed = workspace.reached() if run.resume else None
    return pl.Trainer(
        accelerator=choose_accelerator(run),
        devices=run.devices,
        strategy=choose_strategy(run),
        precision="bf16-mixed" if choose_precision(run) == "bf16" else "32-true",
        max_epochs=epochs,
        accumulate_grad_batches=run.accumulate,
        gradient_clip_val=run.clip,
        check_val_every_n_epoch=max(1, epochs // VALIDATIONS),
        log_every_n_steps=min(10, samples // run.batch),
        num_sanity_val_steps=0,
        logger=[History(workspace.folder, resumed), *(_logger(name, workspace.folder) for name in run.loggers)],
        callbacks=callbacks,
        plugins=[WholeFiles()],
        enable_progress_bar=in_terminal(),
        enable_model_summary=False,
        default_root_dir=workspace.folder,
        use_distributed_sampler=False,
        # torch shares batch statistics between GPUs only
        sync_batchnorm=run.devices != 1 and choose_accelerator(run) == "cuda",
    )


def _callbacks(run: RunSettings, workspace: Workspace, probe: OnlineProbe | None) -> list[Callback]:
    callbacks: list[Callback] = [
        FiniteWeights(),
        Bar() if in_terminal() else Lines(),
        LearningRateMonitor("step"),
        LastCheckpoint(workspace.last, run.checkpoint_steps),
    ]
    if probe is not None:
        best = ModelCheckpoint(
            workspace.checkpoints,
            filename="best",
            monitor="probe/backbone",
            mode="max",
            enable_version_counter=False,
            save_on_train_epoch_end=False,  # but within the validation, with the moments that it judged
        )
        callbacks += [probe, best]
    return callbacks


def _logger(name: str, folder: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(folder, name="tensorboard", version="")
    if name == "wandb":
        return WandbLogger(name=folder.name, save_dir=folder)
    return MLFlowLogger(run_name=folder.name, tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


def _expected_warnings() -> None:
    """Silence what Lightning says about choices made here on purpose."""
    for text in (
        ".*does not have many workers.*",  # batches come from memory
        ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
        ".*The dirpath has changed.*",  # a resumed run in a folder that was moved
        ".*The number of training batches .* is smaller than the logging interval.*",
        r".*module\(s\) in eval mode.*",  # a frozen encoder
        ".*GPU available but not used.*",  # --run.accelerator=cpu
        ".*LeafSpec.* is deprecated.*",  # Lightning's own affair
    ):
        warnings.filterwarnings("ignore", message=text)

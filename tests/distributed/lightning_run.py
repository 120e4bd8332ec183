"""Three steps of a learner through Lightning on the number of processes given, and what came out, in a file.

``python lightning_run.py DEVICES FILE``: a script of its own, because the strategy starts further processes by running
it again.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

sys.path.insert(0, str(Path(__file__).parents[1]))

from distributed.processes import BATCH, DIM, INPUTS, STEPS, Moments, samples
from jointlaw.distributed import rank, world_size
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.runs._setup import RunSettings
from jointlaw.runs._trainer import choose_strategy
from jointlaw.training._learner import Learner
from jointlaw.types import Views


class Parts(IterableDataset[Views]):
    """This process's part of every batch."""

    def __iter__(self) -> Iterator[Views]:
        share = BATCH // world_size()
        own = slice(rank() * share, (rank() + 1) * share)
        for batch in samples().float():
            yield Views(list(batch[:, own]), torch.full((share,), -1), torch.arange(BATCH)[own])

    def __len__(self) -> int:
        return STEPS


class Losses(pl.Callback):
    """Remembers the mean of the processes' losses."""

    def __init__(self) -> None:
        self.values: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer: pl.Trainer, learner: pl.LightningModule, outputs, *args: object) -> None:
        self.values.append(trainer.strategy.reduce(outputs["loss"].detach(), reduce_op="mean"))


def main(devices: int, file: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(INPUTS, 32, bias=False), Moments(32), nn.ReLU())
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.2))
    learner = Learner(encoder, nn.Linear(32, DIM, bias=False), objective)
    losses = Losses()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy=choose_strategy(RunSettings(devices=devices, folder=Path(file).parent)),
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[losses],
    )
    trainer.fit(learner, DataLoader(Parts(), batch_size=None))
    if trainer.is_global_zero:
        torch.save({"losses": torch.stack(losses.values), "state": learner.state_dict()}, file)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

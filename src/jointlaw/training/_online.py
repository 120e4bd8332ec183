"""Linear probes that learn during a training, without any influence on the encoder."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from jointlaw.data import Data
from jointlaw.training._learner import Learner
from jointlaw.training._moments import evaluating
from jointlaw.types import Views
from jointlaw.views import ViewMaker


class OnlineProbe(pl.Callback):
    """Trains a linear classifier on detached features and one on detached embeddings while the encoder learns.

    Each is a batch normalisation without parameters and one linear layer, with an Adam of its own. Validation logs
    ``probe/backbone`` and ``probe/projector``: the accuracy of the probes at that time on held-out samples. Samples
    with label -1 are left out.

    Args:
        features: width of the backbone's output.
        width: width of the embeddings.
        classes: number of classes.
        learning_rate: learning rate of the Adam that fits the probes.

    >>> OnlineProbe(features=256, width=64, classes=10).probes["projector"](torch.rand(8, 64)).shape
    torch.Size([8, 10])
    """

    def __init__(self, features: int, width: int, classes: int, learning_rate: float = 3e-3) -> None:
        self.probes = nn.ModuleDict(
            {
                name: nn.Sequential(nn.BatchNorm1d(size, affine=False), nn.Linear(size, classes))
                for name, size in (("backbone", features), ("projector", width))
            }
        )
        self.optimizer = torch.optim.Adam(self.probes.parameters(), lr=learning_rate)
        self.accuracy = {name: MulticlassAccuracy(classes, average="micro") for name in self.probes}

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs to go on bit for bit."""
        return {"probes": self.probes.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.probes.load_state_dict(state_dict["probes"])
        self.optimizer.load_state_dict(state_dict["optimizer"])

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Move to the learner's device."""
        self.probes.to(pl_module.device)
        for group in self.optimizer.state.values():
            group.update({k: v.to(pl_module.device) for k, v in group.items() if isinstance(v, Tensor) and v.ndim})
        self.accuracy = {name: metric.to(pl_module.device) for name, metric in self.accuracy.items()}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Views, batch_idx: int
    ) -> None:
        """One step of both probes on the first view."""
        known = batch.label >= 0
        inputs = {"backbone": outputs["features"][0], "projector": outputs["embeddings"][0]}
        if int(known.sum()) < 2:
            return
        self.probes.train()
        with torch.enable_grad():
            losses = [
                F.cross_entropy(self.probes[name](x[known].float()), batch.label[known]) for name, x in inputs.items()
            ]
            self.optimizer.zero_grad()
            torch.autograd.backward(losses)
        self.optimizer.step()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Views,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Judge both probes on held-out samples."""
        known = batch.label >= 0
        if not bool(known.any()):
            return
        self.probes.eval()
        for name, x in (("backbone", outputs["features"][0]), ("projector", outputs["embeddings"][0])):
            self.accuracy[name].update(self.probes[name](x[known].float()), batch.label[known])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the accuracies and start counting anew."""
        for name, metric in self.accuracy.items():
            if metric.update_called and not trainer.sanity_checking:
                pl_module.log(f"probe/{name}", metric.compute(), prog_bar=True, sync_dist=True)
            metric.reset()


@torch.no_grad()
def probe_beside(learner: Learner, data: Data, views: ViewMaker) -> OnlineProbe | None:
    """A fresh online probe that fits a learner and its data; None where training or held-out samples have no labels."""
    if not (data.train.labelled and data.held_out.labelled):
        return None
    with evaluating(learner):
        features = learner(views.clean(data.train.read(torch.arange(1))))
        width = learner.project(features).shape[1]
    classes = int(max(data.train.label.max(), data.held_out.label.max())) + 1
    return OnlineProbe(features.shape[1], width, classes)

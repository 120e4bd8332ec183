"""One learner for every method: an encoder, a projector and an objective."""

import copy
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from jointlaw.objectives._objective import Objective
from jointlaw.training._health import Limits
from jointlaw.training._moments import averaging, followers
from jointlaw.training._optimizers import AdamW, Optimizer
from jointlaw.types import Embeddings, Outcome, Views


class NonFiniteError(FloatingPointError):
    """A loss term, or a weight that was to be saved, became infinite or not a number; the message names it.

    >>> issubclass(NonFiniteError, FloatingPointError)
    True
    """


class Learner(pl.LightningModule):
    """Trains an encoder and a projector on an objective.

    ``views -> encoder -> projector -> objective -> loss``. The learner is the same for every method: whatever is
    learned or remembered beyond encoder and projector belongs to the objective.

    Args:
        encoder: samples ``[B, ...]`` to features ``[B, F]``.
        projector: features to embeddings ``[B, D]``.
        objective: judges the embeddings.
        optimizer: the optimiser with its schedule (default: `AdamW`).
        momentum: how much of the moving-average network remains at each step, in [0, 1]; there is such a network only
            if the objective asks for one.
        limits: the vital signs that count as collapse; alarms and judgements read them here.

    Views of one shape pass through the network as one batch, so batch normalisation pools over them.

    Its running averages lag behind the weights, in a short training by far. So a validation at the end of an epoch sees
    the network with the moments of the epoch's last batch; afterwards the averages go on as they were.

    Raises:
        ValueError: if the momentum is outside [0, 1].

    >>> from jointlaw import MLPEncoder, Projector, VICReg
    >>> learner = Learner(MLPEncoder(4), Projector(256, width=8), VICReg())
    >>> learner.project(learner(torch.rand(16, 4))).shape
    torch.Size([16, 8])
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        objective: Objective,
        optimizer: Optimizer | None = None,
        momentum: float = 0.99,
        limits: Limits | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"Learner: expected 0 <= momentum <= 1, found {momentum}. 0.99 is usual.")
        self.encoder = encoder
        if all(weight.ndim <= 4 for weight in encoder.parameters()):  # 3-D convolutions have no such format
            encoder.to(memory_format=torch.channels_last)
        self.projector = projector
        self.objective = objective
        self.optimizer = AdamW() if optimizer is None else optimizer
        self.momentum = momentum
        self.limits = Limits() if limits is None else limits
        self.target_network: nn.ModuleList | None = None
        if objective.uses_target_network:
            self.target_network = nn.ModuleList([copy.deepcopy(encoder), copy.deepcopy(projector)])
            self.target_network.requires_grad_(False)
        self._seen: tuple[Embeddings, Outcome] | None = None
        self._last: tuple[Sequence[Tensor], list[_BatchNorm]] | None = None
        self._averages: list[tuple[Tensor, Tensor]] = []

    def forward(self, images: Tensor) -> Tensor:
        """Backbone features ``[B, F]`` of samples ``[B, ...]``."""
        features: Tensor = self.encoder(images)
        return features

    def project(self, features: Tensor) -> Tensor:
        """Embeddings ``[B, D]`` of features, activated as the objective does."""
        return self.objective.activate(self.projector(features).float())

    def embed(self, views: Views) -> Embeddings:
        """The projector's outputs for all views, in float32 whatever the precision of the network.

        The objective takes these. ``project`` gives embeddings, which the objective has activated.
        """
        _, context = self._through(self.encoder, self.projector, views.images)
        return Embeddings(context, self._target(views, context))

    def training_step(self, batch: Views, batch_idx: int) -> dict[str, Tensor]:
        """The loss, with detached features and embeddings for callbacks such as probes."""
        features, context = self._through(self.encoder, self.projector, batch.images)
        z = Embeddings(context, self._target(batch, context))
        outcome: Outcome = self.objective(z)
        self._refuse_non_finite(outcome)
        self.log("train/loss", outcome.loss.detach(), prog_bar=True)
        self.log_dict({f"train/{name}": term for name, term in outcome.terms.items()}, prog_bar=True)
        self._seen = Embeddings(context.detach(), z.target), outcome
        embeddings = self.objective.activate(context.detach())
        self.log("train/activity", (embeddings != 0).float().mean(), prog_bar=True)
        return {"loss": outcome.loss, "features": features.detach(), "embeddings": embeddings}

    def on_after_backward(self) -> None:
        """Let the objective update its state: once per batch, before a checkpoint could be written."""
        if self._seen is not None:
            with torch.no_grad():
                self.objective.update(*self._seen)
            self.log_dict({f"train/{name}": value for name, value in self.objective.statistics.items()})
            self._seen = None

    def on_train_batch_end(self, outputs: Any, batch: Views, batch_idx: int) -> None:
        """Keep an epoch's last batch for the validation that may follow."""
        kept = batch.images, followers(self.encoder, self.projector)
        self._last = kept if self.trainer.is_last_batch else None

    def on_validation_start(self) -> None:
        """Measure the moments of batch normalisation on the last batch: one pass without gradient."""
        if self._last is None:
            return
        images, layers = self._last
        self._last = None
        self._averages = [(buffer, buffer.clone()) for layer in layers for buffer in layer.buffers()]
        if layers:
            with averaging(self, layers), self.trainer.precision_plugin.forward_context():
                self._through(self.encoder, self.projector, images)

    def on_validation_end(self) -> None:
        """Put the running averages back, so that training does not depend on when it was looked at."""
        for buffer, average in self._averages:
            buffer.copy_(average)
        self._averages = []

    def validation_step(self, batch: Views, batch_idx: int) -> dict[str, Tensor]:
        """Features and embeddings of held-out samples, for callbacks such as probes; no state changes."""
        features, context = self._through(self.encoder, self.projector, batch.images)
        z = self.objective.activate(context)
        self.log("valid/activity", (z != 0).float().mean(), batch_size=z.shape[1], sync_dist=True)
        return {"features": features, "embeddings": z}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then move the moving-average network: once per optimiser step, not per micro-batch."""
        super().optimizer_step(*args, **kwargs)
        if self.target_network is not None:
            self._follow()

    def configure_optimizers(self) -> Any:
        """The optimiser over encoder, projector and objective, with its schedule stepped every step."""
        optimizer = self.optimizer.build([self.encoder, self.projector, self.objective])
        schedule = self.optimizer.schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _target(self, views: Views, context: Tensor) -> Tensor:
        if self.target_network is None:
            return context.detach()
        with torch.no_grad():
            encoder, projector = self.target_network
            return self._through(encoder, projector, views.images)[1]

    @staticmethod
    def _through(encoder: nn.Module, projector: nn.Module, images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Features ``[V, B, F]`` and outputs ``[V, B, D]``; neighbouring views of one shape share a pass."""
        batch = images[0].shape[0]
        features = torch.cat(
            [encoder(_channels_last(torch.cat(run))) for run in _runs_of_equal_shape(images)]
        )  # [V B, F]
        z = projector(features).float()  # [V B, D]
        return features.view(-1, batch, features.shape[-1]), z.view(-1, batch, z.shape[-1])  # [V, B, F], [V, B, D]

    def _follow(self) -> None:
        """Move every parameter towards the online network; copy buffers (counters have no average)."""
        if self.target_network is None:
            return
        online = nn.ModuleList([self.encoder, self.projector])
        with torch.no_grad():
            for slow, fast in zip(self.target_network.parameters(), online.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.momentum)
            for remembered, current in zip(self.target_network.buffers(), online.buffers(), strict=True):
                remembered.copy_(current)

    def _refuse_non_finite(self, outcome: Outcome) -> None:
        if bool(outcome.loss.isfinite()):
            return
        bad = [name for name, term in outcome.terms.items() if not bool(term.isfinite())] or ["the weighted sum"]
        raise NonFiniteError(
            f"training: expected a finite loss at step {self.global_step}, found {float(outcome.loss.detach()):g} in "
            f"{', '.join(bad)}. Lower the learning rate, clip gradients (--run.clip=1) or train in float32 "
            "(--run.precision=32)."
        )


def _channels_last(images: Tensor) -> Tensor:
    """The memory layout in which convolutions are fastest; other samples stay as they are."""
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def _runs_of_equal_shape(images: Sequence[Tensor]) -> list[list[Tensor]]:
    runs: list[list[Tensor]] = [[images[0]]]
    for image in images[1:]:
        if image.shape == runs[-1][0].shape:
            runs[-1].append(image)
        else:
            runs.append([image])
    return runs

"""The learner: when state moves, and what it refuses to go on with."""

import copy
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from jointlaw.data._sources import Data, load
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.runs._folder import Workspace
from jointlaw.runs._setup import RunSettings
from jointlaw.runs._trainer import _expected_warnings, fit
from jointlaw.training._datamodule import ViewedData
from jointlaw.training._learner import Learner, NonFiniteError
from jointlaw.training._optimizers import AdamW
from jointlaw.types import Embeddings, Outcome, Views
from jointlaw.views._makers import digits, view_maker

BATCHES = 1438 // 256  # of digits in an epoch


class Follower(Objective):
    """Wants a target network, counts its updates, and returns NaN from a given update on."""

    uses_target_network = True

    def __init__(self, nan_from: int = 10**9) -> None:
        super().__init__()
        self.updates = 0
        self.nan_from = nan_from
        self.seen: list[Embeddings] = []

    def forward(self, z: Embeddings) -> Outcome:
        self.seen = [z]
        distance = (z.context - z.target.flip(0)).square().mean()
        return Outcome.weigh(
            distance=(1.0, distance), spoilt=(1.0, distance * (1 if self.updates < self.nan_from else torch.nan))
        )

    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        self.updates += 1


class Watched(Learner):
    """Remembers the weights of the target network after every optimiser step."""

    def __init__(self, objective: Objective, optimizer: AdamW | None = None, momentum: float = 0.9) -> None:
        torch.manual_seed(0)
        super().__init__(MLPEncoder(64, 32, 16), Projector(16, 8), objective, optimizer, momentum)
        self.norms: list[float] = []
        self.tracks: list[tuple[Tensor, Tensor]] = []

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        self.norms.append(0.0)

    def optimizer_step(self, *args: object, **kwargs: object) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.target_network is not None:
            slow = next(self.target_network.parameters()).detach().clone()
            self.tracks.append((slow, next(self.encoder.parameters()).detach().clone()))


@pytest.fixture(scope="module")
def data() -> Data:
    return load("digits")


def trained(learner: Learner, data: Data, folder: Path, **settings: object) -> Workspace:
    run = RunSettings(folder=folder, epochs=2, precision="32", accelerator="cpu", **settings)  # type: ignore[arg-type]
    workspace = Workspace(folder)
    workspace.start({})
    fit(learner, ViewedData(data, view_maker(digits()), run.batch, run.seed), run, workspace, None)
    return workspace


def views(sizes: tuple[int, ...] = (8, 8), batch: int = 6) -> Views:
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(batch, 1, size, size, generator=generator) for size in sizes]
    return Views(images, torch.full((batch,), -1), torch.arange(batch))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_target_network_moves_once_per_optimiser_step(data: Data, tmp_path: Path, accumulate: int) -> None:
    learner = Watched(Follower())
    start = next(learner.encoder.parameters()).detach().clone()
    trained(learner, data, tmp_path / "run", accumulate=accumulate)
    assert len(learner.tracks) == 2 * -(-BATCHES // accumulate)
    slow = start
    for moved, online in learner.tracks:
        slow = slow.lerp(online, 1 - 0.9)
        assert torch.equal(moved, slow)


def test_objective_is_updated_once_per_training_batch_and_never_in_validation(data: Data, tmp_path: Path) -> None:
    objective = Follower()
    trained(Watched(objective), data, tmp_path / "run", accumulate=2)
    assert objective.updates == 2 * BATCHES


def test_target_network_copies_buffers_and_has_no_gradient(data: Data, tmp_path: Path) -> None:
    learner = Watched(Follower())
    last = trained(learner, data, tmp_path / "run").last  # before moments were measured anew for the network in use
    learner.load_state_dict(torch.load(last, weights_only=True)["state_dict"])
    assert learner.target_network is not None
    online = nn.ModuleList([learner.encoder, learner.projector])
    for slow, fast in zip(learner.target_network.buffers(), online.buffers(), strict=True):
        assert torch.equal(slow, fast)
    assert all(p.grad is None and not p.requires_grad for p in learner.target_network.parameters())
    assert "target_network.0.0.1.weight" in learner.state_dict()


def test_targets_come_from_the_target_network_and_carry_no_gradient() -> None:
    learner = Watched(Follower()).train()
    z = learner.embed(views())
    assert z.context.requires_grad
    assert not z.target.requires_grad
    assert torch.equal(z.context, z.target)  # the two networks begin equal
    with torch.no_grad():
        next(learner.encoder.parameters()).add_(1.0)
    z = learner.embed(views())
    assert not torch.equal(z.context, z.target)


def test_views_of_one_size_share_a_pass_and_other_sizes_follow() -> None:
    from jointlaw.networks import ConvEncoder

    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian(1.0))
    learner = Learner(ConvEncoder(1, 4), Projector(32, 8), objective).eval()
    z = learner.embed(views((8, 8, 6, 6, 6)))
    assert z.context.shape == (5, 6, 8)
    alone = learner.projector(learner(views((8, 8, 6, 6, 6)).images[3]))
    torch.testing.assert_close(z.context[3], alone)


def test_embeddings_are_float32_under_bfloat16() -> None:
    learner = Watched(Follower())
    with torch.autocast("cpu", torch.bfloat16):
        z = learner.embed(views())
        assert learner.project(learner(views().images[0])).dtype == torch.float32
    assert z.context.dtype == z.target.dtype == torch.float32


def test_non_finite_loss_names_its_term_and_keeps_the_last_good_checkpoint(data: Data, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match=r"step 4, found nan in spoilt\."):
        trained(Watched(Follower(nan_from=4)), data, tmp_path / "run", checkpoint_steps=3)
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert saved["global_step"] == 3
    assert all(value.isfinite().all() for value in saved["state_dict"].values())


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(data: Data, tmp_path: Path) -> None:
    class Spoilt(Watched):
        def optimizer_step(self, *args: object, **kwargs: object) -> None:
            super().optimizer_step(*args, **kwargs)
            if self.global_step == 2:  # not counted yet
                with torch.no_grad():
                    next(self.projector.parameters()).fill_(torch.nan)

    with pytest.raises(NonFiniteError, match=r"finite weights at step 3, found projector\.1\.weight"):
        trained(Spoilt(Follower()), data, tmp_path / "run", checkpoint_steps=1)
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 2


def test_a_huge_learning_rate_ends_in_one_clear_error(data: Data, tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="Lower the learning rate"):
        trained(Watched(Follower(), AdamW(learning_rate=1e30, warmup=0.0)), data, tmp_path / "run")


def test_clipping_bounds_the_gradient_of_every_step(data: Data, tmp_path: Path) -> None:
    class Measured(Watched):
        def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
            grads = [p.grad for p in self.parameters() if p.grad is not None]
            if grads:
                self.norms.append(float(torch.stack([g.norm() for g in grads]).norm()))

    learner = Measured(RectifiedLpJEPA(RectifiedGeneralizedGaussian(1.0)))
    trained(learner, data, tmp_path / "run", clip=1e-3)
    assert max(learner.norms) == pytest.approx(1e-3, rel=1e-3)


def test_validation_changes_no_state() -> None:
    learner = Watched(Follower()).eval()
    learner.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    before = {key: value.clone() for key, value in learner.state_dict().items()}
    learner.validation_step(views((8,)), 0)
    assert all(torch.equal(before[key], value) for key, value in learner.state_dict().items())


class LookingOn(pl.Callback):
    """Keeps the moments of the last layer within each validation, and what they would be for the epoch's last batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, learner: pl.LightningModule, outputs, batch: Views, *_) -> None:
        self.batch = torch.cat(batch.images)

    def on_validation_batch_start(self, trainer: pl.Trainer, learner: pl.LightningModule, *_: object) -> None:
        again = copy.deepcopy(learner.encoder).train()
        update_bn([self.batch], again)
        self.seen.append((learner.encoder[1].running_var.clone(), again[1].running_var))


def test_a_validation_sees_the_moments_of_the_last_batch_and_training_never_learns_of_it(data: Data) -> None:
    states, watcher = [], LookingOn()
    for validations in (0, 1.0):
        torch.manual_seed(0)
        learner = Learner(MLPEncoder(64, 32, 16), Projector(16, 12), Follower())
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=2,
            limit_val_batches=validations,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            callbacks=[watcher],
        )
        with warnings.catch_warnings():
            _expected_warnings()
            trainer.fit(learner, ViewedData(data, view_maker(digits()), 256, 0))
        states.append(learner.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert len(watcher.seen) == 2 * 2
    assert all(torch.equal(found, expected) for found, expected in watcher.seen)
    assert not torch.allclose(watcher.seen[-1][0], states[1]["encoder.1.running_var"], rtol=0.1)


@pytest.mark.parametrize("momentum", [-0.1, 1.1])
def test_impossible_momentum_is_refused(momentum: float) -> None:
    with pytest.raises(ValueError, match="momentum"):
        Watched(Follower(), momentum=momentum)

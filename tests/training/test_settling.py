"""What a network needs after training: moments of batch normalisation, and thresholds."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from jointlaw.data import as_source
from jointlaw.data._sources import load
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.runs import Run, RunSettings, Setup
from jointlaw.runs._folder import Workspace
from jointlaw.runs._trainer import fit
from jointlaw.training._datamodule import ViewedData, drawn_views, step_seed
from jointlaw.training._learner import Learner
from jointlaw.training._moments import followers, random_batches
from jointlaw.training._online import probe_beside
from jointlaw.training._settling import settle
from jointlaw.training.recipes import RECIPES
from jointlaw.views import TensorSettings
from jointlaw.views._makers import TensorViewMaker, digits, view_maker


def learner(rate: float) -> Learner:
    """Untrained: its batch normalisation has never seen a batch, and its levels are zero."""
    torch.manual_seed(0)
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.02), rate=rate)
    return Learner(MLPEncoder(64, 32, 24), Projector(24, 16, bias=rate == 0), objective)


def shares(model: Learner, part: str) -> torch.Tensor:
    """The share of views of digits in which each unit fires."""
    source, model = getattr(load("digits"), part), model.eval()
    views = [image for drawn in drawn_views(source, view_maker(digits()), 256, 9) for image in drawn.images]
    with torch.no_grad():
        return torch.cat([model.project(model(images)) for images in views]).gt(0).float().mean(0)


def test_units_fire_as_planned_in_views_that_were_not_looked_at() -> None:
    model, source = learner(0.1), load("digits").train
    assert shares(model, "held_out").sub(0.02).abs().max() > 0.1
    settle(model, source, view_maker(digits()), 256, 0)
    assert shares(model, "train").mean() == pytest.approx(0.02, abs=0.002)
    assert shares(model, "train").sub(0.02).abs().max() < 0.01
    assert shares(model, "held_out").mean() == pytest.approx(0.02, abs=0.005)


def test_it_is_repeatable_and_puts_modes_and_momenta_back() -> None:
    one, other = learner(0.1), learner(0.1)
    for model in (one, other):
        settle(model, load("digits").train, view_maker(digits()), 256, 0)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
    assert all(module.training for module in one.modules())
    assert {layer.momentum for layer in followers(one)} == {0.1}


def test_a_frozen_encoder_stays_as_it_is() -> None:
    model = learner(0.1)
    model.encoder.eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    settle(model, load("digits").train, view_maker(digits()), 256, 0)
    same = {key: torch.equal(before[key], value) for key, value in model.state_dict().items() if value.ndim}
    assert all(kept for key, kept in same.items() if key.startswith("encoder"))
    assert not any(kept for key, kept in same.items() if "projector" in key and "running" in key)
    assert not any(module.training for module in model.encoder.modules())
    assert model.projector.training


def test_a_frozen_encoder_stays_as_it_is_through_a_whole_run(tmp_path: Path) -> None:
    model, data, views = learner(0.1), load("digits"), view_maker(digits())
    model.encoder.eval()
    before = {key: value.clone() for key, value in model.encoder.named_buffers()}
    workspace, probe = Workspace(tmp_path / "run"), probe_beside(model, data, views)
    workspace.start({})
    fit(model, ViewedData(data, views, 256, 0), RunSettings(epochs=1, threads=1, precision="32"), workspace, probe)
    assert all(torch.equal(before[key], value) for key, value in model.encoder.named_buffers())


@pytest.mark.parametrize(("batch", "batches"), [(256, 4), (300, 3), (1200, 1), (5000, 1)])
def test_moments_are_those_of_full_batches_with_their_views_pooled(batch: int, batches: int) -> None:
    """Layer by layer as torch averages them."""
    model, source = learner(0.0), load("digits").train
    settle(model, source, view_maker(digits()), batch, 0)
    again = nn.Sequential(learner(0.0).encoder, learner(0.0).projector)
    generator = torch.Generator().manual_seed(step_seed(0, 4))
    rows = random_batches(len(source), batch, generator)
    assert [len(part) for part in rows] == [min(batch, len(source))] * batches
    update_bn([torch.cat(view_maker(digits())(source.read(part), generator)) for part in rows], again)
    moments = nn.Sequential(model.encoder, model.projector).state_dict()
    for name, value in again.state_dict().items():
        torch.testing.assert_close(moments[name], value, msg=name)


def test_moments_are_those_without_dropout() -> None:
    plain, dropping = learner(0.0), learner(0.0)
    dropping.encoder = nn.Sequential(dropping.encoder, nn.Dropout(0.5))
    for model in (plain, dropping):
        settle(model, load("digits").train, view_maker(digits()), 256, 0)
    moments, others = plain.projector.state_dict(), dropping.projector.state_dict()
    assert all(torch.equal(value, others[name]) for name, value in moments.items())


@pytest.mark.parametrize(("count", "samples"), [(2, 10_000), (3, 6_667)])
def test_no_more_views_are_drawn_than_fill_the_rows(count: int, samples: int) -> None:
    seen: list[int] = []

    class Counting(TensorViewMaker):
        def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> list[torch.Tensor]:
            seen.append(len(batch))
            return super().__call__(batch, generator)

    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.1))
    model, source = Learner(nn.Identity(), nn.Identity(), objective), as_source(torch.randn(1438, 3))
    settle(model, source, Counting(TensorSettings(count=count)), 256, 0)
    assert sum(seen) == 1 + samples  # the one tells how many views there are


def test_a_run_of_15_steps_is_judged_as_it_is(tmp_path: Path) -> None:
    """Statistics that lag put it at 80 % of the way from floor to collapse, where training ended at 12 %."""
    recipe = partial(RECIPES["rectified-lpjepa"], activity=0.1)
    run = Run.new(recipe, Setup(run=RunSettings(tmp_path / "run", epochs=3, threads=1, report=False))).train()
    figures = run.judge()
    floor, collapse = figures["matching.floor"], figures["matching.collapse"]
    trained, judged = ((x - floor) / (collapse - floor) for x in (last(run, "matching"), figures["matching.value"]))
    assert judged == pytest.approx(trained, abs=0.1)
    assert figures["sparsity.l0"] == pytest.approx(0.1, abs=0.005)


def last(run: Run, term: str) -> float:
    return run.history[f"train/{term}"][-1][1]


def test_without_thresholds_a_frozen_network_stays_as_it_is() -> None:
    model = learner(0.0).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    settle(model, load("digits").train, view_maker(digits()), 256, 0)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())

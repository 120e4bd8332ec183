"""Thresholds after training."""

import pytest
import torch

from jointlaw.data._sources import load
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives._lpjepa import RectifiedLpJEPA
from jointlaw.training._datamodule import drawn_views
from jointlaw.training._learner import Learner
from jointlaw.training._settling import settle
from jointlaw.views._makers import digits, view_maker


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


def test_it_is_repeatable_and_puts_the_mode_back() -> None:
    one, other = learner(0.1).train(), learner(0.1).eval()
    for model in (one, other):
        settle(model, load("digits").train, view_maker(digits()), 256, 0)
    assert one.training
    assert not other.training
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_without_thresholds_nothing_happens() -> None:
    model = learner(0.0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    settle(model, load("digits").train, view_maker(digits()), 256, 0)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())

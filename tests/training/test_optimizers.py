from itertools import pairwise

import pytest
import torch
from torch import nn

from jointlaw.training._optimizers import LARS, SGD, AdamW, Optimizer


@pytest.mark.parametrize("recipe", [AdamW(warmup=0.1), SGD(warmup=0.1), LARS(warmup=0.1)])
def test_schedule_warms_up_to_the_peak_and_falls_to_zero(recipe: Optimizer) -> None:
    optimizer = recipe.build([nn.Linear(3, 3)])
    schedule = recipe.schedule(optimizer, 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(recipe.learning_rate)
    assert rates.index(max(rates)) == 10
    assert rates[0] < 0.2 * recipe.learning_rate
    assert rates[-1] < 0.01 * recipe.learning_rate
    assert all(a <= b for a, b in pairwise(rates[:11]))
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_biases_and_normalisation_are_not_decayed() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decayed, rest = AdamW(weight_decay=0.1).build([module]).param_groups
    assert [p.ndim for p in decayed["params"]] == [4]
    assert {p.ndim for p in rest["params"]} == {1}
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_left_out() -> None:
    frozen = nn.Linear(2, 2).requires_grad_(False)
    groups = AdamW().build([nn.Linear(2, 2), frozen]).param_groups
    assert sum(len(group["params"]) for group in groups) == 2


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"weight_decay": -1.0}, {"warmup": 1.0}])
def test_impossible_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        AdamW(**wrong)


@pytest.mark.parametrize(("gradient", "step"), [(1.0, 0.02 * 4), (0.001, 0.3 * 0.004)])
def test_a_clipped_step_is_a_share_of_the_weights_or_plain_descent(gradient: float, step: float) -> None:
    layer = nn.Linear(4, 4, bias=False)
    nn.init.ones_(layer.weight)  # of length 4
    layer.weight.grad = torch.full((4, 4), gradient)
    LARS(learning_rate=0.3, weight_decay=0.0, momentum=0.0, trust=0.02, clip=True).build([layer]).step()
    assert torch.linalg.vector_norm(1 - layer.weight).item() == pytest.approx(step, rel=1e-4)


def test_one_step_of_each_lowers_a_quadratic() -> None:
    for recipe in (AdamW(learning_rate=0.1), LARS(learning_rate=1.0)):
        layer = nn.Linear(4, 4)
        optimizer = recipe.build([layer])
        before = layer.weight.square().sum()
        before.backward()
        optimizer.step()
        assert layer.weight.square().sum() < before
    assert torch.is_grad_enabled()

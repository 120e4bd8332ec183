"""Every recipe builds a method that learns from a batch; together they are the commands of training."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest
import torch

from jointlaw.cli._main import main
from jointlaw.networks import ConvEncoder
from jointlaw.training._learner import Learner
from jointlaw.training.recipes import GROUPS, RECIPES, Method
from jointlaw.types import Views

NAMES = [name for name in RECIPES if name != "compose"]


def learner(recipe: Callable[..., Method], **options: object) -> Learner:
    torch.manual_seed(0)
    method = recipe(**options)
    return Learner(ConvEncoder(1, width=4), method.projector(32), method.objective, momentum=method.momentum)


def views(batch: int = 32) -> Views:
    images = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noisy = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return Views([images, noisy], torch.full((batch,), -1), torch.arange(batch))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_descends_from_two_batches(name: str) -> None:
    small = {"width": 16} if "width" in signature(RECIPES[name]).parameters else {}
    model = learner(RECIPES[name], **small)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for _ in range(2):  # a bank has memories from the second on
        z = model.embed(views())
        outcome = model.objective(z)
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.objective.update(z)
        assert outcome.loss.isfinite()
    gradients = [p.grad for p in model.encoder.parameters() if p.grad is not None]
    assert gradients
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_is_moved_by_rounding_errors(name: str) -> None:
    """Adam makes whole steps of them, other ones on another number of processes."""
    small = {"width": 16} if "width" in signature(RECIPES[name]).parameters else {}
    model = learner(RECIPES[name], **small)
    z = model.embed(views())
    with torch.no_grad():
        model.objective.update(z)
    z = model.embed(views())
    model.objective(z).loss.backward()
    sizes = {key: float(p.grad.abs().max()) for key, p in model.named_parameters() if p.grad is not None}
    assert [key for key, size in sizes.items() if 0 < size < 1e-5 * max(sizes.values())] == []


def test_objectives_that_follow_a_target_network_have_one() -> None:
    assert {name for name in NAMES if learner(RECIPES[name]).target_network is not None} >= {"moco", "byol", "jepa"}


def test_groups_hold_every_recipe_once() -> None:
    assert sum(len(group) for group in GROUPS.values()) == len(RECIPES)


def test_help_shows_every_recipe_on_one_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in RECIPES)
    assert len(text.splitlines()) < 80


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains_from_the_command_line(name: str, tmp_path: Path) -> None:
    small = ["--run.epochs=1", "--run.threads=1", "--run.report=false", f"--run.folder={tmp_path / 'run'}"]
    assert main(["train", name, *small, "--width=16"]) == 0
    assert (tmp_path / "run" / "encoder.safetensors").exists()

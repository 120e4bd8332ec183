"""Every recipe builds a method that learns from a batch; together they are the commands of training."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path

import pytest
import torch

from jointlaw.cli._main import main
from jointlaw.densities import FourierProcess
from jointlaw.networks import ConvEncoder
from jointlaw.objectives import SMCGMJE, DualGJE
from jointlaw.training._learner import Learner
from jointlaw.training.recipes import GROUPS, RECIPES, Method, dual_gje, primal_hsic, smc_gmje_joint
from jointlaw.types import Embeddings, Views

NAMES = [name for name in RECIPES if name != "compose"]
CASES = {name: RECIPES[name] for name in NAMES} | {"dual-gje, linear": partial(RECIPES["dual-gje"], kernel="linear")}


def learner(recipe: Callable[..., Method], **options: object) -> Learner:
    torch.manual_seed(0)
    method = recipe(**options)
    return Learner(ConvEncoder(1, width=4), method.projector(32), method.objective, momentum=method.momentum)


def views(batch: int = 32) -> Views:
    images = torch.rand(batch, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    noisy = images + 0.1 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    return Views([images, noisy], torch.full((batch,), -1), torch.arange(batch))


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_descends_from_two_batches(name: str) -> None:
    small = {"width": 16} if "width" in signature(CASES[name]).parameters else {}
    model = learner(CASES[name], **small)
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


@pytest.mark.parametrize("name", CASES)
def test_no_parameter_is_moved_by_rounding_errors(name: str) -> None:
    """Adam makes whole steps of them, other ones on another number of processes."""
    small = {"width": 16} if "width" in signature(CASES[name]).parameters else {}
    model = learner(CASES[name], **small)
    z = model.embed(views())
    with torch.no_grad():
        model.objective.update(z)
    z = model.embed(views())
    model.objective(z).loss.backward()
    sizes = {key: float(p.grad.abs().max()) for key, p in model.named_parameters() if p.grad is not None}
    assert [key for key, size in sizes.items() if 0 < size < 1e-5 * max(sizes.values())] == []


def test_objectives_that_follow_a_target_network_have_one() -> None:
    assert {name for name in NAMES if learner(RECIPES[name]).target_network is not None} >= {"moco", "byol", "jepa"}


@pytest.mark.parametrize(("options", "variance"), [({}, 1 / 16), ({"length": 2.0}, 1 / 4)], ids=["default", "length 2"])
def test_a_linear_kernel_divides_contexts_by_its_length(options: dict[str, float], variance: float) -> None:
    objective = dual_gje(kernel="linear", width=8, **options).objective
    assert isinstance(objective, DualGJE)
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(objective.process.kernel(x), variance * x @ x.T)


def test_the_kernel_of_the_dual_is_smooth_unless_another_is_asked_for() -> None:
    exact, features = (dual_gje(width=8, features=features).objective for features in (None, 32))
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert isinstance(exact, DualGJE)
    assert isinstance(features, DualGJE)
    assert isinstance(features.process, FourierProcess)
    for process in (exact.process, features.process):
        torch.testing.assert_close(process.kernel(x), torch.exp(-torch.cdist(x, x).square() / (2 * 1.5**2)))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (partial(dual_gje, kernel="linear", features=64), "no random features with a linear kernel"),
        (partial(dual_gje, kernel="linear", length=0.0), "length > 0"),
        (partial(dual_gje, length=0.0), "length > 0"),
        (partial(primal_hsic, dependence=-1.0), "dependence >= 0"),
        (partial(smc_gmje_joint, tempering=2.0), "0 <= tempering <= 1"),
        (partial(smc_gmje_joint, entropy=-1.0), "entropy >= 0"),
    ],
)
def test_impossible_options_are_refused(build: Callable[[], Method], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()


def test_joint_particles_are_pairs_under_a_metric_that_fills_the_sphere() -> None:
    objective = smc_gmje_joint(bank=10, width=8).objective
    assert isinstance(objective, SMCGMJE)
    assert (objective.bank.size, objective.bank.dim) == (10, 16)
    torch.testing.assert_close(objective.scale()[0], torch.eye(16) / 8**0.5)


@pytest.mark.parametrize(
    ("options", "remembers"), [({}, True), ({"tempering": 1.0}, False)], ids=["default", "published"]
)
def test_joint_particles_outlive_a_batch_only_if_their_likelihood_is_tempered(
    options: dict[str, float], remembers: bool
) -> None:
    objective = smc_gmje_joint(bank=128, **options).objective
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        z = torch.randn(2, 32, 128, generator=generator)
        objective.update(Embeddings(z, z))
    survival = float(objective.statistics["survival"])
    assert (survival > 0) == remembers


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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["width", "hidden"])
def test_an_embedding_or_a_layer_without_units_is_refused(name: str, option: str) -> None:
    if option in signature(RECIPES[name]).parameters:
        with pytest.raises(ValueError, match=">= 1, found 0"):
            RECIPES[name](**{option: 0})


def test_options_of_growing_prototypes_are_checked() -> None:
    for words, options in (
        ("every >= 1", {"every": 0}),
        ("most <= 4,096", {"most": 100_000}),
        ("most >= 2", {"most": 1}),
    ):
        with pytest.raises(ValueError, match=words):
            RECIPES["gmje-gng"](**options)

"""The code in CONTRIBUTING.md runs, and what it adds keeps the contracts."""

import doctest
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from contracts import test_laws as laws
from contracts import test_objectives as objectives
from jointlaw.training import Learner

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def contract(module: ModuleType, fixtures: set[str]) -> list[Callable[..., None]]:
    """The tests of a contract that take nothing but these fixtures."""
    found = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [test for test in found if set(inspect.signature(test).parameters) <= fixtures]


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    """The page as a module (copies and pickles find its classes there); its entries leave the contracts afterwards."""
    module = ModuleType("contributing_page")
    kept = dict(objectives.OBJECTIVES), dict(laws.LAWS)
    sys.modules[module.__name__] = module
    for block in BLOCKS:
        exec(block, module.__dict__)  # noqa: S102 (our own page)
    yield module
    del sys.modules[module.__name__]
    for table, before in zip((objectives.OBJECTIVES, laws.LAWS), kept, strict=True):
        table.clear()
        table.update(before)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Barlow Twins", "logistic target"])
@pytest.mark.parametrize("test", contract(objectives, {"case", "objective"}), ids=lambda test: test.__name__)
def test_the_method_keeps_the_contract(page: ModuleType, name: str, test: Callable[..., None]) -> None:
    case = objectives.OBJECTIVES[name]
    torch.manual_seed(0)
    known: dict[str, Any] = {"case": case, "objective": case.build()}
    test(**{wanted: known[wanted] for wanted in inspect.signature(test).parameters})


@pytest.mark.parametrize("name", ["Logistic(0.0, 1.0)", "Logistic(-1.5, 0.3)"])
@pytest.mark.parametrize("test", contract(laws, {"law"}), ids=lambda test: test.__name__)
def test_the_law_keeps_the_contract(page: ModuleType, name: str, test: Callable[..., None]) -> None:
    torch.manual_seed(0)
    test(laws.LAWS[name]())


def test_the_formula_is_that_of_the_paper(page: ModuleType) -> None:
    z = torch.randn(2, 500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outcome = page.BarlowTwins()(objectives.Embeddings(z, z))
    c = torch.corrcoef(torch.cat([z[0], z[1]], 1).T)[:3, 3:]
    assert float(outcome.terms["agreement"]) == pytest.approx(float(((1 - c.diag()) ** 2).sum()), rel=1e-5)
    assert float(outcome.terms["redundancy"]) == pytest.approx(float((c**2).sum() - (c.diag() ** 2).sum()), rel=1e-5)


def test_the_recipe_makes_a_learner_that_learns(page: ModuleType) -> None:
    torch.manual_seed(0)
    method = page.barlow_twins(width=16)
    learner = Learner(nn.Linear(8, 32), method.projector(32), method.objective)
    x = torch.randn(2, 64, 8)
    views = objectives.Embeddings(torch.stack([learner.project(learner(view)) for view in x]), torch.zeros(2, 64, 16))
    learner.objective(views).loss.backward()
    assert all(parameter.grad is not None for parameter in learner.encoder.parameters())


def test_examples_of_the_page_run(page: ModuleType) -> None:
    for test in doctest.DocTestFinder().find(page.Logistic, "Logistic", module=False, globs=page.__dict__):
        assert doctest.DocTestRunner().run(test).failed == 0

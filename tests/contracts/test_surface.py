"""What every public name of the mathematics promises: a docstring with an example, which the doctests run."""

import importlib
import inspect
from pathlib import Path

import pytest

import jointlaw

PACKAGES = (
    "banks",
    "densities",
    "densities.em",
    "distributed",
    "functional",
    "laws",
    "networks",
    "objectives",
    "regularizers",
    "types",
)
NAMES = [(package, name) for package in PACKAGES for name in importlib.import_module(f"jointlaw.{package}").__all__]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_every_public_name_has_a_docstring_with_an_example(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(f"jointlaw.{package}"), name)
    assert thing.__doc__
    assert ">>> " in thing.__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_manual_with_an_example_that_names_all_it_has(package: str) -> None:
    module = importlib.import_module(f"jointlaw.{package}")
    assert module.__doc__
    assert ">>> " in module.__doc__
    if package in ("distributed", "types"):
        return  # their names are described where they are
    assert [name for name in module.__all__ if name not in module.__doc__] == []


OURS = ("Blend", "default_slices", "unit")  # no formula of anyone's


def test_formulas_name_their_source_and_how_they_differ_from_it() -> None:
    missing = []
    for package in ("objectives", "regularizers", "functional"):
        module = importlib.import_module(f"jointlaw.{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isabstract(thing) or name in OURS:
                continue
            text = inspect.getdoc(thing) or ""
            missing += [f"{package}.{name}: {line}" for line in ("Source:", "Differs from") if line not in text]
    assert missing == []


def test_names_behind_a_package_are_private_files() -> None:
    root = Path(jointlaw.__file__).parent
    for package in ("banks", "densities", "densities/em", "functional", "laws", "objectives", "regularizers"):
        assert all(file.name.startswith("_") for file in (root / package).glob("*.py"))

"""The package stands on the library's public names, imports cheaply, and is a wheel of the library's own version."""

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import jointlaw
import jointlaw_papers
from jointlaw_papers.experiment import Experiment

HOME = Path(jointlaw_papers.__file__).parent
FILES = sorted(HOME.glob("*.py"))


def imported(path: Path) -> list[tuple[str, str]]:
    """(module, name) of everything that a file imports from the library."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return [(module, name) for module, name in found if module.split(".")[0] == "jointlaw"]


def public(module: str, name: str) -> bool:
    if any(part.startswith("_") for part in [*module.split("."), name]):
        return False
    home = import_module(module)
    names = getattr(home, "__all__", None)
    if not name or names is None or name in names:
        return True
    return f"{module}.{name}" in sys.modules and hasattr(home, "__path__")  # a package


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_public_names_are_used(path: Path) -> None:
    assert [f"{module}.{name}" for module, name in imported(path) if not public(module, name)] == []


@pytest.mark.parametrize("name", jointlaw_papers.NAMES)
def test_every_experiment_has_its_three_scales(name: str) -> None:
    experiment = import_module(f"jointlaw_papers.{name}_page").EXPERIMENT
    assert isinstance(experiment, Experiment)
    assert experiment.name == name
    assert list(experiment.plans) == ["smoke", "cpu", "paper"]


def test_unknown_experiments_and_scales_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="alignment, banks"):
        jointlaw_papers.reproduce("everything")
    with pytest.raises(ValueError, match="smoke, cpu, paper"):
        jointlaw_papers.reproduce("banks", "large", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, jointlaw_papers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_wheel_asks_for_the_library_of_its_own_version() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert jointlaw_papers.__version__ == jointlaw.__version__
    assert project["dependencies"] == [f"jointlaw[train,report]=={jointlaw.__version__}"]

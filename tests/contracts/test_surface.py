"""What is public: the list of names, and what each name promises, a docstring with an example that the doctests run."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "jointlaw"
HELD = Path(__file__).with_name("public_names.txt")


def file_of(module: str) -> Path | None:
    """The source of one of jointlaw's modules, by its dotted name."""
    base = ROOT / "src" / module.replace(".", "/")
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.exists()), None)


def listed(file: Path) -> list[str]:
    """The ``__all__`` of a file, which is not imported: not every package's extra need be there."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


PACKAGES = {
    module_of(file): names
    for file in sorted(SOURCE.rglob("*.py"))
    if "._" not in module_of(file) and (names := listed(file))
}
NAMES = [(package, name) for package, names in PACKAGES.items() for name in names]

# The manual's example speaks for functions: recipes, whose call is a command; marks, which need a figure; and `main`.
BY_THE_MANUAL = ("jointlaw.training.recipes", "jointlaw.report.drawing", "jointlaw.cli")
# Their names are described where they are.
DESCRIBED_IN_PLACE = ("jointlaw.distributed", "jointlaw.types")


def imported(package: str) -> object:
    """A package; a test is skipped where its extra is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        return skipped(error)


def skipped(error: ImportError) -> object:
    if (error.name or "").startswith("jointlaw"):
        raise error
    pytest.skip(f"{error.name} is not installed")


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_every_public_name_has_a_docstring_with_an_example(package: str, name: str) -> None:
    try:
        thing = getattr(imported(package), name)
    except ImportError as error:
        thing = skipped(error)
    if not callable(thing):
        return  # a constant: its line is in the manual
    assert thing.__doc__
    assert ">>> " in thing.__doc__ or (package in BY_THE_MANUAL and inspect.isfunction(thing))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_a_manual_with_an_example_that_names_all_it_has(package: str) -> None:
    manual = imported(package).__doc__
    assert manual
    assert ">>> " in manual
    if package not in DESCRIBED_IN_PLACE:
        assert [name for name in PACKAGES[package] if not names(manual, name)] == []


def names(manual: str, name: str) -> bool:
    """Whether a manual has a name, as a word of its own."""
    return name in "".join(letter if letter.isalnum() or letter == "_" else " " for letter in manual).split()


def test_public_names_are_those_that_are_held_here() -> None:
    held = HELD.read_text(encoding="utf-8").splitlines()
    found = sorted(f"{package}.{name}" for package, name in NAMES)
    change = f"Edit {HELD.relative_to(ROOT)}, and tell users in CHANGELOG.md."
    assert held == sorted(set(held)), f"{HELD.name}: expected sorted lines, each once. {change}"
    new, gone = sorted(set(found) - set(held)), sorted(set(held) - set(found))
    assert (new, gone) == ([], []), f"The public names have changed: new {new}, gone {gone}. {change}"


FOLDERS = ("src", "tests", "examples", "benchmarks")
PYTHON = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]


def test_only_public_names_are_imported_from_public_packages() -> None:
    # Packages that import their names lazily hide this from type checkers.
    wrong = []
    for file in PYTHON:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            module = node.module if isinstance(node, ast.ImportFrom) and node.level == 0 else None
            if module is None or module.split(".")[0] != "jointlaw" or "._" in module:
                continue
            known = PACKAGES.get(module, [])
            wrong += [
                f"{file.relative_to(ROOT)}:{node.lineno}: {module}.{alias.name}"
                for alias in node.names
                if alias.name not in known and file_of(f"{module}.{alias.name}") is None and alias.name[:2] != "__"
            ]
    assert wrong == []


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
    rooms = {file.parent for file in SOURCE.rglob("__init__.py")} - {SOURCE}
    public = {module_of(file) for room in rooms for file in room.glob("*.py") if not file.name.startswith("_")}
    assert public == {"jointlaw.report.drawing"}

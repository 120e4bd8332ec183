"""Objects out of a configuration, and back: ``class_path`` with ``init_args``, and nothing that nobody allowed.

A run folder may come from somebody else. What its configuration names is looked up among the public classes of
jointlaw and of ``torch.optim``; anything else is refused unless the user trusts the folder. (timm's models are asked
for by name, which imports nothing either.)
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch

from jointlaw._own import own_function, resolved
from jointlaw.laws import Law

PACKAGES = frozenset(
    ["jointlaw", "torch.optim"]
    + [
        f"jointlaw.{room}"
        for room in ("banks", "densities", "evaluation", "functional", "laws", "networks", "objectives")
    ]
    + [f"jointlaw.{room}" for room in ("regularizers", "training", "types", "views")]
)
"""Packages whose public classes a configuration may name."""


def build(tree: Any, trust: bool = True) -> Any:
    """Objects out of plain values: a mapping with ``class_path`` becomes an instance, a list a tuple.

    Args:
        tree: numbers, texts, lists and mappings, as YAML or JSON hold them.
        trust: whether classes of other packages may be imported.

    Raises:
        ValueError: if a class may not be named, is not there, or refuses its arguments.

    >>> build({"class_path": "jointlaw.laws.GeneralizedGaussian", "init_args": {"p": 1.0}}).p
    tensor(1.)
    """
    if isinstance(tree, list | tuple):
        return tuple(build(part, trust) for part in tree)
    if not isinstance(tree, Mapping):
        return tree
    if "class_path" not in tree:
        return {name: build(part, trust) for name, part in tree.items()}
    path, arguments = str(tree["class_path"]), build(tree.get("init_args") or {}, trust)
    made = known_class(path, trust)
    for name, parameter in inspect.signature(made).parameters.items():
        default = parameter.default
        plain = callable(default) and not isinstance(default, type)
        if plain and isinstance(arguments.get(name), str):  # a function, by its path
            if arguments[name].rpartition(".")[2] == default.__name__:
                del arguments[name]
            else:
                arguments[name] = own_function(f"{path}.{name}", arguments[name], trust)
    try:
        return made(**arguments)
    except TypeError as error:
        raise ValueError(f"{path}: expected its own arguments, found {sorted(arguments)} ({error}).") from error


def known_class(path: str, trust: bool = True) -> Callable[..., Any]:
    """The class that a configuration names.

    Raises:
        ValueError: if it is none of the public ones and the folder is not trusted, or is no class.
    """
    package, _, name = path.rpartition(".")
    if package in PACKAGES:
        module = importlib.import_module(package)
        found = getattr(module, name, None) if name in getattr(module, "__all__", ()) else None
        if isinstance(found, type):
            return found
    if not trust:
        raise ValueError(
            f"configuration: expected classes of jointlaw or torch.optim, found {path!r}, which would run code from "
            "elsewhere. If you know whose it is, allow it by --trust (trust=True)."
        )
    found = resolved("configuration", path)
    if not isinstance(found, type):
        raise ValueError(f"configuration: expected the path of a class, found {path!r}, which is none.")
    return found


def class_paths(tree: Any, seen: set[int] | None = None) -> Iterator[str]:
    """Every class that a tree names; a part that stands in several places, or in itself, is gone through once.

    >>> list(class_paths({"law": {"class_path": "jointlaw.laws.GeneralizedGaussian"}, "width": 3}))
    ['jointlaw.laws.GeneralizedGaussian']
    """
    seen = set() if seen is None else seen
    if not isinstance(tree, Mapping | list | tuple) or id(tree) in seen:
        return
    seen.add(id(tree))
    if isinstance(tree, Mapping) and "class_path" in tree:
        yield str(tree["class_path"])
    for part in tree.values() if isinstance(tree, Mapping) else tree:
        yield from class_paths(part, seen)


def describe(value: Any) -> Any:
    """Plain values that ``build`` makes the same object of.

    Numbers, texts and None stay, lists and mappings are gone through, a path becomes text. Settings (dataclasses), laws
    of one unit, and objects that keep their constructor's arguments under their names, as slices and targets do, are
    named with these arguments.

    Raises:
        ValueError: for any other object.

    >>> from jointlaw import GeneralizedGaussian
    >>> describe(GeneralizedGaussian(1.0, 0.0, 2.0))["init_args"]
    {'p': 1.0, 'loc': 0.0, 'scale': 2.0}
    """
    if isinstance(value, torch.Tensor) and value.ndim == 0:
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Real):  # NumPy's numbers, too
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [describe(part) for part in value]
    if isinstance(value, Mapping):
        return {str(name): describe(part) for name, part in value.items()}
    return {"class_path": _public_path(type(value)), "init_args": describe(_arguments(value))}


def _arguments(value: Any) -> dict[str, Any]:
    if isinstance(value, Law):
        return {**value.tensors, **value.constants}
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    names = list(inspect.signature(type(value)).parameters)
    if isinstance(value, torch.nn.Module) or not all(hasattr(value, name) for name in names):
        raise ValueError(
            f"configuration: expected an option that can be written down, found a {type(value).__name__}. Give it as "
            'a mapping, {"class_path": ..., "init_args": ...}.'
        )
    return {name: getattr(value, name) for name in names}


def _public_path(kind: type) -> str:
    """Where a class is public, else where it is defined."""
    parts = kind.__module__.split(".")
    for depth in range(len(parts), 0, -1):
        package = ".".join(parts[:depth])
        if package in PACKAGES and kind.__name__ in getattr(importlib.import_module(package), "__all__", ()):
            return f"{package}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"

"""Packages whose public names are imported when they are first asked for."""

import sys
from collections.abc import Callable
from importlib import import_module

from jointlaw._extras import missing


def attach(package: str, **modules: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package whose names live in modules that are slow to import.

    Args:
        package: its ``__name__``.
        **modules: module of the package (or a dotted path from the top) -> the names in it, separated by spaces.

    >>> get, names = attach("jointlaw", types="Embeddings Views")
    >>> names(), get("Views").__name__
    (['Embeddings', 'Views'], 'Views')
    """
    places = {name: module for module, names in modules.items() for name in names.split()}

    def __getattr__(name: str) -> object:  # noqa: N807 (becomes a package's own)
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(f"{package}.{places[name]}")
        except ModuleNotFoundError as error:
            raise missing(error.name) from error  # an extra that is not installed
        value: object = getattr(module, name)
        setattr(sys.modules[package], name, value)  # the next time it is there
        return value

    return __getattr__, lambda: sorted(places)

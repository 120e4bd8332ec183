"""What a user wrote, named on a command line."""

import importlib
from collections.abc import Callable
from typing import Any


def imported(option: str, path: str) -> Callable[..., Any]:
    """Import ``module:function``.

    Args:
        option: which option named it, for the error.
        path: module and name.

    Raises:
        ValueError: if it cannot be imported or called.

    >>> imported("views", "math:sqrt")(4.0)
    2.0
    """
    module, _, name = path.partition(":")
    try:
        function: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{option}: expected module:function that can be imported, found {path!r} ({error}). "
            "Is the module on PYTHONPATH?"
        ) from error
    if not callable(function):
        raise ValueError(f"{option}: expected {path!r} to be callable, found {type(function).__name__}.")
    return function

"""What a user wrote, named in a configuration: imported only where that is allowed."""

import pkgutil
from collections.abc import Callable
from typing import Any


def own_function(option: str, path: str, trust: bool = True) -> Callable[..., Any]:
    """A function of the user's, named as ``module:function``.

    Args:
        option: which option named it, for the error.
        path: module and name.
        trust: whether it may be imported.

    Raises:
        ValueError: if it may not be imported, cannot be, or cannot be called.

    >>> own_function("views", "math:sqrt")(4.0)
    2.0
    """
    refuse_stranger(option, path, trust)
    found = resolved(option, path)
    if not callable(found):
        raise ValueError(f"{option}: expected {path!r} to be callable, found {type(found).__name__}.")
    return found  # type: ignore[no-any-return]


def resolved(option: str, path: str) -> Any:
    """What a dotted path, or ``module:name``, stands for; a ``ValueError`` where it cannot be imported."""
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{option}: expected module:function that can be imported, found {path!r} ({error}). "
            "Is the module on PYTHONPATH?"
        ) from error


def refuse_stranger(option: str, path: str, trust: bool) -> None:
    """Raise a ``ValueError`` unless code from elsewhere may be run."""
    if not trust:
        raise ValueError(
            f"{option}: expected a name that jointlaw knows, found {path!r}, which would run code from elsewhere. If "
            "you know whose it is, allow it by --trust (trust=True)."
        )

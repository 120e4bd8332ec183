"""Packages that only some of the library needs, asked for in one sentence."""

from importlib.util import find_spec


def require(extra: str, *modules: str) -> None:
    """Raise unless the modules of an extra are installed.

    Args:
        extra: its name, as in ``pip install 'jointlaw[train]'``.
        *modules: top-level modules that it brings.

    Raises:
        ImportError: naming what is missing and how to get it.

    >>> require("train", "math", "json")
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ImportError(
            f"jointlaw: expected {' and '.join(missing)} to be installed, found none. Install what this needs: "
            f"pip install 'jointlaw[{extra}]'."
        )

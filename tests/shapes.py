"""The checker of shape annotations: beartype, where it can."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float, as for every other type checker


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Check the calls of a function; one that returns ``Self`` is left alone, since beartype sees no class here."""
    try:
        return _check(function)
    except BeartypeDecorHintPep673Exception:
        return function

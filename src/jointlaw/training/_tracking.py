"""How whatever takes long shows what it does and how far it is."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Hands items on and shows what is being done and how far it is."""

    def __call__(self, items: Iterable[T], doing: str, total: int) -> Iterable[T]:
        """Go through ``total`` items."""


def untracked(items: Iterable[T], doing: str, total: int) -> Iterable[T]:  # noqa: ARG001 (a `Track`)
    """Shows nothing."""
    return items


def about(seconds: float) -> str:
    """A duration in words.

    >>> about(5.2), about(400), about(8000)
    ('about 5 s', 'about 7 min', 'about 2.2 h')
    """
    if seconds < 100:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 6000 else f"about {seconds / 3600:.1f} h"

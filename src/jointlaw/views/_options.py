"""View settings of which only some are given: the others are the usual ones for the data."""

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from typing import Any, get_type_hints

from jointlaw.views._settings import TensorSettings, ViewSettings


def _optional() -> list[tuple[str, Any, None]]:
    """Every setting of images and vectors, each of which may be left out."""
    hints = {**get_type_hints(TensorSettings), **get_type_hints(ViewSettings)}
    return [(name, hint | None, None) for name, hint in hints.items()]


ViewOptions: Any = make_dataclass("ViewOptions", _optional(), frozen=True)
ViewOptions.__module__ = __name__
ViewOptions.__doc__ = "Settings of images, then those of vectors.\n" + "".join(
    (kind.__doc__ or "").partition("\n")[2].replace("Attributes:", "Args:") for kind in (ViewSettings, TensorSettings)
)


def settled(
    given: ViewSettings | TensorSettings | Mapping[str, Any] | None, usual: ViewSettings | TensorSettings
) -> ViewSettings | TensorSettings:
    """Complete settings: those that are given, and the usual ones.

    Args:
        given: complete settings, or some of them by name; None counts as not given.
        usual: the settings that are taken where none is given, those of the data at hand.

    Raises:
        ValueError: if one is given that this kind of data does not have.

    >>> settled({"flip": 0.25}, ViewSettings(count=3)).count
    3
    """
    if given is None or isinstance(given, ViewSettings | TensorSettings):
        return usual if given is None else given
    chosen = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items() if x is not None}
    known = {one.name for one in fields(usual)}
    unknown = sorted(set(chosen) - known)
    if unknown:
        kind = "images" if isinstance(usual, ViewSettings) else "vectors"
        raise ValueError(
            f"views: expected settings of {kind} ({', '.join(sorted(known))}), found {', '.join(unknown)}. "
            "Leave these out."
        )
    changed: ViewSettings | TensorSettings = type(usual)(**{**vars(usual), **chosen})
    return changed


def complete(tree: Mapping[str, Any]) -> ViewSettings | TensorSettings:
    """Rebuild settings from all their names and values, as a configuration file holds them.

    >>> complete({"noise": 0.2, "mask": 0.5}).mask
    0.5
    """
    tensor = {one.name for one in fields(TensorSettings)}
    return settled(tree, TensorSettings() if set(tree) <= tensor else ViewSettings())

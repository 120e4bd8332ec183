"""Checks shared by the joint laws: where the context ends, and what fits it."""

import torch
from torch import Size, Tensor


def check_split(where: str, split: int | None, dim: int) -> None:
    """Raise unless the split leaves at least one coordinate on either side."""
    if split is not None and not 1 <= split < dim:
        raise ValueError(
            f"{where}: expected 1 <= split < {dim}, found {split}. split is the number of leading coordinates that "
            "are the context; leave it out for a law of one block."
        )


def needed(where: str, split: int | None) -> int:
    """The split, or an error where the law has one block only."""
    if split is None:
        raise ValueError(
            f"{where}: expected a law of two blocks, found one without a split. Build it with split=d, the number of "
            "leading coordinates that are the context."
        )
    return split


def check_width(where: str, x: Tensor, *widths: int, name: str = "context") -> None:
    """Raise unless the last dimension of ``x`` is one of ``widths``."""
    if x.ndim < 1 or x.shape[-1] not in widths:
        expected = " or ".join(f"[*, {width}]" for width in dict.fromkeys(widths))
        raise ValueError(
            f"{where}: expected {name} {expected}, found shape {list(x.shape)}. Coordinates run along "
            "the last dimension."
        )


def check_leading(where: str, dim: int, most: int) -> None:
    """Raise unless 1 <= dim <= most."""
    if not 1 <= dim <= most:
        raise ValueError(
            f"{where}: expected 1 <= dim <= {most}, found {dim}. dim counts leading coordinates; use swap() for the "
            "other block."
        )


def on_line(where: str, dim: int) -> None:
    """Raise unless the law has one coordinate."""
    if dim != 1:
        raise ValueError(
            f"{where}: expected a law on the line (E = 1), found E = {dim}. Take a coordinate first: marginal(1)."
        )


def common_batch(where: str, **shapes: Size) -> Size:
    """The batch shape of all parameters together, or an error that names those that do not fit."""
    try:
        return Size(torch.broadcast_shapes(*shapes.values()))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        found = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise ValueError(
            f"{where}: expected batch shapes that broadcast, found {found}. A factor has one dimension more than loc, "
            "deviations as many; one scale shared along a dimension has size 1 there: scale_tril[None]."
        ) from error

"""Checks of the context and target that densities are given (shapes only)."""

from torch import Tensor

from jointlaw.laws._blocks import check_width


def required(where: str, context: Tensor | None, dim: int) -> Tensor:
    """Return the context of a predictor, or raise where there is none or its width is not ``dim``."""
    if context is None:
        raise ValueError(
            f"{where}: expected a context [*, {dim}], found none. A predictor has no law of the context: "
            "call density(context), or use a joint density."
        )
    check_width(where, context, dim)
    return context


def paired(where: str, context: Tensor, target: Tensor, context_dim: int, target_dim: int) -> None:
    """Raise unless context ``[*, B, d_c]`` and target ``[*, B, d_t]`` hold pairs."""
    check_width(where, context, context_dim)
    check_width(where, target, target_dim, name="target")
    if context.ndim < 2 or context.shape[:-1] != target.shape[:-1]:
        raise ValueError(
            f"{where}: expected paired context [*, B, {context_dim}] and target [*, B, {target_dim}], found shapes "
            f"{list(context.shape)} and {list(target.shape)}. Pass the same samples in the same order."
        )

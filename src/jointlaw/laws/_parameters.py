"""What the three generalised Gaussian laws do alike with their parameters."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.utils import broadcast_all

from jointlaw import _check as check
from jointlaw.functional._generalized import unit_scale
from jointlaw.functional._special import broadcast
from jointlaw.laws._law import Law

Number = float | Tensor


def shape_loc_scale(
    where: str, p: Number, loc: Number, scale: Number | None, validate_args: bool | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Broadcast p, loc and scale (default: sigma_GN(p)) to tensors of one shape and floating dtype.

    Raises:
        ValueError: if p or scale is not positive, or a parameter is not finite. Python numbers are always checked,
            tensors unless ``validate_args`` (torch's default where None) is off.
    """
    tensors_too = Distribution._validate_args if validate_args is None else validate_args
    for name, value in {"p": p, "scale": scale}.items():
        for bound in _bounds(value, tensors_too):
            check.positive(where, **{name: bound})
    for bound in _bounds(loc, tensors_too):
        if not math.isfinite(bound):
            raise ValueError(f"{where}: expected a finite loc, found {bound}. Choose real numbers.")
    if scale is None:
        sigma = unit_scale(torch.as_tensor(p, dtype=torch.float64))
        scale = sigma.to(p.dtype) if isinstance(p, Tensor) else float(sigma)
    p, loc, scale = broadcast_all(p, loc, scale)
    dtype = torch.promote_types(torch.promote_types(p.dtype, loc.dtype), scale.dtype)
    if not dtype.is_floating_point:
        raise ValueError(f"{where}: expected floating parameters, found {dtype}. Convert them with .float().")
    return p.to(dtype), loc.to(dtype), scale.to(dtype)


def _bounds(value: Number | None, tensors_too: bool) -> tuple[float, ...]:
    """The numbers to check: the value itself, or the extremes of a tensor (NaN if there is one)."""
    if value is None or (isinstance(value, Tensor) and (not tensors_too or value.numel() == 0)):
        return ()
    if isinstance(value, Tensor):
        low, high = value.detach().aminmax()
        return float(low), float(high)
    return (float(value),)


def double(*values: Tensor) -> tuple[Tensor, ...]:
    """Broadcast together, in float64."""
    return broadcast(*(value.double() for value in values))


def implicit_quantile(law: Law, x: Tensor, q: Tensor) -> Tensor:
    """Give the quantile ``x`` at ``q`` the gradient of the implicit function cdf(x) = q, where one is wanted."""
    wanted = q.requires_grad or any(value.requires_grad for value in law.tensors.values())
    if not (wanted and torch.is_grad_enabled()):
        return x
    inside = (q > 0) & (q < 1)
    residual = q - law.cdf(torch.where(inside, x, 1.0))
    density = law.log_prob(torch.where(inside, x, 1.0)).detach().exp()
    plain = torch.where(inside, residual / density, 0.0)
    return x + (plain - plain.detach())

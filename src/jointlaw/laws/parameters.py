"""What the three generalised Gaussian laws do alike with their parameters."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions.utils import broadcast_all

from jointlaw import check
from jointlaw.functional.generalized import unit_scale

Number = float | Tensor


class Continuous(Protocol):
    """A law whose quantile function is differentiated through its cdf."""

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of values up to ``value``."""

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at ``value``."""


def shape_loc_scale(where: str, p: Number, loc: Number, scale: Number | None) -> tuple[Tensor, Tensor, Tensor]:
    """Broadcast p, loc and scale (default: sigma_GN(p)) to tensors of one shape and floating dtype.

    Raises:
        ValueError: if a Python number is not finite, or p or scale not positive. Tensors are left to torch's
            ``validate_args``, which can be turned off.
    """
    for name, value in {"p": p, "scale": scale}.items():
        if isinstance(value, float | int):
            check.positive(where, **{name: value})
    if not isinstance(loc, Tensor) and not math.isfinite(loc):
        raise ValueError(f"{where}: expected a finite loc, found {loc}. Choose a real number.")
    if scale is None:
        sigma = unit_scale(torch.as_tensor(p, dtype=torch.float64))
        scale = sigma.to(p.dtype) if isinstance(p, Tensor) else float(sigma)
    p, loc, scale = broadcast_all(p, loc, scale)
    dtype = torch.promote_types(torch.promote_types(p.dtype, loc.dtype), scale.dtype)
    if not dtype.is_floating_point:
        raise ValueError(f"{where}: expected floating parameters, found {dtype}. Convert them with .float().")
    return p.to(dtype), loc.to(dtype), scale.to(dtype)


def double(*values: Tensor) -> tuple[Tensor, ...]:
    """Broadcast together, in float64."""
    return torch.broadcast_tensors(*(value.double() for value in values))


def implicit_quantile(law: Continuous, x: Tensor, q: Tensor) -> Tensor:
    """Give the quantile ``x`` at ``q`` the gradient of the implicit function cdf(x) = q, where one is wanted."""
    inside = (q > 0) & (q < 1)
    residual = q - law.cdf(torch.where(inside, x, 1.0))
    if not residual.requires_grad:
        return x
    density = law.log_prob(torch.where(inside, x, 1.0)).detach().exp()
    plain = torch.where(inside, residual / density, 0.0)
    return x + (plain - plain.detach())

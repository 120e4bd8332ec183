"""The standard generalised Gaussian (loc 0, scale 1), as functions of tensors.

Density exp(-|t|^p / p) / N(p) with N(p) = 2 p^(1/p - 1) Gamma(1/p). Far in a tail the exponent |t|^p / p swamps
everything else, so that each function here works with differences of exponents. Use float64: they are written for
relative errors below 1e-9 with p in [0.3, 8] and every finite t.

Source: Kuang et al. (2026), arXiv 2602.01456, section 3 (the laws); the numerics are this library's own.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from jointlaw.functional._special import broadcast, log_gamma_quantile, log_gammainccx

NODES = 80
REACH = 60.0  # exponent at which the quadrature stops, before room for moments
CLUSTER = 4  # power of the substitution that clusters nodes at the kink


class Nodes(NamedTuple):
    """A quadrature rule for the part of GN_p(m, 1) on (0, inf).

    Attributes:
        at: abscissae y > 0, ``[2 K, *batch]``.
        weight: sum(weight * f(at)) = integral of f(y) exp(-exponent(y)) dy.
        exponent: (|y - m|^p - |min(m, 0)|^p) / p.
    """

    at: Tensor
    weight: Tensor
    exponent: Tensor

    def expect(self, values: Tensor) -> Tensor:
        """Mean of ``values`` (one per node) under the truncated law."""
        return (self.weight * values).sum(0) / self.weight.sum(0)


def graft(value: Tensor, plain: Tensor) -> Tensor:
    """Return ``value``, computed in a stable way, with the gradient of ``plain``, the same number computed plainly."""
    return value.detach() + (plain - plain.detach()) if plain.requires_grad else value


def power(base: Tensor, p: Tensor) -> Tensor:
    """base^p for base >= 0, whose gradient at base = 0 is 0 rather than infinite (p < 1) or NaN."""
    inside = base > 0
    return torch.where(inside, torch.where(inside, base, 1.0) ** p, 0.0)


def power_gap(base: Tensor, step: Tensor, p: Tensor) -> Tensor:
    """(base + step)^p - base^p for base, base + step >= 0, without cancellation for small steps (no gradient)."""
    close = step.abs() < base
    ratio = torch.where(close, step / torch.where(close, base, 1.0), 0.0)
    apart = torch.where(close, 0.0, base + step).clamp(min=0) ** p - base**p
    return torch.where(close, base**p * torch.expm1(p * torch.log1p(ratio)), apart)


def log_normalizer(p: Tensor) -> Tensor:
    """Logarithm of N(p): log 2 + (1/p - 1) log p + log Gamma(1/p)."""
    return math.log(2) + (1 / p - 1) * p.log() + torch.lgamma(1 / p)


def unit_scale(p: Tensor) -> Tensor:
    """The scale sigma_GN(p) = sqrt(Gamma(1/p) / Gamma(3/p)) / p^(1/p) at which GN_p has variance 1."""
    return (0.5 * (torch.lgamma(1 / p) - torch.lgamma(3 / p)) - p.log() / p).exp()


def absolute_moment(p: Tensor, order: int) -> Tensor:
    """E |t|^order = p^(order/p) Gamma((order + 1)/p) / Gamma(1/p)."""
    return (order * p.log() / p + torch.lgamma((order + 1) / p) - torch.lgamma(1 / p)).exp()


def log_mills(p: Tensor, n: Tensor) -> Tensor:
    """Logarithm of the tail beyond n >= 0 over the density there: log integral_n^inf exp(-(s^p - n^p) / p) ds.

    The gradient takes the reference n^p / p for a constant: add ``-(n^p / p).detach()`` for the tail itself.
    """
    result: Tensor = _LogMills.apply(*broadcast(p, n))
    return result


class _LogMills(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, n: Tensor) -> Tensor:
        a = 1 / p
        log_half_norm = (a - 1) * p.log() + torch.lgamma(a)
        value = log_half_norm + log_gammainccx(a, n**p / p)
        ctx.save_for_backward(p, n, value)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor]:
        p, n, value = ctx.saved_tensors
        by_shape = None
        if ctx.needs_input_grad[0]:
            nodes = truncated_nodes(p, -n)
            distance = nodes.at + n
            by_shape = -grad * nodes.expect(torch.special.xlogy(distance**p, distance) / p - distance**p / p**2)
        return by_shape, -grad * (-value).exp()


def log_tail(p: Tensor, n: Tensor) -> Tensor:
    """Logarithm of the probability beyond n >= 0."""
    return log_mills(p, n) - (n**p / p).detach() - log_normalizer(p)


def log_cdf(p: Tensor, t: Tensor) -> Tensor:
    """Logarithm of Phi_p(t) = 1/2 + sgn(t)/2 P(1/p, |t|^p / p), to relative accuracy in both tails."""
    tail = log_tail(p, torch.where(t < 0, -t, t))
    return torch.where(t < 0, tail, torch.log1p(-tail.exp()))


def quantile(p: Tensor, log_lower: Tensor, log_upper: Tensor, excess: Tensor) -> Tensor:
    """The t at which Phi_p(t) is as given (no gradient).

    Args:
        p: shape.
        log_lower: log Phi_p(t).
        log_upper: log(1 - Phi_p(t)).
        excess: 2 Phi_p(t) - 1. All three are asked for so that neither the tails nor the middle lose digits.
    """
    log_outer = (torch.minimum(log_lower, log_upper) + math.log(2)).clamp(max=0)
    log_inner = torch.where(log_outer < -1, torch.log1p(-log_outer.clamp(max=-1).exp()), excess.abs().log())
    log_x = log_gamma_quantile(1 / p, log_inner, log_outer)
    size = ((log_x + p.log()) / p).exp()
    size = torch.where(excess == 0, 0.0, torch.where(log_outer == -math.inf, math.inf, size))
    return torch.where(excess < 0, -size, size)


@lru_cache
def _legendre(nodes: int) -> tuple[Tensor, Tensor]:
    at, weight = np.polynomial.legendre.leggauss(nodes)
    return torch.from_numpy(at + 1) / 2, torch.from_numpy(weight) / 2


def unit_rule(nodes: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Legendre abscissae and weights on (0, 1), ``[nodes, 1, ...]`` to broadcast against ``like`` and less."""
    shape = (nodes,) + (1,) * like.ndim
    return tuple(value.to(like).reshape(shape) for value in _legendre(nodes))  # type: ignore[return-value]


def truncated_nodes(p: Tensor, m: Tensor, order: int = 2) -> Nodes:
    """Quadrature for GN_p(m, 1) on (0, inf), exact to about 1e-12 for moments up to ``order``.

    Gauss-Legendre on both sides of the mode, or of 0 where the mode is negative, clustered at the kink. Positions
    are constants; gradients with respect to p and m flow through the weights. All weights are positive, hence no
    moment suffers from cancellation, unlike the closed forms by incomplete gamma functions.
    """
    p, m = broadcast(p, m)
    u, rule = unit_rule(NODES, m)
    with torch.no_grad():
        reach = REACH + 2.5 * (order + 1) / p
        mode, start = m.clamp(min=0), (-m).clamp(min=0)
        out, out_exponent, out_weight = _outward(p, start, reach, u)
        limit = torch.minimum(mode, (p * reach) ** (1 / p))
        back_power = CLUSTER / p.clamp(max=1)
        back = limit * u**back_power  # [K, *batch]
        back_weight = limit * back_power * u ** (back_power - 1)
        at = torch.cat([out + mode, mode - back])
        jacobian = torch.cat([out_weight * rule, back_weight * rule])
        exponent = torch.cat([out_exponent, back**p / p])
    drift = m - m.detach()
    distance = torch.cat([out + start - drift, back + drift])
    exponent = graft(exponent, power(distance, p) / p)
    return Nodes(at, jacobian * (-exponent).exp(), exponent)


def _outward(p: Tensor, start: Tensor, reach: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Steps y beyond ``start``, exponents ((start + y)^p - start^p) / p and dy/du.

    The exponent (p < 1) or the step itself (p >= 1) is proportional to u^4, whichever leaves a smooth integrand.
    """
    heavy = p < 1
    exponent = reach * u**CLUSTER
    base = start**p
    by_exponent = power_gap(base, p * exponent, 1 / p)
    slope = (base + p * exponent) ** (1 / p - 1) * reach
    furthest = power_gap(base, p * reach, 1 / p)
    by_step = furthest * u**CLUSTER
    step = torch.where(heavy, by_exponent, by_step)
    exponent = torch.where(heavy, exponent, power_gap(start, by_step, p) / p)
    jacobian = torch.where(heavy, slope, furthest) * CLUSTER * u ** (CLUSTER - 1)
    return step, exponent, jacobian

"""The generalised Gaussian GN_p(m, 1) conditioned on (0, inf), as functions of tensors."""

import torch
from torch import Tensor

from jointlaw.functional._generalized import (
    graft,
    log_cdf,
    log_mills,
    log_normalizer,
    log_tail,
    power,
    power_gap,
    quantile,
    unit_rule,
)

SMOOTH_NODES = 12
POLISH_STEPS = 3
CANCELLED = 1e-5  # y / |m| under which m + t has lost five digits


def truncated_log_density(p: Tensor, m: Tensor, y: Tensor) -> Tensor:
    """Log-density at y > 0: -|y - m|^p / p - log N(p) - log Phi_p(m)."""
    behind = m < 0
    n = torch.where(behind, -m, 0.0)
    plain = -power((y - m).abs(), p) / p
    stable = graft(torch.where(behind, -power_gap(n, y, p) / p, plain), plain)
    return stable - torch.where(behind, log_mills(p, n), log_normalizer(p) + log_cdf(p, torch.where(behind, 0.0, m)))


def truncated_log_survival(p: Tensor, m: Tensor, y: Tensor) -> Tensor:
    """Logarithm of the probability beyond y > 0."""
    behind = m < 0
    n = torch.where(behind, -m, 0.0)
    both_tails = log_mills(p, torch.where(behind, n + y, 0.0)) - log_mills(p, n) - (power_gap(n, y, p) / p).detach()
    ahead = log_cdf(p, m - y) - log_cdf(p, torch.where(behind, 0.0, m))
    return torch.where(behind, both_tails, ahead)


def truncated_cdf(p: Tensor, m: Tensor, y: Tensor) -> Tensor:
    """Probability of (0, y), to relative accuracy for small y too."""
    plain = -torch.expm1(truncated_log_survival(p, m, y))
    with torch.no_grad():
        value = _stable_cdf(p, m, y, plain)
    return graft(value, plain)


def _stable_cdf(p: Tensor, m: Tensor, y: Tensor, plain: Tensor) -> Tensor:
    """1 - survival cancels for small y; four cases, each free of it."""
    ahead = m >= 0
    n = m.abs()
    t = y - m
    rising = ahead & (t < 0)
    log_mass = torch.where(ahead, log_cdf(p, m), log_tail(p, n))
    # between two points of the same tail: their log probabilities' difference is taken term by term
    near = torch.where(rising, -t, n)
    gap = torch.where(rising, power_gap(n, torch.where(rising, -y, 0.0), p).neg(), power_gap(n, y, p)) / p
    far = torch.where(rising, n, n + y)
    between = -torch.expm1(log_mills(p, far) - log_mills(p, near) - gap)
    between = torch.where(rising, (log_tail(p, near) - log_mass).exp(), 1.0) * between
    value = torch.where(ahead & ~rising, plain, between)
    # all exponents small: lower incomplete gamma functions
    inner = torch.maximum(n, t.abs()) ** p / p < 1
    small = torch.special.gammainc(1 / p, t.abs().clamp(max=2) ** p / p)
    other = torch.special.gammainc(1 / p, n.clamp(max=2) ** p / p)
    signed = torch.where(ahead, other + t.sign() * small, small - other)
    value = torch.where(inner, signed / 2 / log_mass.exp(), value)
    # exponent nearly constant on (0, y), and the kink out of reach: the density's mean over the interval
    smooth = (gap < 1) & torch.where(ahead, rising & (y < n / 2), y < n)
    return torch.where(smooth, y * _mean_density(p, m, torch.where(smooth, y, 0.0)), value)


def _mean_density(p: Tensor, m: Tensor, y: Tensor) -> Tensor:
    u, rule = unit_rule(SMOOTH_NODES, y + m)
    direction = torch.where(m < 0, 1.0, -1.0)
    exponent = power_gap(m.abs(), direction * y * u, p) / p
    start = truncated_log_density(p, m, torch.zeros_like(y)).exp()
    return start * (rule * (-exponent).exp()).sum(0)


def truncated_quantile(p: Tensor, m: Tensor, q: Tensor, steps: int = POLISH_STEPS) -> Tensor:
    """The y at which the probability of (0, y) is q (no gradient).

    The quantile of the whole law gives y + noise of the size of rounding |m|; Newton steps in log y, on log cdf
    below the median and on log survival above it, remove that noise.

    Args:
        p: shape.
        m: mode before truncation.
        q: probability in [0, 1].
        steps: Newton steps; 0 is enough for samples.
    """
    log_mass, log_rest = log_cdf(p, m), log_cdf(p, -m)
    log_q, log_s = q.log(), torch.log1p(-q)
    log_lower, log_upper = torch.logaddexp(log_rest, log_q + log_mass), log_s + log_mass
    y = quantile(p, log_lower, log_upper, log_lower.exp() - log_upper.exp()) + m
    tiny = torch.finfo(q.dtype).tiny
    y = torch.where(y < CANCELLED * m.abs(), _near_zero_quantile(p, m, q), y).clamp(min=tiny)
    ends = torch.where(q <= 0, 0.0, torch.where(q >= 1, torch.inf, y))
    inside = (q > 0) & (q < 1)
    y = torch.where(inside, y, 1.0)
    lower = q < 0.5
    for _ in range(steps):
        log_f = truncated_log_density(p, m, y)
        value = torch.where(lower, truncated_cdf(p, m, y).log(), truncated_log_survival(p, m, y))
        slope = (y.log() + log_f - value).exp()
        step = torch.where(lower, log_q - value, value - log_s) / slope
        y = y * step.clamp(-2, 2).exp()
    return torch.where(inside, y, ends)


def _near_zero_quantile(p: Tensor, m: Tensor, q: Tensor) -> Tensor:
    """Quantile where y is much smaller than |m|: there the density is f(0) exp(h y), h = sgn(m) |m|^(p - 1)."""
    m = torch.where(m == 0, 1.0, m)
    h = m.sign() * m.abs() ** (p - 1)
    start = truncated_log_density(p, m, torch.zeros_like(q)).exp()
    return torch.log1p((q * h / start).clamp(min=-1 + 1e-9)) / h

"""The generalised Gaussian law, dense and symmetric."""

import math
from functools import cached_property

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from jointlaw import _check as check
from jointlaw.functional import _generalized as standard
from jointlaw.laws._law import EMPTY, Law, Shape
from jointlaw.laws._parameters import Number, double, implicit_quantile, shape_loc_scale


class GeneralizedGaussian(Law):
    r"""GN_p(loc, scale): log f(x) = -|x - loc|^p / (p scale^p) - log(2 scale) - (1/p - 1) log p - log Gamma(1/p).

    p = 1 is ``Laplace(loc, scale)``, p = 2 ``Normal(loc, scale)``; smaller p has a sharper peak and heavier tails.
    Everything is computed in float64 and returned in the dtype of the parameters; entropies are in nats.
    ``log_prob``, ``cdf``, ``icdf`` and samples have gradients with respect to the value and every parameter.

    Args:
        p: shape, positive: 1 is Laplace, 2 normal, smaller is sharper.
        loc: centre of the law, which is its mode, median and mean.
        scale: positive (default: sigma_GN(p) = sqrt(Gamma(1/p) / Gamma(3/p)) / p^(1/p), which gives variance 1).
        validate_args: check tensors and values too (Python numbers always are); torch's default where None.

    Raises:
        ValueError: if p or scale is not positive, or a parameter is not finite.

    Source: Kuang et al. (2026), arXiv 2602.01456, section 3.
    Differs from the authors' code in: p other than 1 and 2 is drawn where the parameters are, not on the CPU.

    >>> GeneralizedGaussian(2.0).log_prob(torch.tensor(0.0))
    tensor(-0.9189)
    """

    arg_constraints = {  # noqa: RUF012
        "p": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self, p: Number, loc: Number = 0.0, scale: Number | None = None, validate_args: bool | None = None
    ) -> None:
        self.p, self.loc, self.scale = shape_loc_scale(type(self).__name__, p, loc, scale, validate_args)
        super().__init__(self.p.shape, validate_args=validate_args)

    def draw(self, shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``[*shape, *batch_shape]``, differentiable; half precision is drawn in float32 and then rounded."""
        full = self._extended_shape(Size(shape))
        dtype = torch.promote_types(self.p.dtype, torch.float32)
        noise = self._noise(full, dtype, generator)
        return (self.loc.to(dtype) + self.scale.to(dtype) * noise).to(self.p.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at ``value``."""
        self._check(value)
        p, t = self._standardized(value)
        log_density = -standard.power(t.abs(), p) / p - standard.log_normalizer(p) - self.scale.double().log()
        return log_density.to(self._result(value))

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of (-inf, value], to relative accuracy in the lower tail."""
        self._check(value)
        return standard.log_cdf(*self._standardized(value)).exp().to(self._result(value))

    def log_cdf(self, value: Tensor) -> Tensor:
        """Logarithm of the probability of (-inf, value], to relative accuracy in both tails."""
        self._check(value)
        return standard.log_cdf(*self._standardized(value)).to(self._result(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile at the probability ``value`` in [0, 1]."""
        p, loc, scale, q = double(self.p, self.loc, self.scale, value)
        with torch.no_grad():
            x = loc + scale * standard.quantile(p, q.log(), torch.log1p(-q), 2 * q - 1)
        return implicit_quantile(self, x, q).to(self._result(value))

    @property
    def mean(self) -> Tensor:
        """The location."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The location."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """scale^2 p^(2/p) Gamma(3/p) / Gamma(1/p)."""
        p, scale = double(self.p, self.scale)
        return (scale**2 * standard.absolute_moment(p, 2)).to(self.p.dtype)

    def entropy(self) -> Tensor:
        """Differential entropy 1/p + log(2 scale) + (1/p - 1) log p + log Gamma(1/p), in nats."""
        p, scale = double(self.p, self.scale)
        return (1 / p + standard.log_normalizer(p) + scale.log()).to(self.p.dtype)

    def raw_moments(self, order: int) -> Tensor:
        """E x^r for r = 1, ..., ``order``, as ``[order, *batch_shape]``."""
        check.at_least("raw_moments", 1, order=order)
        p, loc, scale = double(self.p, self.loc, self.scale)
        even = {k: scale**k * standard.absolute_moment(p, k) for k in range(0, order + 1, 2)}
        rows = []
        for r in range(1, order + 1):
            terms = [math.comb(r, k) * loc ** (r - k) * even[k] for k in range(0, r + 1, 2)]
            rows.append(torch.stack(terms).sum(0))
        return torch.stack(rows).to(self.p.dtype)

    @cached_property
    def _shortcut(self) -> int:
        """1 or 2 where every p is that number and needs no gradient, else 0."""
        if self.p.requires_grad:
            return 0
        return next((k for k in (1, 2) if bool((self.p == k).all())), 0)

    def _noise(self, shape: Size, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
        """Draws of GN_p(0, 1).

        U (p G)^(1/p) with U uniform on (-1, 1) and G ~ Gamma(1 + 1/p, 1) has the law of s (p G')^(1/p), s = +-1 and
        G' ~ Gamma(1/p, 1), without the underflow of G' at large p.
        """
        empty = torch.empty(shape, dtype=dtype, device=self.p.device)
        if self._shortcut == 2:
            return empty.normal_(generator=generator)
        eps = torch.finfo(dtype).eps
        sign = empty.uniform_(-1 + eps, 1, generator=generator)  # (-1, 1)
        if self._shortcut == 1:
            return torch.log1p(-sign.abs()).copysign(sign)
        inverse = 1 / self.p.to(dtype).expand(shape)
        gamma = torch._standard_gamma(1 + inverse, generator=generator)
        size: Tensor = (gamma / inverse) ** inverse
        return sign * size

    def _standardized(self, value: Tensor) -> tuple[Tensor, Tensor]:
        return self.p.double(), (value.double() - self.loc.double()) / self.scale.double()

    def _result(self, value: Tensor) -> torch.dtype:
        return torch.promote_types(self.p.dtype, value.dtype)

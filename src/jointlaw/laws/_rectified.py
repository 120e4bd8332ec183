"""The rectified generalised Gaussian law: an atom at zero and a truncated law above it."""

from functools import cached_property
from typing import Self

import torch
from torch import Tensor
from torch.distributions import constraints

from jointlaw import _check as check
from jointlaw.functional import _generalized as standard
from jointlaw.laws._generalized import GeneralizedGaussian
from jointlaw.laws._law import EMPTY, Law, Shape
from jointlaw.laws._parameters import Number, double, shape_loc_scale
from jointlaw.laws._truncated import TruncatedGeneralizedGaussian

NEWTON_STEPS = 12


class RectifiedGeneralizedGaussian(Law):
    """RGN_p(loc, scale), the law of ReLU(GN_p(loc, scale)) = (1 - pi) delta_0 + pi TGN_p, pi = Phi_p(loc / scale).

    ``activity`` pi is the share of non-zero coordinates, E ||x||_0 / D; ``with_activity`` is its exact inverse.
    Densities and entropies are with respect to Lebesgue measure plus a unit atom at 0. Everything is computed in
    float64, differentiable, and returned in the dtype of the parameters; entropies are in nats.

    Args:
        p: shape, positive; 1 is the rectified Laplace law, 2 the rectified Gaussian.
        loc: mode before the rectifier; negative values make the law sparse.
        scale: scale before the rectifier, positive. The default sigma_GN(p) gives variance 1 *before* the rectifier;
            ``unit_variance(p, loc, after_rectifier=True)`` gives variance 1 after it, a very different sparsity
            (p = 1, loc = -3: activity .0072 against .1202).
        validate_args: check tensors and values too (Python numbers always are); torch's default where None.

    Raises:
        ValueError: if p or scale is not positive, or a parameter is not finite.

    Source: Kuang et al. (2026), arXiv 2602.01456, section 3.
    Differs from the authors' code in: p other than 1 and 2 is drawn where the parameters are, not on the CPU.

    >>> law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
    >>> law.activity
    tensor(0.1000)
    """

    arg_constraints = {  # noqa: RUF012
        "p": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.nonnegative
    has_rsample = True

    def __init__(
        self, p: Number, loc: Number = 0.0, scale: Number | None = None, validate_args: bool | None = None
    ) -> None:
        self.p, self.loc, self.scale = shape_loc_scale(type(self).__name__, p, loc, scale, validate_args)
        super().__init__(self.p.shape, validate_args=validate_args)

    @classmethod
    @torch.no_grad()
    def with_activity(cls, active: Number, p: Number = 1.0, scale: str = "GN") -> Self:
        """The law of which a share ``active`` of coordinates is non-zero.

        loc = scale Phi_p^-1(active); scale is sigma_GN(p), or what gives variance 1 after the rectifier (no gradient).

        Args:
            active: share of non-zero coordinates, inside (0, 1).
            p: shape, positive: 1 is Laplace, 2 normal, smaller is sharper.
            scale: "GN" (variance 1 before the rectifier) or "RGN" (variance 1 after it).

        Raises:
            ValueError: if active, p or scale is none of these.
        """
        if scale not in ("GN", "RGN"):
            raise ValueError(
                f'with_activity: expected scale "GN" or "RGN", found {scale!r}. "GN" gives variance 1 before the '
                'rectifier, "RGN" after it.'
            )
        for bound in torch.as_tensor(active).detach().aminmax():
            check.fraction("with_activity", active=float(bound))
        p, active, _ = shape_loc_scale(cls.__name__, p, active, 1.0)
        shape, share = double(p, active)
        ratio = standard.quantile(shape, share.log(), torch.log1p(-share), 2 * share - 1)
        sigma = standard.unit_scale(shape)
        if scale == "RGN":
            sigma = cls(shape, ratio, torch.ones_like(ratio)).variance.rsqrt()
        return cls(p, (ratio * sigma).to(p.dtype), sigma.to(p.dtype))

    @classmethod
    @torch.no_grad()
    def unit_variance(cls, p: Number, loc: Number, after_rectifier: bool) -> Self:
        """The law of mode ``loc`` with variance 1 before (sigma_GN) or after the rectifier (sigma_RGN; no gradient).

        Args:
            p: shape, positive: 1 is Laplace, 2 normal, smaller is sharper.
            loc: mode before the rectifier.
            after_rectifier: whether the variance is 1 after the rectifier.
        """
        law = cls(p, loc)
        if not after_rectifier:
            return law
        shape, mode, least = double(law.p, law.loc, law.scale)  # rectifying shrinks variance: sigma_GN is a lower bound
        widest = cls(shape, torch.zeros_like(shape)).variance
        low, high = least / 2, 4 * (least + mode.abs()) * widest.rsqrt()
        sigma = high  # the variance is nearest to scale^2 there, and Newton's method in log scale at its best
        for _ in range(NEWTON_STEPS):
            excess, slope = cls(shape, mode, sigma)._log_variance()
            low, high = torch.where(excess > 0, low, sigma), torch.where(excess > 0, sigma, high)
            newton = sigma * (-excess / slope).exp()
            inside = (newton >= low) & (newton <= high)  # False for NaN too: a variance that underflows
            sigma = torch.where(inside, newton, (low * high).sqrt())
        return cls(law.p, law.loc, sigma.to(law.p.dtype))

    @cached_property
    def before(self) -> GeneralizedGaussian:
        """The law before the rectifier."""
        return GeneralizedGaussian(self.p, self.loc, self.scale, validate_args=False)

    @cached_property
    def continuous(self) -> TruncatedGeneralizedGaussian:
        """The law of the non-zero values."""
        return TruncatedGeneralizedGaussian(self.p, self.loc, self.scale, validate_args=False)

    @property
    def activity(self) -> Tensor:
        """Probability pi of a non-zero value: the expected share of active coordinates, and Renyi's dimension."""
        return self._log_shares()[0].exp().to(self.p.dtype)

    def renyi_entropy(self) -> Tensor:
        """Renyi's d-dimensional entropy of a coordinate, H2(pi) + pi h(TGN_p), in nats; H2 is the binary entropy."""
        log_active, log_silent = self._log_shares()
        active = log_active.exp()
        binary = -active * log_active - log_silent.exp() * log_silent
        return (binary + active * self.continuous.entropy().double()).to(self.p.dtype)

    def entropy(self) -> Tensor:
        """Entropy with respect to Lebesgue measure plus the atom at 0, in nats; equals ``renyi_entropy``."""
        return self.renyi_entropy()

    def draw(self, shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``[*shape, *batch_shape]``, differentiable; half precision is drawn in float32 and then rounded."""
        return self.before.draw(shape, generator).relu()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density with respect to Lebesgue measure plus a unit atom at 0: log(1 - pi) at 0, -inf below."""
        self._check(value)
        _, log_silent = self._log_shares()
        density = self.before.log_prob(value)
        other = torch.where(value == 0, log_silent.to(density.dtype), -torch.inf)
        return torch.where(value > 0, density, other)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of [0, value]."""
        self._check(value)
        return torch.where(value < 0, 0.0, self.before.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile at the probability ``value``: 0 up to 1 - pi."""
        return self.before.icdf(value).relu()

    @property
    def mean(self) -> Tensor:
        """Mean, in embedding units."""
        return self.raw_moments(1)[0]

    @property
    def variance(self) -> Tensor:
        """Variance, in squared embedding units."""
        return self.central_moments(2)[1]

    def raw_moments(self, order: int) -> Tensor:
        """E x^r for r = 1, ..., ``order``, as ``[order, *batch_shape]``, without cancellation at small activity."""
        check.at_least("raw_moments", 1, order=order)
        nodes, scale = self.continuous.nodes(order)
        active = self._log_shares()[0].exp()
        rows = [active * nodes.expect((scale * nodes.at) ** r) for r in range(1, order + 1)]
        return torch.stack(rows).to(self.p.dtype)

    def central_moments(self, order: int) -> Tensor:
        """E (x - mean)^r for r = 1, ..., ``order``, as ``[order, *batch_shape]``."""
        check.at_least("central_moments", 1, order=order)
        nodes, scale = self.continuous.nodes(order)
        active, silent = (share.exp() for share in self._log_shares())
        x = scale * nodes.at
        mean = active * nodes.expect(x)
        rows = [active * nodes.expect((x - mean) ** r) + silent * (-mean) ** r for r in range(1, order + 1)]
        return torch.stack(rows).to(self.p.dtype)

    def _log_shares(self) -> tuple[Tensor, Tensor]:
        """Logarithms of pi and 1 - pi, in float64."""
        p, loc, scale = double(self.p, self.loc, self.scale)
        m = loc / scale
        return standard.log_cdf(p, m), standard.log_cdf(p, -m)

    def _log_variance(self) -> tuple[Tensor, Tensor]:
        """Logarithm of the variance and its derivative by log scale, 2 - 2 loc E x (1 - pi) / Var x, in float64."""
        variance, silent = self.variance, self._log_shares()[1].exp()
        return variance.log(), 2 - 2 * self.loc * self.mean * silent / variance

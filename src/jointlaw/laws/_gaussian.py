"""The joint Gaussian of a context and a target."""

import math
from typing import Any, Self

import torch
from torch import Size, Tensor
from torch.distributions import constraints
from torch.distributions.kl import register_kl

from jointlaw import _check as check
from jointlaw.functional._linalg import lead, wide
from jointlaw.functional._mixtures import LOG_2PI
from jointlaw.laws._blocks import check_leading, check_split, check_width, common_batch, needed, on_line
from jointlaw.laws._divergence import gaussian_kl
from jointlaw.laws._law import EMPTY, Law, Shape
from jointlaw.laws._modes import Modes
from jointlaw.laws._regions import Region
from jointlaw.laws._roots import Root, root_of
from jointlaw.laws._uncertainty import Uncertainty


class JointGaussian(Law):
    r"""N(m, S) of a vector whose first ``split`` coordinates are the context and whose others are the target.

    .. math:: z_t \mid z_c \sim N(m_t + S_{tc} S_{cc}^{-1} (z_c - m_c),\; S_{tt} - S_{tc} S_{cc}^{-1} S_{ct})

    With S = L L^T and L in blocks, the conditional is N(m_t + L_tc L_cc^-1 (z_c - m_c), L_tt L_tt^T): one triangular
    solve, no inverse, and a covariance that does not depend on the context and is held once for all of them.
    Entropies are in nats.

    Args:
        loc: mean ``[*, E]``.
        scale_tril: lower Cholesky factor ``[*, E, E]`` (one dimension more than ``loc``), or standard deviations of
            independent coordinates ``[*, E]`` or ``[*, 1]`` (as many). Batch dimensions of size 1 are shared by the
            batch of ``loc`` without a copy.
        split: how many leading coordinates are the context; None for a law of one block.
        validate_args: check values; torch's default where None.

    Raises:
        ValueError: if shapes or dtypes do not fit, a scale is not a factor with a positive diagonal, or the split
            leaves a block empty.

    Source: Huang (2026), arXiv 2603.26799, section 3.
    Differs from the authors' code in: conditions by the blocks of the Cholesky factor instead of an inverse.

    >>> law = JointGaussian(torch.zeros(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]]), split=1)
    >>> law.given(torch.tensor([[1.0], [2.0]])).mean
    tensor([[0.6000],
            [1.2000]])
    """

    has_rsample = True

    def __init__(
        self, loc: Tensor, scale_tril: Tensor, split: int | None = None, validate_args: bool | None = None
    ) -> None:
        where = type(self).__name__
        self._root: Root = root_of(where, loc, scale_tril)
        check_split(where, split, loc.shape[-1])
        self.loc, self.scale_tril, self.split = loc, scale_tril, split
        batch = common_batch(where, loc=loc.shape[:-1], scale_tril=self._root.batch_shape)
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """What the tensors must satisfy; it depends on the form of the scale."""
        return {"loc": constraints.real_vector, "scale_tril": self._root.constraint}

    @property
    def support(self) -> constraints.Constraint:
        """All real vectors."""
        return constraints.real_vector

    @property
    def constants(self) -> dict[str, Any]:
        """The constructor's arguments that are not tensors."""
        return {"split": self.split}

    @property
    def dim(self) -> int:
        """E, the number of coordinates."""
        return self._event_shape[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at ``value`` ``[*, E]``, in nats."""
        check_width("log_prob", value, self.dim, name="value")
        self._check(value)
        white = self._root.whiten(wide(value) - wide(self.loc))
        result = -0.5 * (white.double().square().sum(-1) + self.dim * LOG_2PI) - self._root.log_det()
        return result.to(torch.promote_types(self.loc.dtype, value.dtype))

    def draw(self, shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``[*shape, *batch_shape, E]``, differentiable; half precision is drawn in float32 and then rounded."""
        loc = wide(self.loc)
        noise = torch.empty(self._extended_shape(Size(shape)), dtype=loc.dtype, device=loc.device)
        return (loc + self._root.multiply(noise.normal_(generator=generator))).to(self.loc.dtype)

    def given(self, context: Tensor) -> "JointGaussian":
        """The law of the target given the context ``[*batch, split]``, of batch shape ``batch``.

        Raises:
            ValueError: if the law has no split, or the context another width.
        """
        split = needed("given", self.split)
        check_width("given", context, split)
        gap = wide(context) - wide(self.loc[..., :split])
        after = wide(self.loc[..., split:]) + self._root.regress(gap, split)
        loc = after.expand(*gap.shape[:-1], self.dim - split)
        tail = self._root.tail(split)
        return self._like(loc.to(self.loc.dtype), lead(tail.tensor, loc.ndim - 1 + tail.event_dim), None)

    def marginal(self, dim: int) -> "JointGaussian":
        """The law of the first ``dim`` coordinates; ``swap()`` first for the last ones.

        Raises:
            ValueError: if dim is not between 1 and E.
        """
        check_leading("marginal", dim, self.dim)
        return self._like(self.loc[..., :dim], self._root.head(dim).tensor, None)

    def swap(self) -> "JointGaussian":
        """The same law with target and context exchanged.

        Raises:
            ValueError: if the law has no split.
        """
        split = needed("swap", self.split)
        loc = torch.cat([self.loc[..., split:], self.loc[..., :split]], -1)
        return self._like(loc, self._root.swap(split).tensor, self.dim - split)

    @property
    def mean(self) -> Tensor:
        """``[*batch, E]``."""
        return self.loc.expand(self._batch_shape + self._event_shape)

    @property
    def mode(self) -> Tensor:
        """The mean."""
        return self.mean

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate ``[*batch, E]``."""
        return self._root.variance().to(self.loc.dtype).expand(self._batch_shape + self._event_shape)

    @property
    def covariance(self) -> Tensor:
        """``[*batch, E, E]``; a view where batch entries share it."""
        return self._root.covariance().to(self.loc.dtype).expand(*self._batch_shape, self.dim, self.dim)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of (-inf, value] of a law on the line: ``[*, 1]`` to ``[*]``.

        Raises:
            ValueError: if E is not 1.
        """
        on_line("cdf", self.dim)
        check_width("cdf", value, 1, name="value")
        self._check(value)
        white = self._root.whiten(wide(value) - wide(self.loc))
        probability: Tensor = torch.special.ndtr(white.squeeze(-1))
        return probability.to(torch.promote_types(self.loc.dtype, value.dtype))

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile of a law on the line at probabilities ``[*]``: ``[*, 1]``.

        Raises:
            ValueError: if E is not 1.
        """
        on_line("icdf", self.dim)
        quantile = wide(self.loc) + self._root.multiply(torch.special.ndtri(wide(value)).unsqueeze(-1))
        return quantile.to(torch.promote_types(self.loc.dtype, value.dtype))

    def interval(self, level: float) -> Region:
        """Central credible interval of a law on the line: mass ``level``, as much left out below as above.

        Raises:
            ValueError: if E is not 1 or the level not inside (0, 1).
        """
        on_line("interval", self.dim)
        check.fraction("interval", level=level)
        half = (
            self.variance.sqrt()
            * math.sqrt(2)
            * torch.special.erfinv(torch.tensor(level, dtype=torch.float64)).to(self.loc)
        )
        return Region(self.mean - half, self.mean + half)

    def highest_density_region(self, level: float) -> Region:
        """The shortest region of mass ``level``, which is the central interval."""
        return self.interval(level)

    def modes(self) -> Modes:
        """The mean, ``[*batch, 1, E]``."""
        mean = self.mean
        found = torch.ones(*self._batch_shape, 1, dtype=torch.bool, device=mean.device)
        return Modes(mean.unsqueeze(-2), self.log_prob(mean).unsqueeze(-1), found)

    def entropy(self) -> Tensor:
        """(1/2) log det(2 pi e S) in nats, ``[*batch]``."""
        value = 0.5 * self.dim * (1 + LOG_2PI) + self._root.log_det()
        return value.to(self.loc.dtype).expand(self._batch_shape)

    def mutual_information(self) -> Tensor:
        """I(z_c; z_t) = (1/2) (log det S_tt - log det S_{t|c}) in nats, ``[*batch]``.

        Raises:
            ValueError: if the law has no split.
        """
        split = needed("mutual_information", self.split)
        after = self._root.tail(split).log_det()
        before = self._root.swap(split).head(self.dim - split).log_det()
        return (before - after).clamp(min=0).to(self.loc.dtype).expand(self._batch_shape)

    def uncertainty(self) -> Uncertainty:
        """All variance is noise: one component is never ambiguous."""
        return Uncertainty(self.variance, torch.zeros_like(self.variance), self.variance)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Self:
        """Return the same law with its batch shape expanded; a shared scale stays one."""
        scale = lead(self.scale_tril, len(batch_shape) + self._root.event_dim)
        return self._rebuild({"loc": self.loc.expand(*batch_shape, self.dim), "scale_tril": scale})

    def _like(self, loc: Tensor, scale_tril: Tensor, split: int | None) -> "JointGaussian":
        law = JointGaussian(loc, scale_tril, split, validate_args=False)
        law._validate_args = self._validate_args
        return law


@register_kl(JointGaussian, JointGaussian)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl(p: JointGaussian, q: JointGaussian) -> Tensor:
    batch = common_batch("kl_divergence", p=p.batch_shape, q=q.batch_shape)
    return gaussian_kl(p.loc, p._root, q.loc, q._root).to(p.loc.dtype).expand(batch)

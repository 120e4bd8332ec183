"""The joint Gaussian mixture of a context and a target."""

import math
from functools import cached_property
from typing import Any, Self

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from jointlaw import _check as check
from jointlaw.functional._linalg import lead, wide
from jointlaw.functional._mixtures import component_log_densities, log_weights
from jointlaw.functional._univariate import Line, highest_density
from jointlaw.laws._blocks import check_leading, check_split, check_width, common_batch, needed, on_line
from jointlaw.laws._divergence import entropy_bounds
from jointlaw.laws._estimates import Bounds, Estimate, average
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._law import EMPTY, Law, Shape
from jointlaw.laws._modes import Modes, climb
from jointlaw.laws._regions import Region
from jointlaw.laws._roots import Root, root_of
from jointlaw.laws._uncertainty import Uncertainty


class _Logits(constraints.Constraint):
    """No NaN, no +inf, and at least one component that is not empty."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value < math.inf).all(-1) & (value > -math.inf).any(-1)


class JointMixture(Law):
    r"""sum_k w_k N(m_k, S_k) of a vector whose first ``split`` coordinates are the context, the others the target.

    .. math:: z_t \mid z_c \sim \sum_k \gamma_k(z_c) N(m_{t|c,k}, S_{t|c,k}),
              \quad \gamma_k(z_c) \propto w_k N(z_c; m_{c,k}, S_{cc,k})

    Weights are worked out in log space and float64: a context far outside the data still routes to the nearest
    component. A component with logit -inf is empty: it is never drawn and adds nothing. Units are nats.

    Args:
        logits: unnormalised log-weights ``[*, K]``.
        loc: means ``[*, K, E]``.
        scale_tril: lower Cholesky factors ``[*, K, E, E]`` (one dimension more than ``loc``), or standard deviations
            of independent coordinates ``[*, K, E]`` or ``[*, K, 1]`` (as many). Size 1 in the place of K or of a batch
            dimension is shared without a copy.
        split: how many leading coordinates are the context; None for a law of one block.
        validate_args: check values; torch's default where None.

    Raises:
        ValueError: if shapes or dtypes do not fit, a scale is not a factor with a positive diagonal, all components
            are empty, or the split leaves a block empty.

    Source: Huang (2026), arXiv 2603.26799, section 4.
    Differs from the authors' code in: conditions by the blocks of the Cholesky factors instead of inverses.

    >>> law = JointMixture(torch.zeros(2), torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), torch.tensor([[0.5]]), split=1)
    >>> law.given(torch.tensor([[9.0]])).mean
    tensor([[-1.]])
    """

    has_rsample = False

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        scale_tril: Tensor,
        split: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        where = type(self).__name__
        root = root_of(where, loc, scale_tril)
        _check_components(where, logits, loc, root)
        check_split(where, split, loc.shape[-1])
        batch = common_batch(where, logits=logits.shape[:-1], loc=loc.shape[:-2], scale_tril=root.batch_shape[:-1])
        self.logits = lead(logits, len(batch) + 1)
        self.loc = lead(loc, len(batch) + 2)
        self.scale_tril = lead(scale_tril, len(batch) + 1 + root.event_dim)
        self._root: Root = root_of(where, self.loc, self.scale_tril)
        self.split = split
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """What the tensors must satisfy; it depends on the form of the scale."""
        return {
            "logits": _Logits(),
            "loc": constraints.independent(constraints.real, 2),  # type: ignore[no-untyped-call]
            "scale_tril": self._root.constraint,
        }

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

    @property
    def count(self) -> int:
        """K, the number of components, empty ones included."""
        return self.logits.shape[-1]

    @cached_property
    def log_weights(self) -> Tensor:
        """Normalised log-weights ``[*batch, K]``, float64."""
        return log_weights(self.logits).expand(*self._batch_shape, self.count)

    @property
    def weights(self) -> Tensor:
        """``[*batch, K]``, summing to one."""
        return self.log_weights.exp().to(self.loc.dtype)

    @property
    def components(self) -> JointGaussian:
        """The Gaussians, of batch shape ``[*batch or 1, K]``."""
        law = JointGaussian(self.loc, self.scale_tril, self.split, validate_args=False)
        law._validate_args = self._validate_args
        return law

    @property
    def covariances(self) -> Tensor:
        """Covariances of the components ``[*, K or 1, E, E]``; of size 1 where all share one."""
        return self._root.covariance().to(self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at ``value`` ``[*, E]``, in nats."""
        check_width("log_prob", value, self.dim, name="value")
        self._check(value)
        joint = self.log_weights + component_log_densities(value, self.loc, self.scale_tril)
        return joint.logsumexp(-1).to(torch.promote_types(self.loc.dtype, value.dtype))

    def responsibilities(self, value: Tensor) -> Tensor:
        """Probabilities of the components given a context ``[*, split]`` or a whole vector ``[*, E]``: ``[*, K]``.

        Raises:
            ValueError: if the width is neither.
        """
        width = self.dim if self.split is None else self.split
        check_width("responsibilities", value, width, self.dim)
        return self._route(value).exp().to(torch.promote_types(self.loc.dtype, value.dtype))

    def given(self, context: Tensor) -> "JointMixture":
        """The law of the target given the context ``[*batch, split]``, of batch shape ``batch``.

        Raises:
            ValueError: if the law has no split, or the context another width.
        """
        split = needed("given", self.split)
        check_width("given", context, split)
        logits = self._route(context).to(self.loc.dtype)
        loc = self._predicted(wide(context), split).to(self.loc.dtype)
        tail = self._root.tail(split)
        return self._like(logits, loc, lead(tail.tensor, loc.ndim - 1 + tail.event_dim), None)

    def marginal(self, dim: int) -> "JointMixture":
        """The law of the first ``dim`` coordinates; ``swap()`` first for the last ones.

        Raises:
            ValueError: if dim is not between 1 and E.
        """
        check_leading("marginal", dim, self.dim)
        return self._like(self.logits, self.loc[..., :dim], self._root.head(dim).tensor, None)

    def swap(self) -> "JointMixture":
        """The same law with target and context exchanged.

        Raises:
            ValueError: if the law has no split.
        """
        split = needed("swap", self.split)
        loc = torch.cat([self.loc[..., split:], self.loc[..., :split]], -1)
        return self._like(self.logits, loc, self._root.swap(split).tensor, self.dim - split)

    def draw(self, shape: Shape = EMPTY, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``[*shape, *batch_shape, E]``; half precision is drawn in float32 and then rounded."""
        full = self._extended_shape(Size(shape))
        loc = wide(self.loc)
        noise = torch.empty(full, dtype=loc.dtype, device=loc.device).normal_(generator=generator)
        choice = self._choose(full[:-1], generator)  # [*shape, *batch]
        loc = loc.expand(*full[:-1], self.count, self.dim)
        picked = loc.gather(-2, choice[..., None, None].expand(*full[:-1], 1, self.dim)).squeeze(-2)
        return (picked + self._scaled(noise, choice)).to(self.loc.dtype)

    @property
    def mean(self) -> Tensor:
        """``[*batch, E]``."""
        weights = self.log_weights.exp().unsqueeze(-2)
        return (weights @ self.loc.double()).squeeze(-2).to(self.loc.dtype)

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate ``[*batch, E]``."""
        return self.uncertainty().total

    @property
    def covariance(self) -> Tensor:
        """sum_k w_k (S_k + (m_k - m) (m_k - m)^T), ``[*batch, E, E]``."""
        weights = self.log_weights.exp()
        matrices = self._root.covariance()
        gap = wide(self.loc) - wide(self.mean).unsqueeze(-2)
        total = (gap * weights.to(gap.dtype).unsqueeze(-1)).mT @ gap
        if not self._root.own(-1):
            return (total + matrices.squeeze(-3)).to(self.loc.dtype)
        for k in range(self.count):
            total = total + weights[..., k, None, None].to(gap.dtype) * matrices[..., k, :, :]
        return total.to(self.loc.dtype)

    def uncertainty(self) -> Uncertainty:
        """Split the variance of each coordinate: sum_k w_k diag S_k is noise, sum_k w_k (m_k - m)^2 ambiguity."""
        weights = self.log_weights.exp().unsqueeze(-2)  # [*batch, 1, K]
        variance = self._root.variance().double()
        variance = variance.expand(*variance.shape[:-2], self.count, self.dim)
        gap = self.loc.double() - self.mean.double().unsqueeze(-2)
        noise, ambiguity = ((weights @ part).squeeze(-2).to(self.loc.dtype) for part in (variance, gap.square()))
        return Uncertainty(noise, ambiguity, noise + ambiguity)

    def entropy(self, samples: int = 4096, generator: torch.Generator | None = None) -> Tensor:
        """Monte-Carlo estimate of the differential entropy in nats, ``[*batch]``; see ``estimate_entropy``."""
        return self.estimate_entropy(samples, generator).value

    def estimate_entropy(self, samples: int = 4096, generator: torch.Generator | None = None) -> Estimate:
        """Mean of -log p over draws, in nats, with its standard error; no gradient."""
        return average(self, lambda x: -self.log_prob(x), samples, generator)

    def entropy_bounds(self) -> Bounds:
        """Closed lower and upper bounds of the entropy in nats, ``[*batch]``, from pairwise divergences.

        Source: Kolchinsky and Tracey (2017), arXiv 1706.02419, eq. 10 and 11 with alpha = 1/2.
        """
        bounds = entropy_bounds(self.log_weights, self.loc, self._root)
        return Bounds(*(bound.to(self.loc.dtype).expand(self._batch_shape) for bound in bounds))

    def mutual_information(self, samples: int = 4096, generator: torch.Generator | None = None) -> Tensor:
        """Monte-Carlo estimate of I(z_c; z_t) in nats, ``[*batch]``; see ``estimate_mutual_information``."""
        return self.estimate_mutual_information(samples, generator).value

    def estimate_mutual_information(self, samples: int = 4096, generator: torch.Generator | None = None) -> Estimate:
        """Mean of log p(z_c, z_t) - log p(z_c) - log p(z_t) over draws, in nats, with its error; no gradient.

        Raises:
            ValueError: if the law has no split.
        """
        split = needed("mutual_information", self.split)
        context, target = self.marginal(split), self.swap().marginal(self.dim - split)

        def information(x: Tensor) -> Tensor:
            return self.log_prob(x) - context.log_prob(x[..., :split]) - target.log_prob(x[..., split:])

        return average(self, information, samples, generator)

    def modes(self) -> Modes:
        """Peaks of the density, the highest first; no gradient."""
        modes = climb(self.log_weights, self.loc, self._root)
        return Modes(modes.points.to(self.loc.dtype), modes.log_prob.to(self.loc.dtype), modes.found)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of (-inf, value] of a law on the line: ``[*, 1]`` to ``[*]``.

        Raises:
            ValueError: if E is not 1.
        """
        line = self._line("cdf")
        check_width("cdf", value, 1, name="value")
        self._check(value)
        return line.probability(value.squeeze(-1).double()).to(torch.promote_types(self.loc.dtype, value.dtype))

    @torch.no_grad()
    def icdf(self, value: Tensor) -> Tensor:
        """Quantile of a law on the line at probabilities ``[*]``: ``[*, 1]``, by bisection; no gradient.

        Raises:
            ValueError: if E is not 1.
        """
        quantile = self._line("icdf").quantile(value.double())
        return quantile.unsqueeze(-1).to(torch.promote_types(self.loc.dtype, value.dtype))

    def interval(self, level: float) -> Region:
        """Central credible interval of a law on the line: mass ``level``, as much left out below as above.

        Raises:
            ValueError: if E is not 1 or the level not inside (0, 1).
        """
        on_line("interval", self.dim)
        check.fraction("interval", level=level)
        tail = self.log_weights.new_full(self._batch_shape, (1 - level) / 2)
        return Region(*(self.icdf(q).to(self.loc.dtype) for q in (tail, 1 - tail)))

    @torch.no_grad()
    def highest_density_region(self, level: float) -> Region:
        """The smallest region of mass ``level`` of a law on the line: up to K intervals; no gradient.

        Raises:
            ValueError: if E is not 1 or the level not inside (0, 1).
        """
        line = self._line("highest_density_region")
        check.fraction("highest_density_region", level=level)
        return Region(*(end.to(self.loc.dtype) for end in highest_density(line, level)))

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Self:
        """Return the same law with its batch shape expanded; shared means and scales stay one."""
        return self._rebuild({**self.tensors, "logits": self.logits.expand(*batch_shape, self.count)})

    def _line(self, where: str) -> Line:
        on_line(where, self.dim)
        shape = (*self._batch_shape, self.count)
        scale = self._root.double().variance().sqrt()
        return Line(self.log_weights, *(x.squeeze(-1).expand(shape) for x in (self.loc.double(), scale)))

    def _route(self, value: Tensor) -> Tensor:
        """Log-probabilities of the components given the first coordinates ``[*, n]``: ``[*, K]``, float64."""
        dim = value.shape[-1]
        density = component_log_densities(value, self.loc[..., :dim], self._root.head(dim).tensor)
        return torch.log_softmax(self.log_weights + density, -1)

    def _predicted(self, context: Tensor, split: int) -> Tensor:
        """Conditional means ``[*, K, t]``, or of batch size 1 where they do not depend on the context."""
        loc = wide(self.loc)
        before, after = loc[..., :split], loc[..., split:]
        context = context.unsqueeze(-2)
        if self._root.own(-1):
            return after + self._root.regress(context - before, split)
        centre = before.detach().mean(-2, keepdim=True)
        fixed = after - self._root.regress(before - centre, split)
        return fixed + self._root.regress(context - centre, split)

    def _choose(self, shape: Size, generator: torch.Generator | None) -> Tensor:
        weights = self.log_weights.exp()
        samples = shape.numel() // max(1, self._batch_shape.numel())
        flat = weights.reshape(-1, self.count)  # [batch, K]
        choice = torch.multinomial(flat, max(1, samples), replacement=True, generator=generator)
        return choice[:, :samples].T.reshape(shape)

    def _scaled(self, noise: Tensor, choice: Tensor) -> Tensor:
        """L_k noise with each sample's own k."""
        if not self._root.own(-1):
            return type(self._root)(self.scale_tril.squeeze(-1 - self._root.event_dim), self.dim).multiply(noise)
        result = torch.zeros_like(noise)
        for k in range(self.count):
            chosen = choice == k
            if self._root.batch_shape.numel() == self._root.batch_shape[-1]:
                result[chosen] = self._root_at(k).multiply(noise[chosen])
            else:
                result = torch.where(chosen.unsqueeze(-1), self._root_at(k).multiply(noise), result)
        return result

    def _root_at(self, k: int) -> Root:
        axis = -1 - self._root.event_dim
        return type(self._root)(self.scale_tril.select(axis, k), self.dim)

    def _like(self, logits: Tensor, loc: Tensor, scale_tril: Tensor, split: int | None) -> "JointMixture":
        law = JointMixture(logits, loc, scale_tril, split, validate_args=False)
        law._validate_args = self._validate_args
        return law


def _check_components(where: str, logits: Tensor, loc: Tensor, root: Root) -> None:
    count = logits.shape[-1] if logits.ndim else 0
    fits = loc.ndim >= 2 and count > 0 and loc.shape[-2] == count and root.batch_shape[-1] in (1, count)
    if not fits:
        raise ValueError(
            f"{where}: expected logits [*, K], loc [*, K, E] and a scale for each component (or size 1 for all), "
            f"found logits {list(logits.shape)}, loc {list(loc.shape)}, scales {list(root.batch_shape)}. "
            "Components run along the last dimension of logits and the one before the last of loc; a scale shared by "
            "all is scale_tril[None]."
        )
    if logits.dtype != loc.dtype:
        raise ValueError(
            f"{where}: expected logits and loc of one dtype, found {logits.dtype} and {loc.dtype}. "
            "Convert them with .to(dtype)."
        )

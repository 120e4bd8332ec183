"""Where the covariance of prototypes comes from: learned, moving, or fixed; never the batch that it judges."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.densities._moving import moving_rate
from jointlaw.distributed import mean_across_ranks
from jointlaw.functional._linalg import cholesky, gram, wide, without_autocast


class ComponentScale(nn.Module, ABC):
    """Square roots of the components' covariances.

    Attributes:
        dim: width E of the vectors; None where it fits all.
        components: number of square roots; 1 is shared by all components.

    >>> FixedScale(0.25)()
    tensor([[0.5000]])
    """

    dim: int | None
    components: int

    @abstractmethod
    def forward(self) -> Tensor:
        """Lower factors ``[components, E, E]``, or deviations ``[components, 1]``."""

    def update(self, joint: Tensor, loc: Tensor, responsibilities: Tensor) -> None:
        """Follow a batch ``[B, E]`` around means ``[K, E]`` with weights ``[B, K]``; by default nothing follows."""

    def insert(self, new: int, worst: int, other: int) -> None:
        """Make place for a component that was put between two others; nothing to do where the covariance is shared."""


class FixedScale(ComponentScale):
    """One covariance tau I for all components, which does not change.

    Args:
        temperature: tau, in squared embedding units.

    Raises:
        ValueError: if the temperature is not above zero.

    >>> FixedScale(temperature=0.25).deviation
    tensor([[0.5000]])
    """

    deviation: Tensor

    def __init__(self, temperature: float) -> None:
        super().__init__()
        check.positive("FixedScale", temperature=temperature)
        self.dim, self.components = None, 1
        self.register_buffer("deviation", torch.full((1, 1), math.sqrt(temperature)))

    def forward(self) -> Tensor:
        """The deviation sqrt(tau), ``[1, 1]``."""
        return self.deviation


class LearnedScale(ComponentScale):
    """Cholesky factors learned by gradient.

    Args:
        dim: width E of the vectors.
        components: 1 for one factor shared by all components, or their number for one each.
        start: deviation of every coordinate at the start, in embedding units.
        floor: least value of a factor's diagonal, in embedding units, which bounds the likelihood.

    Raises:
        ValueError: if a number is below 1, the floor negative or ``start`` not above it.

    Source: Huang (2026), arXiv 2603.26799, section 4.3 (relaxed expectation-maximisation).
    Differs from the authors' code in: the floor.

    >>> LearnedScale(dim=2, components=3)().shape
    torch.Size([3, 2, 2])
    """

    def __init__(self, dim: int, components: int = 1, start: float = 1.0, floor: float = 1e-3) -> None:
        super().__init__()
        check.at_least("LearnedScale", 1, dim=dim, components=components)
        check.non_negative("LearnedScale", floor=floor)
        check.positive("LearnedScale", start_above_floor=start - floor)
        self.dim, self.components, self.floor = dim, components, floor
        self.log_diagonal = nn.Parameter(torch.full((components, dim), math.log(start - floor)))
        self.below = nn.Parameter(torch.zeros(components, dim, dim))  # only what is below the diagonal is read

    def forward(self) -> Tensor:
        """Lower factors ``[components, E, E]``."""
        return self.below.tril(-1) + torch.diag_embed(self.floor + self.log_diagonal.exp())

    @torch.no_grad()
    def insert(self, new: int, worst: int, other: int) -> None:
        """A new component starts with the factor of the first of the two."""
        if self.components > 1:
            self.log_diagonal[new], self.below[new] = self.log_diagonal[worst], self.below[worst]


class MovingScale(ComponentScale):
    r"""Moving covariances around the means, weighted by responsibilities as in the M step of EM.

    .. math:: S_k = \frac{\langle \sum_b \gamma_{bk} (z_b - m_k)(z_b - m_k)^\top / B \rangle + \lambda s^2 I / C}
                         {\langle \sum_b \gamma_{bk} / B \rangle + \lambda / C}

    <.> are moving averages over global batches, without the bias of their start; where S is shared, sums run over k
    too. Carries no gradient. Before the first update, and for a component without samples, S_k = s^2 I. With a floor
    phi, each covariance becomes (1 - phi) S_k + phi v I, where v is the mean variance within components, so that its
    least eigenvalue is at least phi v, whatever the scale of the data.

    Args:
        dim: width E of the vectors.
        components: C; 1 for a covariance shared by all components, or their number for one each.
        momentum: share of the past kept per batch.
        start: s, in embedding units.
        prior: lambda, how much s^2 I weighs, as a share of the samples of an average component.
        floor: phi, least variance in any direction, as a share of the mean variance within components.

    Raises:
        ValueError: if a number is below 1, the momentum outside (0, 1), ``start`` or ``prior`` not above zero, or the
            floor outside [0, 1].

    Source: Huang (2026), arXiv 2603.26799, section 4.4.
    Differs from the authors' code in: corrects the bias of the start; the prior; the floor.

    >>> scale = MovingScale(dim=1)
    >>> scale.update(torch.tensor([[2.0], [-2.0]]), loc=torch.zeros(1, 1), responsibilities=torch.ones(2, 1))
    >>> round(scale().item(), 2)
    2.0
    """

    scatter: Tensor
    mass: Tensor
    steps: Tensor

    def __init__(
        self,
        dim: int,
        components: int = 1,
        momentum: float = 0.99,
        start: float = 1.0,
        prior: float = 1e-3,
        floor: float = 0.0,
    ) -> None:
        super().__init__()
        check.at_least("MovingScale", 1, dim=dim, components=components)
        check.fraction("MovingScale", momentum=momentum)
        check.positive("MovingScale", start=start, prior=prior)
        self.dim, self.components, self.momentum = dim, components, momentum
        if not 0 <= floor <= 1:
            raise ValueError(f"MovingScale: expected 0 <= floor <= 1, found {floor}. It is a share of a variance.")
        self.start, self.prior, self.floor = start, prior, floor
        self.register_buffer("scatter", torch.zeros(components, dim, dim))
        self.register_buffer("mass", torch.zeros(components))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self) -> Tensor:
        """Lower factors ``[components, E, E]``."""
        share, one = self.prior / self.components, torch.eye(self.scatter.shape[-1]).to(self.scatter)
        scatter, mass = self.scatter + share * self.start**2 * one, self.mass + share
        within = scatter.sum(0).diagonal().mean() / mass.sum()
        return cholesky((1 - self.floor) * scatter / mass[:, None, None] + self.floor * within * one)

    @torch.no_grad()
    @without_autocast
    def update(self, joint: Tensor, loc: Tensor, responsibilities: Tensor) -> None:
        """Follow a batch ``[B, E]`` around means ``[K, E]`` with weights ``[B, K]``; equal parts on all processes."""
        joint, loc, share = wide(joint).double(), loc.double(), responsibilities.double() / len(joint)
        if self.components == 1:
            scatter, mass = _shared_scatter(joint, loc, share)[None], share.sum()[None]
        else:
            scatter = torch.stack([_scatter(joint, m, s) for m, s in zip(loc, share.T, strict=True)])
            mass = share.sum(0)
        self.steps.add_(1)
        rate = moving_rate(self.momentum, self.steps)
        self.scatter.lerp_(mean_across_ranks(scatter).to(self.scatter), rate.to(self.scatter))
        self.mass.lerp_(mean_across_ranks(mass).to(self.mass), rate.to(self.mass))

    def insert(self, new: int, worst: int, other: int) -> None:
        """A new component takes a third of what each of the two has."""
        if self.components > 1:
            pair = [worst, other]
            for part in (self.scatter, self.mass):
                part[new] = part[pair].sum(0) / 3
                part[pair] *= 2 / 3


def _scatter(joint: Tensor, mean: Tensor, share: Tensor) -> Tensor:
    """Sum over samples of share (z - m)(z - m)^T, ``[E, E]``; samples without a share cost nothing."""
    used = share.nonzero().squeeze(1)
    return gram(((joint[used] - mean) * share[used].sqrt()[:, None]).mT)


def _shared_scatter(joint: Tensor, loc: Tensor, share: Tensor) -> Tensor:
    """Sum over samples and components of share (z - m_k)(z - m_k)^T, ``[E, E]``, without a loop over components."""
    # Around the mean of the batch, to keep the difference of the two last terms exact.
    centre = joint.mean(0)
    joint, loc = joint - centre, loc - centre
    total = share.sum(1, keepdim=True)  # [B, 1]
    expected = share @ loc / total  # each sample's mean of the means
    gap = joint - expected
    between = (loc * share.sum(0)[:, None]).mT @ loc - (expected * total).mT @ expected
    return (gap * total).mT @ gap + between

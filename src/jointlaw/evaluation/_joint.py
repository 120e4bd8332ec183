"""From a frozen learner to pairs of representations, and from a density over them to figures."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.data import Source
from jointlaw.densities._density import Density
from jointlaw.evaluation import _calibration as calibration
from jointlaw.evaluation._embed import Embedder
from jointlaw.evaluation._table import Which
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._law import Law
from jointlaw.laws._mixture import JointMixture


class Target(StrEnum):
    """What a drawn view of a sample predicts: another drawn ``view`` of it, or the ``clean`` sample.

    >>> list(Target)
    [<Target.view: 'view'>, <Target.clean: 'clean'>]
    """

    view = "view"
    clean = "clean"


JUDGED = 500
"""Pairs on which sampled figures (energy score, coverage) are measured; more change little and cost much."""


class PairTable(NamedTuple):
    """Representations of two views of the same samples.

    Attributes:
        context: ``[N, d]``, representations of the first view.
        target: ``[N, d]``, representations of the second view.

    >>> pairs = PairTable(torch.zeros(5, 3), torch.ones(5, 3))
    >>> pairs.dim, pairs.joint.shape
    (3, torch.Size([5, 6]))
    """

    context: Tensor
    target: Tensor

    @property
    def dim(self) -> int:
        """Width d of the context."""
        return self.context.shape[1]

    @property
    def joint(self) -> Tensor:
        """``[N, 2 d]``."""
        return torch.cat([self.context, self.target], dim=-1)


@dataclass(frozen=True, eq=False)
class Reduction:
    """Principal components of representations, which are too wide for a density.

    Attributes:
        loc: ``[F]``, the mean, which is subtracted first.
        directions: ``[F, r]``, the leading principal directions, orthonormal.
        kept: share of the variance that lies along these directions.

    >>> reduction = Reduction(loc=torch.ones(3), directions=torch.eye(3)[:, :2], kept=0.9)
    >>> reduction(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1.]])
    """

    loc: Tensor
    directions: Tensor
    kept: float

    def __call__(self, x: Tensor) -> Tensor:
        """``[N, F]`` to ``[N, r]``."""
        return (x - self.loc) @ self.directions


def principal_components(x: Tensor, dim: int, seed: int = 0) -> Reduction:
    """The ``dim`` leading principal components of representations ``[N, F]``.

    Raises:
        ValueError: if there are fewer samples or features than components.
    """
    from sklearn.decomposition import PCA

    check.at_least("principal_components", 1, dim=dim)
    if dim > min(x.shape):
        raise ValueError(
            f"principal_components: expected dim <= {min(x.shape)} (samples {x.shape[0]}, width {x.shape[1]}), found "
            f"{dim}. Choose fewer components by --dim (dim=...)."
        )
    found = PCA(dim, random_state=seed).fit(x.double().numpy())
    loc, directions = (torch.from_numpy(part).to(x.dtype) for part in (found.mean_, found.components_.T))
    return Reduction(loc, directions.contiguous(), float(found.explained_variance_ratio_.sum()))


def view_pairs(
    embedder: Embedder, source: Source, seed: int, which: Which = Which.features, target: Target = Target.view
) -> PairTable:
    """Representations of two views of every sample: the first drawn as in training, the second too, or clean."""
    context = embedder.drawn(source, seed, view=0)
    other = embedder.drawn(source, seed, view=1) if target == Target.view else embedder.clean(source)
    return PairTable(context.part(which), other.part(which))


@torch.no_grad()
def judge_density(density: Density, test: PairTable, seed: int = 0) -> dict[str, float | None]:
    """Figures of a density on pairs that it has not seen.

    Returns:
        ``density.nll`` of the target given the context (nats per pair), ``density.noise`` and ``density.ambiguity``
        (squared units, summed over coordinates, mean over pairs), ``density.energy_score`` and ``density.coverage`` (of
        regions meant to hold 90 %), on at most 500 pairs, chosen by the seed.
    """
    law = conditional_law(density, test.context)
    few = some_pairs(test, seed)
    generator = torch.Generator().manual_seed(seed)
    uncertainty = law.uncertainty()
    sampled = conditional_law(density, few.context)
    return {
        "density.nll": calibration.nll(law, test.target),
        "density.noise": uncertainty.noise.double().sum(-1).mean().item(),
        "density.ambiguity": uncertainty.ambiguity.double().sum(-1).mean().item(),
        "density.energy_score": calibration.energy_score(sampled, few.target, generator=generator),
        "density.coverage": calibration.coverage(sampled, few.target, 0.9, generator),
    }


def some_pairs(pairs: PairTable, seed: int) -> PairTable:
    """At most 500 of the pairs, chosen at random, since samples may be ordered by class."""
    chosen = torch.randperm(len(pairs.context), generator=torch.Generator().manual_seed(seed))[:JUDGED]
    return PairTable(pairs.context[chosen], pairs.target[chosen])


@torch.no_grad()
def novelty(density: Density, inside: Tensor, outside: Tensor) -> float:
    """AUROC of telling targets ``[N, d]`` from others ``[M, d]`` by the joint law's marginal likelihood.

    Raises:
        ValueError: if the density has no joint law.
    """
    marginal = target_law(density, inside.shape[-1])
    return calibration.auroc(marginal.log_prob(inside), marginal.log_prob(outside))


def target_law(density: Density, dim: int) -> JointGaussian | JointMixture:
    """The law of the target ``[dim]`` by itself.

    Raises:
        ValueError: if the density is a predictor, which has none.
    """
    return joint_law(density).swap().marginal(dim)


def joint_law(density: Density) -> JointGaussian | JointMixture:
    """The law of context and target together.

    Raises:
        ValueError: if the density is a predictor, which has none.
    """
    return _known(density())


def conditional_law(density: Density, context: Tensor) -> JointGaussian | JointMixture:
    """The law of the target given each context ``[N, d]``."""
    return _known(density(context))


def _known(law: Law) -> JointGaussian | JointMixture:
    if not isinstance(law, JointGaussian | JointMixture):
        raise ValueError(f"density: expected a Gaussian or a mixture, found {type(law).__name__}. Judge it by samples.")
    return law

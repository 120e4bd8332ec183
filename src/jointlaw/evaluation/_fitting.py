"""Kinds of densities that can be fitted to pairs of representations, and fitted ones with their file."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities import (
    Density,
    DiagonalHead,
    ExpectationMaximization,
    Fitted,
    Full,
    GrowingNeuralGas,
    MixtureDensityNetwork,
    descend,
    fit_gaussian,
)
from jointlaw.densities.em import Covariance
from jointlaw.evaluation._joint import PairTable, Reduction, Target, joint_law
from jointlaw.evaluation._table import Which
from jointlaw.functional._linalg import cholesky
from jointlaw.laws import JointGaussian, JointMixture


@dataclass(frozen=True)
class DensityRecipe(ABC):
    """A kind of density with its size, to be fitted to pairs of reduced representations.

    >>> recipe: DensityRecipe = Gaussian()
    >>> recipe.fit(PairTable(*torch.randn(2, 200, 2)))(torch.zeros(5, 2)).batch_shape
    torch.Size([5])
    """

    @abstractmethod
    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Fit it to pairs ``[N, d]``; the seed determines starts, initial weights and orders."""

    def empty(self, dim: int, tensors: dict[str, Tensor]) -> Density:
        """A density of this kind for ``d = dim``, ready to take the tensors of a fitted one."""
        parts = tensors["loc"], tensors["scale_tril"]
        if "logits" in tensors:
            return Fitted(JointMixture(tensors["logits"], *parts, split=dim))
        return Fitted(JointGaussian(*parts, split=dim))


@dataclass(frozen=True)
class Gaussian(DensityRecipe):
    """One joint Gaussian.

    >>> Gaussian().fit(PairTable(*torch.randn(2, 200, 2)))().dim
    4
    """

    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Moments of the pairs."""
        return Fitted(fit_gaussian(pairs.joint, pairs.dim))


@dataclass(frozen=True)
class Mixture(DensityRecipe):
    """A mixture of joint Gaussians, by expectation-maximisation.

    Args:
        components: number of components K.
        covariance: form of the components' covariances: Full, Shared, Diagonal or Spherical.

    >>> Mixture(components=3).fit(PairTable(*torch.randn(2, 200, 2)))().count
    3
    """

    components: int = 50
    covariance: Covariance = field(default_factory=Full)

    def __post_init__(self) -> None:
        check.at_least("fit", 1, components=self.components)

    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Expectation-maximisation from a k-means start."""
        em = ExpectationMaximization(self.components, self.covariance, pairs.dim, seed=seed)
        return Fitted(em.fit(pairs.joint).law)


@dataclass(frozen=True)
class Gas(DensityRecipe):
    """A mixture whose components are the nodes of a growing neural gas.

    Args:
        nodes: largest number of nodes.
        passes: number of passes over the pairs.

    >>> Gas(nodes=8, passes=2).fit(PairTable(*torch.randn(2, 200, 2)))().split
    2
    """

    nodes: int = 50
    passes: int = 20

    def __post_init__(self) -> None:
        check.at_least("fit", 1, nodes=self.nodes, passes=self.passes)

    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Let the gas grow on the pairs, in random order."""
        gas = GrowingNeuralGas(2 * pairs.dim, nodes=self.nodes, split=pairs.dim)
        return Fitted(joint_law(gas.fit(pairs.joint, passes=self.passes, seed=seed)))


@dataclass(frozen=True)
class Network(DensityRecipe):
    """A mixture density network: predicts the target's law from the context, and has no joint law.

    Args:
        components: number of components of each predicted mixture.
        epochs: number of passes over the pairs.

    >>> Network(components=3, epochs=1).fit(PairTable(*torch.randn(2, 200, 2)))(torch.zeros(5, 2)).batch_shape
    torch.Size([5])
    """

    components: int = 50
    epochs: int = 20

    def __post_init__(self) -> None:
        check.at_least("fit", 1, components=self.components, epochs=self.epochs)

    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Minimise the negative log-likelihood with Adam."""
        torch.manual_seed(seed)
        network = self._network(pairs.dim)
        batch = min(1024, len(pairs.context))
        data = pairs.context, pairs.target
        descend(network.loss, network.parameters(), *data, epochs=self.epochs, lr=1e-3, batch=batch, seed=seed)
        return network

    def empty(self, dim: int, tensors: dict[str, Tensor]) -> Density:
        """A network of the same size."""
        return self._network(dim)

    def _network(self, dim: int) -> MixtureDensityNetwork:
        return MixtureDensityNetwork(dim, dim, self.components, hidden=(256, 256), head=DiagonalHead())


@dataclass(frozen=True)
class Trained(DensityRecipe):
    """The law that was learned in training: nothing is fitted. Recipes such as gmje and gmje-gng have one.

    Its representations are the embeddings; of their principal components the law is exact.

    >>> law = JointMixture(torch.zeros(1), torch.zeros(1, 4), torch.eye(4)[None], split=2)
    >>> reduction = Reduction(torch.zeros(2), torch.tensor([[0.6], [0.8]]), kept=0.5)
    >>> Trained().of(law, reduction)().covariance
    tensor([[1., 0.],
            [0., 1.]])
    """

    def fit(self, pairs: PairTable, seed: int = 0) -> Density:
        """Refused: the law comes from a training, not from pairs."""
        raise ValueError(
            "Trained: expected a density that can be fitted to pairs, found the law that was learned in training. "
            "Fit another one by jointlaw fit --density=Mixture --which=embeddings."
        )

    def of(self, law: JointMixture, reduction: Reduction) -> Density:
        """The law of the principal components of context and target, given that of pairs ``[2 F]``."""
        blocks = torch.block_diag(*[reduction.directions.to(law.loc)] * 2)  # type: ignore[no-untyped-call]  # [2 F, 2 r]
        loc = (law.loc - reduction.loc.to(law.loc).repeat(2)) @ blocks
        covariance = blocks.mT @ law.covariances.to(loc) @ blocks
        return Fitted(JointMixture(law.logits, loc, cholesky(covariance), split=reduction.directions.shape[1]))


@dataclass(frozen=True, eq=False)
class FittedPairs:
    """A density that was fitted to pairs of representations, with all that is needed to use it.

    Attributes:
        recipe: the kind of density, with its size.
        density: the fitted density over principal components of context and target.
        reduction: turns representations ``[N, F]`` into principal components ``[N, d]``.
        which: the representation: features of the backbone or embeddings of the projector.
        target: what the context, a drawn view, predicts: another view or the clean sample.
        seed: the seed that determined pairs and fit.
        figures: measured on held-out pairs; empty where the density was read from a file.

    >>> density = Gaussian().fit(PairTable(*torch.randn(2, 200, 2)))
    >>> FittedPairs(Gaussian(), density, Reduction(torch.zeros(2), torch.eye(2), kept=1.0)).law.split
    2
    """

    recipe: DensityRecipe
    density: Density
    reduction: Reduction
    which: Which = Which.features
    target: Target = Target.view
    seed: int = 0
    figures: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def law(self) -> JointGaussian | JointMixture:
        """The joint law of context and target, over the principal components of each.

        Raises:
            ValueError: if the density is a predictor, which has none.
        """
        return joint_law(self.density)

    def to_bytes(self, description: dict[str, Any]) -> bytes:
        """The content of a safetensors file.

        Args:
            description: the recipe as plain values.
        """
        tensors = {f"density.{name}": value.contiguous() for name, value in self.density.state_dict().items()}
        tensors |= {"reduction.loc": self.reduction.loc, "reduction.directions": self.reduction.directions}
        facts = {"recipe": description, "kept": self.reduction.kept, "which": self.which, "target": self.target}
        return save(tensors, {"fit": json.dumps({**facts, "seed": self.seed})})

    @classmethod
    def from_bytes(cls, content: bytes, recipe: DensityRecipe, facts: dict[str, Any]) -> "FittedPairs":
        """Read the content of a file back.

        Args:
            content: the bytes of the file.
            recipe: the kind of density, built from the description in the file.
            facts: the other metadata of the file.
        """
        tensors = load(content)
        reduction = Reduction(tensors.pop("reduction.loc"), tensors.pop("reduction.directions"), facts["kept"])
        state = {name.removeprefix("density."): value for name, value in tensors.items()}
        density = recipe.empty(reduction.directions.shape[1], state)
        density.load_state_dict(state)
        which, target = Which(facts["which"]), Target(facts["target"])
        return cls(recipe, density.eval(), reduction, which, target, int(facts["seed"]))

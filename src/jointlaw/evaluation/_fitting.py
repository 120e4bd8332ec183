"""Densities by name, fitted to pairs of representations, and the file that one is kept in."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._descend import descend
from jointlaw.densities._fitted import Fitted
from jointlaw.densities._gas import GrowingNeuralGas
from jointlaw.densities._heads import DiagonalHead
from jointlaw.densities._network import MixtureDensityNetwork
from jointlaw.densities.em._covariances import COVARIANCES
from jointlaw.densities.em._estimator import ExpectationMaximization
from jointlaw.densities.em._fit import fit_gaussian
from jointlaw.evaluation._joint import PairTable, Part, Reduction, Target
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._mixture import JointMixture

Kind = Literal["gaussian", "mixture", "gas", "network"]
CovarianceName = Literal["full", "shared", "diagonal", "spherical"]


@dataclass(frozen=True)
class Recipe:
    """Which density, over what.

    Args:
        density: gaussian, mixture (by expectation-maximisation), gas (growing neural gas) or network (mixture density
            network).
        components: of a mixture or a network, nodes of a gas.
        covariance: of a mixture's components.
        dim: principal components of the representations that the density sees.
        part: features of the backbone or embeddings of the projector.
        epochs: of a network, passes of a gas.
        seed: of views, starts and orders.
        target: what is predicted: another view as drawn in training, or the clean sample.
    """

    density: Kind = "mixture"
    components: int = 50
    covariance: CovarianceName = "full"
    dim: int = 32
    part: Part = "features"
    epochs: int = 20
    seed: int = 0
    target: Target = "view"

    def __post_init__(self) -> None:
        check.at_least("fit", 1, components=self.components, dim=self.dim, epochs=self.epochs)
        check.at_least("fit", 0, seed=self.seed)

    def fit(self, pairs: PairTable) -> Density:
        """Fit the density to pairs of reduced representations ``[N, dim]``."""
        return _FITS[self.density](self, pairs)

    def empty(self, tensors: dict[str, Tensor]) -> Density:
        """A density of this kind, ready to take the tensors of a fitted one."""
        if self.density == "network":
            return _network(self)
        parts = tensors["loc"], tensors["scale_tril"]
        if "logits" in tensors:
            return Fitted(JointMixture(tensors["logits"], *parts, split=self.dim))
        return Fitted(JointGaussian(*parts, split=self.dim))


def _gaussian(recipe: Recipe, pairs: PairTable) -> Density:
    return Fitted(fit_gaussian(pairs.joint, recipe.dim))


def _mixture(recipe: Recipe, pairs: PairTable) -> Density:
    kind = COVARIANCES[recipe.covariance]
    return Fitted(ExpectationMaximization(recipe.components, kind, recipe.dim, seed=recipe.seed).fit(pairs.joint).law)


def _gas(recipe: Recipe, pairs: PairTable) -> Density:
    gas = GrowingNeuralGas(2 * recipe.dim, nodes=recipe.components, split=recipe.dim)
    return Fitted(gas.fit(pairs.joint, passes=recipe.epochs, seed=recipe.seed)())


def _network(recipe: Recipe) -> MixtureDensityNetwork:
    return MixtureDensityNetwork(recipe.dim, recipe.dim, recipe.components, hidden=(256, 256), head=DiagonalHead())


def _trained(recipe: Recipe, pairs: PairTable) -> Density:
    torch.manual_seed(recipe.seed)
    network = _network(recipe)
    batch = min(1024, len(pairs.context))
    descend(
        network.loss,
        network.parameters(),
        pairs.context,
        pairs.target,
        epochs=recipe.epochs,
        lr=1e-3,
        batch=batch,
        seed=recipe.seed,
    )
    return network


_FITS: dict[Kind, Callable[[Recipe, PairTable], Density]] = {
    "gaussian": _gaussian,
    "mixture": _mixture,
    "gas": _gas,
    "network": _trained,
}


def save_density(path: Path, recipe: Recipe, density: Density, reduction: Reduction) -> None:
    """Write a fitted density and its principal components to one safetensors file, in one go."""
    tensors = {f"density.{name}": value.contiguous() for name, value in density.state_dict().items()}
    tensors |= {"reduction.loc": reduction.loc, "reduction.directions": reduction.directions}
    part = path.with_suffix(".part")
    save_file(tensors, part, {"recipe": json.dumps(asdict(recipe)), "kept": str(reduction.kept)})
    os.replace(part, path)


def load_density(path: Path) -> tuple[Recipe, Density, Reduction]:
    """Read what ``save_density`` wrote.

    Raises:
        ValueError: if the file is missing or another one.
    """
    if not path.exists():
        raise ValueError(f"{path}: expected a fitted density, found none. Fit one by jointlaw fit.")
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        recipe = Recipe(**json.loads(facts["recipe"]))
        kept = float(facts["kept"])
        reduction = Reduction(tensors.pop("reduction.loc"), tensors.pop("reduction.directions"), kept)
        state = {name.removeprefix("density."): value for name, value in tensors.items()}
        density = recipe.empty(state)
        density.load_state_dict(state)
    except Exception as error:
        raise ValueError(
            f"{path}: expected a density written by jointlaw fit, found another file ({error}). Fit it anew."
        ) from error
    return recipe, density, reduction

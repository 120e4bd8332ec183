"""Densities over pairs of representations: fitted, kept in a file, read back."""

import json

import pytest
import torch

from jointlaw._files import metadata
from jointlaw.densities import Diagonal
from jointlaw.evaluation import DensityRecipe, FittedPairs, Gas, Gaussian, Mixture, Network, Target, Which
from jointlaw.evaluation._joint import PairTable, judge_density, novelty, principal_components, some_pairs

RECIPES: list[DensityRecipe] = [Gaussian(), Mixture(3, Diagonal()), Gas(3, 2), Network(3, 2)]


def pairs(count: int = 400, dim: int = 6) -> PairTable:
    generator = torch.Generator().manual_seed(0)
    centre = 4 * torch.randint(2, (count, 1), generator=generator) + torch.randn(count, dim, generator=generator)
    return PairTable(*(centre + 0.1 * torch.randn(count, dim, generator=generator) for _ in range(2)))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_a_density_goes_through_its_file(recipe: DensityRecipe) -> None:
    raw = pairs()
    reduction = principal_components(raw.context, 3)
    reduced = PairTable(reduction(raw.context), reduction(raw.target))
    fitted = FittedPairs(recipe, recipe.fit(reduced, 5), reduction, Which.embeddings, Target.clean, 5)
    content = fitted.to_bytes({"kind": type(recipe).__name__})
    facts = json.loads(metadata(content)["fit"])
    assert facts["recipe"] == {"kind": type(recipe).__name__}
    again = FittedPairs.from_bytes(content, recipe, facts)
    assert (again.which, again.target, again.seed) == (Which.embeddings, Target.clean, 5)
    assert again.reduction.kept == reduction.kept
    context = again.reduction(raw.context)
    torch.testing.assert_close(context, reduced.context)
    torch.testing.assert_close(
        again.density(context).log_prob(reduced.target), fitted.density(reduced.context).log_prob(reduced.target)
    )


def test_a_predictor_has_no_joint_law() -> None:
    table = pairs(dim=2)
    with pytest.raises(ValueError, match="density"):
        FittedPairs(Network(2, 1), Network(2, 1).fit(table), principal_components(table.context, 2)).law  # noqa: B018
    assert FittedPairs(Gaussian(), Gaussian().fit(table), principal_components(table.context, 2)).law.dim == 4


def test_a_view_tells_much_about_another_view() -> None:
    table = pairs()
    few = PairTable(table.context[:, :3], table.target[:, :3])
    figures = judge_density(Mixture(components=2).fit(few), few)
    assert figures["density.nll"] is not None
    assert figures["density.nll"] < 3  # three independent coordinates of deviation 2 and more would need 6 nats
    assert figures["density.coverage"] == pytest.approx(0.9, abs=0.05)


def test_some_pairs_are_a_choice_of_all_that_stay_paired() -> None:
    rows = torch.arange(2000.0)[:, None]
    few = some_pairs(PairTable(rows, -rows), seed=0)
    assert len(few.context) == 500
    assert torch.equal(few.target, -few.context)
    assert float(few.context.max()) > 1900  # not the first ones
    assert torch.equal(few.context, some_pairs(PairTable(rows, rows), seed=0).context)


def test_likelihood_tells_what_is_new() -> None:
    table = pairs()
    few = PairTable(table.context[:, :3], table.target[:, :3])
    density = Mixture(components=2).fit(few)
    assert novelty(density, few.context, few.context - 8) > 0.99
    assert novelty(density, few.context, few.context) == 0.5


def test_principal_components_keep_what_varies() -> None:
    x = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.1, 2.0, 0.1, 0.1])
    found = principal_components(x, 2)
    assert found.kept > 0.98
    torch.testing.assert_close(found.directions.T @ found.directions, torch.eye(2), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="dim <= 5"):
        principal_components(x, 6)

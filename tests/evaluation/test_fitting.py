"""Densities by name: fitted, kept in a file, read back."""

from pathlib import Path

import pytest
import torch

from jointlaw.evaluation._fitting import Kind, Recipe, load_density, save_density
from jointlaw.evaluation._joint import PairTable, judge_density, novelty, principal_components, some_pairs

KINDS: list[Kind] = ["gaussian", "mixture", "gas", "network"]


def pairs(count: int = 400, dim: int = 6) -> PairTable:
    generator = torch.Generator().manual_seed(0)
    centre = 4 * torch.randint(2, (count, 1), generator=generator) + torch.randn(count, dim, generator=generator)
    return PairTable(*(centre + 0.1 * torch.randn(count, dim, generator=generator) for _ in range(2)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_density_goes_through_its_file(kind: Kind, tmp_path: Path) -> None:
    recipe, raw = Recipe(kind, components=3, dim=3, epochs=2), pairs()
    reduction = principal_components(raw.context, 3)
    reduced = PairTable(reduction(raw.context), reduction(raw.target))
    density = recipe.fit(reduced)
    save_density(tmp_path / "density.safetensors", recipe, density, reduction)
    again, other, same = load_density(tmp_path / "density.safetensors")
    assert again == recipe
    assert same.kept == reduction.kept
    context = same(raw.context)
    torch.testing.assert_close(context, reduced.context)
    torch.testing.assert_close(
        other(context).log_prob(reduced.target), density(reduced.context).log_prob(reduced.target)
    )


def test_a_view_tells_much_about_another_view() -> None:
    table = pairs()
    few = PairTable(table.context[:, :3], table.target[:, :3])
    figures = judge_density(Recipe("mixture", components=2, dim=3).fit(few), few)
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
    density = Recipe("mixture", components=2, dim=3).fit(few)
    assert novelty(density, few.context, few.context - 8) > 0.99
    assert novelty(density, few.context, few.context) == 0.5


def test_principal_components_keep_what_varies() -> None:
    x = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.1, 2.0, 0.1, 0.1])
    found = principal_components(x, 2)
    assert found.kept > 0.98
    torch.testing.assert_close(found.directions.T @ found.directions, torch.eye(2), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="dim <= 5"):
        principal_components(x, 6)


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        load_density(tmp_path / "none.safetensors")
    (tmp_path / "wrong.safetensors").write_text("thesis")
    with pytest.raises(ValueError, match="found another file"):
        load_density(tmp_path / "wrong.safetensors")

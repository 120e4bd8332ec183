import pytest
import torch

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.objectives import RectifiedLpJEPA
from jointlaw.objectives._lpjepa import pairwise_mse
from jointlaw.types import Embeddings, Outcome


def test_pairwise_mse_of_two_views_is_the_mean_squared_error() -> None:
    z = torch.randn(2, 8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pairwise_mse(z), torch.nn.functional.mse_loss(z[0], z[1]))


def test_pairwise_mse_of_many_views_is_the_mean_over_pairs() -> None:
    z = torch.randn(4, 8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairs = [(z[v] - z[w]).square().mean() for v in range(4) for w in range(v)]
    torch.testing.assert_close(pairwise_mse(z), torch.stack(pairs).mean())


def test_embeddings_of_the_law_score_the_floor_and_equal_views_score_no_invariance() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.1)
    objective = RectifiedLpJEPA(law)
    y = law.draw(torch.Size((256, 128)), torch.Generator().manual_seed(0))
    z = torch.stack([y, y])
    terms = objective(Embeddings(z, z)).terms
    floor, collapse = objective.matcher.anchors(256, 128)
    assert terms["invariance"] == 0
    assert float(terms["matching"]) < 2 * floor < 0.2 * collapse


def test_descending_the_loss_keeps_the_planned_activity() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.1)
    objective = RectifiedLpJEPA(law, invariance=0.0, matching=1.0)
    raw = torch.randn(1024, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.02)
    batches = torch.Generator().manual_seed(1)
    for _ in range(400):
        batch = raw[torch.randperm(1024, generator=batches)[:256]]
        z = Embeddings(torch.stack([batch, batch]), torch.stack([batch, batch]).detach())
        optimizer.zero_grad()
        objective(z).loss.backward()
        optimizer.step()
        objective.update(z)
    active = (objective.activate(raw) > 0).float().mean(0)
    assert abs(float(active.mean()) - 0.1) < 0.002
    assert float(active.min()) > 0.05


def test_without_a_rate_embeddings_are_plainly_rectified() -> None:
    objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian(1.0), rate=0.0)
    z = torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(0))
    objective.update(Embeddings(z, z))
    torch.testing.assert_close(objective.activate(z), z.relu())


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="invariance >= 0"):
        RectifiedLpJEPA(RectifiedGeneralizedGaussian(1.0), invariance=-1.0)


def test_an_outcome_needs_a_term() -> None:
    with pytest.raises(ValueError, match="at least one term"):
        Outcome.weigh()

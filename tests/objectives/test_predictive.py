import copy

import pytest
import torch
from torch import Tensor, nn

from jointlaw.objectives import BYOL, JEPA
from jointlaw.objectives._predictive import BatchNorm, Predictor
from jointlaw.types import Embeddings

DIM = 6


def embeddings(views: int = 2, batch: int = 8, seed: int = 0) -> Embeddings:
    z = torch.randn(2, views, batch, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Embeddings(z[0].requires_grad_(), z[1])


def plain_predictor(predictor: Predictor, z: Tensor) -> Tensor:
    first, norm, _, last = predictor
    h = z @ first.weight.T
    h = (h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias
    return h.clamp(min=0) @ last.weight.T + last.bias


def test_byol_is_the_squared_distance_of_unit_vectors_in_both_directions() -> None:
    objective, z = BYOL(DIM, 16).double(), embeddings()
    loss = torch.zeros((), dtype=torch.float64)
    for v, w in ((0, 1), (1, 0)):
        predicted = plain_predictor(objective.predictor, z.context[v])
        predicted = predicted / predicted.norm(dim=1, keepdim=True)
        target = z.target[w] / z.target[w].norm(dim=1, keepdim=True)
        loss = loss + (predicted - target).square().sum(1).mean()
    torch.testing.assert_close(objective(z).loss, loss)


def test_jepa_is_the_mean_squared_error_in_both_directions() -> None:
    objective, z = JEPA(DIM).double(), embeddings()
    errors = [
        (plain_predictor(objective.predictor, z.context[v]) - z.target[w]).square().mean() for v, w in ((0, 1), (1, 0))
    ]
    torch.testing.assert_close(objective(z).loss, torch.stack(errors).mean())


@pytest.mark.parametrize("kind", [BYOL, JEPA])
def test_more_views_are_the_mean_over_ordered_pairs(kind: type[BYOL | JEPA]) -> None:
    objective, z = kind(DIM, 16).double(), embeddings(views=3)
    pairs = [objective(Embeddings(z.context[[v, w]], z.target[[v, w]])).loss for v in range(3) for w in range(v)]
    torch.testing.assert_close(objective(z).loss, torch.stack(pairs).mean())


@pytest.mark.parametrize("kind", [BYOL, JEPA])
def test_the_target_gets_no_gradient(kind: type[BYOL | JEPA]) -> None:
    z = embeddings()
    target = z.target.clone().requires_grad_()
    kind(DIM, 16).double()(Embeddings(z.context, target)).loss.backward()
    assert target.grad is None
    assert kind.uses_target_network


@pytest.mark.parametrize("kind", [BYOL, JEPA])
def test_every_parameter_of_the_predictor_learns(kind: type[BYOL | JEPA]) -> None:
    objective = kind(DIM, 16).double()
    objective(embeddings()).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in objective.parameters())


@pytest.mark.parametrize("kind", [BYOL, JEPA])
def test_descending_the_loss_teaches_the_predictor(kind: type[BYOL | JEPA]) -> None:
    torch.manual_seed(0)
    objective, z = kind(DIM, 64), embeddings(batch=64)
    z = Embeddings(z.context.detach().float(), z.context.detach().float().flip(-1).flip(0))
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    first = float(objective(z).loss.detach())
    for _ in range(150):
        optimizer.zero_grad()
        loss = objective(z).loss
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2 * first


def test_byol_lies_between_zero_and_eight() -> None:
    objective, z = BYOL(DIM, 16).double(), embeddings()
    with torch.no_grad():
        predicted = torch.stack([objective.predictor(view) for view in z.context])
        assert float(objective(Embeddings(z.context, predicted.flip(0))).loss) == pytest.approx(0, abs=1e-12)
        assert float(objective(Embeddings(z.context, -3 * predicted.flip(0))).loss) == pytest.approx(8)


def test_batch_normalisation_is_torchs_without_running_statistics() -> None:
    x = torch.randn(16, DIM, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(BatchNorm(DIM)(x), nn.BatchNorm1d(DIM, track_running_stats=False)(x))


def test_a_forward_pass_leaves_the_predictor_as_it_was() -> None:
    objective = BYOL(DIM, 16).double()
    before = copy.deepcopy(objective.state_dict())
    objective(embeddings())
    assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items())


@pytest.mark.parametrize("kind", [BYOL, JEPA])
def test_widths_below_one_are_refused(kind: type[BYOL | JEPA]) -> None:
    with pytest.raises(ValueError, match="width >= 1"):
        kind(0)
    with pytest.raises(ValueError, match="hidden >= 1"):
        kind(4, hidden=0)

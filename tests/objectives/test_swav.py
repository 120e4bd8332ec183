import pytest
import torch
from torch import Tensor

from jointlaw.objectives import SwAV
from jointlaw.types import Embeddings

DIM, PROTOTYPES = 6, 10


def swav(**options: float) -> SwAV:
    torch.manual_seed(0)
    return SwAV(DIM, PROTOTYPES, **{"frozen": 0, **options}).double()


def embeddings(views: int = 2, batch: int = 8, seed: int = 0) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(views, batch, DIM, generator=generator, dtype=torch.float64)
    return Embeddings(z.requires_grad_(), z.detach())


def unit(z: Tensor) -> Tensor:
    return z / z.norm(dim=-1, keepdim=True)


def plain_codes(scores: Tensor) -> Tensor:
    q = torch.exp(scores / 0.05).T
    q = q / q.sum()
    for _ in range(3):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def plain_swav(z: Tensor, prototypes: Tensor, queues: list[Tensor] | None = None) -> Tensor:
    """Loops over coded and predicting views as the published code does."""
    scores = [unit(view) @ prototypes.T for view in z]
    loss = torch.zeros((), dtype=z.dtype)
    for coded in (0, 1):
        with torch.no_grad():
            past = [queues[coded] @ prototypes.T] if queues else []
            codes = plain_codes(torch.cat([*past, scores[coded]]))[-len(scores[coded]) :]
        for v in range(len(z)):
            if v != coded:
                share = torch.softmax(scores[v] / 0.1, dim=1)
                loss = loss - (codes * share.log()).sum(1).mean() / (len(z) - 1) / 2
    return loss


@pytest.mark.parametrize("views", [2, 5])
def test_loss_and_gradient_are_the_published_ones(views: int) -> None:
    objective, z = swav(), embeddings(views)
    ours, plain = objective(z).loss, plain_swav(z.context, unit(objective.prototypes))
    torch.testing.assert_close(ours, plain)
    wanted = (z.context, objective.prototypes)
    for mine, theirs in zip(torch.autograd.grad(ours, wanted), torch.autograd.grad(plain, wanted), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_small_crops_predict_and_give_no_codes() -> None:
    objective, z = swav(), embeddings(4)
    changed = z.context.detach().clone()
    changed[2:] = 7 * changed[2:].flip(1)
    scores = objective.activate(z.context) @ unit(objective.prototypes).T
    again = objective.activate(changed) @ unit(objective.prototypes).T
    codes = [objective._codes(each[:2].detach(), unit(objective.prototypes)) for each in (scores, again)]
    assert torch.equal(*codes)
    assert not torch.equal(objective(z).loss, objective(Embeddings(changed, changed)).loss)


def test_the_queue_takes_part_in_the_codes_and_only_in_them() -> None:
    objective = swav(queue=16)
    for seed in (1, 2):
        objective.update(embeddings(seed=seed))
    z = embeddings()
    past = [torch.cat([unit(embeddings(seed=seed).context[view].detach()) for seed in (1, 2)]) for view in (0, 1)]
    plain = plain_swav(z.context, unit(objective.prototypes), past)
    torch.testing.assert_close(objective(z).loss, plain)
    assert not torch.allclose(plain, plain_swav(z.context, unit(objective.prototypes)))


def test_a_queue_that_is_not_full_takes_part_with_what_it_holds() -> None:
    objective, z = swav(queue=50), embeddings()
    torch.testing.assert_close(objective(z).loss, plain_swav(z.context, unit(objective.prototypes)))
    objective.update(embeddings(seed=1))
    past = [unit(embeddings(seed=1).context[view].detach()) for view in (0, 1)]
    torch.testing.assert_close(objective(z).loss, plain_swav(z.context, unit(objective.prototypes), past))


def test_the_queue_waits_for_its_step() -> None:
    objective, z = swav(queue=16, queue_after=2), embeddings()
    alone = plain_swav(z.context, unit(objective.prototypes))
    for _ in range(2):
        torch.testing.assert_close(objective(z).loss, alone)
        objective.update(embeddings(seed=1))
    assert not torch.allclose(objective(z).loss, alone)


def test_prototypes_learn_once_they_are_thawed() -> None:
    objective, z = swav(frozen=2), embeddings()
    losses = []
    for step in range(3):
        objective.zero_grad()
        outcome = objective(z)
        outcome.loss.backward()
        losses.append(float(outcome.loss.detach()))
        assert objective.prototypes.grad is not None
        assert bool((objective.prototypes.grad != 0).any()) == (step == 2)
        objective.update(z)
    assert losses[0] == losses[1] == losses[2]


def test_frozen_prototypes_keep_their_direction_under_weight_decay() -> None:
    objective, z = swav(frozen=5), embeddings()
    before = unit(objective.prototypes.detach().clone())
    optimizer = torch.optim.AdamW(objective.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        objective(z).loss.backward()
        optimizer.step()
        objective.update(z)
    torch.testing.assert_close(unit(objective.prototypes.detach()), before)


def test_the_length_of_a_prototype_does_not_matter() -> None:
    objective, z = swav(), embeddings()
    loss = objective(z).loss
    with torch.no_grad():
        objective.prototypes *= torch.rand(PROTOTYPES, 1, dtype=torch.float64) + 0.5
    torch.testing.assert_close(objective(z).loss, loss)


def test_state_goes_through_a_state_dict() -> None:
    objective, z = swav(queue=16, frozen=3), embeddings()
    for seed in range(4):
        objective.update(embeddings(seed=seed))
    torch.manual_seed(1)
    fresh = SwAV(DIM, PROTOTYPES, queue=16, frozen=3).double()
    fresh.load_state_dict(objective.state_dict())
    assert torch.equal(fresh(z).loss, objective(z).loss)
    assert int(fresh.step) == 4


def test_no_prototype_takes_all_samples_even_if_all_prefer_it() -> None:
    objective = swav()
    z = unit(objective.prototypes.detach()[0]) + 0.01 * embeddings(batch=40).context.detach()
    scores = objective.activate(z) @ unit(objective.prototypes.detach()).T
    assert len(scores.argmax(-1).unique()) == 1
    shares = objective._codes(scores, unit(objective.prototypes.detach())).mean(1)
    assert float(shares.max()) < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature > 0"),
        ({"epsilon": -1.0}, "epsilon > 0"),
        ({"iterations": 0}, "iterations >= 1"),
        ({"queue": -1}, "queue >= 0"),
        ({"frozen": -1}, "frozen >= 0"),
        ({"prototypes": 1}, "prototypes >= 2"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SwAV(DIM, **options)


def test_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="prototypes' width"):
        SwAV(DIM + 1, PROTOTYPES)(embeddings())

import copy
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.objectives import NCL, MoCo, Objective, SimCLR
from jointlaw.objectives import _contrastive as contrastive
from jointlaw.types import Embeddings

SIZE, DIM = 24, 6

COMPILED = """
import torch
from jointlaw.banks import Particles
from jointlaw.objectives import NCL, MoCo, SimCLR
from jointlaw.objectives import BYOL, JEPA
from jointlaw.objectives import SwAV
from jointlaw.types import Embeddings

moco = MoCo(Particles(24, 6, 0.2))
for objective in (SimCLR(), NCL(), moco, BYOL(6, 16), JEPA(6), SwAV(6, 10), SwAV(6, 10, queue=16)):
    torch._dynamo.reset()
    compiled = torch.compile(objective, backend="eager", fullgraph=objective is not moco)
    for _ in range(4):
        z = torch.randn(2, 8, 6)
        z = Embeddings(z.requires_grad_(), z.detach() + 1)
        loss = compiled(z).loss
        torch.testing.assert_close(loss, objective(z).loss)
        loss.backward()
        objective.update(Embeddings(z.context.detach(), z.target))
"""


def embeddings(seed: int, views: int = 2, batch: int = 8, dtype: torch.dtype = torch.float64) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(2, views, batch, DIM, generator=generator, dtype=dtype)
    return Embeddings(z[0].requires_grad_(), z[1])


def moco(bank: Bank | None = None, temperature: float = 0.5, **options: bool) -> MoCo:
    return MoCo(FIFO(SIZE, DIM) if bank is None else bank, temperature, **options).double()


def filled(objective: MoCo, steps: int = 4) -> MoCo:
    for seed in range(100, 100 + steps):
        objective.update(embeddings(seed))
    return objective


def unit(z: Tensor) -> Tensor:
    return z / z.norm(dim=-1, keepdim=True)


def plain_moco(query: Tensor, key: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    query, key = unit(query), unit(key)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ negatives.T], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.int64))


def plain_nt_xent(z: Tensor, temperature: float) -> Tensor:
    both = unit(torch.cat([z[0], z[1]]))
    logits = (both @ both.T / temperature).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, (torch.arange(len(both)) + len(z[0])) % len(both))


def test_simclr_is_nt_xent_of_unit_vectors() -> None:
    z = embeddings(0)
    outcome = SimCLR(0.2)(z)
    torch.testing.assert_close(outcome.loss, plain_nt_xent(z.context, 0.2))
    torch.testing.assert_close(outcome.terms["contrast"], outcome.loss.detach())


@pytest.mark.parametrize("rectifier", [None, torch.nn.ReLU()])
def test_ncl_is_nt_xent_of_rectified_features_and_probes_see_them(rectifier: torch.nn.Module | None) -> None:
    z, objective = embeddings(0), NCL(0.2, rectifier)
    torch.testing.assert_close(objective(z).loss, plain_nt_xent(z.context.relu(), 0.2))
    seen = objective.activate(z.context)
    torch.testing.assert_close(seen, unit(z.context.relu()))
    assert torch.equal(seen == 0, z.context <= 0)


def test_rep_relu_passes_gradient_to_silent_units_and_relu_does_not() -> None:
    z = embeddings(0).context.detach()
    z[0, :, 0], z[1, :, 0] = -0.5, 0.5
    gradients = []
    for rectifier in (None, torch.nn.ReLU()):
        leaf = z.clone().requires_grad_()
        NCL(0.2, rectifier)(Embeddings(leaf, z)).loss.backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad[0, :, 0].abs().sum())
    assert gradients[0] > 0
    assert gradients[1] == 0


def test_an_embedding_without_active_units_has_a_finite_gradient() -> None:
    z = torch.randn(2, 4, DIM, generator=torch.Generator().manual_seed(0))
    z[0, 1] = -z[0, 1].abs()
    leaf = z.requires_grad_()
    NCL(0.2)(Embeddings(leaf, z.detach())).loss.backward()
    assert leaf.grad is not None
    assert float(leaf.grad.abs().max()) < 10


def test_moco_is_cross_entropy_against_the_bank() -> None:
    objective, z = filled(moco()), embeddings(0)
    ours = objective(z).loss
    plain = plain_moco(z.context[0], z.target[1], objective.bank.embeddings, 0.5)
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(torch.autograd.grad(ours, z.context)[0], torch.autograd.grad(plain, z.context)[0])


def test_symmetric_moco_is_the_mean_over_ordered_pairs_of_views() -> None:
    objective, z = filled(moco(symmetric=True)), embeddings(0, views=3)
    pairs = [(v, w) for v in range(3) for w in range(3) if v != w]
    plain = [plain_moco(z.context[v], z.target[w], objective.bank.embeddings, 0.5) for v, w in pairs]
    torch.testing.assert_close(objective(z).loss, torch.stack(plain).mean())


def test_the_last_view_gives_the_keys_of_the_plain_form() -> None:
    objective, z = filled(moco()), embeddings(0, views=3)
    plain = [plain_moco(z.context[v], z.target[2], objective.bank.embeddings, 0.5) for v in range(2)]
    torch.testing.assert_close(objective(z).loss, torch.stack(plain).mean())
    objective.update(z)
    torch.testing.assert_close(objective.bank.embeddings[8:16], unit(z.target[2]))


@pytest.mark.parametrize("symmetric", [False, True])
def test_no_key_of_the_batch_is_a_negative(symmetric: bool) -> None:
    """Perfectly matched pairs, far from the bank, come close to no loss; a key among its own negatives costs log 2."""
    objective = moco(temperature=0.05, symmetric=symmetric)
    past = -torch.eye(DIM, dtype=torch.float64).repeat(2, 1, 1)
    z = torch.eye(DIM, dtype=torch.float64).repeat(2, 1, 1)
    for _ in range(3):
        objective.update(Embeddings(past, past))
    assert float(objective(Embeddings(z, z)).loss) < 1e-6
    objective.update(Embeddings(z, z))
    assert float(objective(Embeddings(z, z)).loss) > 0.69


def test_an_empty_bank_makes_no_loss() -> None:
    z = embeddings(0)
    outcome = moco()(z)
    outcome.loss.backward()
    assert outcome.loss == 0
    assert z.context.grad is not None
    assert (z.context.grad == 0).all()


def test_a_bank_that_is_not_full_contrasts_with_its_real_entries_only() -> None:
    objective, z = filled(moco(), steps=1), embeddings(0)
    plain = plain_moco(z.context[0], z.target[1], objective.bank.embeddings[:8], 0.5)
    torch.testing.assert_close(objective(z).loss, plain)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_update_with_the_outcome_equals_update_alone_bit_for_bit(symmetric: bool, threshold: float) -> None:
    handed, formed = (
        moco(Particles(SIZE, DIM, 0.5, threshold=threshold), symmetric=symmetric).float() for _ in range(2)
    )
    for seed in range(8):
        z = embeddings(seed, dtype=torch.float32)
        outcome = handed(z)
        outcome.loss.backward()
        seen = Embeddings(z.context.detach(), z.target)
        handed.update(seen, outcome)
        formed.update(seen)
    assert int(handed.bank.counts.sum()) >= SIZE
    assert all(torch.equal(a, b) for a, b in zip(handed.bank.buffers(), formed.bank.buffers(), strict=True))


def test_the_logits_of_the_forward_pass_are_not_formed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    objective, z, calls = filled(moco(Particles(SIZE, DIM, 0.5))), embeddings(0), []
    original = contrastive.against
    monkeypatch.setattr(contrastive, "against", lambda *rest, **options: calls.append(1) or original(*rest, **options))
    outcome = objective(z)
    outcome.loss.backward()
    objective.update(Embeddings(z.context.detach(), z.target), outcome)
    assert len(calls) == 1


def test_only_a_bank_that_weighs_gets_a_posterior() -> None:
    assert filled(moco(FIFO(SIZE, DIM)))(embeddings(0)).posterior is None
    objective = filled(moco(Particles(SIZE, DIM, 0.5)))
    posterior = objective(embeddings(0)).posterior
    assert posterior is not None
    assert posterior.shape == (objective.bank.occupied,)
    assert not posterior.requires_grad


@pytest.mark.parametrize("kind", [SimCLR, NCL, lambda: filled(moco()).float()])
def test_bfloat16_autocast_changes_nothing_after_the_projector(kind: Callable[[], Objective]) -> None:
    objective, z = kind(), embeddings(0, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(z).loss
    assert torch.equal(loss, objective(z).loss)


def test_keys_enter_sample_by_sample() -> None:
    """Then the keys of several processes, one after the other, are in the order of one process."""
    objective, z = moco(symmetric=True), embeddings(0)
    objective.update(z)
    torch.testing.assert_close(objective.bank.embeddings[:16], unit(z.target).transpose(0, 1).flatten(0, 1))


def test_queries_and_keys_reweight_the_pool_as_the_equation_says() -> None:
    objective, z = moco(Particles(SIZE, DIM, 0.5, threshold=0.0)), embeddings(0)
    objective.bank.update(unit(torch.randn(SIZE, DIM, generator=torch.Generator().manual_seed(5)).double()))
    pool = torch.cat([objective.bank.embeddings, unit(z.target[1])])
    weights = torch.exp(unit(z.context[0].detach()) @ pool.T / 0.5).sum(0)
    kept = weights.topk(SIZE).values
    objective(z)
    objective.update(z)
    found = objective.bank.log_weights.exp().sort().values
    torch.testing.assert_close(found, (SIZE * kept / kept.sum()).sort().values)


def test_particles_cost_no_state_in_a_forward_pass_and_survive_a_copy() -> None:
    objective, z = filled(moco(Particles(SIZE, DIM, 0.5))), embeddings(0)
    before = copy.deepcopy(objective.state_dict())
    objective(z)
    assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items())
    twin = copy.deepcopy(objective)
    for each in (objective, twin):
        each.update(Embeddings(z.context.detach(), z.target))
    assert torch.equal(objective.bank.embeddings, twin.bank.embeddings)
    assert set(objective.statistics) == {"filled", "age", "ess", "survival", "distinct"}


def test_particles_train_as_well_as_a_queue() -> None:
    """Descending either loss on free vectors pulls pairs together and keeps samples apart."""
    for bank in (FIFO(64, DIM), Particles(64, DIM, 0.2)):
        objective = MoCo(bank, 0.2, symmetric=True)
        raw = torch.randn(2, 64, DIM, generator=torch.Generator().manual_seed(0)).requires_grad_()
        optimizer = torch.optim.Adam([raw], lr=0.05)
        batches = torch.Generator().manual_seed(1)
        for _ in range(150):
            batch = raw[:, torch.randperm(64, generator=batches)[:16]]
            z = Embeddings(batch, batch.detach())
            optimizer.zero_grad()
            objective(z).loss.backward()
            optimizer.step()
            objective.update(z)
        final = unit(raw.detach())
        assert float((final[0] * final[1]).sum(1).mean()) > 0.95
        assert float(final.flatten(0, 1).mean(0).norm()) < 0.3


@pytest.mark.slow
def test_compiled_forwards_give_the_same_loss() -> None:
    """In a process of its own, since checked annotations cannot be traced; one graph each, the bank's sums apart."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True)


def test_one_temperature_serves_loss_and_particles() -> None:
    with pytest.raises(ValueError, match="temperature of its particles"):
        MoCo(Particles(8, 2, 0.1), 0.2)


def test_another_width_than_the_banks_is_refused() -> None:
    with pytest.raises(ValueError, match="width 5"):
        MoCo(FIFO(8, 5))(embeddings(0))


@pytest.mark.parametrize("kind", [SimCLR, NCL, lambda temperature: MoCo(FIFO(8, 2), temperature)])
def test_temperatures_must_be_positive(kind: type) -> None:
    with pytest.raises(ValueError, match="temperature > 0"):
        kind(0.0)

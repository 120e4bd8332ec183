import math

import pytest
import torch
from torch import Tensor

from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.densities import FixedScale, LearnedScale
from jointlaw.objectives import SMCGMJE
from jointlaw.objectives import _smc as module
from jointlaw.types import Embeddings

B, DIM, SIZE = 8, 3, 40


def embeddings(seed: int = 0, views: int = 2) -> Embeddings:
    z = torch.randn(views, B, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Embeddings(z.requires_grad_(), z.detach())


def objective(bank: Bank | None = None, steps: int = 4, **options: object) -> SMCGMJE:
    bank = Particles(SIZE, 2 * DIM, temperature=1.0) if bank is None else bank
    smc = SMCGMJE(bank, **options).double()
    for seed in range(100, 100 + steps):
        smc.update(embeddings(seed))
    return smc


def pairs(z: Tensor) -> Tensor:
    """Both directions of two views on the sphere, sample by sample."""
    u = z / z.norm(dim=-1, keepdim=True)
    both = torch.stack([torch.cat([u[0], u[1]], 1), torch.cat([u[1], u[0]], 1)], 1)
    return both.flatten(0, 1)


def densities(smc: SMCGMJE, rows: Tensor, around: Tensor) -> Tensor:
    """N(Z; Z_m, S), [N, M]."""
    factor = smc.scale()[0]
    law = torch.distributions.MultivariateNormal(around, scale_tril=factor)
    return law.log_prob(rows[:, None]).exp()


def test_is_the_likelihood_under_weighted_particles_and_the_marginal_entropies() -> None:
    smc, z = objective(), embeddings()
    rows, (around, log_weights) = pairs(z.context), smc.bank.read()
    weights = log_weights.softmax(0)
    likelihood = -(densities(smc, rows, around) @ weights).log().mean()
    outcome = smc(z)
    torch.testing.assert_close(outcome.terms["likelihood"], likelihood)
    u = z.context / z.context.norm(dim=-1, keepdim=True)
    moments = u.mT @ u / B + 1e-5 * torch.eye(DIM, dtype=torch.float64)
    torch.testing.assert_close(outcome.loss, likelihood - torch.logdet(moments).mean())


def test_weighted_slots_and_resampled_clones_give_one_likelihood() -> None:
    """Uniform weights after full resampling: particles in as many copies as they were drawn."""
    smc, z = objective(steps=6), embeddings()
    counts = smc.bank.counts
    assert counts.sum() == SIZE
    assert counts.max() > 1
    clones = smc.bank.embeddings.repeat_interleave(counts, 0)
    unweighted = -densities(smc, pairs(z.context), clones).mean(1).log().mean()
    torch.testing.assert_close(smc(z).terms["likelihood"], unweighted)


def test_the_pool_is_reweighted_as_the_equation_says(monkeypatch: pytest.MonkeyPatch) -> None:
    smc, z = objective(), embeddings()
    around, log_weights = (part.clone() for part in smc.bank.read())
    seen: list[Tensor] = []
    monkeypatch.setattr(smc.bank, "update", lambda rows, posterior: seen.extend([rows, posterior]))
    smc.update(z)
    rows = pairs(z.context.detach())
    assert torch.equal(seen[0], rows)
    weights = torch.cat([log_weights.exp(), torch.ones(len(rows), dtype=torch.float64)])
    pool, precision = torch.cat([around, rows]), torch.linalg.inv(smc.scale()[0] @ smc.scale()[0].mT)
    gap = rows[:, None] - pool
    kernel = torch.einsum("nmi,ij,nmj->nm", gap, precision, gap).mul(-0.5).exp()
    torch.testing.assert_close(seen[1].softmax(0), weights * kernel.sum(0) / (weights * kernel.sum(0)).sum())


def seen(z: Embeddings) -> Embeddings:
    """As the learner hands it to ``update``."""
    return Embeddings(z.context.detach(), z.target)


def count_products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points the batch was held against, call by call."""
    calls: list[int] = []
    original = module.component_log_densities

    def counted(rows: Tensor, around: Tensor, factor: Tensor) -> Tensor:
        calls.append(len(around))
        return original(rows, around, factor)

    monkeypatch.setattr(module, "component_log_densities", counted)
    return calls


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_update_with_the_outcome_equals_update_alone_bit_for_bit(views: int, threshold: float) -> None:
    """With gradients of several batches added up, and a step of the optimiser after every second one."""
    handed, formed = (SMCGMJE(Particles(SIZE, 2 * DIM, temperature=1.0, threshold=threshold)).float() for _ in range(2))
    optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in (handed, formed)]
    for seed in range(8):
        z = Embeddings(*(part.detach().float() for part in embeddings(seed, views)))
        outcome = handed(z)
        outcome.loss.backward()
        handed.update(seen(z), outcome)
        formed(z).loss.backward()
        formed.update(seen(z))
        for optimizer in optimizers if seed % 2 else ():
            optimizer.step()
            optimizer.zero_grad()
    assert handed.bank.counts.sum() >= SIZE
    assert all(torch.equal(a, b) for a, b in zip(handed.bank.buffers(), formed.bank.buffers(), strict=True))


def test_the_distances_of_the_forward_pass_are_not_formed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    smc, z, calls = objective(), embeddings(), count_products(monkeypatch)
    slots = smc.bank.occupied
    outcome = smc(z)
    outcome.loss.backward()
    smc.update(seen(z), outcome)
    assert calls == [slots, 2 * B]  # the batch about the slots, and about itself


def test_the_metric_learns() -> None:
    smc = objective()
    smc(embeddings()).loss.backward()
    assert smc.scale.log_diagonal.grad.abs().max() > 0
    assert smc.scale.below.grad.tril(-1).abs().max() > 0


def test_an_empty_bank_has_no_likelihood_term_and_leaves_no_parameter_without_gradient() -> None:
    smc, z = objective(steps=0), embeddings()
    outcome = smc(z)
    outcome.loss.backward()
    assert outcome.terms["likelihood"] == 0
    assert z.context.grad.isfinite().all()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in smc.parameters())


def test_a_bank_that_is_not_full_holds_its_real_entries_only() -> None:
    smc, z = objective(FIFO(1000, 2 * DIM)), embeddings()
    real = smc.bank.embeddings[: smc.bank.filled]
    expected = -densities(smc, pairs(z.context), real).mean(1).log().mean()
    torch.testing.assert_close(smc(z).terms["likelihood"], expected)


def test_the_batch_is_judged_before_it_enters() -> None:
    smc, z = objective(FIFO(SIZE, 2 * DIM), scale=FixedScale(1e-4)), embeddings()
    before = smc(z).terms["likelihood"]
    smc.update(z)
    assert smc(z).terms["likelihood"] < before - 100  # now every pair sits on itself


def test_an_isotropic_metric_weighs_as_the_particles_of_moco_do() -> None:
    """On the sphere exp(-|Z_b - Z_m|^2 / (2 tau)) is exp(Z_b . Z_m / tau) up to a constant."""
    tau = 0.3
    general = objective(scale=FixedScale(tau), steps=3)
    plain = Particles(SIZE, 2 * DIM, temperature=tau).double()
    for seed in range(100, 103):
        plain.update(pairs(embeddings(seed).context.detach()))
    torch.testing.assert_close(plain.embeddings, general.bank.embeddings)
    torch.testing.assert_close(plain.log_weights, general.bank.log_weights)


def test_statistics_are_those_of_the_bank() -> None:
    assert objective().statistics.keys() >= {"ess", "survival", "age"}


def test_without_the_sphere_embeddings_are_what_they_are() -> None:
    smc, z = objective(sphere=False), embeddings()
    assert torch.equal(smc.activate(z.context), z.context)
    assert smc.scale()[0].diagonal().detach() == pytest.approx(1.0)
    assert objective().scale()[0].diagonal().detach() == pytest.approx(1 / math.sqrt(DIM))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SMCGMJE(FIFO(8, 5)), "even width"),
        (lambda: SMCGMJE(Particles(8, 6, temperature=0.2)), "temperature 1"),
        (lambda: SMCGMJE(FIFO(8, 6), LearnedScale(4)), "scale of width 6"),
        (lambda: SMCGMJE(FIFO(8, 6), LearnedScale(6, 2)), "1 component"),
        (lambda: SMCGMJE(FIFO(8, 6), entropy=-1.0), "entropy >= 0"),
        (lambda: SMCGMJE(FIFO(8, 8)).double()(embeddings()), "half the bank's width"),
    ],
)
def test_impossible_settings_are_refused(build, message) -> None:
    with pytest.raises(ValueError, match=message):
        build()

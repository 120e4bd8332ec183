import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from jointlaw.banks import FIFO, Particles
from jointlaw.functional import info_nce
from jointlaw.functional._contrast import against
from jointlaw.functional._resampling import RESAMPLING
from jointlaw.types import Memory


def batch(seed: int, count: int = 8, dim: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64), dim=1)


def filled(size: int = 24, **options: object) -> Particles:
    bank = Particles(size, 5, 0.5, **options).double()
    bank.update(batch(100, size))
    return bank


def pool_weights(bank: Particles, query: Tensor, new: Tensor) -> Tensor:
    """The equation, with exponentials."""
    pool = torch.cat([bank.embeddings, new])
    prior = torch.cat([bank.log_weights.exp(), torch.ones(len(new), dtype=torch.float64)])
    return prior * torch.exp(query @ pool.T / bank.temperature).sum(0)


def test_the_queue_holds_the_newest_in_any_batch_size() -> None:
    bank, entered = FIFO(10, 1), []
    for size in (3, 4, 7, 1, 9, 10, 23, 6):
        new = torch.arange(sum(map(len, entered)), sum(map(len, entered)) + size).float()
        entered.append(new)
        bank.update(new[:, None])
        newest = torch.cat(entered)[-10:]
        real = bank.embeddings[bank.log_weights == 0].squeeze(1)
        torch.testing.assert_close(real.sort().values, newest)


def test_the_age_of_the_queue_is_that_of_its_batches() -> None:
    bank = FIFO(8, 5)
    for seed in range(5):
        bank.update(batch(seed, 4).float())
    assert float(bank.statistics["age"]) == 1.5


@pytest.mark.parametrize("scheme", list(RESAMPLING))
def test_the_bank_becomes_the_resampled_pool(scheme: str) -> None:
    bank, new = filled(resampling=scheme), batch(1)
    weights = pool_weights(bank, new, new)
    pool = torch.cat([bank.embeddings, new])
    counts = RESAMPLING[scheme](weights.log(), 24, bank._generator())
    drawn = pool.repeat_interleave(counts, 0)
    bank.update(new)
    clones = bank.embeddings.repeat_interleave(bank.log_weights.exp().round().long(), 0)
    assert len(clones) == 24
    torch.testing.assert_close(clones.sort(0).values, drawn.sort(0).values)
    assert torch.equal(bank.log_weights.exp().round().long(), bank.counts)


def test_weighted_slots_and_unweighted_clones_give_one_loss_and_gradient() -> None:
    """Particles with uniform weights after full resampling are plain InfoNCE on the resampled bank."""
    bank = filled(resampling="multinomial")
    for seed in range(6):
        bank.update(batch(seed))
    assert int(bank.counts.max()) > 1
    query, key = batch(50).requires_grad_(), batch(51)
    ours = info_nce((query * key).sum(1) / 0.5, against(query, bank.read(), 0.5).log_sum).mean()
    clones = bank.embeddings.repeat_interleave(bank.counts, 0)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ clones.T], 1) / 0.5
    plain = F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(torch.autograd.grad(ours, query)[0], torch.autograd.grad(plain, query)[0])


def test_without_resampling_weights_multiply_up() -> None:
    bank = filled(threshold=0.0)
    old, weights = bank.embeddings.clone(), torch.ones(24, dtype=torch.float64)
    for seed in range(3):
        new = batch(seed, 2)
        pool, weights = torch.cat([old, new]), torch.cat([weights, torch.ones(2, dtype=torch.float64)])
        weights = weights * torch.exp(new @ pool.T / 0.5).sum(0)
        heaviest = weights.topk(24).indices.sort().values
        old, weights = pool[heaviest], 24 * weights[heaviest] / weights[heaviest].sum()
        bank.update(new)
    order, expected = bank.embeddings[:, 0].argsort(), old[:, 0].argsort()
    torch.testing.assert_close(bank.embeddings[order], old[expected])
    torch.testing.assert_close(bank.log_weights.exp()[order], weights[expected])


def test_resampling_is_postponed_until_the_effective_sample_size_falls() -> None:
    bank = filled(threshold=0.6)
    resampled = []
    for seed in range(12):
        bank.update(batch(seed, 4))
        clones = bank.counts.double().log()
        resampled.append(bool(torch.equal(bank.log_weights, clones)))
        assert resampled[-1] == (float(bank.statistics["ess"]) < 0.6 * 28)
    assert 0 < sum(resampled) < 12


def test_effective_sample_size_is_that_of_the_pool_before_resampling() -> None:
    bank, new = filled(), batch(1)
    weights = pool_weights(bank, new, new)
    bank.update(new)
    torch.testing.assert_close(bank.statistics["ess"], weights.sum() ** 2 / weights.square().sum())


def test_tempering_raises_the_likelihood_to_a_power_and_leaves_the_prior() -> None:
    bank, new = filled(tempering=0.5), batch(1)
    bank.update(new)  # clones: a prior that is not uniform
    prior = torch.cat([bank.counts.double()[: bank.occupied], torch.ones(8, dtype=torch.float64)])
    pool = torch.cat([bank.read().embeddings, batch(2)])
    weights = prior * torch.exp(batch(2) @ pool.T / 0.5).sum(0).sqrt()
    expected = weights.sum() ** 2 / (weights.square() / prior).sum()
    bank.update(batch(2))
    torch.testing.assert_close(bank.statistics["ess"], expected)


def test_without_a_word_of_the_queries_every_one_in_the_pool_weighs_the_same() -> None:
    bank = filled(tempering=0.0)
    for seed in range(4):
        bank.update(batch(seed))
        assert float(bank.statistics["ess"]) == pytest.approx(32)


def test_no_particle_stays_longer_than_the_age_limit() -> None:
    """Queries that want the first particles for ever do not get them."""
    bank = filled(oldest=3)
    for seed in range(8):
        slots = len(bank.read().log_weights)
        posterior = torch.zeros(slots + 4, dtype=torch.float64)
        posterior[:slots] = 2.0
        bank.update(batch(seed, 4), posterior)
        ages = bank.step - bank.entered[: bank.occupied]
        assert int(ages.max()) <= 3
        assert int(bank.counts.sum()) == 24
    assert int(ages.max()) == 3


def test_a_limit_of_one_update_keeps_the_newest_alone() -> None:
    bank, new = filled(oldest=1), batch(1)
    bank.update(new)
    distances = torch.cdist(bank.read().embeddings, new).min(1).values
    assert float(distances.max()) == 0


def test_clones_count_apart_in_the_effective_sample_size() -> None:
    bank = filled(resampling="multinomial")
    for seed in range(4):
        bank.update(batch(seed))
    assert int(bank.counts.max()) > 1
    new = batch(9)
    clones = torch.cat([bank.embeddings.repeat_interleave(bank.counts, 0), new])
    weights = torch.exp(new @ clones.T / 0.5).sum(0)
    bank.update(new)
    torch.testing.assert_close(bank.statistics["ess"], weights.sum() ** 2 / weights.square().sum())


def test_a_given_posterior_is_used_as_it_is() -> None:
    bank, new = filled(), batch(1)
    posterior = torch.full((32,), -torch.inf, dtype=torch.float64)
    posterior[[3, 30]] = torch.tensor([0.75, 0.25], dtype=torch.float64).log() - 500
    third = bank.embeddings[3].clone()
    bank.update(new, posterior)
    occupied = bank.counts > 0
    assert bank.counts[occupied].sort().values.tolist() == [6, 18]
    torch.testing.assert_close(bank.embeddings[bank.counts == 18][0], third)
    torch.testing.assert_close(bank.embeddings[bank.counts == 6][0], new[6])


def test_particles_concentrate_where_the_queries_are() -> None:
    """Queries around one direction keep the particles near it, whatever enters."""
    bank = Particles(64, 5, 0.1)
    bank.update(batch(0, 64).float())
    direction = torch.tensor([1.0, 0, 0, 0, 0]).expand(8, 5)
    before = float(bank.embeddings[:, 0].mean())
    for seed in range(5):
        new = batch(seed).float()
        embeddings, log_weights = bank.read()
        pool, prior = torch.cat([embeddings, new]), torch.cat([log_weights, torch.zeros(8)])
        bank.update(new, prior + (direction @ pool.T / 0.1).logsumexp(0))
    after = (bank.counts * bank.embeddings[:, 0]).sum() / 64
    assert float(after) > before + 0.5
    assert float(bank.statistics["survival"]) < 1
    assert float(bank.statistics["distinct"]) < 0.5


def test_age_is_the_mean_over_particles_and_survival_the_share_of_slots_kept() -> None:
    bank, new = filled(), batch(1)
    posterior = torch.full((32,), -torch.inf, dtype=torch.float64)
    posterior[[0, 1, 2, 24]] = 0.0
    bank.update(new, posterior)  # 6 copies each of three old ones and a new one
    assert float(bank.statistics["age"]) == (18 * 2 + 6 * 1) / 24
    assert float(bank.statistics["survival"]) == 3 / 24
    assert float(bank.statistics["distinct"]) == 4 / 24
    assert float(bank.statistics["filled"]) == 1


def test_only_occupied_slots_are_read_and_they_are_at_the_front() -> None:
    """Whatever goes, whether a batch is smaller or larger than the bank; rows keep their weights and ages."""
    for threshold in (0.0, 0.5, 1.0):
        bank, entered = Particles(24, 5, 0.2, threshold=threshold).double(), {}
        for seed, count in enumerate((8, 8, 5, 30, 3, 8, 60, 2, 8, 8)):
            new = batch(seed, count)
            entered |= {tuple(row): seed for row in new.tolist()}
            bank.update(new)
            embeddings, log_weights = bank.read()
            assert len(embeddings) == int(bank.counts.count_nonzero()) == bank.occupied
            assert (log_weights > -torch.inf).all()
            assert (bank.log_weights[bank.occupied :] == -torch.inf).all()
            assert (bank.counts[: bank.occupied] > 0).all()
            assert len(embeddings.unique(dim=0)) == len(embeddings)
            assert [entered[tuple(row)] for row in embeddings.tolist()] == bank.entered[: bank.occupied].tolist()


def test_a_batch_that_overflows_the_bank_loses_no_part_of_the_pool() -> None:
    """10 slots filled, 17 offered: each of the 17 may be drawn."""
    seen = torch.zeros(17, dtype=torch.bool)
    for seed in range(60):
        bank = Particles(12, 5, 100.0, resampling="multinomial", seed=seed).double()
        first, second = batch(0, 10), batch(1, 7)
        bank.update(first)
        bank.update(second)
        alive = bank.embeddings[bank.counts > 0]
        seen |= torch.cdist(torch.cat([first, second]), alive).min(1).values == 0
    assert seen.all()


def test_seeds_and_steps_draw_differently() -> None:
    banks = [Particles(24, 5, 0.5, seed=seed).double() for seed in (0, 1)]
    for bank in banks:
        for seed in range(6):
            bank.update(batch(seed))
    assert not torch.equal(banks[0].counts, banks[1].counts)
    first = banks[0]._generator().initial_seed()
    banks[0].step += 1
    assert banks[0]._generator().initial_seed() != first


def test_a_scheme_may_be_a_function() -> None:
    by_name, by_function = filled(), filled(resampling=RESAMPLING["systematic"])
    for bank in (by_name, by_function):
        bank.update(batch(1))
    assert torch.equal(by_name.counts, by_function.counts)


def test_extreme_likelihoods_stay_finite() -> None:
    bank = Particles(32, 5, 1e-3)
    for seed in range(8):
        bank.update(batch(seed, 16).float())
    assert bank.log_weights.exp().sum() == 32
    assert bank.statistics["ess"].isfinite()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, "temperature > 0"),
        ({"threshold": 1.5}, "threshold <= 1"),
        ({"tempering": -0.1}, "tempering <= 1"),
        ({"oldest": 0}, "oldest >= 1"),
        ({"seed": -1}, "seed >= 0"),
        ({"resampling": "bootstrap"}, "systematic, stratified"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Particles(8, 2, **{"temperature": 0.5, **options})


def test_memory_is_a_pair_of_embeddings_and_log_weights() -> None:
    embeddings, log_weights = FIFO(3, 2).read()
    assert isinstance(FIFO(3, 2).read(), Memory)
    assert embeddings.shape == (3, 2)
    assert (log_weights == -torch.inf).all()

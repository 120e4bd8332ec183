"""What every bank promises. A new bank is one more entry in BANKS."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from contracts.snapshots import snapshot
from jointlaw.banks import FIFO, Bank, Particles

SIZE, DIM = 20, 5

BANKS: dict[str, Callable[[], Bank]] = {
    "queue": lambda: FIFO(SIZE, DIM),
    "systematic": lambda: Particles(SIZE, DIM, 0.5),
    "stratified": lambda: Particles(SIZE, DIM, 0.5, resampling="stratified"),
    "multinomial": lambda: Particles(SIZE, DIM, 0.5, resampling="multinomial"),
    "residual": lambda: Particles(SIZE, DIM, 0.5, resampling="residual"),
    "postponed": lambda: Particles(SIZE, DIM, 0.5, threshold=0.5),
    "tempered": lambda: Particles(SIZE, DIM, 0.5, tempering=0.5),
    "age limit": lambda: Particles(SIZE, DIM, 0.5, oldest=2),
    "postponed with both": lambda: Particles(SIZE, DIM, 0.5, threshold=0.5, tempering=0.5, oldest=2),
    "never resampled": lambda: Particles(SIZE, DIM, 0.5, threshold=0.0),
}


@pytest.fixture(params=list(BANKS))
def bank(request: pytest.FixtureRequest) -> Bank:
    return BANKS[request.param]()


def batch(seed: int, count: int = 8, dim: int = DIM) -> Tensor:
    return F.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def state(bank: Bank) -> dict[str, Tensor]:
    return copy.deepcopy(bank.state_dict())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def real(bank: Bank) -> Tensor:
    embeddings, log_weights = bank.read()
    return embeddings[log_weights > -torch.inf]


def test_a_new_bank_remembers_nothing(bank: Bank) -> None:
    embeddings, log_weights = bank.read()
    assert 1 <= len(embeddings) <= SIZE
    assert embeddings.shape[1:] == (DIM,)
    assert log_weights.shape == embeddings.shape[:1]
    assert len(real(bank)) == 0
    assert bank.filled == 0


def test_reading_changes_nothing(bank: Bank) -> None:
    bank.update(batch(0))
    before = snapshot(bank)
    bank.read()
    assert bank.statistics
    assert snapshot(bank) == before


def test_reading_copies_nothing(bank: Bank) -> None:
    assert bank.read().embeddings.data_ptr() == bank.read().embeddings.data_ptr() == bank.embeddings.data_ptr()
    address = bank.embeddings.data_ptr()
    for seed in range(4):
        bank.update(batch(seed))
    assert bank.read().embeddings.data_ptr() == address


@pytest.mark.parametrize("sizes", [(8, 8), (7, 7), (20,), (19,), (1, 2, 3, 4)])
def test_a_bank_that_is_not_full_serves_what_entered_and_nothing_else(bank: Bank, sizes: tuple[int, ...]) -> None:
    batches = [batch(seed, size) for seed, size in enumerate(sizes)]
    for each in batches:
        bank.update(each)
    torch.testing.assert_close(real(bank), torch.cat(batches))
    assert bank.filled == sum(sizes)
    assert (bank.read().log_weights[: sum(sizes)] == 0).all()


@pytest.mark.parametrize("sizes", [(8, 8, 8), (7,) * 9, (25,), (20, 20), (3, 50, 3), (19, 2)])
def test_weights_count_what_is_remembered_whatever_the_batch_sizes(bank: Bank, sizes: tuple[int, ...]) -> None:
    entered = []
    for seed, size in enumerate(sizes):
        entered.append(batch(seed, size))
        bank.update(entered[-1])
        total = bank.read().log_weights.exp().sum()
        torch.testing.assert_close(total, torch.tensor(float(bank.filled)))
    assert bank.filled == SIZE
    distances = torch.cdist(real(bank), torch.cat(entered)).min(1).values
    assert float(distances.max()) < 1e-3


def test_nothing_carries_a_gradient(bank: Bank) -> None:
    for seed in range(4):
        bank.update(batch(seed).requires_grad_())
    assert not bank.read().embeddings.requires_grad
    assert not bank.read().log_weights.requires_grad


def test_a_resumed_bank_equals_an_uninterrupted_one_bit_for_bit(bank: Bank, request: pytest.FixtureRequest) -> None:
    for seed in range(5):
        bank.update(batch(seed))
    resumed = BANKS[request.node.callspec.params["bank"]]()
    resumed.load_state_dict(state(bank))
    for seed in range(5, 12):
        bank.update(batch(seed, 7))
        resumed.update(batch(seed, 7))
    assert same(state(bank), state(resumed))
    assert same(bank.statistics, resumed.statistics)


def test_draws_do_not_depend_on_the_global_generator(bank: Bank, request: pytest.FixtureRequest) -> None:
    other = BANKS[request.node.callspec.params["bank"]]()
    for seed in range(6):
        torch.manual_seed(seed)
        bank.update(batch(seed))
        before = torch.random.get_rng_state()
        other.update(batch(seed))
        assert torch.equal(before, torch.random.get_rng_state())
    assert same(state(bank), state(other))


def test_double_precision(bank: Bank) -> None:
    bank.double()
    for seed in range(5):
        bank.update(batch(seed).double())
    assert bank.read().embeddings.dtype == torch.float64
    assert bank.read().log_weights.dtype == torch.float64


def test_statistics_are_finite_detached_scalars(bank: Bank) -> None:
    for seed in range(6):
        assert all(value.ndim == 0 and value.isfinite() for value in bank.statistics.values())
        bank.update(batch(seed))
    assert float(bank.statistics["filled"]) == 1
    assert float(bank.statistics["age"]) >= 1


@pytest.mark.parametrize("shape", [(8, DIM + 1), (2, 8, DIM), (DIM,)])
def test_other_shapes_are_refused(bank: Bank, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected embeddings"):
        bank.update(torch.rand(shape))


def test_log_weights_of_another_pool_are_refused(bank: Bank) -> None:
    with pytest.raises(ValueError, match="whole pool"):
        bank.update(batch(0), torch.zeros(SIZE))


@pytest.mark.parametrize("kind", [FIFO, lambda size, dim: Particles(size, dim, 0.5)])
def test_sizes_below_one_are_refused(kind: Callable[[int, int], Bank]) -> None:
    with pytest.raises(ValueError, match="size >= 1"):
        kind(0, 3)
    with pytest.raises(ValueError, match="dim >= 1"):
        kind(3, 0)

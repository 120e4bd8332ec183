import pytest
import torch
from torch import Generator

from jointlaw.functional import effective_sample_size
from jointlaw.functional._resampling import RESAMPLING, Resampling

LOG_WEIGHTS = torch.tensor([0.3, -torch.inf, 1.7, -2.0, 0.0, -0.4, -torch.inf])


@pytest.fixture(params=list(RESAMPLING))
def scheme(request: pytest.FixtureRequest) -> Resampling:
    return RESAMPLING[request.param]


def test_counts_sum_to_the_number_of_draws(scheme: Resampling, generator: Generator) -> None:
    for draws in (1, 2, 7, 64, 1000):
        assert int(scheme(LOG_WEIGHTS, draws, generator).sum()) == draws


def test_expected_counts_are_proportional_to_the_weights(scheme: Resampling, generator: Generator) -> None:
    counts = torch.stack([scheme(LOG_WEIGHTS, 9, generator) for _ in range(3000)]).double()
    torch.testing.assert_close(counts.mean(0), 9 * LOG_WEIGHTS.double().softmax(0), rtol=0, atol=0.1)


def test_a_particle_without_weight_is_never_drawn(scheme: Resampling, generator: Generator) -> None:
    for _ in range(50):
        counts = scheme(LOG_WEIGHTS, 100, generator)
        assert int(counts.min()) >= 0
        assert not counts[LOG_WEIGHTS.isinf()].any()


def test_one_particle_takes_all(scheme: Resampling, generator: Generator) -> None:
    log_weights = torch.full((5,), -torch.inf)
    log_weights[3] = -1e4
    assert scheme(log_weights, 12, generator).tolist() == [0, 0, 0, 12, 0]


def test_only_ratios_of_weights_matter(scheme: Resampling) -> None:
    log_weights = LOG_WEIGHTS.double()
    first, again = (scheme(log_weights + shift, 50, Generator().manual_seed(0)) for shift in (0.0, 5e3))
    assert torch.equal(first, again)


def test_the_same_seed_draws_the_same(scheme: Resampling) -> None:
    first, again = (scheme(LOG_WEIGHTS, 40, Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert any(not torch.equal(first, scheme(LOG_WEIGHTS, 40, Generator().manual_seed(s))) for s in range(4, 24))


@pytest.mark.parametrize("name", ["systematic", "stratified", "residual"])
def test_equal_weights_keep_every_particle_once(name: str, generator: Generator) -> None:
    for size in (8, 1024, 65_536):
        assert RESAMPLING[name](torch.zeros(size), size, generator).eq(1).all()


def test_systematic_counts_are_the_expectation_rounded_down_or_up(generator: Generator) -> None:
    log_weights = torch.randn(1000, generator=generator)
    expected = 4096 * log_weights.double().softmax(0)
    counts = RESAMPLING["systematic"](log_weights, 4096, generator)
    assert ((counts - expected).abs() < 1).all()


def test_residual_counts_are_at_least_the_expectation_rounded_down(generator: Generator) -> None:
    log_weights = torch.randn(1000, generator=generator)
    expected = 4096 * log_weights.double().softmax(0)
    assert (RESAMPLING["residual"](log_weights, 4096, generator) >= expected.floor()).all()


def test_schemes_are_ordered_by_their_variance(generator: Generator) -> None:
    def variance(name: str) -> float:
        counts = torch.stack([RESAMPLING[name](LOG_WEIGHTS, 20, generator) for _ in range(800)]).double()
        return float(counts.var(0).sum())

    variances = {name: variance(name) for name in RESAMPLING}
    assert variances["systematic"] < variances["stratified"] < variances["multinomial"]
    assert variances["residual"] < variances["multinomial"]


def test_large_pools_are_drawn_without_drift(scheme: Resampling, generator: Generator) -> None:
    """A float32 running sum over so many particles would lose the tail."""
    log_weights = torch.zeros(300_000)
    counts = scheme(log_weights, 300_000, generator)
    assert int(counts.sum()) == 300_000
    assert abs(int(counts[-1000:].sum()) - 1000) < 150


def test_effective_sample_size_counts_equal_weights_and_ignores_scale() -> None:
    assert float(effective_sample_size(torch.full((7,), 123.0))) == pytest.approx(7)
    weights = torch.tensor([0.5, 0.25, 0.25])
    assert float(effective_sample_size(weights.log())) == pytest.approx(1 / (0.25 + 0.125))


def test_clones_stored_together_count_as_stored_apart() -> None:
    apart = torch.tensor([0.1, 0.7, 0.7, 0.7, -0.4])
    together = torch.tensor([0.1, 0.7 + torch.tensor(3.0).log(), -0.4, -torch.inf])
    counts = torch.tensor([1, 3, 1, 0])
    torch.testing.assert_close(effective_sample_size(together, counts), effective_sample_size(apart))

import math
from functools import cache

import pytest
import torch
from torch import Generator, Tensor

from jointlaw.functional import _ordering as ordering
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian
from jointlaw.regularizers import Axes, FastOrthogonal, OrderStatistics, Orthogonal, Slices, Sparse, TwoSample, Uniform
from jointlaw.regularizers._tables import Tables

BATCH = 256
DRAWS = 1000
WIDTH = 128

mild = RectifiedGeneralizedGaussian(1.0, 0.0)
sparse = RectifiedGeneralizedGaussian(1.0, -1.0)
sharp = RectifiedGeneralizedGaussian(1.0, -3.0)
heavy = RectifiedGeneralizedGaussian(0.5, 0.0)
plain = GeneralizedGaussian(2.0, 0.0)


@cache
def drawn(law: RectifiedGeneralizedGaussian) -> Tensor:
    """Units in rows: ``[WIDTH, DRAWS * BATCH]``."""
    return law.draw((DRAWS * BATCH, WIDTH), Generator().manual_seed(1)).T.contiguous()


def error(law, slices: Slices, width: int) -> float:
    """Root-mean-square error of expected order statistics against many draws, in deviations of c^T y."""
    generator = Generator().manual_seed(2)
    z = torch.zeros(1, BATCH, width)
    units = drawn(law)[:width]
    expected = OrderStatistics().of(law, z, generator, Tables.of(law))
    squares = []
    for _, block in slices.blocks(units[:, :BATCH], generator):
        sample = block.project(units).view(block.count, DRAWS, BATCH).sort(dim=-1).values.mean(dim=1, keepdim=True)
        squares.append((expected(block) - sample).square().mean() / law.variance)
    return torch.stack(squares).mean().sqrt().item()


@pytest.mark.parametrize("batch", [2, 5, 256, 1000])
def test_uniform_order_statistics_are_exact(batch: int) -> None:
    expected = torch.arange(1, batch + 1, dtype=torch.float64) / (batch + 1)
    torch.testing.assert_close(
        ordering.expected_order_statistics(torch.special.ndtr, batch), expected, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("batch", [2, 5, 256, 1000])
def test_exponential_order_statistics_are_sums_of_reciprocals(batch: int) -> None:
    expected = (1 / torch.arange(batch, 0, -1, dtype=torch.float64)).cumsum(0)
    got = ordering.expected_order_statistics(lambda t: -torch.special.log_ndtr(-t), batch)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_normal_order_statistics_are_the_known_values() -> None:
    root = 1 / math.sqrt(math.pi)
    pair, triple = (ordering.expected_order_statistics(lambda t: t, batch) for batch in (2, 3))
    torch.testing.assert_close(pair, torch.tensor([-root, root], dtype=torch.float64))
    torch.testing.assert_close(triple, torch.tensor([-1.5 * root, 0, 1.5 * root], dtype=torch.float64))


def test_rectified_order_statistics_keep_the_mean_of_the_law() -> None:
    law = RectifiedGeneralizedGaussian(torch.tensor(1.0, dtype=torch.float64), -1.0)
    got = ordering.expected_order_statistics(lambda t: law.icdf(torch.special.ndtr(t)), BATCH)
    assert got.mean().item() == pytest.approx(law.mean.item(), abs=1e-5)


def test_sums_of_normals_are_normal() -> None:
    unit = ordering.Unit.discretise(lambda t: t)
    expected = ordering.expected_order_statistics(lambda t: t, 50)
    for table in (
        ordering.sign_sums(unit, 8, [0, 3], 50),
        ordering.sign_response(unit, 100, 50).at(torch.tensor([0.02]).double(), torch.tensor([0.01]).double()),
        ordering.dense_response(unit, 100, 50).at(torch.tensor([0.02]).double(), torch.tensor([0.03]).double()),
    ):
        torch.testing.assert_close(table, expected.expand_as(table), rtol=0, atol=1e-4)


def test_sums_of_exponentials_are_gamma_laws() -> None:
    unit = ordering.Unit.discretise(lambda t: -torch.special.log_ndtr(-t))
    pair = ordering.sign_sums(unit, 4, [4], 2)[0] * 2 + 4  # two draws of Gamma(4), weights 1/2
    half_gap = 4 * math.comb(8, 4) / 4**4  # E |X - Y| / 2 of Gamma(n) is n (2n over n) / 4^n
    expected = torch.tensor([4 - half_gap, 4 + half_gap], dtype=torch.float64)
    torch.testing.assert_close(pair, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("nonzeros", [96, 512])
def test_the_polynomial_in_the_number_of_positive_weights_is_exact_between_its_nodes(nonzeros: int) -> None:
    law = RectifiedGeneralizedGaussian(torch.tensor(1.0, dtype=torch.float64), -3.0)
    unit = ordering.Unit.discretise(lambda t: law.icdf(torch.special.ndtr(t)))
    plus = [nonzeros // 2 - 7, nonzeros // 2 + 3, nonzeros // 2 + 12]
    thirds = (2 * torch.tensor(plus) - nonzeros).double() / nonzeros**1.5
    smooth = ordering.sign_response(unit, nonzeros, BATCH).at(thirds, torch.full_like(thirds, 1 / nonzeros))
    exact = ordering.sign_sums(unit, nonzeros, plus, BATCH)
    assert (smooth - exact).square().mean().sqrt() < 0.004 * unit.deviation


def test_slices_beyond_the_templates_get_the_nearest_template() -> None:
    unit = ordering.Unit.discretise(torch.exp)
    response = ordering.sign_response(unit, 100, 20)
    edge, beyond = response.at(torch.tensor([response.reach.item(), 1.0]).double(), torch.tensor([0.01, 1.0]).double())
    torch.testing.assert_close(edge, beyond)


@pytest.mark.parametrize("law", [mild, sparse, sharp, heavy, plain], ids=["mild", "sparse", "sharp", "heavy", "plain"])
@pytest.mark.parametrize(
    ("slices", "bound"), [(Axes(8), 0.002), (Sparse(12), 0.006), (FastOrthogonal(16), 0.006)], ids=["axes", "8", "128"]
)
def test_equal_weights_have_tables_as_good_as_a_thousand_draws(law, slices: Slices, bound: float) -> None:
    noise = 0.15 * (3 if law is sharp or isinstance(slices, Axes) else 1) / math.sqrt(DRAWS)
    assert error(law, slices, WIDTH) < math.hypot(bound, 1.5 * noise)


@pytest.mark.parametrize(("law", "bound"), [(mild, 0.002), (sparse, 0.01), (sharp, 0.1), (heavy, 0.01), (plain, 0.001)])
@pytest.mark.parametrize("slices", [Uniform(12), Orthogonal(12)], ids=["uniform", "orthogonal"])
def test_dense_slices_of_128_units_are_off_by_what_the_docstring_says(law, bound: float, slices: Slices) -> None:
    assert error(law, slices, 128) < math.hypot(bound, 0.2 / math.sqrt(DRAWS))


@pytest.mark.parametrize(("law", "bound"), [(mild, 0.004), (sparse, 0.02), (sharp, 0.1)])
def test_dense_slices_of_64_units_are_off_by_what_the_docstring_says(law, bound: float) -> None:
    assert error(law, Uniform(12), 64) < math.hypot(bound, 0.25 / math.sqrt(DRAWS))


@pytest.mark.parametrize("law", [mild, sharp])
def test_factors_without_hadamard_matrices_are_dense(law) -> None:
    assert error(law, FastOrthogonal(20), 100) < (0.1 if law is sharp else 0.01)


@pytest.mark.parametrize("width", [4, 16, 50])
def test_narrow_dense_slices_have_a_quarter_of_the_error_of_one_draw(width: int) -> None:
    units, z = drawn(sparse)[:width], torch.zeros(1, BATCH, width)
    [(_, block)] = list(Uniform(40).blocks(units, Generator().manual_seed(0)))
    truth = block.project(units).view(40, DRAWS, BATCH).sort(dim=-1).values.mean(dim=1, keepdim=True)

    def rms(targets, seed: int) -> Tensor:
        return (targets.of(sparse, z, Generator().manual_seed(seed), Tables.of(sparse))(block) - truth).square().mean()

    ours, draw = (
        torch.stack([rms(targets, i) for i in range(6)]).mean() for targets in (OrderStatistics(), TwoSample())
    )
    assert ours.sqrt() < 0.35 * draw.sqrt()


def test_tables_are_computed_once_per_law_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    law = RectifiedGeneralizedGaussian(1.0, -0.5)
    calls = []
    original = ordering.Unit.discretise
    monkeypatch.setattr(ordering.Unit, "discretise", lambda quantile: calls.append(1) or original(quantile))
    z = torch.zeros(1, 32, 64)
    for _ in range(3):
        expected = OrderStatistics().of(law, z, Generator().manual_seed(0), Tables.of(law))
        for _, block in Sparse(8).blocks(z[0].T, Generator().manual_seed(0)):
            expected(block)
    assert len(calls) == 1


@pytest.mark.parametrize("slices", [Axes(), Sparse(9), FastOrthogonal(64), Uniform(9)])
def test_targets_ascend_and_keep_the_mean_of_the_projection(slices: Slices) -> None:
    z = torch.zeros(2, 50, 64, dtype=torch.float64)
    expected = OrderStatistics().of(sparse, z, Generator().manual_seed(0), Tables.of(sparse))
    for _, block in slices.blocks(z[0].T, Generator().manual_seed(0)):
        target = expected(block)
        assert target.shape == (block.count, 1, 50)
        assert target.diff(dim=-1).min() > -1e-9
        means = block.power_sums()[:, 0] * sparse.mean
        torch.testing.assert_close(target.mean(dim=(1, 2)), means, rtol=0, atol=0.003)


def test_two_sample_targets_are_sorted_projections_of_the_law() -> None:
    z = torch.zeros(2, 30, 64)
    for shared, samples in ((True, 1), (False, 2)):
        drawn_law = mild.draw((samples * 30, 64), Generator().manual_seed(5)).T
        target = TwoSample(shared).of(mild, z, Generator().manual_seed(5), Tables.of(mild))
        [(_, block)] = list(Axes().blocks(z[0].T, Generator().manual_seed(0)))
        assert torch.equal(target(block), drawn_law.view(64, samples, 30).sort(dim=-1).values)


@pytest.mark.slow
def test_dense_slices_of_512_units_are_off_by_what_the_docstring_says() -> None:
    draws = 300
    units = sharp.draw((draws * BATCH, 512), Generator().manual_seed(1)).T.contiguous()
    [(_, block)] = list(Uniform(12).blocks(units, Generator().manual_seed(2)))
    truth = block.project(units).view(12, draws, BATCH).sort(dim=-1).values.mean(dim=1, keepdim=True)
    expected = OrderStatistics().of(sharp, torch.zeros(1, BATCH, 512), Generator().manual_seed(0), Tables.of(sharp))(
        block
    )
    error = (expected - truth).square().mean().sqrt() / sharp.variance.sqrt()
    assert error < math.hypot(0.015, 0.2 / math.sqrt(draws))

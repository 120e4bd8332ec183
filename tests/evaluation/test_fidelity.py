"""Samples of a law are near it, others are not, and the atom at zero is neither overlooked nor charged twice."""

import math
from collections.abc import Callable

import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal, Normal

from jointlaw.evaluation import _fidelity as fidelity
from jointlaw.evaluation._fidelity import ks_distance, unit_quantiles, wasserstein_units
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian, TruncatedGeneralizedGaussian

LAWS: list[Distribution] = [
    Normal(torch.tensor(0.5), torch.tensor(2.0)),
    GeneralizedGaussian(1.5, 0.3, 0.8),
    TruncatedGeneralizedGaussian(1.0, -0.5),
    RectifiedGeneralizedGaussian(1.0, 0.0),
    RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0),
    RectifiedGeneralizedGaussian(2.0, 1.0),
]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def brute_force_ks(x: Tensor, law: Distribution) -> float:
    """The supremum on a fine grid that contains both sides of every sample."""
    points = x.double().unique()
    grid = torch.cat([points - 1e-9, points, points + 1e-9, torch.linspace(-9, 9, 4001, dtype=torch.float64)])
    empirical = (x.double()[None, :] <= grid[:, None]).double().mean(dim=1)
    lowest = 0.0 if isinstance(law, RectifiedGeneralizedGaussian) else -math.inf
    return (empirical - torch.where(grid < lowest, 0.0, law.cdf(grid.clamp_min(lowest)))).abs().max().item()


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_samples_of_the_law_are_near_it(law: Distribution) -> None:
    z = law.sample((4000, 8))
    assert ks_distance(z, law).max() < 2 / math.sqrt(4000)
    assert wasserstein_units(z, law).max() < 0.25


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_another_law_is_far(law: Distribution) -> None:
    z = 1.5 * law.sample((4000, 3)) + 0.5
    assert ks_distance(z, law).min() > 0.1
    assert wasserstein_units(z, law).min() > 0.25


def test_ks_is_scipys_for_a_continuous_law() -> None:
    z = torch.randn(300, 5, dtype=torch.float64) * 1.2
    expected = [scipy.stats.ks_1samp(column, scipy.stats.norm.cdf).statistic for column in z.T.numpy()]
    torch.testing.assert_close(ks_distance(z, Normal(0.0, 1.0)), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("active", [0.05, 0.5, 0.95])
def test_ks_is_the_supremum_for_a_law_with_an_atom(active: float) -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.3, p=1.0).to(dtype=torch.float64)
    z = RectifiedGeneralizedGaussian.with_activity(active, p=2.0).to(dtype=torch.float64).sample((200, 4))
    z[:3] -= 0.2  # some below the support, some tied
    expected = [brute_force_ks(column, law) for column in z.T]
    torch.testing.assert_close(ks_distance(z, law), torch.tensor(expected, dtype=torch.float64), atol=1e-7, rtol=0)


def test_ks_counts_the_atom_exactly() -> None:
    law = RectifiedGeneralizedGaussian(1.0, 0.0)  # half of it is zero
    zeros = torch.zeros(10, 1)
    half = torch.cat([torch.zeros(500), law.icdf(0.5 + 0.5 * (torch.arange(500.0) + 0.5) / 500)])[:, None]
    assert ks_distance(zeros, law).item() == pytest.approx(0.5)
    assert ks_distance(zeros + 50, law).item() == pytest.approx(1)
    assert ks_distance(zeros - 1, law).item() == pytest.approx(1)
    assert ks_distance(half, law).item() == pytest.approx(0.0005, abs=1e-6)
    assert ks_distance(half + 1e-3, law).item() == pytest.approx(0.5, abs=2e-3)  # no exact zeros: the atom is missed


def test_zeros_are_charged_against_a_law_without_an_atom() -> None:
    assert ks_distance(torch.zeros(10, 1), Normal(0.0, 1.0)).item() == pytest.approx(0.5)


def test_wasserstein_of_a_shift_and_a_stretch() -> None:
    law = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
    exact = law.icdf((torch.arange(2000, dtype=torch.float64) + 0.5) / 2000)[:, None]
    z = torch.cat([exact, exact + 3, 2 * exact], dim=1)[torch.randperm(2000)]
    torch.testing.assert_close(
        wasserstein_units(z, law), torch.tensor([0.0, 3.0, 1.0], dtype=torch.float64), atol=3e-3, rtol=0
    )


def test_wasserstein_of_dead_units_is_the_laws_second_moment() -> None:
    law = RectifiedGeneralizedGaussian(2.0, 0.0, 1.0)
    assert wasserstein_units(torch.zeros(5000, 2), law).max().item() == pytest.approx(math.sqrt(0.5), abs=2e-3)


@pytest.mark.parametrize("measure", [ks_distance, wasserstein_units])
def test_every_unit_may_have_its_own_law(measure: Callable[[Tensor, Distribution], Tensor]) -> None:
    loc = torch.tensor([-1.0, 0.0, 1.0])
    laws = RectifiedGeneralizedGaussian(1.0, loc)
    z = laws.sample((1500,))
    each = [measure(z[:, [i]], RectifiedGeneralizedGaussian(1.0, loc[i])) for i in range(3)]
    torch.testing.assert_close(measure(z, laws), torch.cat(each))


@pytest.mark.parametrize("measure", [ks_distance, wasserstein_units])
def test_order_and_chunks_do_not_matter(
    measure: Callable[[Tensor, Distribution], Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.2)
    z = law.sample((500, 4))
    whole = measure(z, law)
    monkeypatch.setattr(fidelity, "_ROWS", 7)
    torch.testing.assert_close(measure(z[torch.randperm(500)], law), whole)


def test_quantiles_of_the_laws_own_samples_lie_on_the_diagonal() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
    found = unit_quantiles(law.sample((3000, 60)), law)
    assert all(part.shape == (200,) and part.dtype == torch.float64 for part in found)
    assert (found.probability.diff() >= 0).all()
    assert (found.law > 0).sum() >= 100  # half of the points see the sparse law's active part
    torch.testing.assert_close(found.pooled[:-3], found.law[:-3], atol=0.06, rtol=0.03)
    assert (found.lower <= found.pooled).all()
    assert (found.pooled <= found.upper).all()
    assert ((found.lower <= found.law) & (found.law <= found.upper)).double().mean() > 0.97


def test_quantiles_show_a_wrong_law() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
    found = unit_quantiles(2 * law.sample((3000, 20)), law)
    active = found.law > 0.2
    assert (found.lower[active] > found.law[active]).double().mean() > 0.9


def test_quantiles_by_hand() -> None:
    z = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    found = unit_quantiles(z, TruncatedGeneralizedGaussian(1.0, 0.0), points=8, band=0.5)
    torch.testing.assert_close(found.probability, torch.tensor([1, 1, 3, 3, 5, 5, 7, 7], dtype=torch.float64) / 8)
    torch.testing.assert_close(found.pooled[::2], torch.tensor([1.0, 3.0, 10.0, 30.0], dtype=torch.float64))
    torch.testing.assert_close(found.lower[::2], torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    torch.testing.assert_close(found.upper[::2], torch.tensor([10.0, 20.0, 30.0, 40.0], dtype=torch.float64))


def test_half_precision_embeddings_will_do() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.3)
    z = law.sample((2000, 4))
    torch.testing.assert_close(ks_distance(z.bfloat16(), law), ks_distance(z, law), atol=5e-3, rtol=0)
    assert unit_quantiles(z.bfloat16(), law).pooled.isfinite().all()


Z = torch.zeros(4, 3)
LAW = RectifiedGeneralizedGaussian(1.0, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ks_distance(Z, Normal(torch.zeros(2), torch.ones(2))), "batch shape"),
        (lambda: wasserstein_units(Z, MultivariateNormal(torch.zeros(3), torch.eye(3))), "event shape"),
        (lambda: ks_distance(Z[None], LAW), "batch, dim"),
        (lambda: ks_distance(Z[:1], LAW), "at least 2 samples"),
        (lambda: unit_quantiles(Z, Normal(torch.zeros(3), torch.ones(3))), "one law for all units"),
        (lambda: unit_quantiles(Z, LAW, points=1), "points >= 2"),
        (lambda: unit_quantiles(Z, LAW, band=1.0), "band"),
    ],
)
def test_bad_input_is_a_clear_error(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

"""Calibration measures on laws whose answer is known."""

import math

import pytest
import torch

from jointlaw.evaluation._calibration import (
    auroc,
    branches_recovered,
    coverage,
    energy_score,
    nll,
    reliability,
    sharpness,
)
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._mixture import JointMixture


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def standard(count: int, dim: int, scale: float = 1.0) -> JointGaussian:
    return JointGaussian(torch.zeros(count, dim), torch.full((1, 1), scale))


def two_branches(count: int) -> JointMixture:
    loc = torch.tensor([[-1.0], [1.0]]).expand(count, 2, 1)
    return JointMixture(torch.zeros(count, 2), loc, torch.full((1, 1, 1), 0.1))


def test_nll_of_a_standard_normal_at_its_mean() -> None:
    assert nll(standard(5, 3), torch.zeros(5, 3)) == pytest.approx(1.5 * math.log(2 * math.pi))


def test_energy_score_in_one_dimension_is_the_crps_of_the_normal() -> None:
    """CRPS of N(0, 1) at y: y (2 F(y) - 1) + 2 f(y) - 1 / sqrt(pi)."""
    y = torch.linspace(-2, 2, 9)[:, None]
    cdf = torch.special.ndtr(y.double())
    density = (-0.5 * y.double().square()).exp() / math.sqrt(2 * math.pi)
    exact = (y * (2 * cdf - 1) + 2 * density - 1 / math.sqrt(math.pi)).mean().item()
    assert energy_score(standard(9, 1), y, draws=2000, generator=generator()) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("dim", [1, 3])
def test_the_true_law_covers_every_level(dim: int) -> None:
    law = standard(1500, dim)
    found = reliability(law, law.sample(generator=generator(1)), generator=generator(2))
    torch.testing.assert_close(found.highest, found.level, rtol=0, atol=0.04)
    torch.testing.assert_close(found.central, found.level, rtol=0, atol=0.04)
    assert found.error < 0.02


def test_a_law_that_is_too_wide_covers_too_much_and_one_too_narrow_too_little() -> None:
    y = standard(500, 2).sample(generator=generator(1))
    assert coverage(standard(500, 2, 3.0), y, 0.5, generator(2)) > 0.8
    assert coverage(standard(500, 2, 0.3), y, 0.9, generator(2)) < 0.3


def test_a_region_of_highest_density_leaves_the_gap_between_branches_out() -> None:
    law = two_branches(200)
    assert coverage(law, torch.zeros(200, 1), 0.99, generator(0)) == 0
    assert coverage(law, torch.ones(200, 1), 0.5, generator(0)) == 1


def test_sharpness_is_the_mean_deviation() -> None:
    assert sharpness(standard(4, 2, 0.3)) == pytest.approx(0.3)


def test_branches_are_recovered_where_there_is_a_mode() -> None:
    truth = torch.tensor([[-1.0], [1.0]]).expand(20, 2, 1)
    assert branches_recovered(two_branches(20), truth, within=0.15) == 1
    assert branches_recovered(standard(20, 1), truth, within=0.15) == 0


def test_auroc_of_separated_and_of_equal_likelihoods() -> None:
    assert auroc(torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.0])) == 1
    assert auroc(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])) == 0.5
    with pytest.raises(ValueError, match="without NaN"):
        auroc(torch.tensor([float("nan")]), torch.tensor([1.0]))


def test_targets_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="one context per target"):
        nll(standard(5, 3), torch.zeros(4, 3))

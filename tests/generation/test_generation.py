"""Figures of generated samples against their exact answers."""

import math

import pytest
import torch

from jointlaw.generation._quality import (
    imbalance,
    latent_geometry,
    memorisation,
    nearest_distance,
    overlap,
    shares,
)
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._mixture import JointMixture


def points(count: int, dim: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_a_set_covers_itself() -> None:
    x = points(200)
    found = overlap(x, x)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density >= 1


def test_disjoint_sets_share_nothing() -> None:
    assert overlap(points(100), points(100) + 100) == (0, 0, 0, 0)


def test_a_copied_point_is_precise_but_covers_little() -> None:
    x = points(400)
    found = overlap(x, x[:1].expand(50, -1))
    assert found.precision == 1
    assert found.recall == 1 / 400  # its own point only: copies have no radius
    assert found.coverage < 0.1


def test_half_of_the_ground_is_half_covered() -> None:
    left, right = points(100), points(100, seed=1) + 100
    found = overlap(torch.cat([left, right]), left)
    assert (found.precision, found.recall, found.coverage) == (1, 0.5, 0.5)


def test_samples_of_the_same_law_reach_the_expected_values() -> None:
    found = overlap(points(2000), points(2000, seed=1))
    assert found.precision > 0.93
    assert found.recall > 0.93
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_blocks_do_not_change_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = points(90), points(70, seed=1)
    whole = overlap(x, y), memorisation(y, x, points(40, seed=2))
    monkeypatch.setattr("jointlaw.generation._quality._ROWS", 7)
    assert (overlap(x, y), memorisation(y, x, points(40, seed=2))) == whole


def test_overlap_against_its_definition() -> None:
    x, y, k = points(30), points(20, seed=1), 3
    radius = torch.cdist(x.double(), x.double()).sort(1).values[:, k]
    hit = torch.cdist(x.double(), y.double()) <= radius[:, None]
    found = overlap(x, y, k)
    assert found.density == pytest.approx(hit.sum().item() / (k * 20))
    assert found.precision == hit.any(0).double().mean().item()
    assert found.coverage == hit.any(1).double().mean().item()


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 5 points"):
        overlap(points(5), points(50))
    with pytest.raises(ValueError, match="one width"):
        overlap(points(9), points(9, dim=2))


def test_memorisation_tells_copies_from_new_points() -> None:
    train, held_out = points(500), points(200, seed=1)
    assert memorisation(train[:50], train, held_out) == 0
    assert memorisation(points(200, seed=2), train, held_out) == pytest.approx(1, abs=0.25)
    assert memorisation(points(200, seed=2) + 50, train, held_out) > 10
    with pytest.raises(ValueError, match="copies"):
        memorisation(held_out, train, train)


def test_the_nearest_distance_is_exact() -> None:
    found = nearest_distance(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([math.sqrt(20), 0.0], dtype=torch.float64))
    x, others = 1000 + points(30), 1000 + points(3000, seed=1)
    torch.testing.assert_close(nearest_distance(x, others), torch.cdist(x.double(), others.double()).amin(1))


def test_imbalance_is_a_total_variation() -> None:
    uniform = torch.full((4,), 0.25)
    assert imbalance(torch.tensor([0, 1, 2, 3]), uniform) == 0
    assert imbalance(torch.zeros(8, dtype=torch.int64), uniform) == 0.75
    label = torch.tensor([0, 0, 1, 2])
    assert imbalance(label, shares(label, 4)) == 0
    with pytest.raises(ValueError, match="0 to 3"):
        imbalance(torch.tensor([4]), uniform)


def test_geometry_of_known_laws() -> None:
    one = latent_geometry(JointGaussian(torch.zeros(3), 2 * torch.eye(3)))
    assert one.log_det == pytest.approx(3 * math.log(4))
    assert one.variance == pytest.approx(12)
    assert one.spread is None
    loc = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    factors = torch.stack([torch.eye(2), torch.tensor([[1.0, 0.0], [5.0, 1.0]]), 2 * torch.eye(2)])
    many = latent_geometry(JointMixture(torch.zeros(3), loc, factors))
    assert many.log_det == pytest.approx((0 + 0 + 2 * math.log(4)) / 3, abs=1e-9)
    assert many.variance == pytest.approx((2 + 27 + 8) / 3)
    assert many.spread == pytest.approx(10 / 3)
    with pytest.raises(ValueError, match="one law"):
        latent_geometry(JointGaussian(torch.zeros(2, 3), torch.eye(3)[None]))

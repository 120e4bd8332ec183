"""Spectrum, effective rank, alignment and uniformity have closed answers for simple clouds."""

import math

import pytest
import torch
from torch import Tensor

from jointlaw.evaluation._geometry import alignment, uniformity
from jointlaw.functional._spectrum import rankme, spectrum


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (20, 20), (5000, 4)])
@pytest.mark.parametrize("centre", [True, False])
def test_spectrum_is_the_singular_values(shape: tuple[int, int], centre: bool) -> None:
    z = normal(*shape) + 3
    expected = torch.linalg.svdvals(z - z.mean(dim=0) if centre else z)
    torch.testing.assert_close(spectrum(z, centre), expected, rtol=1e-9, atol=1e-5 if centre else 0)


def test_spectrum_of_float32_far_from_the_origin_is_stable() -> None:
    z = normal(3000, 5).float() + 1000
    expected = torch.linalg.svdvals(z.double() - z.double().mean(dim=0))
    torch.testing.assert_close(spectrum(z), expected, rtol=1e-9, atol=0)


def test_rankme_of_known_spectra() -> None:
    orthogonal = torch.linalg.qr(normal(40, 40)).Q
    assert rankme(torch.eye(7)) == pytest.approx(7)
    assert rankme(orthogonal[:, :6]) == pytest.approx(6)
    assert rankme(torch.cat([torch.eye(4), torch.zeros(4, 9)], dim=1)) == pytest.approx(4)
    p = torch.tensor([0.5, 0.25, 0.25])
    assert rankme(p.diag()) == pytest.approx(2**1.5)
    assert rankme(torch.zeros(5, 3)) == 0


def test_rankme_of_rank_one_is_one_at_any_size() -> None:
    assert rankme(torch.ones(500, 300)) == pytest.approx(1, abs=1e-6)
    assert rankme(normal(400, 1).float() @ normal(1, 64, seed=1).float()) == pytest.approx(1, abs=1e-3)


def test_rankme_is_invariant_under_scale_rotation_and_order_but_not_shift() -> None:
    z = normal(60, 5)
    rotation = torch.linalg.qr(normal(5, 5, seed=1)).Q
    order = torch.randperm(60, generator=torch.Generator().manual_seed(2))
    assert rankme(1e-3 * z @ rotation) == pytest.approx(rankme(z))
    assert rankme(z[order]) == pytest.approx(rankme(z))
    assert rankme(z + 100) < 0.5 * rankme(z)


def test_alignment_of_equal_orthogonal_and_opposite_directions() -> None:
    z = normal(30, 4)
    assert alignment(z, 7 * z) == pytest.approx(0, abs=1e-12)
    assert alignment(z, -z) == pytest.approx(4)
    assert alignment(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])) == pytest.approx(2)


def test_uniformity_by_hand() -> None:
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])) == pytest.approx(-8)
    assert uniformity(torch.eye(3), t=1.5) == pytest.approx(-3)
    z = normal(40, 3)
    unit = z / z.norm(dim=1, keepdim=True)
    assert uniformity(z) == pytest.approx(torch.pdist(unit).square().mul(-2).exp().mean().log().item())


def test_uniformity_does_not_depend_on_the_chunks() -> None:
    z = normal(2500, 3)
    unit = z / z.norm(dim=1, keepdim=True)
    assert uniformity(z) == pytest.approx(torch.pdist(unit).square().mul(-2).exp().mean().log().item())


def test_uniformity_reaches_the_value_of_the_uniform_law() -> None:
    # On the circle: log E exp(-2 (2 - 2 cos a)) = -4 + log I_0(4).
    expected = -4 + math.log(torch.special.i0(torch.tensor(4.0, dtype=torch.float64)).item())
    assert uniformity(normal(4000, 2)) == pytest.approx(expected, abs=0.01)


def test_zero_embeddings_stay_at_the_origin() -> None:
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    assert uniformity(z, t=1.0) == pytest.approx(math.log((2 * math.exp(-1) + 1) / 3))
    assert alignment(z, z) == 0


def test_bad_input_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="expected pairs"):
        alignment(torch.zeros(3, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="at least 2 samples"):
        uniformity(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="t > 0"):
        uniformity(torch.zeros(3, 2), t=0.0)
    with pytest.raises(ValueError, match="floating embeddings"):
        rankme(torch.zeros(3))

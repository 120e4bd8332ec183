"""Sparsity measures on arrays whose answer is known by counting."""

import pytest
import torch

from jointlaw.evaluation._sparsity import dead_units, l0, l1, unit_activity, unit_entropy
from jointlaw.laws import RectifiedGeneralizedGaussian

Z = torch.tensor([[1.0, 0.0, -2.0, 0.0], [0.0, 0.0, 3.0, 0.0], [4.0, 0.0, 4.0, 4.0]])


def test_values_by_counting() -> None:
    assert l0(Z) == 6 / 12
    assert l1(Z) == pytest.approx((9 / 5 + 1 + 3) / 3 / 4)
    torch.testing.assert_close(unit_activity(Z), torch.tensor([2 / 3, 0, 1, 1 / 3], dtype=torch.float64))
    assert dead_units(Z) == 0.25


def test_high_is_dense() -> None:
    assert l0(torch.ones(3, 8)) == 1
    assert l1(torch.ones(3, 8)) == pytest.approx(1)
    assert l1(torch.eye(8)) == pytest.approx(1 / 8)


def test_samples_of_zeros_count_as_zero() -> None:
    zeros = torch.zeros(4, 3)
    assert l0(zeros) == 0
    assert l1(zeros) == 0
    assert l1(torch.tensor([[0.0, 0.0], [1.0, 1.0]])) == pytest.approx(0.5)
    assert dead_units(zeros) == 1


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_l1_does_not_change_with_scale(scale: float) -> None:
    assert l1(scale * Z) == pytest.approx(l1(Z), rel=1e-6)


def test_constant_is_not_dead() -> None:
    assert dead_units(torch.tensor([[0.5, 0.0, 1.0], [0.5, 0.0, 2.0]])) == pytest.approx(1 / 3)


def test_laplace_draws_have_their_known_soft_sparsity() -> None:
    z = torch.distributions.Laplace(0.0, 1.0).expand((200, 4000)).sample()
    assert l1(z) == pytest.approx(0.5, abs=0.01)  # (E|x|)^2 / E x^2


def test_half_precision_counts_exactly() -> None:
    z = (torch.arange(6000) % 3 == 0).to(torch.bfloat16)[:, None]
    assert unit_activity(z).item() == pytest.approx(1 / 3)
    assert l0(z) == pytest.approx(1 / 3)


def test_integers_and_vectors_are_refused() -> None:
    for measure in (l0, l1, unit_activity, dead_units):
        with pytest.raises(ValueError, match="floating embeddings"):
            measure(torch.zeros(3))
        with pytest.raises(ValueError, match="floating embeddings"):
            measure(torch.zeros(3, 3, dtype=torch.int64))


def test_entropy_of_units_that_follow_a_law_is_the_law_s() -> None:
    law = RectifiedGeneralizedGaussian.with_activity(0.3)
    z = law.sample((20_000, 6), generator=torch.Generator().manual_seed(0))
    expected = law.to(dtype=torch.float64).renyi_entropy()
    torch.testing.assert_close(unit_entropy(z), expected.expand(6), rtol=0, atol=0.03)


def test_entropy_of_a_silent_unit_is_unknown() -> None:
    assert unit_entropy(torch.zeros(50, 1)).isnan().all()
    repeated = torch.arange(5.0).repeat_interleave(20).unsqueeze(1)
    assert unit_entropy(repeated).isnan().all()

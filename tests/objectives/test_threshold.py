import pytest
import torch

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.objectives import Threshold

LAW = RectifiedGeneralizedGaussian.with_activity(0.05)


def test_units_of_any_location_and_spread_come_to_fire_as_often_as_planned() -> None:
    generator = torch.Generator().manual_seed(0)
    loc, scale = torch.linspace(-4, 4, 16), torch.linspace(0.5, 2, 16)
    threshold = Threshold(LAW)
    for _ in range(2000):
        threshold.update(loc + scale * torch.randn(2, 128, 16, generator=generator))
    z = threshold(loc + scale * torch.randn(40_000, 16, generator=generator))
    share = (z > 0).float().mean(0)
    torch.testing.assert_close(share, torch.full((16,), 0.05), rtol=0, atol=0.01)
    assert abs(float(share.mean()) - 0.05) < 0.002


def test_a_step_is_at_most_one_scale() -> None:
    threshold = Threshold(RectifiedGeneralizedGaussian(2.0, -4.0), rate=1.0)
    threshold.update(torch.ones(8, 3))
    torch.testing.assert_close(threshold.level, torch.ones(3))


def test_only_update_changes_the_levels_and_no_gradient_reaches_them() -> None:
    threshold = Threshold(LAW)
    h = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    threshold(h).sum().backward()
    assert threshold.level.ndim == 0
    assert list(threshold.parameters()) == []
    threshold.update(h)
    assert not threshold.level.requires_grad


def test_levels_go_through_a_state_dict_into_a_module_that_knows_no_width() -> None:
    threshold = Threshold(LAW)
    threshold.update(torch.ones(8, 3))
    fresh = Threshold(LAW)
    fresh.load_state_dict(threshold.state_dict())
    torch.testing.assert_close(fresh.level, threshold.level)


@pytest.mark.parametrize("rate", [0.0, -0.1, 1.5, float("nan")])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="0 < rate <= 1"):
        Threshold(LAW, rate=rate)


@pytest.mark.parametrize("activity", [0.001, 0.05, 0.5, 0.9])
def test_settled_units_fire_exactly_as_often_as_planned(activity: float) -> None:
    generator = torch.Generator().manual_seed(0)
    h = torch.linspace(-4, 4, 7) + torch.linspace(0.5, 2, 7) * torch.randn(2000, 7, generator=generator).sinh()
    threshold = Threshold(RectifiedGeneralizedGaussian.with_activity(activity))
    threshold.settle(h)
    assert ((threshold(h) > 0).sum(0) == round(2000 * activity)).all()


def test_a_settled_unit_fires_once_at_least() -> None:
    threshold = Threshold(RectifiedGeneralizedGaussian.with_activity(0.001))
    h = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    threshold.settle(h)
    assert ((threshold(h) > 0).sum(0) == 1).all()


def test_gradients_of_a_unit_sum_to_zero_over_the_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(2, 64, 5, generator=generator, requires_grad=True)
    weight = torch.randn(2, 64, 5, generator=generator)
    plain = torch.autograd.grad((torch.relu(h) * weight).sum(), h)[0]
    (gradient,) = torch.autograd.grad((Threshold(LAW)(h) * weight).sum(), h)
    torch.testing.assert_close(gradient, plain - plain.mean((0, 1)))
    assert torch.equal(Threshold(LAW)(h), torch.relu(h))


def test_a_loss_that_wants_silence_does_not_carry_outputs_and_levels_away() -> None:
    """They once ended at -50, with batches that differed by ten points of activity."""
    generator = torch.Generator().manual_seed(0)
    threshold, bias = Threshold(LAW), torch.zeros(8, requires_grad=True)
    for _ in range(1000):
        h = bias + torch.randn(256, 8, generator=generator)
        (gradient,) = torch.autograd.grad(threshold(h).square().mean(), bias)
        with torch.no_grad():
            bias -= gradient
        threshold.update(h)
    assert threshold.level.abs().max() < 3

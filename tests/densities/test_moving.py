"""The Gaussian of exponentially weighted batches."""

import pytest
import torch

from jointlaw.densities import Moving
from jointlaw.densities._moving import moving_rate


@pytest.fixture
def batches() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    return torch.randn(7, 50, 4, generator=generator, dtype=torch.float64) @ mix + torch.arange(4) + 3


def test_moments_are_those_of_all_samples_weighted_by_age(batches):
    density = Moving(4, momentum=0.9, ridge=0.0).double()
    for batch in batches:
        density.update(batch)
    weight = (0.9 ** torch.arange(6, -1, -1, dtype=torch.float64)).repeat_interleave(50)
    rows = batches.reshape(-1, 4)
    mean = (weight[:, None] * rows).sum(0) / weight.sum()
    gap = rows - mean
    torch.testing.assert_close(density().mean, mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(density().covariance, (weight[:, None] * gap).mT @ gap / weight.sum(), rtol=1e-5, atol=0)


def test_the_first_batch_counts_in_full(batches):
    density = Moving(4, momentum=0.999, ridge=0.0).double()
    density.update(batches[0])
    torch.testing.assert_close(density().mean, batches[0].mean(0))
    torch.testing.assert_close(density().covariance, torch.cov(batches[0].mT, correction=0))
    assert moving_rate(0.99, torch.tensor(10_000)).item() == pytest.approx(0.01)


def test_a_large_mean_costs_no_digits():
    density = Moving(2, ridge=0.0)
    rows = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)) / 10
    for _ in range(50):
        density.update(rows + 1000)
    torch.testing.assert_close(density().covariance, torch.cov(rows.mT, correction=0), rtol=1e-3, atol=1e-5)


def test_without_centring_the_covariance_is_the_second_moment(batches):
    density = Moving(4, centred=False, ridge=0.0).double()
    density.update(batches[0])
    torch.testing.assert_close(density().covariance, batches[0].mT @ batches[0] / 50)
    torch.testing.assert_close(density().mean, torch.zeros(4, dtype=torch.float64))


def test_before_any_update_the_law_is_standard_normal():
    law = Moving(3, ridge=0.0)()
    torch.testing.assert_close(law.covariance, torch.eye(3))
    assert not law.mean.any()


def test_conditioning_is_linear_regression(batches):
    density = Moving(4, split=2, ridge=0.0).double()
    density.update(batches[0])
    context, target = batches[0].split(2, dim=-1)
    ones = torch.ones(50, 1, dtype=torch.float64)
    design = torch.cat([context, ones], -1)
    fitted = design @ torch.linalg.lstsq(design, target).solution
    torch.testing.assert_close(density(context).mean, fitted)


def test_fewer_samples_than_coordinates_leave_the_law_usable():
    density = Moving(20)
    density.update(torch.randn(5, 20, generator=torch.Generator().manual_seed(0)))
    assert density().log_prob(torch.zeros(20)).isfinite()


def test_the_batch_gets_no_gradient_and_autocast_changes_nothing(batches):
    rows = batches[0].float().requires_grad_()
    plain, inside = Moving(4), Moving(4)
    plain.update(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside.update(rows)
    assert not plain().covariance.requires_grad
    assert torch.equal(plain.covariance, inside.covariance)


def test_a_view_dimension_is_more_samples(batches):
    one, other = Moving(4), Moving(4)
    one.update(batches[:2])
    other.update(batches[:2].reshape(100, 4))
    assert torch.equal(one.covariance, other.covariance)


def test_saves_and_loads(batches):
    density = Moving(4, split=2)
    density.update(batches[0])
    other = Moving(4, split=2)
    other.load_state_dict(density.state_dict())
    for one in (density, other):
        one.update(batches[1])
    assert torch.equal(density().loc, other().loc)
    assert torch.equal(density().scale_tril, other().scale_tril)


def test_wrong_inputs_say_what_to_do():
    with pytest.raises(ValueError, match="0 < momentum < 1"):
        Moving(4, momentum=1.0)
    with pytest.raises(ValueError, match="1 <= split < 4"):
        Moving(4, split=4)
    with pytest.raises(ValueError, match=r"expected joint \[\*, 4\]"):
        Moving(4).update(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="without a split"):
        Moving(4)(torch.zeros(5, 2))

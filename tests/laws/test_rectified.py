import math

import mpmath as mp
import pytest
import torch
from scipy import stats

from jointlaw.laws import RectifiedGeneralizedGaussian

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
SHARES = (1e-4, 0.0072, 0.01, 0.1, 0.5, 0.9, 0.99)


def close(found: torch.Tensor, expected: mp.mpf) -> None:
    bound = TOLERANCE[found.dtype] * abs(expected) + torch.finfo(found.dtype).tiny
    assert abs(mp.mpf(float(found)) - expected) <= bound, (float(found), mp.nstr(expected, 17))


def build(p: float, loc: float, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> RectifiedGeneralizedGaussian:
    return RectifiedGeneralizedGaussian(*torch.tensor([p, loc, scale], dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_activity_moments_and_entropy_are_exact(p, ratio, dtype, exact):
    law = build(p, ratio, dtype=dtype)
    truth = exact(float(law.p), ratio)
    least = torch.finfo(dtype).tiny * 1e6
    if truth.activity() < least:  # not representable: zero, and finite everywhere
        values = (law.activity, law.mean, law.variance, law.entropy(), *law.raw_moments(6))
        assert all(0 <= float(value) < 1e-30 for value in values)
        return
    close(law.activity, truth.activity())
    close(law.entropy(), truth.rectified_entropy())
    close(law.variance, truth.rectified_variance())
    for r, moment in enumerate(law.raw_moments(6), start=1):
        if truth.positive_moment(r) > least:
            close(moment, truth.positive_moment(r))


def test_atom_carries_the_rest_of_the_mass(p, ratio, exact):
    law, truth = build(p, ratio), exact(p, ratio)
    close(law.log_prob(torch.zeros((), dtype=torch.float64)), truth.log_phi(-truth.m))


def test_log_density_below_zero_is_minus_infinity():
    law = RectifiedGeneralizedGaussian(1.0, -1.0, validate_args=False)
    assert float(law.log_prob(torch.tensor(-0.1))) == -math.inf
    assert float(law.cdf(torch.tensor(-0.1))) == 0


@pytest.mark.parametrize("scale", ["GN", "RGN"])
@pytest.mark.parametrize("p", [0.3, 0.5, 1.0, 2.0, 8.0])
def test_dial_is_exact(p, scale):
    active = torch.tensor(SHARES, dtype=torch.float64)
    law = RectifiedGeneralizedGaussian.with_activity(active, torch.tensor(p, dtype=torch.float64), scale)
    torch.testing.assert_close(law.activity, active, rtol=1e-9, atol=0)
    if scale == "RGN":
        torch.testing.assert_close(law.variance, torch.ones_like(active), rtol=1e-9, atol=0)
    else:
        torch.testing.assert_close(law.before.variance, torch.ones_like(active), rtol=1e-9, atol=0)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0])
def test_dial_is_exact_to_rounding_in_float32(p):
    active = torch.tensor(SHARES)
    torch.testing.assert_close(
        RectifiedGeneralizedGaussian.with_activity(active, p).activity, active, rtol=1e-5, atol=0
    )


def test_same_location_is_sparse_before_and_dense_after_the_rectifier():
    before = RectifiedGeneralizedGaussian.unit_variance(1.0, -3.0, after_rectifier=False)
    after = RectifiedGeneralizedGaussian.unit_variance(1.0, -3.0, after_rectifier=True)
    assert float(before.activity) == pytest.approx(0.0072, abs=5e-5)
    assert float(after.activity) == pytest.approx(0.1202, abs=5e-5)


@pytest.mark.parametrize("loc", [-8.0, -1.0, 0.0, 0.5, 8.0])
def test_scale_after_the_rectifier_gives_unit_variance(p, loc):
    shape, mode = torch.tensor([p, loc], dtype=torch.float64)
    law = RectifiedGeneralizedGaussian.unit_variance(shape, mode, after_rectifier=True)
    assert float(law.variance) == pytest.approx(1, rel=1e-9)


def test_smaller_shape_is_not_sparser_far_below_zero():
    low, high = (float(RectifiedGeneralizedGaussian(p, -2.5).activity) for p in (1.0, 2.0))
    assert low > high


def test_entropies_agree():
    law = build(1.0, -1.0)
    active = float(law.activity)
    binary = -active * math.log(active) - (1 - active) * math.log1p(-active)
    assert float(law.renyi_entropy()) == pytest.approx(binary + active * float(law.continuous.entropy()), rel=1e-12)
    assert torch.equal(law.renyi_entropy(), law.entropy())


def test_rectified_gaussian_has_the_textbook_mean(ratio):
    law = build(2.0, ratio)
    expected = ratio * stats.norm.cdf(ratio) + stats.norm.pdf(ratio)
    assert float(law.mean) == pytest.approx(expected, rel=1e-9 if ratio > -3 else 1e-6)


def test_quantile_is_zero_on_the_silent_share_and_inverts_above():
    law = RectifiedGeneralizedGaussian.with_activity(torch.tensor(0.2, dtype=torch.float64))
    q = torch.tensor([0.0, 0.5, 0.79, 0.81, 0.9, 0.999], dtype=torch.float64)
    x = law.icdf(q)
    assert x[:3].tolist() == [0, 0, 0]
    torch.testing.assert_close(law.cdf(x[3:]), q[3:], rtol=1e-12, atol=0)


def test_samples_follow_atom_and_density(p, ratio):
    torch.manual_seed(2)
    n = 20_000
    law = RectifiedGeneralizedGaussian(p, ratio * 0.5, 0.5)
    x = law.sample((n,))
    positive = x[x > 0]
    assert (x >= 0).all()
    assert stats.binomtest(len(positive), n, min(max(float(law.activity), 0), 1)).pvalue > 1e-4
    if len(positive) > 50:
        truncated = law.continuous
        test = stats.kstest(positive.double().numpy(), lambda v: truncated.cdf(torch.as_tensor(v)).numpy())
        assert test.pvalue > 1e-4


def test_central_moments_are_those_of_samples():
    torch.manual_seed(3)
    law = build(1.0, -0.5)
    x = law.sample((400_000,))
    expected = torch.stack([((x - law.mean) ** r).mean() for r in range(1, 5)])
    torch.testing.assert_close(law.central_moments(4), expected, rtol=0.05, atol=0.01)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: RectifiedGeneralizedGaussian(0.0), "expected p > 0, found 0.0"),
        (lambda: RectifiedGeneralizedGaussian(-1.0, validate_args=False), "expected p > 0"),
        (lambda: RectifiedGeneralizedGaussian(torch.tensor([1.0, -2.0])), r"expected p > 0, found -2\.0"),
        (lambda: RectifiedGeneralizedGaussian(1.0, scale=0.0), "expected scale > 0"),
        (lambda: RectifiedGeneralizedGaussian(1.0, math.nan), "expected a finite loc, found nan"),
        (lambda: RectifiedGeneralizedGaussian(torch.tensor(2)), "expected floating parameters"),
        (lambda: RectifiedGeneralizedGaussian.with_activity(0.0), "expected 0 < active < 1, found 0.0"),
        (lambda: RectifiedGeneralizedGaussian.with_activity(1.5), "expected 0 < active < 1"),
        (lambda: RectifiedGeneralizedGaussian.with_activity(math.nan), "expected 0 < active < 1"),
        (lambda: RectifiedGeneralizedGaussian.with_activity(0.1, p=-1.0), "expected p > 0"),
        (lambda: RectifiedGeneralizedGaussian.with_activity(0.1, scale="gn"), 'expected scale "GN" or "RGN", found'),
        (lambda: RectifiedGeneralizedGaussian(1.0).raw_moments(0), "expected order >= 1"),
    ],
)
def test_impossible_values_get_one_clear_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("p", [0.01, 0.05, 0.1, 0.24, 0.26, 1.0, 5.0])
def test_the_dial_is_exact_for_sharp_laws_too(p: float) -> None:
    active = torch.tensor([1e-100, 1e-12, 1e-6, 1e-3, 0.1, 0.49, 0.5, 0.51, 0.9, 0.999], dtype=torch.float64)
    law = RectifiedGeneralizedGaussian.with_activity(active, p=p)
    torch.testing.assert_close(law.activity, active, rtol=1e-11, atol=0)

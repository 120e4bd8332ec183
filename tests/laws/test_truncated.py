import math

import mpmath as mp
import pytest
import torch
from scipy import stats

from jointlaw.laws import GeneralizedGaussian, TruncatedGeneralizedGaussian

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def close(found: torch.Tensor, expected: mp.mpf, absolute: float = 0.0) -> None:
    bound = TOLERANCE[found.dtype] * (abs(expected) + absolute) + torch.finfo(found.dtype).tiny
    assert abs(mp.mpf(float(found)) - expected) <= bound, (float(found), mp.nstr(expected, 17))


def build(p: float, loc: float, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> TruncatedGeneralizedGaussian:
    return TruncatedGeneralizedGaussian(*torch.tensor([p, loc, scale], dtype=dtype))


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float64, 1.0), pytest.param(torch.float64, 0.37, marks=pytest.mark.slow), (torch.float32, 1.0)],
)
def test_density_and_probability_are_exact_in_both_tails(p, ratio, dtype, scale, exact):
    law = build(p, ratio * scale, scale, dtype)
    truth = exact(*(float(value) for value in law.tensors.values()))
    x = torch.tensor(truth.points(), dtype=dtype)
    log_density, cdf, mass = law.log_prob(x), law.cdf(x), truth.activity()
    for i, value in enumerate(x.tolist()):
        close(log_density[i], mp.log(truth.density(value) / mass), absolute=1e-2)
        expected = truth.truncated_cdf(value)
        if expected > torch.finfo(dtype).tiny:
            close(cdf[i], expected)


def test_quantiles_are_exact(p, ratio, exact):
    law, truth = build(p, ratio), exact(p, ratio)
    q = torch.tensor([1e-12, 1e-3, 0.3, 0.7, 0.999], dtype=torch.float64)
    for probability, x in zip(q.tolist(), law.icdf(q).tolist(), strict=True):
        error = (truth.truncated_cdf(x) - mp.mpf(probability)) * truth.activity() / truth.density(x)
        assert abs(error) <= 1e-9 * x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_moments_and_entropy_are_exact_where_the_event_is_too_rare_for_float64(p, ratio, dtype, exact):
    law = build(p, ratio, dtype=dtype)
    truth = exact(float(law.p), ratio)
    mass = truth.activity()
    close(law.entropy(), truth.truncated_entropy(), absolute=1e-2)
    close(law.variance, truth.truncated_variance())
    for r, moment in enumerate(law.raw_moments(6), start=1):
        if truth.positive_moment(r) / mass > torch.finfo(dtype).tiny:
            close(moment, truth.positive_moment(r) / mass)


def test_laplace_tail_is_exponential():
    law = build(1.0, -700.0, 0.5)
    x = torch.tensor([1e-9, 0.1, 3.0, 40.0], dtype=torch.float64)
    torch.testing.assert_close(law.log_prob(x), math.log(2) - 2 * x, rtol=1e-12, atol=0)
    torch.testing.assert_close(law.cdf(x), -torch.expm1(-2 * x), rtol=1e-12, atol=0)


def test_half_normal_is_a_member():
    law, twin = build(2.0, 0.0, 1.5), stats.halfnorm(scale=1.5)
    assert float(law.mean) == pytest.approx(twin.mean(), rel=1e-12)
    assert float(law.variance) == pytest.approx(twin.var(), rel=1e-12)
    assert float(law.entropy()) == pytest.approx(twin.entropy(), rel=1e-12)


def test_entropy_is_largest_for_its_absolute_moment(p):
    """Among densities on (0, inf) with the same E |x - loc|^p: compared with a Gamma law of that moment."""
    other = torch.distributions.Gamma(torch.tensor(2.0).double(), 1.0)
    moment = math.gamma(2 + p)  # E g^p for Gamma(2, 1)
    scale = moment ** (1 / p)  # GN_p has E |x|^p = scale^p
    assert float(build(p, 0.0, scale).entropy()) > float(other.entropy())


def test_samples_follow_the_law(p, ratio):
    torch.manual_seed(1)
    law = TruncatedGeneralizedGaussian(p, ratio * 0.5, 0.5)
    x = law.sample((10_000,))
    assert x.dtype == torch.get_default_dtype()
    assert float(x.min()) > 0
    assert stats.kstest(x.double().numpy(), lambda v: law.cdf(torch.as_tensor(v)).numpy()).pvalue > 1e-4


def test_truncation_is_conditioning(p):
    base, law = GeneralizedGaussian(p, 0.3, 1.0), TruncatedGeneralizedGaussian(p, 0.3, 1.0)
    x = torch.linspace(0.1, 3, 7)
    mass = 1 - base.cdf(torch.zeros(()))
    torch.testing.assert_close(law.log_prob(x), base.log_prob(x) - mass.log(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("p", [0.5, 1.5, 8.0])
def test_log_mass_has_a_finite_gradient_at_location_zero(p):
    loc = torch.zeros((), dtype=torch.float64, requires_grad=True)
    law = TruncatedGeneralizedGaussian(torch.tensor(p, dtype=torch.float64), loc, 1.0)
    law.log_prob(torch.tensor(2.0, dtype=torch.float64)).backward()
    at_zero = GeneralizedGaussian(torch.tensor(p, dtype=torch.float64), 0.0, 1.0).log_prob(torch.zeros(())).exp()
    torch.testing.assert_close(loc.grad, 2.0 ** (p - 1) - at_zero / 0.5)

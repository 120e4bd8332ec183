import math

import mpmath as mp
import pytest
import torch
from scipy import stats
from torch.distributions import Laplace, Normal

from jointlaw.laws import GeneralizedGaussian

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
STEPS = (-50, -8, -1, -1e-6, 0, 1e-3, 0.3, 2, 10)


def close(found: torch.Tensor, expected: mp.mpf, absolute: float = 0.0) -> None:
    """Relative agreement; ``absolute`` is allowed on top for numbers that change sign, such as log-densities."""
    bound = TOLERANCE[found.dtype] * (abs(expected) + absolute) + torch.finfo(found.dtype).tiny
    assert abs(mp.mpf(float(found)) - expected) <= bound, (float(found), mp.nstr(expected, 17))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_densities_and_probabilities_are_exact_in_both_tails(p, ratio, dtype, exact):
    law = GeneralizedGaussian(*torch.tensor([p, ratio, 1.0], dtype=dtype))
    truth = exact(float(law.p), ratio)
    x = ratio + torch.tensor(STEPS, dtype=dtype)
    log_density, log_cdf = law.log_prob(x), law.log_cdf(x)
    assert log_density.dtype == log_cdf.dtype == dtype
    for i, value in enumerate(x.tolist()):
        close(log_density[i], mp.log(truth.density(value)), absolute=1e-2)
        close(log_cdf[i], truth.log_phi(mp.mpf(value) - truth.loc))


@pytest.mark.parametrize("q", [1e-30, 1e-10, 0.01, 0.3, 0.4999999, 0.5, 0.50001, 0.9, 0.999])
def test_quantiles_are_exact(p, q, exact):
    law = GeneralizedGaussian(torch.tensor(p, dtype=torch.float64))
    x = float(law.icdf(torch.tensor(q, dtype=torch.float64)))
    truth = exact(p, 0.0)
    scaled = x / float(law.scale)
    error = (truth.phi(mp.mpf(x) / mp.mpf(float(law.scale))) - mp.mpf(q)) / truth.density(scaled)
    assert abs(error) <= 1e-9 * abs(scaled)


def test_agrees_with_scipy_gennorm(p, ratio):
    scale = 0.37
    law = GeneralizedGaussian(*torch.tensor([p, ratio, scale], dtype=torch.float64))
    twin = stats.gennorm(p, ratio, p ** (1 / p) * scale)
    x = ratio + scale * torch.linspace(-5, 5, 11, dtype=torch.float64)
    torch.testing.assert_close(law.log_prob(x), torch.from_numpy(twin.logpdf(x)), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(law.cdf(x), torch.from_numpy(twin.cdf(x)), rtol=1e-9, atol=1e-15)
    assert float(law.variance) == pytest.approx(twin.var(), rel=1e-10)
    assert float(law.entropy()) == pytest.approx(twin.entropy(), rel=1e-10)


@pytest.mark.parametrize(("p", "twin"), [(1.0, Laplace), (2.0, Normal)])
def test_laplace_and_normal_are_members(p, twin):
    law, other = GeneralizedGaussian(p, 0.5, 2.0), twin(0.5, 2.0)
    x = torch.linspace(-4, 4, 9)
    torch.testing.assert_close(law.log_prob(x), other.log_prob(x))
    torch.testing.assert_close(law.cdf(x), other.cdf(x))
    torch.testing.assert_close(law.entropy(), other.entropy())
    torch.testing.assert_close(law.variance, other.variance)


def test_default_scale_gives_unit_variance(p):
    assert float(GeneralizedGaussian(p).variance) == pytest.approx(1, abs=1e-6)


def test_default_scales_of_laplace_and_normal():
    assert float(GeneralizedGaussian(1.0).scale) == pytest.approx(1 / math.sqrt(2))
    assert float(GeneralizedGaussian(2.0).scale) == pytest.approx(1)


def test_raw_moments_are_those_of_the_normal_law():
    moments = GeneralizedGaussian(torch.tensor(2.0, dtype=torch.float64), 3.0, 0.5).raw_moments(6)
    expected = [stats.norm(3.0, 0.5).moment(r) for r in range(1, 7)]
    torch.testing.assert_close(moments, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)


def test_samples_follow_the_law(p, ratio):
    torch.manual_seed(hash((p, ratio)) % 1000)
    law = GeneralizedGaussian(p, ratio, 0.5)
    x = law.sample((20_000,))
    assert x.dtype == torch.get_default_dtype()
    assert stats.kstest(x.double().numpy(), lambda v: law.cdf(torch.as_tensor(v)).numpy()).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0])
def test_half_precision_autocast_does_not_change_the_law(p):
    """Drawn in bfloat16 a Laplace target has variance .92 and is capped at 3.9."""
    torch.manual_seed(0)
    law = GeneralizedGaussian(p)
    with torch.autocast("cpu", torch.bfloat16):
        x = law.sample((400_000,))
    assert x.dtype == torch.float32
    assert float(x.var()) == pytest.approx(1, abs=0.03)
    assert float(x.abs().max()) > float(law.icdf(torch.tensor(1 - 1e-4)))
    if p == 1:
        assert float((x**4).mean()) == pytest.approx(6, abs=0.4)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0])
def test_half_precision_parameters_round_a_full_precision_draw(p):
    torch.manual_seed(0)
    x = GeneralizedGaussian(torch.tensor(p, dtype=torch.bfloat16)).sample((200_000,))
    assert x.dtype == torch.bfloat16
    assert float(x.float().var()) == pytest.approx(1, abs=0.02)
    assert float(x.float().abs().max()) > 4.2


def test_density_has_no_gradient_trap_at_the_mode():
    for p in (0.5, 1.0, 2.0):
        x = torch.zeros(1, requires_grad=True)
        GeneralizedGaussian(p).log_prob(x).sum().backward()
        assert float(x.grad) == 0


def test_probability_is_differentiable_at_the_mode():
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    law = GeneralizedGaussian(torch.tensor(0.5, dtype=torch.float64))
    law.cdf(x).sum().backward()
    torch.testing.assert_close(x.grad, law.log_prob(x).exp().detach())

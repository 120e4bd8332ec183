"""Laws fitted in one call, and the module that holds them."""

import numpy as np
import pytest
import torch

from jointlaw.densities import Diagonal, ExpectationMaximization, Fitted, Spherical, fit_gaussian, fit_mixture
from jointlaw.laws import RectifiedGeneralizedGaussian


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    return torch.randn(500, 4, generator=generator, dtype=torch.float64) @ root + 100


def test_a_gaussian_has_the_moments_of_the_samples(x):
    law = fit_gaussian(x, floor=0.0)
    torch.testing.assert_close(law.mean, x.mean(0))
    torch.testing.assert_close(law.covariance, torch.cov(x.T, correction=0))


def test_a_gaussian_is_the_most_likely_one(x):
    law = fit_gaussian(x, floor=0.0)
    best = law.log_prob(x).mean()
    for step in (-0.01, 0.01):
        assert type(law)(law.loc + step, law.scale_tril).log_prob(x).mean() < best
        assert type(law)(law.loc, law.scale_tril * (1 + step)).log_prob(x).mean() < best


@pytest.mark.parametrize("kind", [Diagonal(), Spherical()], ids=str)
def test_independent_coordinates_have_the_variances_of_the_samples(x, kind):
    law = fit_gaussian(x, covariance=kind, floor=0.0)
    variance = x.var(0, correction=0)
    torch.testing.assert_close(law.variance, variance if isinstance(kind, Diagonal) else variance.mean().expand(4))


def test_the_floor_is_added_to_the_variances(x):
    law, raised = fit_gaussian(x, floor=0.0), fit_gaussian(x, floor=0.5)
    torch.testing.assert_close(raised.covariance, law.covariance + 0.5 * torch.eye(4, dtype=x.dtype))


def test_an_integer_weight_is_as_many_copies(x):
    weight = torch.arange(500) % 3
    weighted, copies = fit_gaussian(x, weight=weight), fit_gaussian(x.repeat_interleave(weight, 0))
    torch.testing.assert_close(weighted.loc, copies.loc)
    torch.testing.assert_close(weighted.scale_tril, copies.scale_tril)


def test_the_conditional_of_a_gaussian_is_least_squares(x):
    context, target = x[:, :3], x[:, 3:]
    design = torch.cat([context, torch.ones(500, 1, dtype=x.dtype)], 1)
    slope = torch.linalg.lstsq(design, target).solution
    torch.testing.assert_close(fit_gaussian(x, split=3, floor=0.0).given(context).mean, design @ slope)


def test_a_mixture_is_what_expectation_maximisation_fits(x):
    law = fit_mixture(x, 3, split=2, restarts=2, seed=4)
    same = ExpectationMaximization(3, split=2, restarts=2, seed=4).fit(x).law
    assert all(torch.equal(law.tensors[name], same.tensors[name]) for name in law.tensors)
    assert law.constants == {"split": 2}


def test_two_arrays_become_a_conditional():
    rng = np.random.default_rng(0)
    context = rng.uniform(-1, 1, (900, 1))
    target = np.where(rng.random((900, 1)) < 0.5, 1, -1) * context + 0.05 * rng.normal(size=(900, 1))
    law = fit_mixture(np.hstack([context, target]), components=4, split=1)
    after = law.given(torch.tensor([[0.8]], dtype=torch.float64))
    assert after.batch_shape == (1,)
    assert abs(float(after.mean)) < 0.3
    assert float(after.variance) > 0.3


def test_a_fitted_law_is_held_as_it_is(x):
    law = fit_mixture(x, 3, split=2)
    density = Fitted(law)
    assert torch.equal(density().log_prob(x), law.log_prob(x))
    assert torch.equal(density(x[:, :2]).log_prob(x[:, 2:]), law.given(x[:, :2]).log_prob(x[:, 2:]))
    assert density.float()().loc.dtype == torch.float32
    assert law.loc.dtype == torch.float64


def test_the_law_of_one_unit_has_no_context():
    density = Fitted(RectifiedGeneralizedGaussian(1.0))
    assert float(density().loc) == 0
    with pytest.raises(ValueError, match="expected no context"):
        density(torch.zeros(2, 1))


def test_what_the_density_holds_is_its_own(x):
    law = fit_gaussian(x, split=2)
    density = Fitted(law)
    density.loc.zero_()
    assert law.loc.abs().min() > 0


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda x: fit_gaussian(x[:4]), "at least 5 samples for a full covariance of 4 coordinates, found 4"),
        (lambda x: fit_gaussian(x[:1], covariance=Diagonal()), "at least 2 samples for a diagonal covariance"),
        (lambda x: fit_gaussian(x[0]), r"expected floating samples \[N, E\]"),
        (lambda x: fit_gaussian(x.masked_fill(x < 98, torch.nan)), "expected finite samples, found NaN"),
        (lambda x: fit_gaussian(x, split=4), "1 <= split < 4, found 4"),
        (lambda x: fit_gaussian(x, floor=-1.0), "floor >= 0"),
        (lambda x: fit_gaussian(x, weight=torch.zeros(500)), "not all zero"),
        (lambda x: fit_mixture(x[:8], 9), "8 samples for 9 components"),
        (lambda x: Fitted(fit_gaussian(x))(x[:, :2]), "without a split"),
        (lambda x: Fitted(fit_gaussian(x, split=2))(x), "expected context"),
    ],
)
def test_bad_input_is_named(x, action, message):
    with pytest.raises(ValueError, match=message):
        action(x)

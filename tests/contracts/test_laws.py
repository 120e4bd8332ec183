"""What every law on the real line must satisfy, atoms counted. A new law is one more entry in LAWS."""

import copy
import itertools
import math
import pickle
from collections.abc import Callable
from functools import partial

import pytest
import torch
from scipy import integrate
from torch.autograd import gradcheck
from torch.distributions import Distribution, constraints

from jointlaw.laws import GeneralizedGaussian, Law, RectifiedGeneralizedGaussian, TruncatedGeneralizedGaussian

KINDS = (GeneralizedGaussian, TruncatedGeneralizedGaussian, RectifiedGeneralizedGaussian)
PARAMETERS = ((0.5, -1.0, 0.7), (1.0, -3.0, 1.0), (1.0, 0.25, 2.0), (1.5, -0.3, 1.2), (2.0, 1.0, 0.5), (8.0, -1.0, 1.0))

LAWS: dict[str, Callable[[], Law]] = {
    f"{kind.__name__}{parameters}": partial(kind, *torch.tensor(parameters, dtype=torch.float64))
    for kind in KINDS
    for parameters in PARAMETERS
}
"""Name -> makes a law in float64, without a batch shape."""


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture(params=list(LAWS))
def law(request):
    return LAWS[request.param]()


def inner(law: Law) -> torch.Tensor:
    """Points inside the support and off the kink, atoms apart."""
    base = law.continuous if isinstance(law, RectifiedGeneralizedGaussian) else law
    return base.icdf(torch.tensor([0.05, 0.3, 0.55, 0.8, 0.99], dtype=torch.float64)).detach()


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_is_a_torch_distribution(law):
    assert isinstance(law, Distribution)
    assert law.batch_shape == law.event_shape == torch.Size()


def test_integrates_to_one_with_atoms_counted(law):
    def density(x: float) -> float:
        return float(law.log_prob(torch.tensor(x, dtype=torch.float64)).exp())

    loc = float(law.tensors.get("loc", law.mean))
    lowest = -math.inf if law.support is constraints.real else 0.0
    ends = [lowest, loc, loc + 1, math.inf] if loc > lowest else [0.0, 1.0, math.inf]
    pairs = itertools.pairwise(ends)
    parts = [integrate.quad(density, a, b, epsabs=1e-11, epsrel=1e-10, limit=200)[0] for a, b in pairs]
    silent = 1 - float(law.activity)
    assert (silent > 0) == isinstance(law, RectifiedGeneralizedGaussian)
    if silent:
        assert density(0.0) == pytest.approx(silent, rel=1e-12)
    assert sum(parts) + silent == pytest.approx(1, abs=1e-7)


def test_samples_agree_with_cdf_and_moments(law):
    x = law.sample((100_000,))
    q = torch.tensor([0.1, 0.4, 0.6, 0.9, 0.97], dtype=torch.float64)
    points = law.icdf(q)
    share = (x[:, None] <= points).double().mean(0)
    torch.testing.assert_close(share, law.cdf(points), rtol=0, atol=0.008)
    error = float(law.stddev) / math.sqrt(len(x))
    assert abs(float(x.mean() - law.mean)) < 5 * error
    first, second = law.raw_moments(2)
    torch.testing.assert_close(first, law.mean)
    torch.testing.assert_close(second - first**2, law.variance, rtol=1e-9, atol=1e-12)


def test_entropy_is_minus_the_mean_log_density(law):
    x = law.sample((100_000,))
    surprise = -law.log_prob(x)
    assert abs(float(surprise.mean() - law.entropy())) < 5 * float(surprise.std()) / math.sqrt(len(x)) + 1e-9


def test_quantile_and_probability_invert_each_other(law):
    x = inner(law)
    torch.testing.assert_close(law.icdf(law.cdf(x)), x, rtol=1e-9, atol=1e-12)


def test_is_rebuilt_from_its_tensors(law):
    twin = type(law)(**law.tensors)
    assert twin.tensors.keys() == law.tensors.keys() == law.arg_constraints.keys()
    x = inner(law)
    assert torch.equal(twin.log_prob(x), law.log_prob(x))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda law: pickle.loads(pickle.dumps(law))])  # noqa: S301
def test_survives_copies(law, copied):
    law.sample()
    x = inner(law)
    assert torch.equal(copied(law).log_prob(x), law.log_prob(x))


def test_expands_like_torch(law):
    wide = law.expand((4, 3))
    assert type(wide) is type(law)
    assert wide.batch_shape == (4, 3)
    assert wide.sample((5,)).shape == (5, 4, 3)
    assert wide.mean.shape == wide.variance.shape == wide.entropy().shape == (4, 3)
    torch.testing.assert_close(wide.entropy()[1, 2], law.entropy())
    assert wide._validate_args == law._validate_args


def test_parameters_broadcast_to_a_batch(kind):
    law = kind(torch.tensor([1.0, 1.5]), torch.tensor([[0.0], [-1.0], [2.0]]), 0.5)
    assert law.batch_shape == (3, 2)
    x = law.sample((7,))
    assert x.shape == law.log_prob(x).shape == law.cdf(x).shape == (7, 3, 2)
    assert law.raw_moments(4).shape == (4, 3, 2)
    single = kind(1.5, -1.0, 0.5)
    torch.testing.assert_close(law.mean[1, 1], single.mean)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_dtype_is_kept(kind, dtype):
    law = kind(1.5, -0.5).to(dtype=dtype)
    x = law.sample((6,))
    results = (x, law.log_prob(x), law.cdf(x), law.icdf(law.cdf(x)), law.mean, law.variance, law.entropy())
    assert all(value.dtype == dtype for value in (*results, law.raw_moments(3)))


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0])
def test_draws_are_those_of_the_generator(kind, p):
    law = kind(p, 0.2)
    first, second = (law.draw((9,), torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)
    state = torch.get_rng_state()
    law.sample((9,), generator=torch.Generator().manual_seed(7))
    assert torch.equal(state, torch.get_rng_state())


def test_gradients_of_log_density_and_probability(law):
    parameters = [value.clone().requires_grad_() for value in law.tensors.values()]
    x = inner(law).requires_grad_()
    for name in ("log_prob", "cdf"):
        assert gradcheck(lambda *args, n=name: getattr(type(law)(*args[1:]), n)(args[0]), [x, *parameters], atol=1e-6)


def test_gradients_of_quantiles_moments_and_entropy(law):
    parameters = [value.clone().requires_grad_() for value in law.tensors.values()]
    q = law.cdf(inner(law)[1:4]).detach().requires_grad_()
    assert gradcheck(lambda q, *args: type(law)(*args).icdf(q), [q, *parameters], rtol=1e-2, atol=1e-5)
    assert gradcheck(lambda *args: type(law)(*args).raw_moments(3), parameters, atol=1e-6)
    assert gradcheck(lambda *args: type(law)(*args).variance, parameters, atol=1e-6)
    assert gradcheck(lambda *args: type(law)(*args).entropy(), parameters, atol=1e-6)


def test_reparametrised_samples_carry_the_gradient_of_the_mean(law):
    if "loc" not in law.tensors:
        pytest.skip("a law without a location")
    loc = law.loc.clone().requires_grad_()
    moved = type(law)(**{**law.tensors, "loc": loc})
    (exact,) = torch.autograd.grad(moved.mean.sum(), loc)
    (sampled,) = torch.autograd.grad(moved.rsample((100_000,)).mean(), loc)
    assert float(sampled) == pytest.approx(float(exact), abs=0.03)


def test_rejects_values_outside_the_support_when_asked(kind):
    outside = torch.tensor(math.nan if kind is GeneralizedGaussian else -1.0)
    with pytest.raises(ValueError, match="support"):
        kind(1.0, validate_args=True).log_prob(outside)


@pytest.mark.parametrize("p", [0.1, 1.0, 8.0, 30.0])
@pytest.mark.parametrize("loc", [-1000.0, -1e-8, 0.0, 1e-8, 1000.0])
def test_values_and_gradients_stay_finite_far_outside_the_usual_range(kind, p, loc):
    parameters = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (p, loc, 1.0)]
    law = kind(*parameters)
    x = law.icdf(torch.tensor([1e-9, 0.5, 0.999], dtype=torch.float64)).detach()
    for value in (law.log_prob(x), law.cdf(x), law.mean, law.variance, law.entropy(), law.rsample((20,))):
        assert value.isfinite().all()
        if value.requires_grad:
            gradients = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
            assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)

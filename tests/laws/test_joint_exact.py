"""Problems about joint laws with closed answers."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from jointlaw.functional._mixtures import component_log_densities, squared_distances
from jointlaw.laws import JointGaussian, JointMixture


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def correlated(rho: float) -> JointGaussian:
    root = torch.tensor([[1.0, 0.0], [rho, math.sqrt(1 - rho**2)]], dtype=torch.float64)
    return JointGaussian(torch.zeros(2).double(), root, split=1)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5, 0.999])
def test_a_unit_pair_regresses_by_its_correlation(rho):
    after = correlated(rho).given(torch.tensor([[2.0]]).double())
    assert float(after.mean) == pytest.approx(2 * rho)
    assert float(after.variance) == pytest.approx(1 - rho**2)
    assert float(correlated(rho).mutual_information()) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=1e-12)


def test_two_opposite_branches_have_a_mean_between_them_and_all_their_gap_as_ambiguity():
    loc = torch.tensor([[0.0, -3.0], [0.0, 3.0]], dtype=torch.float64)
    law = JointMixture(torch.zeros(2).double(), loc, torch.tensor([[0.1]]).double(), split=1)
    after = law.given(torch.zeros(1, 1).double())
    noise, ambiguity, total = after.uncertainty()
    assert float(after.mean) == pytest.approx(0.0)
    assert float(noise) == pytest.approx(0.01)
    assert float(ambiguity) == pytest.approx(9.0)
    assert float(total) == pytest.approx(9.01)
    assert int(after.modes().found.sum()) == 2
    assert float(after.log_prob(after.mean)) < float(after.modes().log_prob[0, 1]) - 400


def test_a_mixture_of_one_gaussian_written_twice_is_that_gaussian():
    law = correlated(0.7)
    twice = JointMixture(torch.tensor([0.3, 0.7]).double().log(), law.loc.expand(2, 2), law.scale_tril[None], split=1)
    value = normal(9, 2)
    torch.testing.assert_close(twice.log_prob(value), law.log_prob(value))
    torch.testing.assert_close(twice.given(value[:, :1]).mean, law.given(value[:, :1]).mean)
    torch.testing.assert_close(twice.covariance, law.covariance)
    found = twice.estimate_mutual_information(generator=torch.Generator().manual_seed(0))
    assert abs(found.value - law.mutual_information()) < 4 * found.error


def test_deterministic_components_share_one_bit():
    """Far components that name each other: I(z_c; z_t) is the entropy of the choice, log 2."""
    loc = torch.tensor([[-50.0, 50.0], [50.0, -50.0]], dtype=torch.float64)
    law = JointMixture(torch.zeros(2).double(), loc, torch.ones(1, 1).double(), split=1)
    assert float(law.mutual_information(1000)) == pytest.approx(math.log(2), abs=1e-9)
    alone = law.marginal(1)
    assert float(alone.entropy_bounds().lower) == pytest.approx(0.5 * math.log(2 * math.pi * math.e) + math.log(2))


def test_chain_of_conditionals_is_one_conditional():
    """Conditioning on two coordinates at once, or on one after the other."""
    root = torch.linalg.cholesky(torch.eye(3) + normal(3, 3) @ normal(3, 3).mT)
    locs = normal(2, 3, seed=1)
    context = normal(5, 2, seed=2)
    joint = JointMixture(normal(2), locs, root[None], split=2).given(context)
    first = JointMixture(normal(2), locs, root[None], split=1).given(context[:, :1])
    second = JointMixture(first.logits, first.loc, first.scale_tril, split=1).given(context[:, 1:])
    value = normal(5, 1, seed=3)
    torch.testing.assert_close(second.log_prob(value), joint.log_prob(value))


def test_conditional_mean_is_the_best_predictor():
    """E |z_t - mean|^2 is the expected total variance, and no shift of the mean does better."""
    law = JointMixture(normal(3), 2 * normal(3, 2, seed=1), torch.full((1, 1), 0.5).double(), split=1)
    x = law.sample((100_000,), torch.Generator().manual_seed(0))
    after = law.given(x[:, :1])
    errors = (x[:, 1:] - after.mean).square()
    assert float(errors.mean()) == pytest.approx(float(after.variance.mean()), rel=0.02)
    assert abs(float((x[:, 1:] - after.mean).mean())) < 0.02


@pytest.mark.parametrize("shared", [True, False])
def test_densities_of_many_samples_are_torchs(shared):
    dim, count = 40, 6
    root = normal(1 if shared else count, dim, dim, seed=1)
    factor = torch.linalg.cholesky(root @ root.mT / dim + 0.1 * torch.eye(dim))
    logits, loc, value = normal(count), normal(count, dim, seed=2), normal(200, dim, seed=3)
    inputs = [x.requires_grad_() for x in (value, logits, loc, factor)]
    components = MultivariateNormal(loc, scale_tril=factor.expand(count, dim, dim))
    expected = MixtureSameFamily(Categorical(logits=logits), components).log_prob(value)
    found = JointMixture(logits, loc, factor).log_prob(value)
    torch.testing.assert_close(found, expected)
    upstream = normal(200, seed=4)
    pairs = zip(*(torch.autograd.grad(result, inputs, upstream) for result in (found, expected)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs.tril() if ours.ndim == 3 else theirs)


def test_distances_that_cancel_keep_their_digits():
    x = torch.tensor([[1e3, 1e3]])
    points = torch.tensor([[1e3, 1e3 + 2**-6], [0.0, 0.0]])
    assert squared_distances(x, points).tolist() == [[2.0**-12, 2e6]]


def test_density_of_the_standard_normal_at_its_mean():
    density = component_log_densities(torch.zeros(1, 3), torch.zeros(1, 3), torch.ones(1, 1))
    assert float(density) == pytest.approx(-1.5 * math.log(2 * math.pi))


@pytest.mark.parametrize("form", [(1, 3, 3), (2, 3), (2, 1)], ids=["shared factor", "diagonal", "spherical"])
def test_scores_can_be_differentiated_again(form):
    scale = torch.eye(3).double()[None] + 0.1 * normal(3, 3).tril() if len(form) == 3 else 0.5 + normal(*form).square()
    law = JointMixture(normal(2), normal(2, 3, seed=1), scale)
    assert torch.autograd.gradgradcheck(law.log_prob, normal(4, 3, seed=2).requires_grad_())


def test_gradients_keep_float32_under_autocast():
    root = normal(2, 8, 8)
    factor = torch.linalg.cholesky(root @ root.mT + torch.eye(8)).float()
    value, loc = normal(50, 8, seed=1).float().requires_grad_(), normal(2, 8, seed=2).float()
    law = JointMixture(torch.zeros(2), loc, factor)
    (plain,) = torch.autograd.grad(law.log_prob(value).sum(), value)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = torch.autograd.grad(law.log_prob(value).sum(), value)
    assert torch.equal(found, plain)

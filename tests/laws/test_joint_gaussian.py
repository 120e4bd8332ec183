"""The joint Gaussian against formulas written out with matrices."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from jointlaw.laws import JointGaussian, estimate_kl

E, SPLIT = 5, 2


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covariance(*batch: int, seed: int = 1) -> Tensor:
    root = normal(*batch, E, E, seed=seed)
    return root @ root.mT + 0.3 * torch.eye(E)


def gaussian(seed: int = 1) -> JointGaussian:
    return JointGaussian(normal(E, seed=seed), torch.linalg.cholesky(covariance(seed=seed)), split=SPLIT)


@pytest.mark.parametrize("turned", [False, True], ids=["target given context", "context given target"])
def test_conditional_is_block_inversion(turned: bool) -> None:
    law = gaussian()
    full, mean = covariance(), law.mean
    c, t = torch.arange(SPLIT), torch.arange(SPLIT, E)
    if turned:
        law, c, t = law.swap(), t, c
    known = normal(7, len(c), seed=2)
    gain = full[t][:, c] @ torch.linalg.inv(full[c][:, c])
    after = law.given(known)
    torch.testing.assert_close(after.mean, mean[t] + (known - mean[c]) @ gain.mT)
    expected = full[t][:, t] - gain @ full[c][:, t]
    torch.testing.assert_close(after.covariance, expected.expand(7, -1, -1))
    precision = torch.linalg.inv(full)[t][:, t]  # the conditional's precision is a block of the joint precision
    torch.testing.assert_close(torch.linalg.inv(after.covariance[0]), precision)


def test_swap_permutes_the_covariance_and_keeps_a_positive_factor() -> None:
    order = [*range(SPLIT, E), *range(SPLIT)]
    turned = gaussian().swap()
    torch.testing.assert_close(turned.covariance, covariance()[order][:, order])
    assert (turned.scale_tril.diagonal() > 0).all()
    assert torch.equal(turned.scale_tril, turned.scale_tril.tril())


def test_mutual_information_is_what_the_entropies_leave() -> None:
    law = gaussian()
    context, target = law.marginal(SPLIT).entropy(), law.swap().marginal(E - SPLIT).entropy()
    torch.testing.assert_close(law.mutual_information(), context + target - law.entropy())
    after = law.given(normal(1, SPLIT)).entropy()[0]
    torch.testing.assert_close(law.mutual_information(), target - after)


def test_a_correlation_has_a_closed_mutual_information() -> None:
    rho = 0.6
    law = JointGaussian(torch.zeros(2), torch.tensor([[1.0, 0.0], [rho, math.sqrt(1 - rho**2)]]), split=1)
    assert float(law.mutual_information()) == pytest.approx(-0.5 * math.log(1 - rho**2), rel=1e-5)
    independent = JointGaussian(torch.zeros(4), torch.ones(4), split=1)
    assert float(independent.mutual_information()) == 0.0


def test_entropy_is_torchs() -> None:
    law = gaussian()
    torch.testing.assert_close(law.entropy(), MultivariateNormal(law.loc, scale_tril=law.scale_tril).entropy())


@pytest.mark.parametrize("forms", ["full full", "full diagonal", "diagonal full", "diagonal spherical"])
def test_divergence_is_closed_and_agrees_with_draws(forms: str) -> None:
    scales = {"full": gaussian(4).scale_tril, "diagonal": 0.5 + torch.arange(1, E + 1) / E, "spherical": torch.ones(1)}
    p, q = (JointGaussian(normal(E, seed=i), scales[form].double()) for i, form in enumerate(forms.split()))
    matrices = [law.scale_tril if law.scale_tril.ndim == 2 else law.scale_tril.expand(E).diag() for law in (p, q)]
    twins = [MultivariateNormal(law.loc, scale_tril=matrix) for law, matrix in zip((p, q), matrices, strict=True)]
    exact = kl_divergence(p, q)
    torch.testing.assert_close(exact, kl_divergence(*twins))
    estimate = estimate_kl(p, q, 20_000, torch.Generator().manual_seed(0))
    assert abs(estimate.value - exact) < 4 * estimate.error


def test_divergence_broadcasts_and_is_zero_for_the_same_law() -> None:
    law = gaussian()
    after = law.given(normal(6, SPLIT))
    torch.testing.assert_close(kl_divergence(after, after), torch.zeros(6, dtype=torch.float64), atol=1e-12, rtol=0)
    assert kl_divergence(after, law.swap().marginal(E - SPLIT)).shape == (6,)
    with pytest.raises(ValueError, match="event shape"):
        estimate_kl(law, after)


def test_reparametrised_samples_carry_gradients() -> None:
    law = gaussian()
    loc, root = law.loc.clone().requires_grad_(), law.scale_tril.clone().requires_grad_()
    x = JointGaussian(loc, root).rsample((50_000,))
    to_loc, to_root = torch.autograd.grad(x.square().sum(-1).mean(), (loc, root))
    torch.testing.assert_close(to_loc, 2 * law.loc, rtol=0.05, atol=0.05)
    torch.testing.assert_close(to_root.tril(), 2 * law.scale_tril, rtol=0.05, atol=0.06)


def test_quantiles_and_intervals_are_scipys() -> None:
    law = JointGaussian(torch.tensor([[1.0], [-2.0]]).double(), torch.tensor([[0.5], [3.0]]).double())
    twin = stats.norm([1.0, -2.0], [0.5, 3.0])
    q = torch.tensor([1e-8, 0.7], dtype=torch.float64)
    torch.testing.assert_close(law.icdf(q), torch.from_numpy(twin.ppf(q.numpy()))[:, None])
    torch.testing.assert_close(law.cdf(law.icdf(q)), q)
    for region in (law.interval(0.9), law.highest_density_region(0.9)):
        expected = torch.from_numpy(twin.interval(0.9)[0])[:, None]
        torch.testing.assert_close(region.lower, expected)
        assert region.contains(law.mean).all()
        assert not region.contains(region.upper + 0.1).any()
        torch.testing.assert_close(region.length, (region.upper - region.lower)[:, 0])
        assert region.parts.tolist() == [1, 1]


def test_near_singular_covariances_condition_accurately_in_float32() -> None:
    root = gaussian().scale_tril.clone()
    root[-1, -1] = 1e-4
    exact = JointGaussian(gaussian().loc, root, split=SPLIT)
    rough = exact.to(dtype=torch.float32)
    known = normal(9, SPLIT, seed=2)
    torch.testing.assert_close(rough.given(known.float()).mean.double(), exact.given(known).mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rough.mutual_information().double(), exact.mutual_information(), rtol=1e-4, atol=1e-3)


def test_a_missing_dimension_is_explained() -> None:
    with pytest.raises(ValueError, match=r"scale_tril\[None\]"):
        JointGaussian(torch.zeros(7, E), torch.eye(E))
    with pytest.raises(ValueError, match="1 <= split < 5"):
        JointGaussian(torch.zeros(E), torch.eye(E), split=0)

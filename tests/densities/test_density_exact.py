"""Problems with closed answers that tie the densities to one another."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from jointlaw.densities import (
    RBF,
    FixedScale,
    FourierProcess,
    GaussianProcess,
    LearnedScale,
    Linear,
    Moving,
    Prototypes,
    fit_gaussian,
    fit_mixture,
)
from jointlaw.functional._dual import feature_nll, gram_nll

B, D = 40, 3
EPS = 0.2


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(B, 2 * D, generator=generator, dtype=torch.float64)
    z = z @ torch.randn(2 * D, 2 * D, generator=generator, dtype=torch.float64)
    return tuple(z.split(D, dim=-1))


@pytest.fixture
def joint(pair) -> Tensor:
    return torch.cat(pair, -1)


def test_the_linear_dual_of_the_joint_embedding_is_the_primal(joint):
    eps = torch.tensor(EPS, dtype=torch.float64)
    gram = joint @ joint.mT + eps * torch.eye(B, dtype=torch.float64)
    moment = joint.mT @ joint + eps * torch.eye(2 * D, dtype=torch.float64)
    dual = torch.trace(joint.mT @ torch.linalg.solve(gram, joint))
    primal = torch.trace(joint.mT @ joint @ torch.linalg.inv(moment))
    torch.testing.assert_close(dual, primal)
    torch.testing.assert_close(torch.logdet(gram), torch.logdet(moment) + (B - 2 * D) * math.log(EPS))
    whole = (primal + 2 * D * (torch.logdet(moment) + (B - 2 * D) * math.log(EPS))) / 2
    torch.testing.assert_close(gram_nll(joint @ joint.mT, joint, eps), whole)
    torch.testing.assert_close(feature_nll(joint, joint, eps), whole)


def test_a_linear_process_predicts_as_ridge_regression(pair):
    context, target = pair
    process = GaussianProcess(D, D, Linear(), noise=EPS).double().condition(context, target)
    moment = context.mT @ context + process.noise * torch.eye(D, dtype=torch.float64)
    slope = torch.linalg.solve(moment, context.mT @ target)
    points = context[:5] + 1
    torch.testing.assert_close(process(points).mean, points @ slope)
    variance = process.noise * (1 + (points * torch.linalg.solve(moment, points.mT).mT).sum(-1))
    torch.testing.assert_close(process(points).variance, variance[:, None].expand(5, D))


def test_a_process_without_noise_to_speak_of_passes_through_its_data(pair):
    context, target = pair
    process = GaussianProcess(D, D, RBF(1.0), noise=1e-10).double().condition(context, target)
    torch.testing.assert_close(process(context).mean, target, rtol=0, atol=1e-5)
    assert process(context).variance.max() < 1e-6


def test_far_from_the_data_a_process_returns_to_its_prior(pair):
    process = GaussianProcess(D, D, RBF(1.0, variance=2.0), noise=EPS).double().condition(*pair)
    law = process(pair[0] + 1000)
    torch.testing.assert_close(law.mean, torch.zeros_like(law.mean))
    torch.testing.assert_close(law.variance, torch.full_like(law.variance, 2 + EPS))


def test_a_process_is_the_conditional_of_one_joint_gaussian_over_samples(pair):
    context, target = pair
    process = GaussianProcess(D, D, RBF(1.5), noise=EPS).double()
    covariance = process.kernel(context) + process.noise * torch.eye(B, dtype=torch.float64)
    seen, unseen = covariance[:-1, :-1], covariance[-1, :-1]
    process.condition(context[:-1], target[:-1])
    law = process(context[-1:])
    torch.testing.assert_close(law.mean[0], unseen @ torch.linalg.solve(seen, target[:-1]))
    left = covariance[-1, -1] - unseen @ torch.linalg.solve(seen, unseen)
    torch.testing.assert_close(law.variance[0], left.expand(D))


def test_the_marginal_likelihood_is_the_chain_of_predictions(pair):
    context, target = pair
    for process in (GaussianProcess(D, D, RBF(1.5), EPS), FourierProcess(D, D, RBF(1.5), 20, EPS)):
        process = process.double()
        chain = torch.zeros((), dtype=torch.float64)
        for n in range(B):
            process.condition(context[:n], target[:n])
            chain = chain - process(context[n]).log_prob(target[n])
        constant = B * D / 2 * math.log(2 * math.pi)
        torch.testing.assert_close(process.dual_loss(context, target) + constant, chain)


def test_one_update_of_a_moving_gaussian_is_the_fitted_gaussian(joint):
    moving = Moving(2 * D, split=D, ridge=0.0).double()
    moving.update(joint)
    fitted = fit_gaussian(joint, split=D)
    torch.testing.assert_close(moving().mean, fitted.mean)
    torch.testing.assert_close(moving().covariance, fitted.covariance, rtol=1e-4, atol=1e-4)


def test_a_fitted_mixture_is_a_stationary_point_of_the_prototypes(joint):
    generator = torch.Generator().manual_seed(1)
    rows = torch.cat([joint, joint + 30, 0.5 * joint - 20])[torch.randperm(3 * B, generator=generator)]
    law = fit_mixture(rows, components=3, split=D)
    prototypes = Prototypes(2 * D, 3, split=D, scale=LearnedScale(2 * D, 3, floor=0.0)).double()
    factor = law.scale_tril.detach()
    with torch.no_grad():
        prototypes.logits.copy_(law.logits)
        prototypes.means.copy_(law.loc)
        prototypes.scale.below.copy_(factor.tril(-1))
        prototypes.scale.log_diagonal.copy_(factor.diagonal(dim1=-2, dim2=-1).log())
    loss = prototypes.loss(rows)
    torch.testing.assert_close(loss, -law.log_prob(rows).mean())
    for gradient in torch.autograd.grad(loss, list(prototypes.parameters())):
        assert gradient.abs().max() < 1e-2


def test_spherical_prototypes_on_the_samples_route_like_a_softmax_of_cosines(pair):
    """With unit vectors, tau I and one prototype per pair, responsibilities are InfoNCE's probabilities."""
    context, target = (torch.nn.functional.normalize(part, dim=-1) for part in pair)
    tau = 0.3
    prototypes = Prototypes(2 * D, B, split=D, scale=FixedScale(tau), sphere=True).double()
    with torch.no_grad():
        prototypes.means.copy_(torch.cat([context, target], -1))
    routed = prototypes().responsibilities(context)
    torch.testing.assert_close(routed, torch.softmax(context @ context.mT / tau, -1), rtol=1e-6, atol=1e-9)


def test_the_batchs_own_covariance_leaves_the_data_no_gradient_and_a_moving_one_does(joint):
    """The trace trap: tr(Z S^-1 Z^T) / B = E whatever Z is, where S is the moment of the same batch."""
    z = joint.clone().requires_grad_()
    moment = z.mT @ z / B
    trace = (z * torch.linalg.solve(moment, z.mT).mT).sum(-1).mean()
    assert trace.item() == pytest.approx(2 * D)
    (trapped,) = torch.autograd.grad(trace, z)
    assert trapped.abs().max() < 1e-10

    moving = Moving(2 * D, centred=False, ridge=0.0).double()
    moving.update(joint)
    (free,) = torch.autograd.grad(-moving().log_prob(z).mean(), z)
    assert free.abs().max() > 1e-3


def test_density_of_pairs_is_density_of_the_context_times_the_conditional(pair, joint):
    moving = Moving(2 * D, split=D).double()
    moving.update(joint)
    context, target = pair
    law = moving()
    parts = moving(context).log_prob(target) + law.marginal(D).log_prob(context)
    torch.testing.assert_close(parts, law.log_prob(joint))
    whole = MultivariateNormal(law.mean, law.covariance)
    torch.testing.assert_close(law.log_prob(joint), whole.log_prob(joint))

"""The dual likelihood: exact values, the identities that avoid a matrix of B x B, and closed-form gradients."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import MultivariateNormal

from jointlaw.functional._dual import feature_nll, gram_nll
from jointlaw.functional._kernels import rbf

B, D, R = 12, 3, 5


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.tensor(0.05, dtype=torch.float64)


@pytest.fixture
def x(generator) -> torch.Tensor:
    return torch.randn(B, R, generator=generator, dtype=torch.float64)


@pytest.fixture
def z(generator) -> torch.Tensor:
    return torch.randn(B, D, generator=generator, dtype=torch.float64)


def exact(gram: torch.Tensor, z: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    covariance = gram + noise * torch.eye(len(gram), dtype=gram.dtype)
    trace = torch.trace(z.mT @ torch.linalg.inv(covariance) @ z)
    return trace / 2 + z.shape[-1] / 2 * torch.logdet(covariance)


def test_is_the_gaussian_likelihood_of_each_coordinate_without_its_constant(x, z, noise):
    law = MultivariateNormal(torch.zeros(B, dtype=x.dtype), rbf(x) + noise * torch.eye(B, dtype=x.dtype))
    constant = B * D / 2 * torch.log(torch.tensor(2 * torch.pi, dtype=x.dtype))
    torch.testing.assert_close(gram_nll(rbf(x), z, noise), -law.log_prob(z.mT).sum() - constant)


def test_woodbury_and_determinant_identities(x, z, noise):
    eye = torch.eye(R, dtype=x.dtype)
    c = x.mT @ x + noise * eye
    full = x @ x.mT + noise * torch.eye(B, dtype=x.dtype)
    projected = x.mT @ z
    trace = (torch.trace(z.mT @ z) - torch.trace(projected.mT @ torch.linalg.solve(c, projected))) / noise
    torch.testing.assert_close(torch.trace(z.mT @ torch.linalg.solve(full, z)), trace)
    torch.testing.assert_close(torch.logdet(full), (B - R) * noise.log() + torch.logdet(c))
    value = trace / 2 + D / 2 * ((B - R) * noise.log() + torch.logdet(c))
    torch.testing.assert_close(feature_nll(x, z, noise), value)
    torch.testing.assert_close(gram_nll(x @ x.mT, z, noise), value)


def test_more_features_than_samples_change_nothing(z, noise, generator):
    features = torch.randn(B, 3 * B, generator=generator, dtype=z.dtype)
    torch.testing.assert_close(feature_nll(features, z, noise), gram_nll(features @ features.mT, z, noise))


@pytest.mark.parametrize("loss", [gram_nll, feature_nll])
def test_closed_form_gradients_are_exact(loss, x, z, noise):
    def of_points(a, target, eps):
        return loss(rbf(a) if loss is gram_nll else a, target, eps)

    assert gradcheck(of_points, [v.clone().requires_grad_() for v in (x, z, noise)])


def test_gradient_equals_autograd_through_the_inverse(x, z, noise):
    inputs = [v.clone().requires_grad_() for v in (x, z, noise)]
    ours = torch.autograd.grad(gram_nll(rbf(inputs[0]), *inputs[1:]), inputs)
    plain = torch.autograd.grad(exact(rbf(inputs[0]), *inputs[1:]), inputs)
    torch.testing.assert_close(ours, plain)


def test_leading_dimensions_are_separate_problems(x, z, noise):
    xs, zs = torch.stack([x, 2 * x]), torch.stack([z, z + 1])
    each = torch.stack([gram_nll(rbf(a), b, noise) for a, b in zip(xs, zs, strict=True)])
    torch.testing.assert_close(gram_nll(rbf(xs), zs, noise), each)
    each = torch.stack([feature_nll(a, b, noise) for a, b in zip(xs, zs, strict=True)])
    torch.testing.assert_close(feature_nll(xs, zs, noise), each)


def test_the_feature_form_has_no_cancellation_in_float32(generator):
    features = torch.randn(200, 20, generator=generator)
    z = 100 * features @ torch.randn(20, 4, generator=generator)  # explained by the features to the last digit
    noise = torch.tensor(1e-3)
    want = feature_nll(features.double(), z.double(), noise.double())
    torch.testing.assert_close(feature_nll(features, z, noise).double(), want, rtol=1e-3, atol=0)


def test_half_precision_and_autocast_compute_in_float32(x, z, noise):
    a, b, eps = x.float(), z.float(), noise.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gram_nll((a @ a.mT).bfloat16(), b.bfloat16(), eps), feature_nll(a, b, eps)
    assert inside[0].dtype == inside[1].dtype == torch.float32
    torch.testing.assert_close(inside[1], feature_nll(a, b, eps), rtol=0, atol=0)


def test_values_that_are_no_covariance_are_refused(z, noise):
    with pytest.raises(ValueError, match="expected finite covariances"):
        gram_nll(torch.full((B, B), torch.nan, dtype=z.dtype), z, noise)

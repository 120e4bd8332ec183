r"""Negative log-likelihood of target embeddings under a Gaussian process of the context.

Each of the d coordinates of the target is one draw of a zero-mean process with covariance K over the samples, seen
with noise of variance eps:

.. math:: L = \frac{1}{2} \mathrm{tr}(z_t^\top (K + \epsilon I)^{-1} z_t) + \frac{d}{2} \log\det(K + \epsilon I)

in nats, summed over batch and width, without the constant (B d / 2) log 2 pi. The gradient is closed form: the trace
is the extremum of a quadratic in the weights, so that the weights need no gradient of their own, and the derivative of
log det A is A^-1, from the factor that the value needs anyway. Only first derivatives are right, therefore.

Source: Huang (2026), arXiv 2603.26799, eq. 3 and 4 and appendices F and H; Rasmussen and Williams (2006), eq. 2.30.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from jointlaw.functional._linalg import cholesky, wide, without_autocast


@without_autocast
def gram_nll(gram: Tensor, target: Tensor, noise: Tensor) -> Tensor:
    r"""L of the module from the kernel matrix itself, in O(B^3).

    Args:
        gram: K ``[*, B, B]``, symmetric.
        target: z_t ``[*, B, d]``.
        noise: eps, a positive scalar, in squared embedding units.

    Returns:
        ``[*]``: summed over batch and width.

    Raises:
        ValueError: if K + eps I is far from positive definite.

    Differs from the authors' code in: the gradient is closed form, through one Cholesky factor and no inverse of
        its backward pass.

    >>> gram_nll(torch.zeros(2, 2), torch.ones(2, 3), torch.tensor(1.0))
    tensor(3.)
    """
    covariance, target = _add_to_diagonal(wide(gram), noise), wide(target)
    log_det, factor = _log_det(covariance)
    weights = torch.cholesky_solve(target.detach(), factor)  # [*, B, d], A^-1 z_t
    # tr(z^T A^-1 z) = max over w of 2 tr(w^T z) - tr(w^T A w): at the maximum w counts as a constant.
    trace = 2 * _inner(weights, target) - _inner(weights @ weights.mT, covariance)
    return (trace + target.shape[-1] * log_det) / 2


@without_autocast
def feature_nll(features: Tensor, target: Tensor, noise: Tensor) -> Tensor:
    r"""L of the module for K = Phi Phi^T, in O(B R^2 + R^3) and without a matrix of B x B.

    With C = Phi^T Phi + eps I_R and w = C^-1 Phi^T z_t,

    .. math::
        \mathrm{tr}(z_t^\top (K + \epsilon I)^{-1} z_t)
            = (\mathrm{tr}(z_t^\top z_t) - \mathrm{tr}((\Phi^\top z_t)^\top C^{-1} (\Phi^\top z_t))) / \epsilon
            = \|z_t - \Phi w\|^2 / \epsilon + \|w\|^2, \qquad
        \log\det(K + \epsilon I) = (B - R) \log \epsilon + \log\det C

    of which the last form of the trace is used: it has no difference of large numbers. With Phi = Z, the linear
    kernel, this is the primal likelihood of Z.

    Args:
        features: Phi ``[*, B, R]``.
        target: z_t ``[*, B, d]``.
        noise: eps, a positive scalar, in squared embedding units.

    Returns:
        ``[*]``: summed over batch and width.

    Raises:
        ValueError: if C is far from positive definite.

    Source: Huang (2026), arXiv 2603.26799, appendices F.1.2 and H (eq. 68, 69).

    Differs from the authors' code in: the form of the trace, and the gradient is closed form.
    """
    features, target = wide(features), wide(target)
    B, R = features.shape[-2:]
    log_det, factor = _log_det(_add_to_diagonal(features.mT @ features, noise))
    weights = feature_weights(features.detach(), target.detach(), factor)
    # The trace is the minimum over w of this expression: at the minimum w counts as a constant.
    trace = (target - features @ weights).square().sum((-2, -1)) / noise + weights.square().sum((-2, -1))
    return (trace + target.shape[-1] * ((B - R) * noise.log() + log_det)) / 2


def feature_weights(features: Tensor, target: Tensor, factor: Tensor) -> Tensor:
    """Weights C^-1 Phi^T z_t ``[*, R, d]`` from the Cholesky factor of C ``[*, R, R]``."""
    return torch.cholesky_solve(features.mT @ target, factor)


def _add_to_diagonal(matrix: Tensor, noise: Tensor) -> Tensor:
    return matrix + torch.diag_embed(noise.to(matrix.dtype).expand(matrix.shape[:-1]))


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(-2, -1))


def _log_det(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Log-determinant ``[*]`` of symmetric positive definite matrices, and their Cholesky factors, without gradient."""
    factor = cholesky(matrix.detach())
    value: Tensor = _LogDet.apply(matrix, factor)
    return value, factor


class _LogDet(torch.autograd.Function):
    """Log det A with the gradient A^-1, for which autograd would go through the factor's own backward pass."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, factor: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(factor)
        return 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return gradient[..., None, None] * torch.cholesky_inverse(factor), None

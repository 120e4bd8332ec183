"""First and second moments of a batch: variance, covariance and log-determinant terms.

Every function reads the batch along the dimension before the last and reduces nothing over leading dimensions. Half
precision is computed in float32, under autocast too.
"""

import math

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional._linalg import cholesky, wide, without_autocast


@without_autocast
def variance_hinge(z: Tensor, deviation: float = 1.0, eps: float = 1e-4) -> Tensor:
    r"""Shortfall of the units' standard deviations.

    .. math:: \frac{1}{D} \sum_j \max(0, \text{deviation} - \sqrt{\operatorname{Var} z_j + \text{eps}})

    Reductions: unbiased variance over the batch, mean over width. Units: embedding units.

    Args:
        z: ``[..., B, D]``.
        deviation: the standard deviation below which a unit is penalised.
        eps: squared embedding units; keeps the gradient finite where a unit is constant.

    Returns:
        ``[...]``.

    Source: Bardes, Ponce and LeCun (2022), arXiv 2105.04906, eq. 1 and 2.
    Differs from the authors' code in: nothing.

    >>> variance_hinge(torch.zeros(4, 3))
    tensor(0.9900)
    """
    check.embeddings("variance_hinge", z)
    spread = (wide(z).var(dim=-2) + eps).sqrt()
    return torch.relu(deviation - spread).mean(-1)


@without_autocast
def covariance_penalty(z: Tensor) -> Tensor:
    r"""Squared covariances between different units.

    .. math:: \frac{1}{D} \sum_{i \neq j} \operatorname{Cov}(z_i, z_j)^2

    Reductions: unbiased covariance over the batch (``B - 1``), sum over pairs of units, divided by the width (not by
    ``D (D - 1)``). Units: embedding units to the fourth. Where the batch is smaller than the width the sum of squares
    is taken from the samples' inner products: ``min(B, D)`` squared numbers, never ``D^2`` ones.

    Args:
        z: ``[..., B, D]``.

    Returns:
        ``[...]``.

    Source: Bardes, Ponce and LeCun (2022), arXiv 2105.04906, eq. 3 and 4.
    Differs from the authors' code in: nothing.

    >>> z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])  # both variances and the covariance are 2
    >>> covariance_penalty(z)
    tensor(4.)
    """
    check.embeddings("covariance_penalty", z)
    batch, dim = z.shape[-2:]
    centred = wide(z) - wide(z).mean(-2, keepdim=True)
    products = centred @ centred.mT if batch < dim else centred.mT @ centred
    own = centred.square().sum(-2).square().sum(-1)
    return (products.square().sum((-2, -1)) - own) / (dim * (batch - 1) ** 2)


@without_autocast
def log_det_entropy(z: Tensor, eps: float = 1e-3) -> Tensor:
    r"""Minus the log-volume that a batch spans around the origin, to be minimised.

    .. math:: -\tfrac{1}{2} \log\det\!\left(\tfrac{1}{B} Z^\top Z + \text{eps} \, I\right)

    Up to a constant this is minus the entropy, in nats, of the normal law with the batch's second moments (about the
    origin: subtract the mean first to have the covariance's). Where the batch is smaller than the width the
    determinant is taken of the samples' inner products: ``(D - B) log eps + log det(Z Z^T / B + eps I_B)``.

    Args:
        z: ``[..., B, D]``.
        eps: above zero, squared embedding units.

    Returns:
        ``[...]``, nats.

    Source: Huang (2026), arXiv 2603.26799, the entropy of the primal form.
    Differs from the authors' code in: nothing known.

    >>> log_det_entropy(torch.eye(2) * 2**0.5, eps=1.0)
    tensor(-0.6931)
    """
    check.embeddings("log_det_entropy", z)
    check.positive("log_det_entropy", eps=eps)
    batch, dim = z.shape[-2:]
    exact = wide(z)
    small = exact @ exact.mT if batch < dim else exact.mT @ exact
    identity = torch.eye(small.shape[-1], dtype=small.dtype, device=small.device)
    factor = cholesky(small / batch + eps * identity)
    missing = max(dim - batch, 0) * math.log(eps)
    return -(factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) + missing / 2)

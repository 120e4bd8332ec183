"""The likelihood of a linear Gaussian process in both its forms: over pairs of samples, and over pairs of units."""

from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.densities import Linear
from jointlaw.functional._dual import feature_weights
from jointlaw.functional._linalg import cholesky
from jointlaw.objectives import DualGJE, Objective


class Terms(NamedTuple):
    """A negative log-likelihood and its two terms, in nats per sample, summed over width and without the constant."""

    data: float
    volume: float
    loss: float


def over_samples(features: Tensor, target: Tensor, noise: Tensor) -> Terms:
    r"""The dual form: with the matrix :math:`K = \Phi \Phi^\top` of the samples.

    .. math:: \frac{1}{2 B} \operatorname{tr}(z^\top (K + \epsilon I_B)^{-1} z), \qquad
        \frac{d}{2 B} \log\det(K + \epsilon I_B)

    Args:
        features: Phi ``[B, R]``.
        target: z ``[B, d]``.
        noise: eps, a positive scalar.
    """
    factor = cholesky(_ridged(features @ features.mT, noise))
    trace = torch.linalg.solve_triangular(factor, target, upper=False).square().sum()
    return _terms(trace, _log_det(factor), target)


def over_units(features: Tensor, target: Tensor, noise: Tensor) -> Terms:
    r"""The primal form of the same: with the matrix :math:`C = \Phi^\top \Phi + \epsilon I_R` of the features.

    .. math:: \frac{1}{2 B} \left(\|z - \Phi w\|^2 / \epsilon + \|w\|^2\right), \quad w = C^{-1} \Phi^\top z, \qquad
        \frac{d}{2 B} \left((B - R) \log\epsilon + \log\det C\right)

    For z = Phi the first is :math:`\operatorname{tr}(\Phi^\top \Phi C^{-1}) / 2 B`. Arguments as for `over_samples`.

    Source: Huang (2026), arXiv 2603.26799, appendix J, eq. 87 and 91, and appendix H for any target.
    """
    factor = cholesky(_ridged(features.mT @ features, noise))
    weights = feature_weights(features, target, factor)
    trace = (target - features @ weights).square().sum() / noise + weights.square().sum()
    constant = (len(features) - features.shape[-1]) * noise.log()
    return _terms(trace, constant + _log_det(factor), target)


@torch.no_grad()
def duality_figures(objective: Objective, first: Tensor, second: Tensor) -> dict[str, float | None]:
    """Both forms for two views ``[B, D]`` of the same samples, in float64; nothing where the kernel is not linear.

    ``conditional`` is the loss of the run, with the first view as context and the second as target; ``joint`` that of
    appendix J, where joint embeddings are both.
    """
    if not (isinstance(objective, DualGJE) and isinstance(objective.process.kernel, Linear)):
        return {}
    first, second = first.double(), second.double()
    deviation, noise = objective.process.kernel.variance.double().sqrt().cpu(), objective.process.noise.double().cpu()
    joint = torch.cat([first, second], -1)
    figures: dict[str, float | None] = {}
    for of, context, target in (("conditional", first, objective.scaled(second)), ("joint", joint, joint)):
        for form, terms in (("samples", over_samples), ("units", over_units)):
            found = terms(deviation * context, target, noise)
            figures |= {f"duality.{of}.{term}.{form}": value for term, value in found._asdict().items()}
    return figures


def _ridged(matrix: Tensor, noise: Tensor) -> Tensor:
    return matrix + noise * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def _log_det(factor: Tensor) -> Tensor:
    return 2 * factor.diagonal().log().sum()


def _terms(trace: Tensor, log_det: Tensor, target: Tensor) -> Terms:
    samples, width = target.shape
    data, volume = float(trace) / (2 * samples), float(log_det) * width / (2 * samples)
    return Terms(data, volume, data + volume)

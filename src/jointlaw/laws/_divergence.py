"""Divergences between Gaussians in closed form, and what they say of the entropy of a mixture."""

import torch
from torch import Tensor

from jointlaw.functional._mixtures import LOG_2PI
from jointlaw.laws._estimates import Bounds
from jointlaw.laws._roots import Root


def gaussian_kl(loc: Tensor, root: Root, other_loc: Tensor, other: Root) -> Tensor:
    r"""KL(N(m, S) || N(m', S')) in nats, ``[*]`` in float64.

    .. math:: \frac{1}{2} (|L'^{-1} L|_F^2 + |L'^{-1} (m' - m)|^2 - E) + \log\det L' - \log\det L
    """
    root, other = _alike(root, other)
    distance = other.whiten(other_loc.double() - loc.double()).square().sum(-1)
    return 0.5 * (other.ratio(root) + distance - root.dim) + other.log_det() - root.log_det()


def bhattacharyya(loc: Tensor, root: Root, other_loc: Tensor, other: Root) -> Tensor:
    r"""-log of the integral of sqrt(N(m, S) N(m', S')), ``[*]`` in float64.

    .. math:: \frac{1}{8} |\bar L^{-1} (m' - m)|^2 + \log\det \bar L - \frac{1}{2} (\log\det L + \log\det L'),
              \quad \bar L \bar L^\top = (S + S') / 2
    """
    root, other = _alike(root, other)
    middle = root.midpoint(other)
    distance = middle.whiten(other_loc.double() - loc.double()).square().sum(-1)
    return distance / 8 + middle.log_det() - 0.5 * (root.log_det() + other.log_det())


def entropy_bounds(log_weights: Tensor, loc: Tensor, root: Root) -> Bounds:
    r"""Bounds of the entropy of sum_k w_k N(m_k, S_k) from pairwise divergences, in nats, ``[*]`` in float64.

    .. math:: \sum_k w_k h_k - \sum_k w_k \log \sum_j w_j e^{-D(k, j)}

    with D the Bhattacharyya divergence for the lower bound and the Kullback-Leibler divergence for the upper one. Both
    are exact where the components coincide or lie far apart.

    Args:
        log_weights: normalised, ``[*, K]``.
        loc: ``[*, K, E]``.
        root: of batch shape ``[*, K or 1]``.

    Source: Kolchinsky and Tracey (2017), arXiv 1706.02419, equations 10 and 11 with alpha = 1/2.
    """
    weights = log_weights.exp()
    own = 0.5 * root.dim * (1 + LOG_2PI) + root.log_det()
    bounds = []
    for divergence in (bhattacharyya, gaussian_kl):
        columns = [
            divergence(loc, root, loc[..., j : j + 1, :], root.component(j)) - log_weights[..., j : j + 1]
            for j in range(loc.shape[-2])
        ]
        overlap = torch.stack([-column for column in columns], -1).logsumexp(-1)
        bounds.append((weights * (own - overlap)).sum(-1))
    return Bounds(*bounds)


def _alike(root: Root, other: Root) -> tuple[Root, Root]:
    """In float64 and in one form."""
    root, other = root.double(), other.double()
    return (root, other) if type(root) is type(other) else (root.factor(), other.factor())

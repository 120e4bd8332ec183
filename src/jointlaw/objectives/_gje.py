"""Gaussian joint embeddings: two views are one Gaussian vector, seen through its features or through its samples.

``torch.compile`` breaks the graph of these objectives, and of the mixtures', at Cholesky factors: whether a matrix was
positive definite is looked at.
"""

import math
from itertools import combinations, permutations
from typing import ClassVar

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities import FourierProcess, GaussianProcess
from jointlaw.distributed import gather
from jointlaw.functional import unit
from jointlaw.functional._linalg import cholesky, whiten, wide, without_autocast
from jointlaw.objectives._lpjepa import pairwise_mse
from jointlaw.objectives._objective import Objective
from jointlaw.regularizers import HSIC, LogDetEntropy
from jointlaw.types import Embeddings, Outcome


def joined(z: Tensor) -> Tensor:
    """Joint embeddings ``[z_v, z_w]`` of every pair of views v < w: ``[V (V - 1) / 2, B, 2 D]``."""
    return torch.stack([torch.cat([z[v], z[w]], -1) for v, w in combinations(range(len(z)), 2)])


def joined_both_ways(z: Tensor) -> Tensor:
    """Joint embeddings ``[z_v, z_w]`` of every ordered pair of views v != w: ``[V (V - 1), B, 2 D]``."""
    return torch.stack([torch.cat([z[v], z[w]], -1) for v, w in permutations(range(len(z)), 2)])


class PrimalGJE(Objective):
    r"""Views of a sample agree on the unit sphere, and the joint embeddings of the batch fill the space.

    .. math:: \text{alignment} \cdot \frac{1}{B} \sum_b \|u_b - v_b\|^2
        - \text{entropy} \cdot \frac{1}{4 D} \log\det\!\left(\tfrac{1}{B} Z^\top Z + \epsilon I\right),
        \qquad Z = [u, v]

    with unit vectors u, v of two views. The second term is minus the entropy of the joint Gaussian, without its
    constant and per coordinate; with it in place of the likelihood there is no trace trap (see `NaiveGJE`), and no
    target network is needed.

    The joint entropy includes that of one view given the other, against which the alignment works. With ``2 D`` in
    the denominator the balance of the two does not depend on the width: views differ by a share of about
    ``entropy / (16 alignment)`` of their variance, less what eps covers.

    Reductions: the squared distance is summed over width, a mean over pairs of views and batch (squared embedding
    units, 0 to 4); the entropy is in nats per coordinate, a mean over pairs of views, with the second moments of the
    batch of all processes. The embedding, for probes too, is the unit vector.

    Args:
        alignment: weight of the squared distance.
        entropy: weight of the entropy.
        eps: added to the second moments, squared embedding units (a unit vector's coordinates have 1 / D).

    Raises:
        ValueError: for negative weights, an eps that is not positive, fewer than two views, or a batch of one.

    Source: Huang (2026), arXiv 2603.26799, section 3.2, appendix G and algorithm 5.
    Differs from the authors' code in: the entropy is divided by the number of coordinates; more than two views.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> sorted(PrimalGJE()(views).terms)
    ['alignment', 'entropy']
    """

    def __init__(self, *, alignment: float = 1.0, entropy: float = 1.0, eps: float = 1e-3) -> None:
        super().__init__()
        check.non_negative("PrimalGJE", alignment=alignment, entropy=entropy)
        self.alignment = alignment
        self.entropy = entropy
        self.log_det = LogDetEntropy(eps)

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length."""
        return unit(z)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("PrimalGJE", z.context, least=2)
        views = self.activate(z.context)
        width = views.shape[-1]
        return Outcome.weigh(
            alignment=(self.alignment, pairwise_mse(views) * width),
            entropy=(self.entropy, self.log_det(joined(views)) / (2 * width)),
        )


class PrimalHSIC(Objective):
    r"""Views tell as much of each other as they can, by HSIC, and each fills the unit sphere.

    .. math:: -\text{dependence} \cdot \operatorname{HSIC}(u, v)
        - \text{entropy} \cdot \frac{1}{2 D} \cdot \frac{1}{V} \sum_v \log\det\!\left(\tfrac{1}{B} v^\top v
        + \epsilon I\right)

    The dependence takes the place of `PrimalGJE`'s alignment, and the entropies of the views that of the joint one.
    Views need not coincide: any invertible map between them is as good. HSIC is largest for a few tight clusters, so
    that beyond a weight of about 20 embeddings fall into them.

    Reductions: HSIC is a mean over pairs of views (dimensionless, at most 1, some hundredths as a rule); the entropy
    is in nats per coordinate, a mean over views; both are of the batch of all processes. Time and memory are quadratic
    in the batch. The embedding, for probes too, is the unit vector.

    Args:
        dependence: weight of HSIC.
        entropy: weight of the views' entropies.
        eps: added to the second moments, squared embedding units.

    Raises:
        ValueError: for negative weights, an eps that is not positive, fewer than two views, or a batch of one.

    Source: Huang (2026), arXiv 2603.26799, section 3.2 and appendix I.
    Differs from the authors' code in: the entropy is divided by the number of coordinates; the kernels' width leaves
    out zero distances; more than two views.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> same = Embeddings(z[:1].repeat(2, 1, 1), z)
    >>> bool(PrimalHSIC()(same).terms["dependence"] < PrimalHSIC()(views).terms["dependence"])
    True
    """

    def __init__(self, *, dependence: float = 10.0, entropy: float = 1.0, eps: float = 1e-3) -> None:
        super().__init__()
        check.non_negative("PrimalHSIC", dependence=dependence, entropy=entropy)
        self.dependence = dependence
        self.entropy = entropy
        self.hsic = HSIC()
        self.log_det = LogDetEntropy(eps)

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length."""
        return unit(z)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("PrimalHSIC", z.context, least=2)
        views = self.activate(z.context)
        return Outcome.weigh(
            dependence=(self.dependence, self.hsic(joined(views))),
            entropy=(self.entropy, self.log_det(views) / views.shape[-1]),
        )


class DualGJE(Objective):
    r"""Targets of the moving-average network are a Gaussian process of the context.

    .. math:: \frac{1}{B} \left(\tfrac{1}{2} \operatorname{tr}\!\left(z_t^\top (K + \epsilon I)^{-1} z_t\right)
        + \tfrac{D}{2} \log\det(K + \epsilon I)\right), \qquad K_{ij} = k(z_{c i}, z_{c j})

    Samples whose targets lie apart push their contexts apart, and the determinant keeps the map smooth. No gradient
    reaches the target: were it learned, zero would be its best value, and then one point that of the context.

    A moving average alone only delays that: smaller targets are likelier, and the average follows the network towards
    zero. On the sphere they cannot shrink. Contexts there are unit vectors, about sqrt 2 apart, and targets unit
    vectors times sqrt D, so that their coordinates have about the variance of a kernel with ``variance=1``. Hold the
    kernel's length near 1.5 and the noise at 0.1 or less: where samples are strangers at any distance, or noise
    explains the targets, gathering all contexts in one point is likelier.

    ``GaussianProcess`` is the exact form, of time cubic and memory quadratic in the batch; ``FourierProcess`` the one
    by R random features, linear in the batch. Both describe the batch of all processes.

    Reductions: in nats per sample, summed over the width, without the constant (D / 2) log 2 pi; a mean over ordered
    pairs of views, each the context of every other.

    Args:
        process: from the context to the target, both of the projector's width; its kernel and noise say themselves
            whether they are learned.
        sphere: whether the embedding, for probes too, is the unit vector; False is the published form.

    Raises:
        ValueError: for a process between different widths, fewer than two views, a batch of one, or embeddings of
            another width.

    Source: Huang (2026), arXiv 2603.26799, section 3.1, eq. 4, appendices E and F, algorithms 3 and 4.
    Differs from the authors' code in: the sphere; divided by the batch size; every view is context and target.

    >>> from jointlaw.densities import RBF
    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> DualGJE(GaussianProcess(8, 8, RBF(1.5)))(views).terms.keys()
    dict_keys(['likelihood'])
    """

    uses_target_network: ClassVar[bool] = True

    def __init__(self, process: GaussianProcess | FourierProcess, *, sphere: bool = True) -> None:
        super().__init__()
        if process.context_dim != process.target_dim:
            raise ValueError(
                f"DualGJE: expected a process between embeddings of one width, found {process.context_dim} and "
                f"{process.target_dim}. Give both the width of the projector's output."
            )
        self.process = process
        self.sphere = sphere

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length, where the embeddings live on the sphere."""
        return unit(z) if self.sphere else z

    def scaled(self, target: Tensor) -> Tensor:
        """Embeddings as the process sees them as targets: times sqrt D, where they live on the sphere."""
        return target * math.sqrt(target.shape[-1]) if self.sphere else target

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("DualGJE", z.context, least=2)
        context, target = self.activate(z.context), self.scaled(self.activate(z.target.detach()))
        context, target = gather(context, dim=1), gather(target, dim=1)
        first, second = torch.tensor(list(permutations(range(len(context)), 2)), device=context.device).T
        likelihood = self.process.dual_loss(context[first], target[second]) / context.shape[1]  # [V (V - 1)]
        return Outcome.weigh(likelihood=(1.0, likelihood.mean()))


class NaiveGJE(Objective):
    r"""The exact joint likelihood with the batch's own covariance: a demonstration of how it fails, not a method.

    .. math:: \frac{1}{2 B} \sum_b Z_b^\top S^{-1} Z_b + \frac{1}{2} \log\det S, \qquad
        S = \frac{1}{B} Z^\top Z + \text{ridge} \cdot I

    *The Mahalanobis trace trap*: without a ridge the first term is ``tr(S^-1 S) / 2 = D``, whatever Z is. It has no
    gradient, so neither pulls views together nor keeps samples apart, and the second term is lowered without end
    by shrinking every embedding to zero. Use `PrimalGJE`, or a covariance that is not the batch's: `GMJE`.

    Reductions: in nats per sample, without the constant D log 2 pi; a mean over pairs of views; S is the second moment
    of the batch of all processes. Embeddings are the projector's output as it is.

    Args:
        ridge: squared embedding units; what S needs to be invertible where ``B < 2 D``.

    Raises:
        ValueError: for a negative ridge, fewer than two views, or a batch of one.

    Source: Huang (2026), arXiv 2603.26799, section 3.2, eq. 9, and appendix O.
    Differs from the authors' code in: the ridge, nothing else known.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> round(NaiveGJE(ridge=0.0)(views).terms["mahalanobis"].item(), 4)  # the trap: it is D, whatever the views
    8.0
    """

    def __init__(self, ridge: float = 1e-6) -> None:
        super().__init__()
        check.non_negative("NaiveGJE", ridge=ridge)
        self.ridge = ridge

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("NaiveGJE", z.context, least=2)
        mahalanobis, volume = _likelihood_under_itself(gather(joined(z.context), dim=1), self.ridge)
        return Outcome.weigh(mahalanobis=(1.0, mahalanobis), volume=(1.0, volume))


@without_autocast
def _likelihood_under_itself(joint: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Both terms of the Gaussian likelihood of ``[P, B, E]`` under its own second moments, means over P."""
    joint = wide(joint)
    identity = torch.eye(joint.shape[-1], dtype=joint.dtype, device=joint.device)
    factor = cholesky(joint.mT @ joint / joint.shape[1] + ridge * identity)  # [P, E, E]
    white = whiten(joint, factor.unsqueeze(1))
    volume = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return white.square().sum(-1).mean() / 2, volume.mean()

"""Gaussian mixture joint embeddings: the joint law of two views is a mixture, learned along with the encoder."""

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities import GrowingPrototypes, MixtureDensityNetwork, Prototypes
from jointlaw.functional import unit
from jointlaw.laws import JointMixture
from jointlaw.objectives._gje import joined_both_ways
from jointlaw.objectives._objective import Objective
from jointlaw.regularizers import LogDetEntropy
from jointlaw.types import Embeddings, Outcome


class MarginalEntropy(LogDetEntropy):
    r"""Minus the Gaussian entropies of both blocks of a joint embedding whose blocks are views.

    .. math:: -\frac{1}{V} \sum_v \log\det\!\left(\tfrac{1}{B} z_v^\top z_v + \epsilon I\right)

    in nats per sample, without constants: twice the mean over views of `LogDetEntropy`.
    """

    def forward(self, z: Tensor) -> Tensor:
        """Measure views ``[V, B, D]``."""
        return 2 * super().forward(z)


class GMJE(Objective):
    r"""Joint embeddings are likely under a mixture of learned prototypes, and each view fills the space.

    .. math:: -\frac{1}{B} \sum_b \log \sum_k \pi_k N(Z_b; m_k, S_k)
        - \text{entropy} \cdot \tfrac{1}{2} (\log\det C_c + \log\det C_t), \qquad Z = [z_c, z_t]

    with the second moments ``C = z^T z / B + eps I`` of the batch. Prototypes pull both views of a sample to one
    place. The encoder could lower the likelihood term alone by shrinking everything (the log-determinant cheat), or
    by mapping everything to one prototype, on the unit sphere too. With the entropies, at weight 1, the loss is up to
    constants the divergence of the embeddings from the mixture minus the mutual information of the views, as
    far as entropies are those of Gaussians: it does not change with the embeddings' scale.

    Prototypes with ``sphere=True`` judge unit vectors, and the embedding, for probes too, is the unit vector; others
    judge the projector's output as it is. Where the covariance comes from (learned, moving, fixed) the density says; a
    moving one changes in ``update``. So do `GrowingPrototypes`, vertices of a graph that follows the embeddings.

    Reductions: both terms in nats per sample, summed over width; a mean over ordered pairs of views (so that the
    mixture knows both directions) and batch. Moments are those of the batch of all processes. Time and memory are
    linear in the batch.

    Args:
        density: prototypes, or growing ones, of width 2 D with ``split=D``.
        entropy: weight of the entropies; 0 leaves the bare likelihood, which collapses.
        eps: added to the second moments, squared embedding units; embeddings could shrink below its root for nothing,
            so keep it near the least variance that the likelihood can tell.

    Raises:
        ValueError: for prototypes whose blocks are of different widths, a negative weight, an eps that is not
            positive, fewer than two views, a batch of one, or embeddings of another width.

    Source: Huang (2026), arXiv 2603.26799, section 4.3, eq. 15 and 16, section 4.5, and appendix O.
    Differs from the authors' code in: the entropies are those of the batch, where theirs are of a moving covariance;
    the likelihood keeps its constants; both directions.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> sorted(GMJE(Prototypes(16, components=5, split=8))(views).terms)
    ['entropy', 'likelihood']
    """

    def __init__(self, density: Prototypes | GrowingPrototypes, *, entropy: float = 1.0, eps: float = 1e-5) -> None:
        super().__init__()
        check.non_negative("GMJE", entropy=entropy)
        if density.split is None or density.dim != 2 * density.split:
            raise ValueError(
                f"GMJE: expected prototypes of two blocks of one width, found width {density.dim} and split "
                f"{density.split}. Build them as Prototypes(2 * d, components, split=d)."
            )
        self.density = density
        self.entropy = entropy
        self.marginals = MarginalEntropy(eps)

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Those of growing prototypes."""
        return self.density.statistics if isinstance(self.density, GrowingPrototypes) else {}

    @property
    def joint_law(self) -> JointMixture:
        """The mixture of the prototypes."""
        return self.density.law

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length, where the prototypes live on the sphere."""
        return unit(z) if self.density.sphere else z

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views; the covariance stays as it is."""
        check.views("GMJE", z.context, least=2)
        views = self.activate(z.context)
        return Outcome.weigh(
            likelihood=(1.0, self.density.loss(joined_both_ways(views))),
            entropy=(self.entropy, self.marginals(views)),
        )

    @torch.no_grad()
    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Let a moving covariance, or a graph, follow."""
        self.density.update(joined_both_ways(self.activate(z.context)))


class ConditionalGMJE(Objective):
    r"""One view's embedding predicts a mixture of the other's, and no view collapses.

    .. math:: -\frac{1}{B} \sum_b \log \sum_k \pi_k(z_c) N(z_t; m_k(z_c), S_k(z_c))
        + \text{guard} \cdot \frac{1}{2 B} \sum_b \left(z_c^\top S_{cc}^{-1} z_c + \log\det S_{cc}\right)
        - \text{entropy} \cdot \tfrac{1}{2} (\log\det C_c + \log\det C_t)

    The network sees the context alone; one that saw the target would return it. ``S_cc`` is a moving second moment and
    changes in ``update``. Gradients reach both views.

    The guard alone does not keep embeddings apart: under a covariance that is not their own, a likelihood pulls them
    to the origin, and the moving covariance follows them there. The entropies do, with the batch's second moments
    ``C = z^T z / B + eps I``: at weights 1 the loss is up to constants a bound on minus the mutual information of the
    views plus the divergence of the context from its moving law, which does not change with the embeddings' scale.
    The entropies are those of Gaussians, so off the sphere embeddings gain by lengths that are not: some shrink and are
    predicted sharply, others grow to keep the moments. ``sphere=True`` takes that way out (the recipe does).

    Reductions: all terms in nats per sample, summed over width, without constants but the mixture's; a mean over
    ordered pairs of views and batch. Moments are those of the batch of all processes. Time and memory are linear in the
    batch.

    Args:
        density: a network from embeddings of width D to targets of width D.
        guard: weight of the context's likelihood.
        entropy: weight of the entropies; 0 is the published loss.
        eps: added to the second moments, squared embedding units; embeddings could shrink below its root for nothing,
            so keep it near the least variance that the likelihood can tell.
        sphere: whether the embedding, for probes too, is the unit vector.

    Raises:
        ValueError: for a network between different widths, negative weights, an eps that is not positive, fewer than
            two views, a batch of one, or embeddings of another width.

    Source: Huang (2026), arXiv 2603.26799, section 4.4, eq. 23, and appendix M; Barber and Agakov (2003) for the bound.
    Differs from the authors' code in: the entropies; both directions.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> sorted(ConditionalGMJE(MixtureDensityNetwork(8, 8, components=3))(views).terms)
    ['entropy', 'guard', 'prediction']
    """

    def __init__(
        self,
        density: MixtureDensityNetwork,
        *,
        guard: float = 1.0,
        entropy: float = 1.0,
        eps: float = 1e-5,
        sphere: bool = False,
    ) -> None:
        super().__init__()
        check.non_negative("ConditionalGMJE", guard=guard, entropy=entropy)
        if density.context_dim != density.target_dim:
            raise ValueError(
                f"ConditionalGMJE: expected a network between embeddings of one width, found {density.context_dim} "
                f"and {density.target_dim}. Give both the width of the projector's output."
            )
        self.density = density
        self.guard = guard
        self.entropy = entropy
        self.sphere = sphere
        self.marginals = MarginalEntropy(eps)

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length, where the embeddings live on the sphere."""
        return unit(z) if self.sphere else z

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views; the moving covariance stays as it is."""
        check.views("ConditionalGMJE", z.context, least=2)
        views = self.activate(z.context)
        context, target = joined_both_ways(views).chunk(2, dim=-1)
        return Outcome.weigh(
            prediction=(1.0, self.density.loss(context, target)),
            guard=(self.guard, self.density.guard(views)),
            entropy=(self.entropy, self.marginals(views)),
        )

    @torch.no_grad()
    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Let the moving covariance follow all views."""
        self.density.update(self.activate(z.context))

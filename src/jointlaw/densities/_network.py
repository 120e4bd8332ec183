"""Mixture density network: a network that predicts a mixture."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._heads import Head, SphericalHead
from jointlaw.densities._moving import Moving
from jointlaw.densities._pairs import paired, required
from jointlaw.functional._linalg import wide, without_autocast
from jointlaw.functional._mixtures import LOG_2PI
from jointlaw.laws import JointMixture
from jointlaw.laws._blocks import check_width
from jointlaw.networks import MLP


class MixtureDensityNetwork(Density):
    r"""A network that sees the context only and predicts a Gaussian mixture of the target.

    .. math:: p(z_t \mid z_c) = \sum_k \pi_k(z_c) N(z_t; m_k(z_c), S_k(z_c)), \quad \pi = \mathrm{softmax}

    The target never enters the network: one that saw it would return it, with a variance of zero. The network runs in
    the precision of autocast, the mixture in float32 or better.

    Args:
        context_dim: d_c, width of the context.
        target_dim: d_t, width of the target.
        components: K, how many Gaussians the mixture has.
        hidden: widths of the hidden layers, at least one (ReLU, no normalisation).
        head: the components' covariance: spherical, diagonal or low rank plus diagonal.
        momentum: share of the past that a batch leaves in the context's moving covariance, which ``guard`` needs.

    Raises:
        ValueError: if a number is below 1, or the momentum outside (0, 1).

    Source: Bishop (1994), "Mixture density networks"; as an objective: Huang (2026), arXiv 2603.26799, section 4.4,
        eq. 22 and 23, appendices M and P.2.3.
    Differs from the authors' code in: deviations have a floor, and the means start spread out.

    >>> law = MixtureDensityNetwork(2, 3, components=4)(torch.zeros(5, 2))
    >>> law.batch_shape, law.event_shape, law.weights.shape
    (torch.Size([5]), torch.Size([3]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        context_dim: int,
        target_dim: int,
        components: int,
        hidden: Sequence[int] = (64, 64),
        head: Head | None = None,
        momentum: float = 0.99,
    ) -> None:
        super().__init__()
        where = "MixtureDensityNetwork"
        check.at_least(where, 1, context_dim=context_dim, target_dim=target_dim, components=components)
        self.context_dim, self.target_dim, self.components = context_dim, target_dim, components
        self.head = SphericalHead() if head is None else head
        self.sizes = [components, components * target_dim, components * self.head.size(target_dim)]
        self.trunk = nn.Sequential(MLP((context_dim, *hidden), norm=False), nn.ReLU())
        self.heads = nn.Linear(hidden[-1], sum(self.sizes))
        with torch.no_grad():  # components that start alike stay together for long
            self.heads.bias[components : components * (1 + target_dim)].normal_(std=0.3)
        self.context_law = Moving(context_dim, momentum=momentum, centred=False)

    def forward(self, context: Tensor | None = None) -> JointMixture:
        """The law of the target given the context ``[*, d_c]``, of batch shape ``[*]``.

        Raises:
            ValueError: without a context, or if its width is another.
        """
        context = required("MixtureDensityNetwork", context, self.context_dim)
        raw = self.heads(self.trunk(context.reshape(-1, self.context_dim)))
        return self._law(raw.reshape(*context.shape[:-1], -1))

    def loss(self, context: Tensor, target: Tensor) -> Tensor:
        """Mean over the batch of -log p(z_t | z_c), in nats per sample.

        Args:
            context: ``[*, B, d_c]``.
            target: ``[*, B, d_t]``.

        Raises:
            ValueError: if shapes do not fit.
        """
        paired("MixtureDensityNetwork", context, target, self.context_dim, self.target_dim)
        log_density: Tensor = self(context).log_prob(wide(target))  # [*, B]
        return -log_density.mean()

    def guard(self, context: Tensor) -> Tensor:
        r"""The context's own likelihood: the mean of (1/2) (z_c^T S_cc^-1 z_c + log det S_cc), in nats per sample.

        S_cc is the moving second moment of ``update``. It trails behind, so that the term has a gradient (with the
        batch's own moment it would be constant), which pulls the context inwards: alone it does not keep embeddings
        apart. Before any update S_cc is the identity.

        Args:
            context: ``[*, B, d_c]``.

        Raises:
            ValueError: if the width is another.
        """
        check_width("MixtureDensityNetwork.guard", context, self.context_dim)
        log_density: Tensor = self.context_law().log_prob(wide(context))  # [*, B]
        return -log_density.mean() - self.context_dim * LOG_2PI / 2

    def update(self, z: Tensor) -> None:
        """Let the moving second moment follow contexts ``[*, B, d_c]``."""
        self.context_law.update(z)

    @without_autocast
    def _law(self, raw: Tensor) -> JointMixture:
        logits, loc, scale = torch.split(wide(raw), self.sizes, dim=-1)
        loc = loc.reshape(*raw.shape[:-1], self.components, self.target_dim)
        scale = scale.reshape(*raw.shape[:-1], self.components, -1)
        scale_tril = self.head(scale, self.target_dim)
        return JointMixture(logits, loc, scale_tril, validate_args=False)

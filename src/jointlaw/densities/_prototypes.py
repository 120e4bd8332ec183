"""Prototypes: a joint mixture whose means are learned by gradient."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._scales import ComponentScale, LearnedScale
from jointlaw.functional._linalg import wide
from jointlaw.laws import JointMixture
from jointlaw.laws._blocks import check_split, check_width


class JointPrototypes(Density):
    """A density whose joint law is a mixture that is learned by its likelihood."""

    @property
    @abstractmethod
    def law(self) -> JointMixture:
        """The joint law as it is now."""

    def forward(self, context: Tensor | None = None) -> JointMixture:
        """The joint law, or that of the target given the ``context`` ``[*, split]``.

        Raises:
            ValueError: if a context is given to a law of one block, or its width is another.
        """
        return self.law if context is None else self.law.given(context)

    def loss(self, joint: Tensor) -> Tensor:
        """Mean over the batch of -log p(Z), in nats per sample.

        Args:
            joint: Z ``[*, E]``, context first.

        Raises:
            ValueError: if the width is another.
        """
        log_density: Tensor = self.law.log_prob(wide(joint))  # [*]
        return -log_density.mean()


class Prototypes(JointPrototypes):
    r"""A Gaussian mixture over joint embeddings, fitted by gradient (relaxed EM).

    .. math:: L = -\log \sum_k \pi_k N(Z; m_k, S_k)

    Weights and means are parameters; where the covariance comes from is an object: ``LearnedScale``, ``MovingScale``
    or ``FixedScale``, shared by all components or one each. An encoder that is trained on this loss can lower it
    without end by shrinking everything; keep its embeddings on the unit sphere, or add an entropy term.

    Args:
        dim: width E of the joint embedding.
        components: K, how many prototypes there are.
        split: how many leading coordinates are the context; None for a law of one block.
        scale: where the covariance comes from (default: a learned factor shared by all components).
        sphere: project the means on the unit sphere, block by block where there is a split.

    Raises:
        ValueError: if a number is below 1, the split leaves a block empty, or the scale has another size.

    Source: Huang (2026), arXiv 2603.26799, section 4.3, eq. 14 to 16.
    Differs from the authors' code in: weights are learned, constants are kept, so that the loss is in nats.

    >>> prototypes = Prototypes(4, components=8, split=2)
    >>> prototypes(torch.zeros(5, 2)).batch_shape, prototypes().event_shape
    (torch.Size([5]), torch.Size([4]))
    """

    def __init__(
        self,
        dim: int,
        components: int,
        split: int | None = None,
        scale: ComponentScale | None = None,
        sphere: bool = False,
    ) -> None:
        super().__init__()
        check.at_least("Prototypes", 1, dim=dim, components=components)
        check_split("Prototypes", split, dim)
        self.dim, self.components, self.split, self.sphere = dim, components, split, sphere
        self.scale = LearnedScale(dim) if scale is None else scale
        if self.scale.dim not in (None, dim) or self.scale.components not in (1, components):
            raise ValueError(
                f"Prototypes: expected a scale of width {dim} for 1 or {components} components, found width "
                f"{self.scale.dim} and {self.scale.components} components. Build it with the same sizes."
            )
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, dim))

    @property
    def loc(self) -> Tensor:
        """The components' means ``[K, E]``, projected if they live on the sphere."""
        return unit_blocks(self.means, self.split) if self.sphere else self.means

    @property
    def law(self) -> JointMixture:
        """The joint law."""
        return JointMixture(self.logits, self.loc, self.scale(), self.split, validate_args=False)

    @torch.no_grad()
    def update(self, z: Tensor) -> None:
        """Let a moving covariance follow the batch ``[*, B, E]``.

        Raises:
            ValueError: if the width is another.
        """
        check_width("Prototypes.update", z, self.dim, name="joint")
        rows = wide(z).reshape(-1, self.dim)
        self.scale.update(rows, self.loc, self().responsibilities(rows))

    @torch.no_grad()
    def place(self, joint: Tensor, generator: torch.Generator | None = None) -> None:
        """Put the means on randomly chosen samples ``[B, E]``: a better start than random means.

        Raises:
            ValueError: if the width is another, or there are fewer samples than components.
        """
        check_width("Prototypes.place", joint, self.dim, name="joint")
        if len(joint) < self.components:
            raise ValueError(
                f"Prototypes.place: expected at least {self.components} samples, found {len(joint)}. "
                "Pass more, or use fewer components."
            )
        device = None if generator is None else generator.device
        chosen = torch.randperm(len(joint), generator=generator, device=device)[: self.components]
        self.means.copy_(joint[chosen.to(joint.device)])


def unit_blocks(x: Tensor, split: int | None) -> Tensor:
    """Vectors ``[*, E]`` whose blocks are scaled to unit length; without a split there is one block."""
    blocks = x.tensor_split([] if split is None else [split], dim=-1)
    return torch.cat([F.normalize(block, dim=-1) for block in blocks], -1)

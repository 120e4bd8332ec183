"""Sequential Monte Carlo over joint embeddings, under a metric that is learned."""

import math

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.banks import Bank, Particles
from jointlaw.densities import FixedScale, LearnedScale
from jointlaw.distributed import gather
from jointlaw.functional import unit
from jointlaw.functional._linalg import wide, without_autocast
from jointlaw.functional._mixtures import component_log_densities
from jointlaw.laws import JointMixture
from jointlaw.objectives._gje import joined_both_ways
from jointlaw.objectives._gmje import MarginalEntropy
from jointlaw.objectives._objective import Objective
from jointlaw.types import Embeddings, Outcome


class SMCGMJE(Objective):
    r"""Joint embeddings are likely under the past ones that a bank remembers, in a metric that is learned.

    .. math:: -\frac{1}{B} \sum_b \log \sum_m w_m N(Z_b; Z_m, S)
        - \text{entropy} \cdot \tfrac{1}{2} (\log\det C_c + \log\det C_t), \qquad Z = [z_c, z_t]

    This is `GMJE` with past pairs in place of prototypes and their importance, which sums to one, in place of weights;
    the entropies do here what they do there. S is shared by all particles and full, so that it holds how the views
    depend on each other. With the isotropic metric and the conditional likelihood this is `MoCo` on the same bank.

    ``update`` lets the pairs of the batch enter the bank. ``Particles`` weigh the pool of old and new pairs by what
    the batch makes of them, and resample; the normaliser of N is the same for all and falls out:

    .. math:: w_m \leftarrow w_m \sum_b e^{-\frac{1}{2} (Z_b - Z_m)^\top S^{-1} (Z_b - Z_m)}

    A queue (``FIFO``) remembers the newest. The batch is judged before it enters. While the bank is empty there is no
    likelihood term (it is zero).

    Reductions: both terms in nats per sample, summed over width; a mean over ordered pairs of views and batch. Time and
    memory are linear in batch and bank, ``V (V - 1) B M`` numbers. For a bank that weighs, the distances of the forward
    pass are summed over the batch while they are at hand: ``outcome.posterior``, which ``update`` passes on to the
    bank, or forms again where no outcome is given.

    Args:
        bank: remembers pairs, so that its width is 2 D. Particles have temperature 1, because S has the scale already.
        scale: the covariance S, of one component (default: learned; its deviations start at 1 / sqrt D, which fills the
            unit sphere, or at 1 without the sphere).
        entropy: weight of the entropies; 0 leaves the bare likelihood, which collapses.
        eps: added to the second moments, squared embedding units; embeddings could shrink below its root for nothing,
            so keep it near the least variance that the likelihood can tell.
        sphere: whether the embedding, for probes too, is the unit vector.

    Raises:
        ValueError: for a bank of odd width or another temperature, a scale of another size, a negative weight, an eps
            that is not positive, fewer than two views, a batch of one, or embeddings of another width.

    Source: Huang (2026), arXiv 2603.26799, appendix N, eq. 118, and algorithm 6.
    Differs from the authors' code in: see the bank; the entropies; both directions.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> objective = SMCGMJE(Particles(256, 16, temperature=1.0))
    >>> objective.update(views)
    >>> objective.statistics["filled"].item(), sorted(objective(views).terms)
    (0.5, ['entropy', 'likelihood'])
    """

    def __init__(
        self,
        bank: Bank,
        scale: LearnedScale | FixedScale | None = None,
        *,
        entropy: float = 1.0,
        eps: float = 1e-5,
        sphere: bool = True,
    ) -> None:
        super().__init__()
        check.non_negative("SMCGMJE", entropy=entropy)
        self.bank = bank
        self.scale = (
            LearnedScale(bank.dim, start=math.sqrt(2 / bank.dim) if sphere else 1.0) if scale is None else scale
        )
        self._check_parts()
        self.entropy = entropy
        self.sphere = sphere
        self.marginals = MarginalEntropy(eps)

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Those of the bank."""
        return self.bank.statistics

    @property
    def joint_law(self) -> JointMixture | None:
        """The mixture about the pairs that the bank remembers; None while it is empty."""
        embeddings, log_weights = self.bank.read()
        filled = log_weights > -torch.inf
        if not bool(filled.any()):
            return None
        loc = wide(embeddings[filled])
        return JointMixture(log_weights[filled].to(loc.dtype), loc, self.scale(), loc.shape[-1] // 2)

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length, where the embeddings live on the sphere."""
        return unit(z) if self.sphere else z

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views; the bank stays as it is."""
        self._check(z)
        views = self.activate(z.context)
        likelihood, posterior = self._likelihood(self._rows(views))
        outcome = Outcome.weigh(likelihood=(1.0, likelihood), entropy=(self.entropy, self.marginals(views)))
        return outcome._replace(posterior=posterior)

    @torch.no_grad()
    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Let the pairs of the batch enter the bank."""
        self._check(z)
        rows = self._rows(self.activate(z.context)).detach()
        self.bank.update(rows, self._posterior(rows, outcome) if self.bank.weighs else None)

    @staticmethod
    def _rows(views: Tensor) -> Tensor:
        """Pairs ``[B V (V - 1), 2 D]``, sample by sample, so that processes in turn give the global order."""
        return joined_both_ways(views).transpose(0, 1).flatten(0, 1)

    @without_autocast
    def _likelihood(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """The likelihood term, and the log-weights of the slots for a bank that weighs."""
        embeddings, log_weights = self.bank.read()
        log_densities = self._log_densities(rows, embeddings)  # [N, M]
        posterior = _slots(log_weights, log_densities) if self.bank.weighs else None
        empty = log_weights.max() == -torch.inf
        log_weights = torch.where(empty, 0.0, log_weights).double().log_softmax(0)  # of a bank as if it held zeros
        likelihood = (log_weights + log_densities).logsumexp(1)  # [N]
        return torch.where(empty, 0.0, -likelihood.mean()).to(wide(rows).dtype), posterior

    def _posterior(self, rows: Tensor, outcome: Outcome | None) -> Tensor:
        """Log-weights ``[M + n]`` of the pool after this process's rows have been seen."""
        slots = None if outcome is None else outcome.posterior
        if slots is None:
            embeddings, log_weights = self.bank.read()
            slots = _slots(log_weights, self._log_densities(rows, embeddings))
        entrants = self._log_densities(rows, gather(rows)).logsumexp(0)
        return torch.cat([slots, entrants]).to(self.bank.log_weights.dtype)

    def _log_densities(self, rows: Tensor, around: Tensor) -> Tensor:
        """Log N(Z; Z_m, S) ``[N, M]`` in float64."""
        return component_log_densities(rows, around, self.scale())

    def _check(self, z: Embeddings) -> None:
        check.views("SMCGMJE", z.context, least=2)
        if 2 * z.context.shape[-1] != self.bank.dim:
            raise ValueError(
                f"SMCGMJE: expected embeddings of half the bank's width {self.bank.dim}, found "
                f"{z.context.shape[-1]}. Give the bank twice the width of the projector's output."
            )

    def _check_parts(self) -> None:
        dim = self.bank.dim
        if dim % 2:
            raise ValueError(
                f"SMCGMJE: expected a bank of even width, found {dim}. It holds pairs: twice the projector's width."
            )
        if isinstance(self.bank, Particles) and self.bank.temperature != 1:
            raise ValueError(
                f"SMCGMJE: expected particles at temperature 1, found {self.bank.temperature}. The metric has the "
                "scale: build them with temperature=1.0."
            )
        if self.scale.dim not in (None, dim) or self.scale.components != 1:
            raise ValueError(
                f"SMCGMJE: expected a scale of width {dim} for 1 component, found width {self.scale.dim} and "
                f"{self.scale.components} components. Build it as LearnedScale({dim})."
            )


def _slots(log_weights: Tensor, log_densities: Tensor) -> Tensor:
    """Log-weights of the slots after the batch, from its densities ``[N, m]`` about them."""
    return log_weights + log_densities.detach().logsumexp(0)

"""SwAV: views predict each other's assignment to prototypes."""

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.banks import FIFO
from jointlaw.functional import sinkhorn, unit
from jointlaw.objectives._objective import Objective
from jointlaw.types import Embeddings, Memory, Outcome

CODED = 2  # views that give codes


class SwAV(Objective):
    r"""Each view predicts the codes of the first two: soft assignments to prototypes, balanced over the batch.

    .. math:: -\frac{1}{2 (V - 1) B} \sum_{a \in \{1, 2\}, v \ne a, b, k} Q_{abk} \log \operatorname{softmax}_k
        (z_{vb} \cdot c_k / \tau)

    in nats, on unit vectors; a mean over the two coded views, the other V - 1 views and the batch. Codes Q come from
    ``sinkhorn`` over the batch of all processes, without gradient. Put full-size crops first: further views, such as
    small crops, only predict. The embedding, for probes too, is the unit vector.

    Prototypes are scaled to unit length wherever they are used. For the first ``frozen`` steps their gradient is zero.
    A queue per coded view lets past embeddings take part in the balancing.

    Args:
        width: D of the embeddings.
        prototypes: K, how many directions samples are assigned to.
        temperature: tau, by which the scores of a prediction are divided.
        epsilon: by which Sinkhorn divides the scores of codes; small values give hard codes.
        iterations: how often Sinkhorn balances prototypes and samples.
        queue: past embeddings per coded view; 0 for none.
        queue_after: steps before the queue takes part.
        frozen: steps before the prototypes learn.

    Raises:
        ValueError: for numbers out of range, fewer than two views, a batch of one, or another width.

    Source: Caron et al. (2020), arXiv 2006.09882, eq. 2 and algorithm 1.
    Differs from the authors' code in: prototypes are scaled in the forward pass, so that their gradient is tangential,
    instead of in place before each step; Sinkhorn in log space; the queue takes part with as many embeddings as it
    holds, instead of once it is full.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> objective = SwAV(width=8, prototypes=10)
    >>> bool(objective(views).loss > 0), objective.prototypes.shape
    (True, torch.Size([10, 8]))
    """

    prototypes: nn.Parameter
    step: Tensor

    def __init__(  # noqa: PLR0913 (each a constant of the paper)
        self,
        width: int,
        prototypes: int = 3000,
        *,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        iterations: int = 3,
        queue: int = 0,
        queue_after: int = 0,
        frozen: int = 313,
    ) -> None:
        super().__init__()
        check.at_least("SwAV", 1, width=width, iterations=iterations)
        check.at_least("SwAV", 2, prototypes=prototypes)
        check.positive("SwAV", temperature=temperature, epsilon=epsilon)
        check.non_negative("SwAV", queue=queue, queue_after=queue_after, frozen=frozen)
        self.temperature = temperature
        self.epsilon = epsilon
        self.iterations = iterations
        self.queue_after = queue_after
        self.frozen = frozen
        self.prototypes = nn.Parameter(unit(torch.randn(prototypes, width)))  # [K, D]
        self.queues = nn.ModuleList(FIFO(queue, width) for _ in range(CODED if queue else 0))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length."""
        return unit(z)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        self._check(z.context)
        embeddings, prototypes = self.activate(z.context), unit(self._thawing())
        with torch.autocast(embeddings.device.type, enabled=False):
            scores = embeddings @ prototypes.T  # [V, B, K]
            codes = self._codes(scores[:CODED].detach(), prototypes.detach())
            log_share = (scores / self.temperature).log_softmax(-1)
            swapped = -torch.einsum("abk,vbk->av", codes, log_share) / scores.shape[1]
            others = swapped.sum() - swapped.diagonal().sum()
            return Outcome.weigh(assignment=(1.0, others / (CODED * (len(scores) - 1))))

    @torch.no_grad()
    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Count the step, and let the coded views' embeddings enter the queues."""
        self._check(z.context)
        self.step += 1
        coded = self.activate(z.context[:CODED])
        for queue, view in zip(self._queues(), coded, strict=False):  # without queues nothing is kept
            queue.update(view)

    def _thawing(self) -> Tensor:
        """The prototypes; while frozen their gradient is zero rather than missing, as data-parallel training needs."""
        fixed = self.prototypes.detach()
        return fixed + (self.step >= self.frozen) * (self.prototypes - fixed)

    def _codes(self, scores: Tensor, prototypes: Tensor) -> Tensor:
        """Codes ``[2, B, K]`` of the coded views."""
        queues: list[Memory | None] = [self._scored(queue, prototypes) for queue in self._queues()]
        queues = queues or [None] * CODED
        pairs = zip(scores, queues, strict=True)
        return torch.stack([sinkhorn(view, self.epsilon, self.iterations, queue) for view, queue in pairs])

    def _queues(self) -> list[FIFO]:
        return [queue for queue in self.queues if isinstance(queue, FIFO)]

    def _scored(self, queue: FIFO, prototypes: Tensor) -> Memory:
        embeddings, log_weights = queue.read()
        waiting = self.step < self.queue_after
        return Memory(embeddings @ prototypes.T, log_weights.masked_fill(waiting, -torch.inf))

    def _check(self, z: Tensor) -> None:
        check.views("SwAV", z, least=CODED)
        if z.shape[-1] != self.prototypes.shape[1]:
            raise ValueError(
                f"SwAV: expected embeddings of the prototypes' width {self.prototypes.shape[1]}, found {z.shape[-1]}. "
                "Give SwAV the width of the projector's output."
            )

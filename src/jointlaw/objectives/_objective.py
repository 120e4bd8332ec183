"""What every objective promises."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from jointlaw.laws import JointMixture, Law
from jointlaw.regularizers import SlicedWasserstein
from jointlaw.types import Embeddings, Outcome


class Objective(nn.Module, ABC):
    """Judges the embeddings of a batch, and owns whatever is learned or remembered beyond encoder and projector.

    ``forward`` never changes state; ``update`` does, and a learner calls it once per batch after the backward pass;
    and ``settle``, once after training. Set ``uses_target_network`` where ``z.target`` must come from a moving average
    of the network; elsewhere it is the detached context.

    >>> import torch
    >>> from jointlaw.objectives import VICReg
    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    >>> objective = VICReg()
    >>> outcome = objective(Embeddings(z, z.detach()))  # one step of training, without a network
    >>> outcome.loss.backward()
    >>> objective.update(Embeddings(z.detach(), z.detach()), outcome)
    >>> sorted(outcome.terms)
    ['covariance', 'invariance', 'variance']
    """

    uses_target_network: ClassVar[bool] = False

    @abstractmethod
    def forward(self, z: Embeddings) -> Outcome:
        """Return the loss and its unweighted terms."""

    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Change state (banks, moving statistics, slice counters) after a batch; by default there is none.

        Args:
            z: the batch.
            outcome: what ``forward`` made of this very batch, in the present state. It saves a bank that weighs the
                work of judging the batch once more; the numbers are the same without it.
        """

    @property
    def settles(self) -> bool:
        """Whether ``settle`` has anything to do."""
        return False

    def settle(self, z: Tensor) -> None:
        """After training, set exactly what the network's outputs ``[N, D]`` in evaluation mode determine."""

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Scalars worth logging beside the loss, such as a bank's effective sample size; by default none."""
        return {}

    def activate(self, z: Tensor) -> Tensor:
        """What of the projector's output is the embedding: all of it, unless an objective rectifies or normalises.

        Probes, files and reports see activated embeddings, as the loss does.
        """
        return z

    @property
    def law(self) -> Law | None:
        """The law that the units of an embedding are to follow; None where the objective has none."""
        return None

    @property
    def joint_law(self) -> JointMixture | None:
        """The law of pairs of embeddings ``[2 D]`` that was learned along with them; None where there is none."""
        return None

    @property
    def matcher(self) -> SlicedWasserstein | None:
        """The distance to the law by which embeddings are judged, in squared embedding units; None without a law.

        It is the term of the loss where the loss has one, so that the floor and the collapse value of
        ``SlicedWasserstein.anchors`` are those of the training curve; elsewhere the default distance, by which
        objectives of any kind compare.
        """
        law = self.law
        return None if law is None else SlicedWasserstein(law)

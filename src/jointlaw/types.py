"""The values that pass between views, learner, objective and bank.

>>> z = torch.zeros(2, 64, 8, requires_grad=True)  # projector outputs of 2 views of 64 samples, 8 units wide
>>> pair = Embeddings(context=z, target=z.detach())
>>> outcome = Outcome.weigh(length=(0.5, pair.context.square().sum(-1).mean()))
>>> outcome.loss.requires_grad, outcome.terms
(True, {'length': tensor(0.)})
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Embeddings", "Memory", "Outcome", "Views"]


class Views(NamedTuple):
    """V views of the same B samples.

    Attributes:
        images: V tensors ``[B, ...]``; full-size crops first. Any per-sample tensor will do.
        label: ``[B]`` class indices, -1 where unknown. No objective ever sees it.
        index: ``[B]`` positions of the samples in their source.

    >>> batch = torch.rand(8, 1, 28, 28)
    >>> views = Views([batch, batch.flip(-1)], label=torch.full((8,), -1), index=torch.arange(8))
    >>> len(views.images)
    2
    """

    images: list[Tensor]
    label: Int[Tensor, " batch"]
    index: Int[Tensor, " batch"]  # type: ignore[assignment]  # a tuple's `index` gives way to the field


class Embeddings(NamedTuple):
    """What a learner hands to its objective.

    Attributes:
        context: ``[V, B, D]``, carries gradient.
        target: ``[V, B, D]``, detached; from the moving-average network where the objective asks for one.

    >>> z = torch.zeros(2, 64, 8, requires_grad=True)
    >>> Embeddings(context=z, target=z.detach()).target.requires_grad
    False
    """

    context: Float[Tensor, "views batch dim"]
    target: Float[Tensor, "views batch dim"]


class Outcome(NamedTuple):
    """An objective's answer.

    Attributes:
        loss: the scalar to differentiate.
        terms: detached, unweighted scalars to log.
        posterior: detached ``[M]``, the log-weights of a bank's slots once the batch is seen, where the objective has a
            bank that weighs: handed to ``Objective.update`` they need not be formed again.

    >>> outcome = Outcome.weigh(invariance=(25.0, torch.tensor(0.1)), matching=(125.0, torch.tensor(0.02)))
    >>> outcome.loss, outcome.terms["matching"]
    (tensor(5.), tensor(0.0200))
    """

    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]
    posterior: Float[Tensor, " slots"] | None = None

    @classmethod
    def weigh(cls, **terms: tuple[float, Tensor]) -> "Outcome":
        """Sum ``weight * term`` over named ``(weight, term)`` pairs, remembering each term unweighted."""
        if not terms:
            raise ValueError("Outcome.weigh: expected at least one term such as invariance=(25.0, value), found none.")
        loss = torch.stack([weight * term for weight, term in terms.values()]).sum()
        return cls(loss, {name: term.detach() for name, (_, term) in terms.items()})


class Memory(NamedTuple):
    """What a bank remembers.

    Attributes:
        embeddings: ``[M, D]``, one per slot.
        log_weights: ``[M]``, how many embeddings a slot counts for, in nats: 0 is one, -inf an empty slot. Their
            exponentials sum to the number of embeddings remembered.

    >>> memory = Memory(embeddings=torch.zeros(3, 8), log_weights=torch.tensor([0.0, 2.0, 0.0]).log())
    >>> memory.log_weights.exp().sum()  # two empty slots, and one that counts twice
    tensor(2.)
    """

    embeddings: Float[Tensor, "size dim"]
    log_weights: Float[Tensor, " size"]

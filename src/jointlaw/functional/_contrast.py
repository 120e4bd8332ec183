"""Contrast of positives with negatives: unit vectors, NT-Xent, log-sums over a bank, Sinkhorn codes."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from jointlaw._untraced import untraced
from jointlaw.distributed import gather, rank
from jointlaw.functional._linalg import wide, without_autocast
from jointlaw.types import Memory

CACHED = 2**20  # logits of a block that a CPU still has in its cache when it needs them again
NOTHING = -80.0  # e^-80 adds nothing to a sum whose largest term is 1; exponentials of less, or of -inf, are slow
WHOLE = 2**26  # logits of a block elsewhere: few launches, bounded memory


@without_autocast
def unit(x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Scale vectors to length 1, in float32 or better; a zero vector stays zero and passes its gradient unscaled.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    x = wide(x)
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > torch.finfo(x.dtype).tiny, length, 1.0)


def rep_relu(x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """ReLU forward, GELU backward: exact zeros, and a gradient for silent units.

    Source: Wang et al. (2024), arXiv 2403.12459, section 4.
    Differs from the authors' code in: the order of the sum, which keeps zeros exact.

    >>> rep_relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    smooth = F.gelu(x)
    return F.relu(x).detach() + (smooth - smooth.detach())


@without_autocast
def nt_xent(z: Float[Tensor, "views batch dim"], temperature: float) -> Float[Tensor, ""]:
    r"""Normalised-temperature cross-entropy of every view against every other (nats).

    .. math:: \frac{1}{V (V - 1) B} \sum_{v \ne w, b} - \log
        \frac{e^{z_{vb} \cdot z_{wb} / \tau}}{e^{z_{vb} \cdot z_{wb} / \tau} + \sum_{u, c \ne b} e^{z_{vb} \cdot z_{uc} / \tau}}

    Reductions: mean over ordered pairs of views and batch. Negatives are all views of all other samples of all
    processes. The other positives of an anchor are not among its negatives, so that two views give the published loss.

    Args:
        z: unit vectors; the samples of this process.
        temperature: tau, by which similarities are divided.

    Source: Chen et al. (2020), arXiv 2002.05709, eq. 1.
    Differs from the authors' code in: more than two views are allowed.

    >>> z = torch.eye(4).expand(2, 4, 4)  # two views that agree of four samples at right angles
    >>> round(nt_xent(z, temperature=1.0).item(), 4)
    1.1654
    """  # noqa: E501 (one formula)
    z = wide(z)
    everyone = gather(z, dim=1)  # [V, G, D]
    views, batch, total = *z.shape[:2], everyone.shape[1]
    logits = (z.flatten(0, 1) @ everyone.flatten(0, 1).T).view(views, batch, views, total) / temperature
    own = torch.arange(batch, device=z.device) + rank() * batch
    same = own[:, None] == torch.arange(total, device=z.device)  # [B, G]
    negative = logits.masked_fill(same[:, None], -torch.inf).flatten(2).logsumexp(2)  # [V, B]
    positive = torch.einsum("vbd,wbd->vwb", z, z) / temperature
    return off_diagonal(info_nce(positive, negative[:, None])).mean()


def info_nce(positive: Float[Tensor, "*batch"], negative: Float[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """``-log(e^p / (e^p + e^n))`` for logits p and the log-sum n of all negatives (nats); 0 without negatives.

    Args:
        positive: logits of a query and its key.
        negative: log-sums over the logits of a query and all that it is told apart from; -inf where there are none.

    Source: van den Oord, Li and Vinyals (2018), arXiv 1807.03748, eq. 4.
    Differs from the authors' code in: nothing.

    >>> info_nce(torch.tensor([0.0, 0.0]), torch.tensor([0.0, -torch.inf]))
    tensor([0.6931, 0.0000])
    """
    return torch.logaddexp(positive, negative) - positive


def off_diagonal(x: Float[Tensor, "views views *rest"]) -> Float[Tensor, "pairs *rest"]:  # noqa: F821
    """The entries ``[v, w]`` with v != w, as one dimension; by shapes alone, which a tracer can follow."""
    views, rest = x.shape[0], x.shape[2:]
    others = x.flatten(0, 1)[1:].view(views - 1, views + 1, *rest)[:, :-1]  # the last of V + 1 is on the diagonal
    return others.reshape(views * (views - 1), *rest)


class Against(NamedTuple):
    """Queries held against a memory.

    Attributes:
        log_sum: ``[N]``, for each query the log-sum of its weighted likelihoods over the memory; differentiable.
        posterior: ``[M]``, for each slot the log-sum over queries of the same terms: its unnormalised log-weight once
            the queries are seen. No gradient. Empty (``[0]``) unless asked for.
    """

    log_sum: Float[Tensor, " queries"]
    posterior: Float[Tensor, " slots"]


def against(
    query: Float[Tensor, "queries dim"], memory: Memory, temperature: float, *, posterior: bool = True
) -> Against:
    r"""Sum weighted likelihoods over a memory by query, and over queries by slot, in one pass.

    .. math:: n_q = \log \sum_m w_m e^{q \cdot k_m / \tau}, \qquad p_m = \log \sum_q w_m e^{q \cdot k_m / \tau}

    The logits are formed once, block by block, in float32 or better. The gradient with respect to the queries,
    ``sum_m softmax_m k_m / tau``, is formed in the same pass: no ``[N, M]`` matrix is kept, and the memory may change
    afterwards. It can be differentiated once; memory and weights get no gradient. Terms of ``p_m`` below ``e^-80``
    times the largest are rounded up to that. ``torch.compile`` breaks the graph here, since a tracer could only unroll
    the blocks.

    Args:
        query: ``[N, D]``.
        memory: embeddings and log-weights; a memory without real entries gives -inf.
        temperature: tau, by which similarities are divided.
        posterior: whether to sum over queries too.
    """
    return Against(*_streamed(query, memory, temperature, posterior))


@without_autocast
def log_support(
    query: Float[Tensor, "queries dim"], entrants: Float[Tensor, "entrants dim"], temperature: float
) -> Float[Tensor, " entrants"]:
    """``log sum_q exp(q . k / temperature)`` of embeddings k that are not in the memory yet, without gradient."""
    logits = wide(entrants.detach()) @ (wide(query.detach()) / temperature).T  # [entrants, queries]: sums along rows
    return logits.logsumexp(1)


class _Streamed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, embeddings: Tensor, log_weights: Tensor, temperature: float, judge: bool
    ) -> tuple[Tensor, Tensor]:
        count, size = len(query), len(embeddings)
        scaled, mean = query / temperature, torch.zeros_like(query)
        top, total = query.new_full((count, 1), -torch.inf), query.new_zeros(count, 1)
        posterior = log_weights.new_empty(size if judge else 0)
        block = max((CACHED if query.device.type == "cpu" else WHOLE) // count, 1)
        for part in (slice(start, start + block) for start in range(0, size, block)):
            logits = torch.addmm(log_weights[part], scaled, embeddings[part].T)  # [N, block]
            before, top = top, torch.maximum(top, logits.amax(1, keepdim=True))
            level = torch.where(top > -torch.inf, top, 0.0)
            terms = logits.sub_(level).clamp_(min=NOTHING).exp_()
            shrink = (before - level).exp_()
            total.mul_(shrink).add_(terms.sum(1, keepdim=True))
            if judge:
                posterior[part] = _over_queries(terms, level)
            if ctx.needs_input_grad[0]:
                mean.mul_(shrink).addmm_(terms, embeddings[part])
        if judge:
            posterior.masked_fill_(log_weights == -torch.inf, -torch.inf)
        ctx.mark_non_differentiable(posterior)
        ctx.save_for_backward(mean.div_(total * temperature).masked_fill_(top == -torch.inf, 0.0))
        return (top + total.log()).squeeze(1), posterior

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (mean,) = ctx.saved_tensors
        return gradients[0].unsqueeze(1) * mean, None, None, None, None


def _over_queries(terms: Tensor, level: Tensor) -> Tensor:
    """``log sum_n exp(level_n) terms_nm`` of terms ``[N, M]``."""
    highest = level.max()
    return ((level - highest).exp_().T @ terms).squeeze(0).log_().add_(highest)


@untraced
@without_autocast
def _streamed(query: Tensor, memory: Memory, temperature: float, judge: bool) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(wide(query).dtype, memory.embeddings.dtype)
    embeddings, log_weights = memory.embeddings.to(dtype), memory.log_weights.to(dtype)  # the bank itself, as a rule
    result: tuple[Tensor, Tensor] = _Streamed.apply(query.to(dtype), embeddings, log_weights, temperature, judge)
    return result


@torch.no_grad()
@without_autocast
def sinkhorn(
    scores: Float[Tensor, "batch prototypes"],
    epsilon: float = 0.05,
    iterations: int = 3,
    queue: Memory | None = None,
) -> Float[Tensor, "batch prototypes"]:
    r"""Soft codes that use all prototypes equally often over the batch of all processes.

    Alternately scale ``exp(scores / epsilon)`` so that each prototype receives equal mass and each sample gives mass
    1, in log space; the last step is the samples', so every row sums to 1.

    Args:
        scores: similarities to the prototypes of this process's samples.
        epsilon: entropic regularisation; small values give hard codes.
        iterations: how often prototypes and samples are scaled in turn.
        queue: scores ``[Q, K]`` of remembered samples, the same on every process, which take part with their weights.

    Source: Caron et al. (2020), arXiv 2006.09882, section 3.1; Cuturi (2013), arXiv 1306.0895.
    Differs from the authors' code in: log space instead of exponentials, float32 under autocast.

    >>> codes = sinkhorn(torch.tensor([[0.9, 0.1], [0.8, 0.1]]))  # both samples prefer the first prototype
    >>> codes.sum(0).round(decimals=1)  # and yet each prototype is used as often as the other
    tensor([1., 1.])
    """
    scores = wide(scores) / epsilon
    remembered = None if queue is None else Memory(wide(queue.embeddings) / epsilon, wide(queue.log_weights))
    share: Tensor | None = None
    for _ in range(iterations):
        parts = gather(_received(scores, share))  # [W, K]
        if remembered is not None:
            parts = torch.cat([parts, _received(remembered.embeddings, share, remembered.log_weights)])
        share = parts.logsumexp(0)
    return (scores if share is None else scores - share).softmax(1)


def _received(scores: Tensor, share: Tensor | None, log_weights: Tensor | None = None) -> Tensor:
    """Log-mass ``[1, K]`` that prototypes receive from samples, each giving its weight once there are shares."""
    given = scores if share is None else scores - (scores - share).logsumexp(1, keepdim=True)
    weighted = given if log_weights is None else given + log_weights[:, None]
    return weighted.logsumexp(0, keepdim=True)

"""Contrastive objectives: a view is told apart from other samples, of the batch or of a memory."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.banks import Bank, Particles
from jointlaw.distributed import gather
from jointlaw.functional import info_nce, nt_xent, unit
from jointlaw.functional._contrast import against, log_support, off_diagonal, rep_relu
from jointlaw.objectives._objective import Objective
from jointlaw.types import Embeddings, Outcome


class SimCLR(Objective):
    """Views of a sample agree, against all other samples of the batch of all processes.

    ``loss = NT-Xent(z / |z|, tau)`` in nats: a mean over ordered pairs of views and batch (see ``nt_xent``). The
    embedding, here and for probes, is the unit vector.

    Args:
        temperature: tau, by which similarities are divided; small values look at the nearest negatives alone.

    Raises:
        ValueError: for a temperature that is not positive, fewer than two views, or a batch of one.

    Source: Chen et al. (2020), arXiv 2002.05709, eq. 1 and algorithm 1.
    Differs from the authors' code in: more than two views are allowed; other positives are not negatives then.

    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> bool(SimCLR()(Embeddings(z[:1].repeat(2, 1, 1), z)).loss < SimCLR()(views).loss)  # views that agree
    True
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        check.positive("SimCLR", temperature=temperature)
        self.temperature = temperature

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length."""
        return unit(z)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("SimCLR", z.context, least=2)
        return Outcome.weigh(contrast=(1.0, nt_xent(self.activate(z.context), self.temperature)))


class RepReLU(nn.Module):
    """ReLU forward, GELU backward: exact zeros, and a gradient for silent units.

    Source: Wang et al. (2024), arXiv 2403.12459, section 4.
    Differs from the authors' code in: the order of the sum, which keeps zeros exact.

    >>> x = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> RepReLU()(x).sum().backward()
    >>> RepReLU()(x).tolist(), bool((x.grad != 0).all())
    ([0.0, 2.0], True)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Rectify."""
        return rep_relu(x)


class NCL(Objective):
    """SimCLR on non-negative features: ``loss = NT-Xent(r / |r|, tau)``, r = rectifier(z), in nats.

    A mean over ordered pairs of views and batch. The embedding, here and for probes, is the rectified unit vector; its
    zeros are exact.

    Args:
        temperature: tau, by which similarities are divided; small values look at the nearest negatives alone.
        rectifier: makes features non-negative (default: ``RepReLU``; ``torch.nn.ReLU`` is the plain one).

    Raises:
        ValueError: for a temperature that is not positive, fewer than two views, or a batch of one.

    Source: Wang et al. (2024), arXiv 2403.12459, section 4.
    Differs from the authors' code in: ``RepReLU`` is the default; more than two views are treated as in ``SimCLR``.

    >>> NCL().activate(torch.tensor([[3.0, -1.0, 4.0]]))
    tensor([[0.6000, 0.0000, 0.8000]])
    """

    def __init__(self, temperature: float = 0.2, rectifier: nn.Module | None = None) -> None:
        super().__init__()
        check.positive("NCL", temperature=temperature)
        self.temperature = temperature
        self.rectifier = RepReLU() if rectifier is None else rectifier

    def activate(self, z: Tensor) -> Tensor:
        """Rectify, then scale to unit length."""
        return unit(self.rectifier(z))

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views."""
        check.views("NCL", z.context, least=2)
        return Outcome.weigh(contrast=(1.0, nt_xent(self.activate(z.context), self.temperature)))


class MoCo(Objective):
    r"""A query finds its key, from the moving-average network, among the embeddings of past batches in a bank.

    .. math:: -\log \frac{e^{q \cdot k / \tau}}{e^{q \cdot k / \tau} + \sum_m w_m e^{q \cdot k_m / \tau}}

    in nats, on unit vectors; a mean over pairs of query and key views and batch. Plain form: the last view gives the
    key of each other view. Symmetric form: every view is query and key to every other, the mean over ordered pairs.
    The keys of all key views enter the bank in ``update``, after the backward pass: neither form ever sees a key of
    the current batch as a negative. A bank without real entries makes the loss zero.

    The bank chooses the method: ``FIFO`` is MoCo v2, ``Particles`` is SMC-GMJE. For a bank that weighs, the logits of
    the forward pass are summed over queries while they are at hand: ``outcome.posterior``, which ``update`` passes on
    to the bank, or forms again where no outcome is given. The embedding, for probes too, is the unit vector.

    Args:
        bank: owns the past keys; width as the projector's.
        temperature: tau, by which similarities are divided; small values look at the nearest negatives alone.
        symmetric: whether every view is query and key.

    Raises:
        ValueError: for a temperature that is not positive or not that of a particle bank, fewer than two views, a
            batch of one, or embeddings of another width than the bank's.

    Source: He et al. (2020), arXiv 1911.05722, algorithm 1; Chen et al. (2020), arXiv 2003.04297 (v2: MLP projector and
    temperature 0.2); Huang (2026), arXiv 2603.26799, algorithm 2.
    Differs from the authors' code in: see the banks; more than two views and the symmetric form; no shuffled batch
    normalisation.

    >>> from jointlaw.banks import FIFO
    >>> z = torch.randn(2, 64, 8, generator=torch.Generator().manual_seed(0))
    >>> views = Embeddings(z, z.detach())
    >>> objective = MoCo(FIFO(size=256, dim=8))
    >>> objective(views).loss.item()  # nothing is remembered yet
    0.0
    >>> objective.update(views)
    >>> bool(objective(views).loss > 0)
    True
    """

    uses_target_network: ClassVar[bool] = True

    def __init__(self, bank: Bank, temperature: float = 0.2, *, symmetric: bool = False) -> None:
        super().__init__()
        check.positive("MoCo", temperature=temperature)
        if isinstance(bank, Particles) and bank.temperature != temperature:
            raise ValueError(
                f"MoCo: expected the temperature of its particles, {bank.temperature}, found {temperature}. One "
                "likelihood serves the loss and the particles: give both the same."
            )
        self.bank = bank
        self.temperature = temperature
        self.symmetric = symmetric

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Those of the bank."""
        return self.bank.statistics

    def activate(self, z: Tensor) -> Tensor:
        """Scale to unit length."""
        return unit(z)

    def forward(self, z: Embeddings) -> Outcome:
        """Judge projector outputs ``[V, B, D]`` of V >= 2 views; the bank stays as it is."""
        self._check(z)
        query, key = self._roles(z)
        with torch.autocast(query.device.type, enabled=False):
            positive = torch.einsum("vbd,wbd->vwb", query, key) / self.temperature
        sums = against(query.flatten(0, 1), self.bank.read(), self.temperature, posterior=self.bank.weighs)
        loss = info_nce(positive, sums.log_sum.view(query.shape[0], 1, -1))  # [queries, keys, B]
        outcome = Outcome.weigh(contrast=(1.0, (off_diagonal(loss) if self.symmetric else loss).mean()))
        return outcome._replace(posterior=sums.posterior if self.bank.weighs else None)

    @torch.no_grad()
    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        """Let the keys enter the bank."""
        self._check(z)
        query, key = self._roles(z)
        key = key.transpose(0, 1).flatten(0, 1)  # sample by sample, so that processes in turn give the global order
        self.bank.update(key, self._posterior(query.flatten(0, 1), key, outcome) if self.bank.weighs else None)

    def _roles(self, z: Embeddings) -> tuple[Tensor, Tensor]:
        """Queries ``[Q, B, D]`` and keys ``[K, B, D]``."""
        context, target = self.activate(z.context), self.activate(z.target.detach())
        return (context, target) if self.symmetric else (context[:-1], target[-1:])

    def _posterior(self, query: Tensor, key: Tensor, outcome: Outcome | None) -> Tensor:
        """Log-weights ``[M + n]`` of the pool after this process's queries have been seen."""
        slots = None if outcome is None else outcome.posterior
        if slots is None:
            slots = against(query, self.bank.read(), self.temperature).posterior
        return torch.cat([slots, log_support(query, gather(key), self.temperature)])

    def _check(self, z: Embeddings) -> None:
        check.views("MoCo", z.context, least=2)
        if z.context.shape[-1] != self.bank.dim:
            raise ValueError(
                f"MoCo: expected embeddings of the bank's width {self.bank.dim}, found {z.context.shape[-1]}. "
                "Give the bank the width of the projector's output."
            )

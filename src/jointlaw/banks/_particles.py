"""The particle bank: sequential Monte Carlo in place of a queue."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw._untraced import untraced
from jointlaw.banks._bank import Bank
from jointlaw.distributed import gather
from jointlaw.functional import effective_sample_size
from jointlaw.functional._contrast import against, log_support
from jointlaw.functional._resampling import RESAMPLING, Resampling
from jointlaw.types import Memory


class Particles(Bank):
    r"""Embeddings stay for as long as they explain new queries, in as many copies as they deserve.

    The pool is the bank and the new batch. Each particle is reweighted by the queries and M are drawn from the pool:

    .. math:: w_m \leftarrow w_m \sum_b e^{q_b \cdot k_m / \tau}, \qquad
        m_1, \dots, m_M \sim w / \textstyle\sum w, \qquad w \leftarrow 1 / M

    in log space. New embeddings enter the pool with the mean weight of the bank. While the pool fits into the bank,
    nothing has to go: embeddings are collected at equal weights.

    Clones are not stored: a particle drawn c times keeps one slot, of log-weight ``log c``. The loss over weighted
    slots equals the unweighted loss over the M clones. Occupied slots are kept together at the front, and only they are
    read: a loss costs what distinct particles cost. At most as many slots are written per step as particles go.

    With a ``threshold`` below 1, resampling waits until the effective sample size falls below that share of the pool.
    Until then weights are carried on as log-weights, which sum to M, and the lightest entries of the pool give way.

    Two settings keep the weights from gathering on few particles. ``tempering`` raises the likelihood to a power below
    1, ``w <- w (sum_b exp(q_b . k_m / tau))^tempering``; at 0 queries have no influence, and the pool is thinned out at
    random. ``oldest`` removes particles that have been there for more than so many updates, whatever their weight.

    ``update(z, posterior)`` takes the log-weights of the pool from an objective that has formed the logits already.
    Without a posterior the new embeddings are their own queries, at the bank's temperature.

    Statistics: ``ess``, effective sample size of the pool before resampling, clones counted apart as in the paper (a
    number of particles); ``survival``, share of the occupied slots that outlived the last update; ``distinct``, share
    of slots that are occupied; ``age``, mean over particles in updates; ``filled``.

    Args:
        size: M, the number of particles, clones counted.
        dim: D, the width of an embedding.
        temperature: tau of the likelihood, which must be that of the loss.
        resampling: the scheme, by name or as a function (see ``jointlaw.functional``).
        threshold: share of the pool below which the effective sample size triggers resampling; 1 resamples always.
        tempering: power in [0, 1] to which the likelihood of the queries is raised.
        oldest: for how many updates a particle may stay, the one in which it came included; by default for any number.
        seed: determines, together with the step, what resampling draws: the same on every process and after a restart.

    Raises:
        ValueError: for a temperature that is not positive, a threshold or tempering outside [0, 1], an age limit below
            1, or an unknown scheme.

    Source: Huang (2026), arXiv 2603.26799, section 4.7 and algorithm 2.
    Differs from the authors' code in: clones share a slot; postponed resampling, tempering and an age limit (none by
    default); a bank that is not full collects.

    >>> bank = Particles(size=100, dim=2, temperature=0.1)
    >>> for seed in range(20):
    ...     z = torch.randn(32, 2, generator=torch.Generator().manual_seed(seed))
    ...     bank.update(torch.nn.functional.normalize(z, dim=1))
    >>> bank.read().log_weights.exp().sum().round()  # clones share a slot and count as often as they are
    tensor(100.)
    """

    weighs = True

    counts: Tensor
    ess: Tensor
    survival: Tensor

    def __init__(  # noqa: PLR0913 (each keyword is a knob)
        self,
        size: int,
        dim: int,
        temperature: float,
        *,
        resampling: Resampling | Literal["systematic", "stratified", "multinomial", "residual"] = "systematic",
        threshold: float = 1.0,
        tempering: float = 1.0,
        oldest: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(size, dim)
        check.positive("Particles", temperature=temperature)
        check.non_negative("Particles", seed=seed)
        if not 0 <= threshold <= 1:
            raise ValueError(f"Particles: expected 0 <= threshold <= 1, found {threshold}. 1 resamples always.")
        if not 0 <= tempering <= 1:
            raise ValueError(
                f"Particles: expected 0 <= tempering <= 1, found {tempering}. 1 takes the whole likelihood."
            )
        if oldest is not None:
            check.at_least("Particles", 1, oldest=oldest)
        self.temperature = temperature
        self.resample = _scheme(resampling)
        self.threshold = threshold
        self.tempering = tempering
        self.oldest = oldest
        self.seed = seed
        self.occupied = 0  # slots in use, the first so many
        self.register_buffer("counts", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("ess", torch.zeros((), dtype=torch.float64))
        self.register_buffer("survival", torch.ones((), dtype=torch.float64))

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Detached scalars to log; see the class."""
        distinct = self.ess.new_tensor(self.occupied / self.size)
        return {**super().statistics, "ess": self.ess, "survival": self.survival, "distinct": distinct}

    @untraced
    def read(self) -> Memory:
        """The occupied slots as they are; before any update, one empty slot."""
        count = max(self.occupied, 1)
        return Memory(self.embeddings[:count], self.log_weights[:count])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the counters."""
        super().set_extra_state(state)
        self.occupied = int(self.counts.count_nonzero())  # buffers are restored first

    def _enter(self, entrants: Tensor, posterior: Tensor | None) -> None:
        log_weights = self.read().log_weights  # [m]
        counts = torch.cat([self.counts[: len(log_weights)], self.counts.new_ones(len(entrants))])  # [m + n]
        if self.count + len(entrants) <= self.size:
            self.ess.fill_(self.count + len(entrants))
            self._settle(entrants, torch.cat([log_weights, log_weights.new_zeros(len(entrants))]), counts)
            return
        if posterior is None:
            posterior = self._judge(entrants)
        else:
            parts = gather(posterior.detach().unsqueeze(0))  # [W, m + n]
            posterior = parts.logsumexp(0) if len(parts) > 1 else parts[0]
        posterior = self._moderated(posterior, log_weights)
        self.ess.copy_(effective_sample_size(posterior, counts))
        if self.threshold == 1 or bool(self.ess < self.threshold * (self.filled + len(entrants))):
            counts = self.resample(posterior, self.size, self._generator())
            self._settle(entrants, counts.to(posterior.dtype).log(), counts)
        else:
            self._settle(entrants, self._heaviest(posterior), counts)

    def _moderated(self, posterior: Tensor, log_weights: Tensor) -> Tensor:
        """Log-weights of the pool with the likelihood tempered, and without those that have stayed too long."""
        slots = len(log_weights)
        if self.tempering < 1:
            prior = torch.cat([log_weights.to(posterior.dtype), posterior.new_zeros(len(posterior) - slots)])
            tempered = prior + self.tempering * (posterior - prior)
            posterior = tempered.masked_fill(prior == -torch.inf, -torch.inf)
        if self.oldest is not None:
            stale = self.entered[:slots] < self.step + 1 - self.oldest
            posterior = torch.cat([posterior[:slots].masked_fill(stale, -torch.inf), posterior[slots:]])
        return posterior

    def _judge(self, entrants: Tensor) -> Tensor:
        """Log-weights of the pool with the new embeddings of all processes as queries."""
        slots = against(entrants, self.read(), self.temperature).posterior
        return torch.cat([slots, log_support(entrants, entrants, self.temperature)])

    def _heaviest(self, posterior: Tensor) -> Tensor:
        """Log-weights of the M heaviest of the pool, summing to M; the others are -inf."""
        lightest = posterior.topk(max(len(posterior) - self.size, 0), largest=False).indices
        kept = posterior.index_fill(0, lightest, -torch.inf)
        return kept - kept.logsumexp(0) + math.log(self.size)

    def _settle(self, entrants: Tensor, log_weights: Tensor, counts: Tensor) -> None:
        """Keep entries of positive weight, at most M: slots where they are, and others in the first free places."""
        alive = log_weights > -torch.inf  # [m + n]
        total, slots = int(alive.count_nonzero()), len(alive) - len(entrants)
        stays = alive.new_zeros(total)
        stays[:slots] = alive[: min(slots, total)]
        places = (~stays).nonzero().squeeze(1)
        moved = alive[total:slots].nonzero().squeeze(1) + total  # slots beyond the new front
        fresh = alive[slots:].nonzero().squeeze(1)
        kept = total - len(fresh)
        self.survival.fill_(kept / self.occupied if self.occupied else 1.0)
        source = torch.cat([moved, fresh + slots])
        self.embeddings[places] = torch.cat([self.embeddings[moved], entrants[fresh]])
        self.entered[places] = torch.cat([self.entered[moved], self.entered.new_full((len(fresh),), self.step)])
        for buffer, values, empty in ((self.log_weights, log_weights, -torch.inf), (self.counts, counts, 0)):
            buffer[:slots] = values[:slots]
            buffer[places] = values[source].to(buffer.dtype)
            buffer[total:] = empty
        self.occupied = total

    def _generator(self) -> torch.Generator:
        """On the CPU whatever the device of the bank: the same numbers everywhere."""
        state = np.random.SeedSequence((self.seed, self.step)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(state) >> 1)


def _scheme(resampling: Resampling | str) -> Resampling:
    if not isinstance(resampling, str):
        return resampling
    if resampling not in RESAMPLING:
        raise ValueError(
            f"Particles: expected resampling to be one of {', '.join(RESAMPLING)}, found {resampling!r}. "
            "Name one, or pass a function."
        )
    return RESAMPLING[resampling]

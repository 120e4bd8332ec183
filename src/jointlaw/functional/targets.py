"""Sorted targets that projections are matched to: a drawn sample's, or their expected values."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from jointlaw.functional import ordering
from jointlaw.functional.matching import sort_values
from jointlaw.functional.slicing import Block


class UnitLaw(Protocol):
    """What matching asks of the law of one unit (all units are independent and alike)."""

    def __hash__(self) -> int:
        """By identity: tables are remembered per law."""

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Parameters: the law is ``type(law)(**law.tensors)``."""

    def draw(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw a sample on the generator's device."""

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function."""

    def raw_moments(self, order: int) -> Tensor:
        """``E x^r`` for r = 1 ... order."""


Sorted = Callable[[Block], Tensor]  # block of n slices -> [n, 1 or V, B] ascending


class Targets(ABC):
    """What sorted projections are compared with."""

    @abstractmethod
    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator) -> Sorted:
        """Prepare one step's targets for embeddings ``[V, B, D]`` (shape, device and dtype count, values do not)."""


class TwoSample(Targets):
    """The sorted projections of a sample drawn from the law, new at every step.

    A finite sample has a distance to the law of its own: perfect embeddings score above zero (the floor).

    Args:
        shared: one sample for all views (half the work); otherwise one per view as in the paper.

    Source: Kuang et al. (2026), arXiv 2602.01456. Differs from the authors' code in: nothing with ``shared=False``.
    """

    def __init__(self, shared: bool = True) -> None:
        self.shared = shared

    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator) -> Sorted:
        """Draw the sample; each block then projects and sorts it."""
        views, batch, dim = embeddings.shape
        draws = 1 if self.shared else views
        sample = law.draw(torch.Size((draws * batch, dim)), generator)
        columns = sample.to(embeddings.dtype).T.contiguous()  # [D, draws B]
        return lambda block: sort_values(block.project(columns).view(block.count, draws, batch))


class OrderStatistics(Targets):
    """Expected order statistics of ``c^T y`` for a sample of size B, without any draw.

    - Axes: from the law's own quantile function, by quadrature.
    - Slices with k <= 64 weights +-1/sqrt(k): one table per number of positive weights, by convolution.
    - All others: fourth-order Cornish-Fisher expansion in the power sums of c.
    """

    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator) -> Sorted:  # noqa: ARG002
        """Look the tables up (computed once per law and batch size)."""
        batch, device, dtype = embeddings.shape[1], embeddings.device, embeddings.dtype

        def expected(block: Block) -> Tensor:
            k = block.nonzeros
            if k is not None and k <= 64:
                table = sign_table(law, k, batch, device, dtype)
                plus = (block.power_sums()[:, 0] * k**0.5 + k).div(2).round().long()
                return table[plus].unsqueeze(1)
            coefficients = ordering.cornish_fisher(block.power_sums(), unit_cumulants(law, device, dtype))
            return (coefficients @ normal_table(batch, device, dtype)).unsqueeze(1)

        return expected


@lru_cache(maxsize=32)
def sign_table(law: UnitLaw, nonzeros: int, batch: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Expected order statistics ``[k + 1, B]`` by number of positive weights."""
    if nonzeros == 1:
        positive = ordering.expected_order_statistics(_quantile(law), batch)
        return torch.stack((-positive.flip(0), positive)).to(device, dtype)
    return ordering.sign_sums(_quantile(law), nonzeros, range(nonzeros + 1), batch).to(device, dtype)


@lru_cache(maxsize=32)
def normal_table(batch: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Moments of normal order statistics ``[5, B]``."""
    return ordering.cornish_fisher_basis(batch).to(device, dtype)


@lru_cache(maxsize=32)
def unit_cumulants(law: UnitLaw, device: torch.device, dtype: torch.dtype) -> Tensor:
    """First four cumulants of one unit."""
    return ordering.cumulants(_exact(law).raw_moments(4)).to(device, dtype)


def _exact(law: UnitLaw) -> UnitLaw:
    tensors = {name: tensor.detach().double().cpu() for name, tensor in law.tensors.items()}
    exact: UnitLaw = type(law)(**tensors)
    return exact


def _quantile(law: UnitLaw) -> Callable[[Tensor], Tensor]:
    exact = _exact(law)
    return lambda t: exact.icdf(torch.special.ndtr(t))

"""Sorted targets that projections are matched to: a drawn sample's, or their expected values."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from jointlaw.functional._slicing import Block
from jointlaw.functional._sorting import sorted_values
from jointlaw.regularizers._tables import Tables, UnitLaw

AVERAGED = 16  # drawn samples that stand for their expectation where no table is exact enough
Sorted = Callable[[Block], Tensor]  # block of n slices -> [n, 1 or V, B] ascending


class Targets(ABC):
    """What sorted projections are compared with.

    >>> from jointlaw.laws import GeneralizedGaussian
    >>> from jointlaw.regularizers import Axes, SlicedWasserstein
    >>> drawn = SlicedWasserstein(GeneralizedGaussian(2.0), Axes(), TwoSample())
    >>> exact = SlicedWasserstein(GeneralizedGaussian(2.0), Axes(), OrderStatistics())
    >>> exact.anchors(256, 32)[0] < drawn.anchors(256, 32)[0]  # a drawn sample has a distance to the law of its own
    True
    """

    @abstractmethod
    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator, tables: Tables) -> Sorted:
        """Prepare one step's targets.

        Args:
            law: of one unit, on the generator's device.
            embeddings: ``[V, B, D]``; their shape, device and dtype count, their values do not.
            generator: source of randomness for what is drawn.
            tables: expected order statistics of the law, for targets that are not drawn.
        """


class TwoSample(Targets):
    """The sorted projections of a sample drawn from the law, new at every step.

    A finite sample has a distance to the law of its own: perfect embeddings score above zero (the floor).

    Args:
        shared: one sample for all views (half the work); otherwise one per view as in the paper.

    Source: Kuang et al. (2026), arXiv 2602.01456. Differs from the authors' code in: nothing with ``shared=False``.

    >>> from jointlaw.laws import GeneralizedGaussian
    >>> from jointlaw.regularizers import SlicedWasserstein, Uniform
    >>> paper = SlicedWasserstein(GeneralizedGaussian(1.0), Uniform(64), TwoSample(shared=False))
    >>> paper(torch.zeros(2, 32, 8)).shape
    torch.Size([])
    """

    def __init__(self, shared: bool = True) -> None:
        self.shared = shared

    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator, tables: Tables) -> Sorted:
        """Draw the sample; each block then projects and sorts it."""
        return _drawn(law, 1 if self.shared else embeddings.shape[0], embeddings, generator)


class OrderStatistics(Targets):
    """Expected order statistics of ``c^T y`` for a sample of size B, without any draw.

    Given the batch size, the law of ``c^T y`` depends on c alone. Root-mean-square errors, in deviations of ``c^T y``
    at B = 256 (a sample of the law, drawn as in `TwoSample`, is .11 off for mild laws and .14 to .4 off for sharp
    ones: rectified Laplace with activity .0072 at widths 512 to 16):

    - axes: the law's own quantile function by quadrature, 1e-4;
    - k weights +-1/sqrt(k), k <= 64 (`Sparse`): one table per number of positive weights, by convolution, 1e-4 and
      at most .005 (sharp);
    - k weights +-1/sqrt(k), k > 64 (`FastOrthogonal` with Hadamard factors): a polynomial in the number of positive
      weights through seven such tables, 1e-4 and at most .004 (sharp);
    - dense slices from width 64 on: a response to ``sum c^3`` and ``sum c^4`` through template slices; for p = 1 at
      widths 64 and 128: activity .5: .004, .001; activity .12: .02, .008; activity .0072: .09, .08 and .01 at 512;
    - dense slices of fewer units: the mean of 16 drawn samples (a quarter of the error of one).

    Source: ours. Differs from the authors' code in: expected values, where theirs are drawn.

    >>> from jointlaw.laws import GeneralizedGaussian
    >>> from jointlaw.regularizers import Axes, SlicedWasserstein
    >>> distance = SlicedWasserstein(GeneralizedGaussian(2.0), Axes(), OrderStatistics())
    >>> round(distance(torch.zeros(1000, 1)).item(), 1)  # of a normal law: its variance
    1.0
    """

    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator, tables: Tables) -> Sorted:
        """Look tables up (computed once per law, width and batch size)."""
        _, batch, dim = embeddings.shape
        device, dtype = embeddings.device, embeddings.dtype

        def expected(block: Block) -> Tensor:
            k = block.nonzeros
            if k is None and dim < 64:
                return averaged(block)
            sums = block.power_sums()
            if k is not None:
                plus = (sums[:, 0] * k**0.5 + k).div(2).round().long()
                return tables.signs(k, batch, device, dtype).index_select(0, plus).unsqueeze(1)
            mean, response = tables.dense(dim, batch, device, dtype)
            return (response.at(sums[:, 2], sums[:, 3]) + mean * sums[:, :1]).unsqueeze(1)

        @cache
        def samples() -> Sorted:
            return _drawn(law, AVERAGED, embeddings, generator)

        def averaged(block: Block) -> Tensor:
            return samples()(block).mean(dim=1, keepdim=True)

        return expected


def _drawn(law: UnitLaw, draws: int, embeddings: Tensor, generator: torch.Generator) -> Sorted:
    _, batch, dim = embeddings.shape
    columns = law.draw(torch.Size((draws * batch, dim)), generator).to(embeddings.dtype).T.contiguous()
    return lambda block: sorted_values(block.project(columns).view(block.count, draws, batch))

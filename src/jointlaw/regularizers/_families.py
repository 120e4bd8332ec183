"""Families of slices: each draws the blocks of one step from a generator.

Dense slices of a wide embedding see means and covariances and next to nothing of the law's shape, because their
projections look Gaussian; sparse slices and axes see the shape but no dependence between distant units. A mixture
of both sees both. (Signal over noise of telling a rectified Laplace from an equally scaled unrectified Gaussian with
256 samples: 0.004 by a dense slice of 512 units, 2.5 by one of 8 units, 12 by an axis.)
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.functional import _slicing as slicing
from jointlaw.functional._singular import singular_vectors
from jointlaw.functional._slicing import Block
from jointlaw.functional._sorting import ranks_to_samples

ROWS = 512  # slices per dense block on CPU: a chunk of projections stays in the cache


class Slices(ABC):
    """A family of slices.

    >>> blocks = list(Axes().blocks(torch.zeros(4, 10), torch.Generator()))  # 4 units, 10 samples
    >>> [(weight, block.count) for weight, block in blocks]
    [(0.25, 4)]
    """

    @abstractmethod
    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw the blocks of one step, each with the weight of one of its slices; all weights sum to one.

        Args:
            columns: embeddings ``[D, B]`` of one view, one sample per column. Only data-dependent families read their
                values.
            generator: lives on the device of ``columns``.
        """

    def __repr__(self) -> str:
        """The call that makes it, for records of what was run."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class Uniform(Slices):
    """Slices uniform on the unit sphere, independent (normalised Gaussians).

    Source: Kuang et al. (2026), arXiv 2602.01456. Differs from the authors' code in: nothing.

    >>> [(_, block)] = Uniform(6).blocks(torch.zeros(4, 10), torch.Generator())
    >>> block.project(torch.zeros(4, 10)).shape
    torch.Size([6, 10])
    """

    def __init__(self, count: int) -> None:
        check.at_least("Uniform", 1, count=count)
        self.count = count

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw ``count`` dense slices, a few hundred at a time."""
        for rows in portions(self.count, ROWS):
            yield 1 / self.count, slicing.Dense(slicing.unit_rows((rows, columns.shape[0]), columns, generator))


class Orthogonal(Slices):
    """Slices in orthogonal bases drawn from the uniform (Haar) law; the last basis is cut to reach ``count``.

    Source: ours. Differs from the authors' code in: orthogonal slices, where theirs are independent.

    >>> [(_, block)] = Orthogonal(4).blocks(torch.zeros(4, 10), torch.Generator())
    >>> torch.allclose(block.matrix @ block.matrix.T, torch.eye(4), atol=1e-5)
    True
    """

    def __init__(self, count: int) -> None:
        check.at_least("Orthogonal", 1, count=count)
        self.count = count

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw ``ceil(count / D)`` dense orthogonal blocks."""
        dim = columns.shape[0]
        for rows in portions(self.count, dim):
            yield 1 / self.count, slicing.Dense(slicing.haar(dim, columns, generator)[:rows])


class FastOrthogonal(Slices):
    """Slices in orthogonal bases ``(A kron B) diag(signs)``, applied as transforms without any slice matrix.

    A and B are Hadamard matrices where these exist (powers of two, 12, 20, 24, 48 and others: then every slice is a
    uniformly random sign vector over sqrt(D)) and Haar orthogonal matrices, new at every step, elsewhere. Widths
    below 32 and widths without useful factors (primes, twice a prime) get dense blocks as in `Orthogonal`; from
    width 64 on a warning says so, because the speed is then that of dense blocks.

    Args:
        count: slices per step; a multiple of the width fills its bases.

    Source: ours. Differs from the authors' code in: orthogonal slices by transforms, where theirs are independent.

    >>> [(_, block)] = FastOrthogonal(32).blocks(torch.zeros(32, 10), torch.Generator())
    >>> block.nonzeros  # every slice is a sign vector over sqrt(32)
    32
    """

    def __init__(self, count: int) -> None:
        check.at_least("FastOrthogonal", 1, count=count)
        self.count = count

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw ``ceil(count / D)`` bases, as many at a time as fill a chunk."""
        dim = columns.shape[0]
        factors = slicing.factorise(dim)
        if factors is None:
            if dim >= 64:
                warnings.warn(
                    f"FastOrthogonal: width {dim} has no balanced factors, so dense orthogonal blocks are used "
                    f"(same statistics, slower). A width divisible by 16 is fast.",
                    stacklevel=2,
                )
            yield from Orthogonal(self.count).blocks(columns, generator)
            return
        left, right = (_factor(order, columns, generator) for order in factors)
        nonzeros = dim if all(slicing.has_hadamard(order) for order in factors) else None
        bases = max(1, ROWS // dim)
        for rows in portions(self.count, bases * dim):
            signs = slicing.random_signs((-(-rows // dim), dim), columns, generator)
            yield 1 / self.count, slicing.Fast(left, right, signs, rows, nonzeros)


class Sparse(Slices):
    """Slices with ``nonzeros`` weights +-1/sqrt(nonzeros) each; every block touches every unit.

    One block is a random partition of the units into ``ceil(D / nonzeros)`` index sets with random signs; where
    ``nonzeros`` does not divide D the last set borrows units of the first. The last block is cut to reach ``count``.
    Widths below ``nonzeros`` use all units in every slice.

    Args:
        count: slices per step.
        nonzeros: units that a slice sees.

    Source: ours. Differs from the authors' code in: sparse slices, where theirs are dense.

    >>> [(_, block)] = Sparse(4, nonzeros=8).blocks(torch.zeros(32, 10), torch.Generator())
    >>> block.units.flatten().sort().values.tolist() == list(range(32))
    True
    """

    def __init__(self, count: int, nonzeros: int = 8) -> None:
        check.at_least("Sparse", 1, count=count, nonzeros=nonzeros)
        self.count, self.nonzeros = count, nonzeros

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw partitions, as many at a time as fill a chunk."""
        dim = columns.shape[0]
        nonzeros = min(self.nonzeros, dim)
        sets = -(-dim // nonzeros)
        for rows in portions(self.count, sets * max(1, ROWS // sets)):
            orders = ranks_to_samples(torch.rand(-(-rows // sets), dim, generator=generator, device=columns.device))
            orders = torch.cat((orders, orders[:, : sets * nonzeros - dim]), dim=1)
            units = orders.view(-1, nonzeros)[:rows]
            signs = slicing.random_signs((rows, nonzeros), columns, generator)
            yield 1 / self.count, slicing.Sparse(units, signs, dim)


class Axes(Slices):
    """Coordinate axes: all of them (``count=None``), or ``count`` different ones at every step.

    They see each unit's own marginal, which dense slices of a wide embedding cannot.

    Args:
        count: axes per step; None takes all of them.

    Source: ours. Differs from the authors' code in: axes, where theirs are dense.

    >>> [(_, block)] = Axes().blocks(torch.zeros(4, 10), torch.Generator())
    >>> block.nonzeros
    1
    """

    def __init__(self, count: int | None = None) -> None:
        if count is not None:
            check.at_least("Axes", 1, count=count)
        self.count = count

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Give all axes, or draw some without repetition."""
        dim = columns.shape[0]
        if self.count is None or self.count >= dim:
            yield 1 / dim, slicing.Coordinates(None, dim, columns)
            return
        units = torch.randperm(dim, generator=generator, device=columns.device)[: self.count]
        yield 1 / self.count, slicing.Coordinates(units, dim, columns)


class Eigen(Slices):
    """Right singular vectors of one centred view.

    A view of B samples has ``min(B - 1, D)`` singular vectors. Their slices see every second-order term of the view
    that variance-covariance regularisation sees.

    Args:
        count: filled up with uniform slices to so many; None is the vectors alone.
        samples: the vectors are those of at most so many samples, and of at most four units per sample, all drawn anew
            at every step; None is all. It bounds the cost of the decomposition, and how far a batch's own singular
            values lie from those of its law: with many more units than samples, the samples lie along their vectors
            as no sample of the law does along fixed slices.

    Source: Kuang et al. (2026), arXiv 2602.01456, appendix.
    Differs from the authors' code in: one view's basis serves all views, rather than each its own.

    >>> z = torch.randn(32, 10, generator=torch.Generator().manual_seed(0))  # 32 units, 10 samples
    >>> [(_, block)] = Eigen().blocks(z, torch.Generator())
    >>> block.count
    9
    """

    def __init__(self, count: int | None = None, samples: int | None = None) -> None:
        _check_eigen("Eigen", count, samples)
        self.count, self.samples = count, samples

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Decompose the view and fill up; fewer slices than singular vectors raise a ``ValueError``."""
        yield from _filled(self.count, singular_vectors(columns, self.samples, generator, lower=False), generator)


class LowerEigen(Slices):
    """The half of the right singular vectors of one centred view with the least singular values.

    They spread the batch where it is thinnest.

    Args:
        count: filled up with uniform slices to so many; None is the vectors alone.
        samples: the vectors are those of at most so many samples, as in `Eigen`.

    Source: Kuang et al. (2026), arXiv 2602.01456, appendix.
    Differs from the authors' code in: one view's basis serves all views, rather than each its own.

    >>> z = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))  # 4 units, 10 samples
    >>> [(_, block)] = LowerEigen().blocks(z, torch.Generator())
    >>> block.count
    2
    """

    def __init__(self, count: int | None = None, samples: int | None = None) -> None:
        _check_eigen("LowerEigen", count, samples)
        self.count, self.samples = count, samples

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Decompose the view and fill up; fewer slices than vectors raise a ``ValueError``."""
        yield from _filled(self.count, singular_vectors(columns, self.samples, generator, lower=True), generator)


class Blend(Slices):
    """Several families: ``value = sum_f w_f * (mean over the slices of family f)``, weights normalised to sum one.

    Args:
        families: pairs ``(weight, slices)``.

    Example:
        >>> slices = Blend([(2.0, FastOrthogonal(1024)), (1.0, Sparse(512)), (1.0, Axes())])
        >>> [weight for weight, _ in slices.families]
        [0.5, 0.25, 0.25]
    """

    def __init__(self, families: Sequence[tuple[float, Slices]]) -> None:
        if not families:
            raise ValueError("Blend: expected pairs such as (0.5, Axes()), found none. Name at least one family.")
        for weight, _ in families:
            check.positive("Blend", weight=weight)
        total = sum(weight for weight, _ in families)
        self.families = [(weight / total, slices) for weight, slices in families]

    def blocks(self, columns: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
        """Draw every family in turn."""
        for share, family in self.families:
            for weight, block in family.blocks(columns, generator):
                yield share * weight, block


def portions(total: int, most: int) -> Iterator[int]:
    """Split ``total`` into parts of ``most`` and a remainder.

    >>> list(portions(10, 4))
    [4, 4, 2]
    """
    for start in range(0, total, most):
        yield min(most, total - start)


def _factor(order: int, like: Tensor, generator: torch.Generator) -> Tensor:
    matrix = slicing.hadamard(order, like)
    return slicing.haar(order, like, generator) if matrix is None else matrix


def _check_eigen(owner: str, count: int | None, samples: int | None) -> None:
    if count is not None:
        check.at_least(owner, 1, count=count)
    if samples is not None:
        check.at_least(owner, 2, samples=samples)


def _filled(count: int | None, vectors: Tensor, generator: torch.Generator) -> Iterator[tuple[float, Block]]:
    given, dim = vectors.shape
    wanted = given if count is None else count
    if wanted < given:
        raise ValueError(
            f"eigen slices: expected count >= {given}, the number of singular vectors of this batch, found {wanted}. "
            f"Raise count to {given} or more, or leave it out."
        )
    for part in vectors.split(ROWS):  # type: ignore[no-untyped-call]
        yield 1 / wanted, slicing.Dense(part)
    for rows in portions(wanted - given, ROWS):
        yield 1 / wanted, slicing.Dense(slicing.unit_rows((rows, dim), vectors, generator))

"""Blocks of slices: linear maps from columns ``[D, M]`` to projections ``[n, M]``.

Every map works on *columns* (one sample per column), so that the projections of one slice are contiguous and can
be sorted in place, and no intermediate result is ever transposed. A slice is a unit vector c in R^D.
"""

import math
from abc import ABC, abstractmethod
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from jointlaw.functional._sorting import ranks_to_samples


class Block(ABC):
    """A few slices of the unit sphere, as a linear map and its adjoint.

    Attributes:
        count: number of slices n.
        nonzeros: k where every slice has exactly k weights of size ``1/sqrt(k)``; ``None`` for slices of any shape.
            (The law of c^T y for independent, identically distributed units y then depends on c only through the
            number of its positive weights.)
    """

    count: int
    nonzeros: int | None = None

    @abstractmethod
    def project(self, columns: Tensor) -> Tensor:
        """Apply every slice: ``[D, M] -> [n, M]``."""

    @abstractmethod
    def lift(self, projections: Tensor) -> Tensor:
        """Apply the adjoint: ``[n, M] -> [D, M]``."""

    @abstractmethod
    def power_sums(self) -> Tensor:
        """Give ``sum_j c_j^r`` for r = 1 ... 4: ``[n, 4]``; the r-th cumulant of c^T y is that of y times the sum."""


class Dense(Block):
    """Slices given as the rows of a matrix ``[n, D]``."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix
        self.count = matrix.shape[0]

    def project(self, columns: Tensor) -> Tensor:
        """Apply every slice: ``[D, M] -> [n, M]``."""
        return self.matrix @ columns

    def lift(self, projections: Tensor) -> Tensor:
        """Apply the adjoint: ``[n, M] -> [D, M]``."""
        return self.matrix.T @ projections

    def power_sums(self) -> Tensor:
        """Give ``sum_j c_j^r`` for r = 1 ... 4: ``[n, 4]``."""
        square = self.matrix.square()
        sums = (self.matrix.sum(1), square.sum(1), (square * self.matrix).sum(1), square.square().sum(1))
        return torch.stack(sums, dim=1)


class Fast(Block):
    """R orthogonal bases ``(A kron B) diag(signs)`` applied as transforms: no slice matrix exists.

    ``A`` is ``[a, a]``, ``B`` is ``[b, b]``, both orthogonal, ``a b = D``; a column costs ``2 D (a + b)`` operations
    per basis instead of ``2 D^2``. Slice ``i b + j`` of a basis is ``(A_i kron B_j) * signs``.

    Args:
        left: A, orthogonal.
        right: B, orthogonal.
        signs: ``[R, D]`` entries +-1, one row per basis.
        count: the first ``count`` of the ``R D`` slices are used.
        nonzeros: D where A and B have entries of equal size (Hadamard), else ``None``.
    """

    def __init__(self, left: Tensor, right: Tensor, signs: Tensor, count: int, nonzeros: int | None) -> None:
        self.left, self.right, self.signs = left, right, signs
        self.count, self.nonzeros = count, nonzeros

    def project(self, columns: Tensor) -> Tensor:
        """Apply every slice: ``[D, M] -> [n, M]``."""
        return self._transform(self.left, self.right, self.signs.unsqueeze(-1) * columns)

    def lift(self, projections: Tensor) -> Tensor:
        """Apply the adjoint: ``[n, M] -> [D, M]``."""
        bases, dim = self.signs.shape
        if self.count < bases * dim:
            missing = projections.new_zeros(bases * dim - self.count, projections.shape[1])
            projections = torch.cat((projections, missing))
        a, b = self.left.shape[0], self.right.shape[0]
        first = self.left.T @ projections.view(bases, a, -1)  # [R, a, b M]
        second = self.right.T @ first.view(bases * a, b, -1)  # [R a, b, M]
        if bases == 1:
            return second.view(dim, -1).mul_(self.signs.T)
        return torch.einsum("rd,rdm->dm", self.signs, second.view(bases, dim, -1))

    def power_sums(self) -> Tensor:
        """Give ``sum_j c_j^r``: the same transform with powered factors, applied to the powered signs."""
        if self.nonzeros is not None:
            return equal_power_sums(self._transform(self.left, self.right, self.signs.unsqueeze(-1)), self.nonzeros)
        powers = range(1, 5)
        sums = [self._transform(self.left**r, self.right**r, (self.signs**r).unsqueeze(-1)) for r in powers]
        return torch.cat(sums, dim=1)

    def _transform(self, left: Tensor, right: Tensor, signed: Tensor) -> Tensor:
        bases, dim, width = signed.shape
        a, b = left.shape[0], right.shape[0]
        first = left @ signed.view(bases, a, b * width)  # [R, a, b M]
        second = right @ first.view(bases * a, b, width)  # [R a, b, M]
        return second.view(bases * dim, width)[: self.count]


class Sparse(Block):
    """Slices with k weights ``+-1/sqrt(k)`` over given index sets.

    Args:
        units: ``[n, k]`` unit indices.
        signs: ``[n, k]`` entries +-1.
        dim: D.
    """

    def __init__(self, units: Tensor, signs: Tensor, dim: int) -> None:
        self.units, self.dim = units, dim
        self.count, self.nonzeros = units.shape
        self.weights = signs / math.sqrt(self.nonzeros)

    def project(self, columns: Tensor) -> Tensor:
        """Apply every slice: ``[D, M] -> [n, M]``."""
        return embedding_bag(self.units, columns, per_sample_weights=self.weights, mode="sum")

    def lift(self, projections: Tensor) -> Tensor:
        """Apply the adjoint: ``[n, M] -> [D, M]``."""
        units = self.units.flatten()
        place = ranks_to_samples(units.float())  # exact below 2^24 units
        first = torch.searchsorted(units[place], torch.arange(self.dim, device=units.device))  # of each unit's slices
        weights = self.weights.flatten()[place]
        return embedding_bag(place // self.units.shape[1], projections, first, per_sample_weights=weights, mode="sum")

    def power_sums(self) -> Tensor:
        """Give ``sum_j c_j^r`` for r = 1 ... 4: ``[n, 4]``."""
        return equal_power_sums(self.weights.sum(1, keepdim=True), self.units.shape[1])


class Coordinates(Block):
    """Coordinate axes as slices.

    Args:
        units: ``[n]`` distinct unit indices, or ``None`` for all D units in order.
        dim: D.
        like: any tensor of the device and dtype wanted.
    """

    nonzeros = 1

    def __init__(self, units: Tensor | None, dim: int, like: Tensor) -> None:
        self.units, self.dim, self.like = units, dim, like
        self.count = dim if units is None else units.shape[0]

    def project(self, columns: Tensor) -> Tensor:
        """Pick the units: ``[D, M] -> [n, M]``."""
        return columns.clone() if self.units is None else columns[self.units]

    def lift(self, projections: Tensor) -> Tensor:
        """Put the units back: ``[n, M] -> [D, M]``."""
        if self.units is None:
            return projections
        return projections.new_zeros(self.dim, projections.shape[1]).index_copy_(0, self.units, projections)

    def power_sums(self) -> Tensor:
        """All ones: ``[n, 4]``."""
        return self.like.new_ones(self.count, 4)


def hadamard(order: int, like: Tensor) -> Tensor | None:
    """A Hadamard matrix ``[order, order]``, normalised to be orthogonal, or ``None`` where the constructions end.

    Paley's matrix of order q + 1 (q a prime, q = 3 mod 4), doubled by Sylvester's construction: all powers of two,
    12, 20, 24, 32, 40, 44, 48, ...
    """
    core = _paley_core(order)
    return None if core is None else _doubled(core, order).to(like)


@cache
def _doubled(core: int, order: int) -> Tensor:
    matrix = _paley(core)
    while matrix.shape[0] < order:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix / math.sqrt(order)


def _paley_core(order: int) -> int | None:
    while order > 1 and not _is_paley_prime(order - 1):
        if order % 2:
            return None
        order //= 2
    return order


def _is_paley_prime(q: int) -> bool:
    return q % 4 == 3 and all(q % d for d in range(2, math.isqrt(q) + 1))


def _paley(core: int) -> Tensor:
    matrix = torch.ones(core, core, dtype=torch.float64)
    if core > 1:
        residues = {i * i % (core - 1) for i in range(1, core - 1)}
        symbol = torch.tensor([0.0] + [1.0 if i in residues else -1.0 for i in range(1, core - 1)], dtype=torch.float64)
        place = torch.arange(core - 1)
        matrix[1:, 1:] = symbol[(place[:, None] - place) % (core - 1)] - torch.eye(core - 1)
        matrix[0, 1:] = 1.0
    return matrix


def haar(dim: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """An orthogonal matrix ``[dim, dim]`` of the uniform (Haar) law, from the QR factors of a Gaussian matrix."""
    gaussian = torch.randn(dim, dim, generator=generator, device=like.device, dtype=like.dtype)
    basis, upper = torch.linalg.qr(gaussian)
    return torch.mul(basis, upper.diagonal().sign())  # QR alone is not uniform: its column signs are conventional


def equal_power_sums(sums: Tensor, nonzeros: int) -> Tensor:
    """Power sums ``[n, 4]`` of slices with k weights +-1/sqrt(k), from their sums ``[n, 1]``."""
    ones = torch.ones_like(sums)
    return torch.cat((sums, ones, sums / nonzeros, ones / nonzeros), dim=1)


def random_signs(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent fair signs +-1."""
    bits = torch.randint(0, 2, shape, generator=generator, device=like.device)
    return (2 * bits - 1).to(like.dtype)


def unit_rows(shape: tuple[int, int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Rows uniform on the unit sphere: normalised Gaussians."""
    rows = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
    return torch.nn.functional.normalize(rows, dim=1)


def factorise(dim: int) -> tuple[int, int] | None:
    """Factors ``a <= b`` with ``a b = dim`` of a fast transform, or ``None`` where a transform does not pay.

    A transform costs ``a + b`` where a dense block costs ``dim``. It pays from ``dim = 32`` on if ``a + b`` is at
    most half of ``dim``, which primes and twice a prime never reach. Factors that both have a Hadamard matrix come
    first (their slices have weights of equal size), then the most balanced.
    """
    if dim < 32:
        return None
    pairs = [(a, dim // a) for a in range(math.isqrt(dim), 1, -1) if dim % a == 0]
    worthy = [(a, b) for a, b in pairs if 2 * (a + b) <= dim]
    equal = [pair for pair in worthy if all(has_hadamard(order) for order in pair)]
    return next(iter(equal + worthy), None)


def has_hadamard(order: int) -> bool:
    """Whether `hadamard` gives a matrix of this order."""
    return _paley_core(order) is not None

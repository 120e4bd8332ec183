"""The scale of a Gaussian: a Cholesky factor, or the standard deviations of independent coordinates."""

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from jointlaw.functional._linalg import cholesky, gram, lower_factor, multiply, whiten, wide
from jointlaw.functional._mixtures import log_det


class Root(ABC):
    """A square root L of covariances S = L L^T; batch dimensions of size 1 are shared and never copied.

    Args:
        tensor: the square roots.
        dim: E.
    """

    constraint: constraints.Constraint
    event_dim: int

    def __init__(self, tensor: Tensor, dim: int) -> None:
        self.tensor, self.dim = tensor, dim

    @property
    def batch_shape(self) -> Size:
        """The shape beside the event."""
        return self.tensor.shape[: self.tensor.ndim - self.event_dim]

    @abstractmethod
    def whiten(self, x: Tensor) -> Tensor:
        """L^-1 x of ``[*, E]``."""

    @abstractmethod
    def multiply(self, x: Tensor) -> Tensor:
        """L x of ``[*, E]``."""

    @abstractmethod
    def log_det(self) -> Tensor:
        """Log det L ``[*]``, float64."""

    @abstractmethod
    def variance(self) -> Tensor:
        """Diagonal of S ``[*, E]``."""

    @abstractmethod
    def covariance(self) -> Tensor:
        """S ``[*, E, E]``."""

    @abstractmethod
    def head(self, dim: int) -> "Root":
        """The square root of the first ``dim`` coordinates."""

    @abstractmethod
    def tail(self, dim: int) -> "Root":
        """The square root of all but the first ``dim`` coordinates, given those."""

    @abstractmethod
    def regress(self, x: Tensor, dim: int) -> Tensor:
        """Linear prediction of the tail from the first ``dim`` coordinates, S_tc S_cc^-1 x (a scalar 0 if none)."""

    @abstractmethod
    def swap(self, dim: int) -> "Root":
        """The square root with the first ``dim`` coordinates moved to the end."""

    @abstractmethod
    def ratio(self, other: Self) -> Tensor:
        """Trace of S^-1 S' ``[*]`` for another scale of the same form."""

    @abstractmethod
    def midpoint(self, other: Self) -> Self:
        """A square root of (S + S') / 2."""

    @abstractmethod
    def attract(self, share: Tensor, loc: Tensor) -> Tensor:
        """(sum_k r_k S_k^-1)^-1 sum_k r_k S_k^-1 m_k ``[*, P, E]`` for shares r ``[*, P, K]`` and ``[*, K, E]``."""

    @abstractmethod
    def factor(self) -> "Factor":
        """The same square roots as matrices."""

    def double(self) -> Self:
        """In float64."""
        return type(self)(self.tensor.double(), self.dim)

    def spread(self) -> Self:
        """With room for points before the components, ``[*, 1, K]``."""
        return type(self)(self.tensor.unsqueeze(-2 - self.event_dim), self.dim)

    def component(self, k: int) -> Self:
        """Component k with its place kept, ``[*, 1]``; all components where they share."""
        axis = -1 - self.event_dim
        return type(self)(self.tensor.narrow(axis, k if self.own(-1) else 0, 1), self.dim)

    def own(self, axis: int) -> bool:
        """Whether the batch dimension ``axis`` has entries of its own."""
        return self.batch_shape[axis] != 1


class Factor(Root):
    """Lower triangular ``[*, E, E]``."""

    constraint = constraints.lower_cholesky
    event_dim = 2

    def whiten(self, x: Tensor) -> Tensor:
        """By a triangular solve."""
        return whiten(x, wide(self.tensor))

    def multiply(self, x: Tensor) -> Tensor:
        """By a matrix product."""
        return multiply(x, wide(self.tensor))

    def log_det(self) -> Tensor:
        """Of the diagonal."""
        return log_det(self.tensor, matrix=True, dim=self.dim)

    def variance(self) -> Tensor:
        """Squared rows."""
        return wide(self.tensor).square().sum(-1)

    def covariance(self) -> Tensor:
        """Their inner products."""
        return gram(wide(self.tensor))

    def head(self, dim: int) -> "Factor":
        """The leading block."""
        return Factor(self.tensor[..., :dim, :dim], dim)

    def tail(self, dim: int) -> "Factor":
        """The trailing block: the Schur complement is its Gram matrix."""
        return Factor(self.tensor[..., dim:, dim:], self.dim - dim)

    def regress(self, x: Tensor, dim: int) -> Tensor:
        """L_tc L_cc^-1 x."""
        return multiply(whiten(x, wide(self.tensor[..., :dim, :dim])), wide(self.tensor[..., dim:, :dim]))

    def swap(self, dim: int) -> "Factor":
        """By QR of the permuted rows."""
        rows = wide(self.tensor)
        root = lower_factor(torch.cat([rows[..., dim:, :], rows[..., :dim, :]], -2))
        return Factor(root.to(self.tensor.dtype), self.dim)

    def ratio(self, other: Self) -> Tensor:
        """|L^-1 L'|_F^2."""
        white: Tensor = torch.linalg.solve_triangular(wide(self.tensor), wide(other.tensor), upper=False)
        return white.square().sum((-2, -1))

    def midpoint(self, other: Self) -> Self:
        """By Cholesky."""
        return type(self)(cholesky((self.covariance() + other.covariance()) / 2), self.dim)

    def attract(self, share: Tensor, loc: Tensor) -> Tensor:
        """By one solve per point, with the points one after the other."""
        if not self.own(-1):
            return share @ loc
        precision = torch.cholesky_inverse(self.tensor)  # [*, K, E, E]
        pull = multiply(loc, precision)
        flat = precision.flatten(-2)
        points = []
        for each in share.unbind(-2):
            total = (each.unsqueeze(-2) @ flat).reshape(*each.shape[:-1], self.dim, self.dim)  # [*, E, E]
            points.append(torch.linalg.solve(total, (each.unsqueeze(-2) @ pull).squeeze(-2)))
        return torch.stack(points, -2)

    def factor(self) -> "Factor":
        """As they are."""
        return self


class Deviations(Root):
    """Standard deviations of independent coordinates ``[*, E]``, or one for all of them ``[*, 1]``."""

    constraint = constraints.independent(constraints.positive, 1)  # type: ignore[no-untyped-call]
    event_dim = 1

    def whiten(self, x: Tensor) -> Tensor:
        """By division."""
        return x / wide(self.tensor)

    def multiply(self, x: Tensor) -> Tensor:
        """By scaling."""
        return x * wide(self.tensor)

    def log_det(self) -> Tensor:
        """Of all coordinates."""
        return log_det(self.tensor, matrix=False, dim=self.dim)

    def variance(self) -> Tensor:
        """Squares."""
        return wide(self.tensor).square().expand(*self.tensor.shape[:-1], self.dim)

    def covariance(self) -> Tensor:
        """Diagonal."""
        return torch.diag_embed(self.variance())

    def head(self, dim: int) -> "Deviations":
        """Leading deviations."""
        return Deviations(self.tensor[..., :dim], dim)

    def tail(self, dim: int) -> "Deviations":
        """Trailing deviations."""
        return Deviations(self.tensor if self.spherical else self.tensor[..., dim:], self.dim - dim)

    def regress(self, x: Tensor, dim: int) -> Tensor:
        """Zero: coordinates are independent."""
        return x.new_zeros(())

    def swap(self, dim: int) -> "Deviations":
        """Permuted."""
        if self.spherical:
            return self
        return Deviations(torch.cat([self.tensor[..., dim:], self.tensor[..., :dim]], -1), self.dim)

    def ratio(self, other: Self) -> Tensor:
        """Summed over coordinates."""
        return (other.variance() / self.variance()).sum(-1)

    def midpoint(self, other: Self) -> Self:
        """The root of the mean square."""
        return type(self)(((self.variance() + other.variance()) / 2).sqrt(), self.dim)

    def attract(self, share: Tensor, loc: Tensor) -> Tensor:
        """By division."""
        if not self.own(-1):
            return share @ loc
        precision = 1 / self.variance()
        return (share @ (precision * loc)) / (share @ precision)

    def factor(self) -> Factor:
        """Diagonal matrices."""
        return Factor(torch.diag_embed(self.tensor.expand(*self.tensor.shape[:-1], self.dim)), self.dim)

    @property
    def spherical(self) -> bool:
        """Whether one deviation serves all coordinates."""
        return self.tensor.shape[-1] == 1


def root_of(where: str, loc: Tensor, tensor: Tensor) -> Root:
    """Tell a factor (one dimension more than ``loc``) from deviations (as many).

    Raises:
        ValueError: if the shape is neither ``[*, E, E]`` nor ``[*, E]`` nor ``[*, 1]``, or a dtype is not floating.
    """
    dim = loc.shape[-1] if loc.ndim else 0
    matrix = tensor.ndim == loc.ndim + 1 and tuple(tensor.shape[-2:]) == (dim, dim)
    vector = tensor.ndim == loc.ndim and dim > 0 and tensor.shape[-1] in (1, dim)
    if not (matrix or vector) or not dim:
        raise ValueError(
            f"{where}: expected loc [*, E] with E >= 1, and scale_tril either a lower factor [*, E, E], with one "
            f"dimension more than loc, or deviations [*, E] or [*, 1], with as many; found loc {list(loc.shape)} and "
            f"scale_tril {list(tensor.shape)}. One scale shared along a dimension has size 1 there: scale_tril[None]."
        )
    if loc.dtype != tensor.dtype or not loc.is_floating_point():
        raise ValueError(
            f"{where}: expected loc and scale_tril of one floating dtype, found {loc.dtype} and {tensor.dtype}. "
            "Convert them with .to(dtype)."
        )
    return Factor(tensor, dim) if matrix else Deviations(tensor, dim)

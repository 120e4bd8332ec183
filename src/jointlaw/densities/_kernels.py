"""Kernels as modules, with hyper-parameters that are learned or held."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.functional import _features as features
from jointlaw.functional import _kernels as kernels

_MATERN = {0.5: kernels.matern12, 1.5: kernels.matern32, 2.5: kernels.matern52}


def logarithm(*values: float) -> Tensor:
    """Logarithms of hyper-parameters, each the nearest number of torch's default type on every processor.

    ``torch.tensor(value).log()`` would depend on the processor's vector instructions in the last digit.
    """
    return torch.tensor([math.log(value) for value in values])


class Kernel(nn.Module, ABC):
    """A positive definite function of two points; ``kernel(x)`` is the matrix K of a set with itself.

    Hyper-parameters are kept as logarithms, which no gradient step makes negative.

    >>> kernel = RBF(length=0.5, variance=2.0)
    >>> kernel(torch.zeros(4, 3), torch.zeros(5, 3)).shape, kernel.diagonal(torch.zeros(4, 3))[0].item()
    (torch.Size([4, 5]), 2.0)
    """

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return k(x_i, y_j) ``[*, B, M]`` of ``x`` ``[*, B, d]`` and ``y`` ``[*, M, d]`` (default: ``x``)."""

    @abstractmethod
    def diagonal(self, x: Tensor) -> Tensor:
        """Return k(x_i, x_i) ``[*, B]``."""


class Stationary(Kernel):
    """A kernel of differences: variance times a function of r = ||(x - y) / length||.

    Args:
        length: length scale in embedding units; one number, or one per coordinate.
        variance: k(x, x), in squared units of the target.
        learned: whether marginal likelihood or gradient may change both; False holds them as they are.

    Raises:
        ValueError: if a length or the variance is not above zero.
    """

    def __init__(self, length: float | Sequence[float] = 1.0, variance: float = 1.0, learned: bool = True) -> None:
        super().__init__()
        where = type(self).__name__
        lengths = [float(length)] if isinstance(length, float | int) else list(length)
        check.at_least(where, 1, lengths=len(lengths))
        for value in lengths:
            check.positive(where, length=value)
        check.positive(where, variance=variance)
        self.log_length = nn.Parameter(logarithm(*lengths), requires_grad=learned)  # [1] or [d]
        self.log_variance = nn.Parameter(logarithm(variance)[0], requires_grad=learned)

    @property
    def length(self) -> Tensor:
        """Length scales, ``[1]`` or ``[d]``."""
        return self.log_length.exp()

    @property
    def variance(self) -> Tensor:
        """k(x, x)."""
        return self.log_variance.exp()

    def diagonal(self, x: Tensor) -> Tensor:
        """The variance, ``[*, B]``."""
        return self.variance.expand(x.shape[:-1])

    @abstractmethod
    def frequencies(self, dim: int, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw frequencies ``[dim, count]`` from the spectral law of the kernel of length one."""


class RBF(Stationary):
    """Radial basis function kernel, variance * exp(-r^2 / 2): smooth functions.

    Arguments as for :class:`Stationary`.

    >>> RBF(length=0.5)(torch.zeros(1, 1), torch.ones(1, 1)).log().item()
    -2.0
    """

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the matrix ``[*, B, M]``."""
        return self.variance * kernels.rbf(x, y, self.length)

    def frequencies(self, dim: int, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw standard normal frequencies ``[dim, count]``."""
        return features.gaussian_frequencies(dim, count, generator)


class Matern(Stationary):
    """Matern kernel: functions that are differentiable less than ``smoothness`` times.

    Args:
        smoothness: 0.5, 1.5 or 2.5.
        length: length scale in embedding units; one number, or one per coordinate.
        variance: k(x, x), in squared units of the target.
        learned: whether marginal likelihood or gradient may change length and variance.

    Raises:
        ValueError: if the smoothness is another, or a length or the variance is not above zero.

    Source: Rasmussen and Williams (2006), eq. 4.14 and 4.17.
    Differs from the authors' code in: nothing.

    >>> Matern(0.5)(torch.zeros(1, 1), torch.ones(1, 1)).log().item()
    -1.0
    """

    def __init__(
        self,
        smoothness: float = 2.5,
        length: float | Sequence[float] = 1.0,
        variance: float = 1.0,
        learned: bool = True,
    ) -> None:
        super().__init__(length, variance, learned)
        if smoothness not in _MATERN:
            raise ValueError(
                f"Matern: expected smoothness 0.5, 1.5 or 2.5, found {smoothness}. RBF is the limit of large ones."
            )
        self.smoothness = smoothness

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the matrix ``[*, B, M]``."""
        return self.variance * _MATERN[self.smoothness](x, y, self.length)

    def frequencies(self, dim: int, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw frequencies ``[dim, count]`` of a multivariate t law."""
        return features.student_frequencies(dim, count, self.smoothness, generator)


class Linear(Kernel):
    """Linear kernel, variance * x^T y: linear functions through the origin.

    Args:
        variance: of the functions' coefficients.
        learned: whether marginal likelihood or gradient may change it.

    Raises:
        ValueError: if the variance is not above zero.

    Source: Rasmussen and Williams (2006), section 4.2.2.
    Differs from the authors' code in: nothing; without a constant term.

    >>> Linear(variance=2.0)(torch.ones(1, 3)).item()
    6.0
    """

    def __init__(self, variance: float = 1.0, learned: bool = True) -> None:
        super().__init__()
        check.positive("Linear", variance=variance)
        self.log_variance = nn.Parameter(logarithm(variance)[0], requires_grad=learned)

    @property
    def variance(self) -> Tensor:
        """Variance of the functions' coefficients."""
        return self.log_variance.exp()

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the matrix ``[*, B, M]``."""
        return self.variance * kernels.linear(x, y)

    def diagonal(self, x: Tensor) -> Tensor:
        """Variance times the squared norm, ``[*, B]``."""
        return self.variance * x.square().sum(-1)

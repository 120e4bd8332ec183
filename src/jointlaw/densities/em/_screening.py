"""Log-densities under Gaussians with a factor each, where most of the components are out of the question.

Float32 finds, at half the cost, which components may matter for a sample; float64 visits those alone.
"""

import torch
from torch import Tensor

from jointlaw.functional._mixtures import LOG_2PI
from jointlaw.functional._triangular import lower_inverse

MARGIN = 108.0  # nats below the best component: three times the rounding of float64, so that weights cannot matter
DENSE = 0.5  # share of the components that matter above which looking first does not pay
SMALLEST = 32  # coordinates below which it does not pay either


class Whitened:
    """Log N(x; m_k, S_k) for blocks of samples ``[n, E]``, as ``[n, K]``, in nats.

    In float64 the result is -inf for a component more than ``MARGIN`` below the best one.

    Args:
        loc: means ``[K, E]``.
        factor: Cholesky factors ``[K, E, E]``.
    """

    def __init__(self, loc: Tensor, factor: Tensor) -> None:
        # No gradient is needed here: a product with the inverse factor costs half as much as a solve.
        self.whitening = lower_inverse(factor).mT.contiguous()
        self.shift = -(loc.unsqueeze(1) @ self.whitening).squeeze(1)  # [K, E]
        log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        self.peak = (-0.5 * loc.shape[1] * LOG_2PI - log_det)[:, None]  # [K, 1]
        screened = loc.dtype == torch.float64 and loc.shape[1] >= SMALLEST and len(loc) > 2
        self.screen = _Screen(self) if screened else None

    def __call__(self, x: Tensor) -> Tensor:
        """Visit the components in turn."""
        if self.screen is None:
            return (self.peak - 0.5 * _distances(x, self.shift, self.whitening)).T
        kept = self.screen(x)
        if float(kept.double().mean()) > DENSE:
            self.screen = None
        distance = x.new_full(kept.shape, torch.inf)
        for k, mask in enumerate(kept):
            rows = mask.nonzero().squeeze(1)
            white = torch.addmm(self.shift[k], x[rows], self.whitening[k])
            distance[k, rows] = torch.linalg.vecdot(white, white)
        return (self.peak - 0.5 * distance).T


class _Screen:
    """Bounds on the float64 log-densities from float32 distances and their largest possible error."""

    def __init__(self, exact: Whitened) -> None:
        self.shift, self.whitening, self.peak = (part.float() for part in (exact.shift, exact.whitening, exact.peak))
        self.size = self.whitening.flatten(1).norm(dim=1)[:, None]  # [K, 1]
        self.distance = self.shift.norm(dim=1)[:, None]
        self.rounding = (self.shift.shape[1] + 8) * torch.finfo(torch.float32).eps

    def __call__(self, x: Tensor) -> Tensor:
        """Which components ``[K, n]`` may come within the margin of the best."""
        x = x.float()
        length = _distances(x, self.shift, self.whitening).sqrt_()
        # |fl(x W + s) - (x W + s)| <= (E + 2) u (|x| |W|_F + |s|); the length itself is rounded, too.
        error = self.rounding * (x.norm(dim=1) * self.size + self.distance + length)
        best = (self.peak - 0.5 * (length + error).square()).amax(0)
        most = self.peak - 0.5 * (length - error).clamp(min=0).square()
        slack = self.rounding * (self.peak.abs() + best.abs()) + MARGIN
        possible: Tensor = ~(most < best - slack)
        return possible  # NaN and overflow count as possible


def _distances(x: Tensor, shift: Tensor, whitening: Tensor) -> Tensor:
    result = x.new_empty(len(shift), len(x))
    for k in range(len(shift)):
        white = torch.addmm(shift[k], x, whitening[k])
        torch.linalg.vecdot(white, white, out=result[k])
    return result

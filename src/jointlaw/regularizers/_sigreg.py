"""SIGReg: characteristic functions against the standard normal law's, over slices or over all directions."""

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw._untraced import untraced
from jointlaw.distributed import gather, mean_across_ranks, world_size
from jointlaw.functional._characteristic import sliced_characteristic, sphere_characteristic
from jointlaw.laws import GeneralizedGaussian, Law
from jointlaw.regularizers._draws import seeded, shared_out
from jointlaw.regularizers._families import Slices, Uniform
from jointlaw.regularizers._regularizer import Regularizer, as_views


class SIGReg(Regularizer):
    r"""Distance of the batch's sliced characteristic functions from the standard normal law's.

    .. math:: \frac{1}{V N} \sum_{v, i} B \int \left| \tfrac{1}{B} \sum_b e^{i t \, c_i^\top z_{v b}} - e^{-t^2/2}
        \right|^2 e^{-t^2/2} \, dt

    by the trapezoid rule on 17 nodes in [0, 3], doubled for t < 0. Reductions: per view, mean over views and slices,
    *times* the number of samples B of all processes. Dimensionless: about 1.05 for samples of the law, 0.40 B for a
    batch that has collapsed to the origin. Slices come from a generator seeded by ``(seed, step)``: the same on every
    process, and again after a restart; those that depend on the batch are of one view, as in `SlicedWasserstein`.

    Args:
        slices: the family of slices (default: 1,024 uniform ones).
        seed: determines, together with the step, the slices of a step.
        share: let each process treat its part of the slices, as in `SlicedWasserstein`.

    Source: Balestriero and LeCun (2025), arXiv 2511.08544, SIGReg with the Epps-Pulley statistic.
    Differs from the authors' code in: nothing but rounding. (Published forms differ among themselves in pooling views
    and in the factor B.)

    >>> z = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> bool(SIGReg()(z) < 2), round(SIGReg()(torch.zeros(200, 4)).item() / 200, 2)
    (True, 0.4)
    """

    def __init__(self, slices: Slices | None = None, seed: int = 0, share: bool = False) -> None:
        super().__init__()
        check.non_negative("SIGReg", seed=seed)
        self.slices = Uniform(1024) if slices is None else slices
        self.seed = seed
        self.share = share
        self.step = 0

    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``."""
        value: Tensor = self._statistic(gather(as_views("SIGReg", z), dim=-2))
        return mean_across_ranks(value) if self.share else value

    @property
    def law(self) -> Law:
        """Standard normal."""
        return GeneralizedGaussian(2.0)

    def update(self) -> None:
        """Draw new slices from now on."""
        self.step += 1

    def get_extra_state(self) -> Tensor:
        """The step counter."""
        return torch.tensor(self.step, dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the step counter."""
        self.step = int(state)

    @untraced  # one graph break: blocks are drawn lazily
    def _statistic(self, z: Tensor) -> Tensor:
        views, batch, dim = z.shape
        with torch.autocast(z.device.type, enabled=False):
            exact = z if z.dtype == torch.float64 else z.float()
            columns = exact.reshape(views * batch, dim).T.contiguous()  # [D, V B]
            turn = exact[self.step % views].detach().T  # the view that data-dependent slices are made for
            blocks = self.slices.blocks(turn, seeded(z.device, self.seed, self.step, 0))
            return sliced_characteristic(columns, views, shared_out(blocks) if self.share else blocks)


class SphereSIGReg(Regularizer):
    r"""SIGReg averaged over every direction of the sphere: its exact value and gradient, without slices.

    What `SIGReg` tends to with ever more uniform slices, at a cost of ``O(B^2 D)``: the mean of cos(t c.x) over the
    sphere is, up to a power, a Bessel function of t |x|, so that distances between samples are all it needs. Reductions
    and units are those of `SIGReg`. It has neither slices nor seeds nor state. Each of several processes treats the
    rows of its own samples against those of all.

    Prefer it where the batch is no larger than a few times the number of slices one would take; ``SIGReg`` costs
    ``O(B D N)``.

    Raises:
        ValueError: for embeddings of one unit, which have no sphere to average over.

    Source: ours, for SIGReg of Balestriero and LeCun (2025), arXiv 2511.08544.

    Differs from the authors' code in: the mean over all directions takes the place of that over drawn ones.

    >>> z = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    >>> bool((SphereSIGReg()(z) - SIGReg()(z)).abs() < 0.05)
    True
    """

    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``."""
        rows = as_views("SphereSIGReg", z)
        part = sphere_characteristic(rows, gather(rows.detach(), dim=-2))
        return mean_across_ranks(part) * world_size()  # parts of all processes add up

    @property
    def law(self) -> Law:
        """Standard normal."""
        return GeneralizedGaussian(2.0)

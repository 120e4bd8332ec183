"""Sliced Wasserstein distance to a law of independent, identically distributed units."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw._untraced import untraced
from jointlaw.densities import Fitted
from jointlaw.densities._fitted import held_unit
from jointlaw.distributed import gather, mean_across_ranks
from jointlaw.functional._matching import Piece, streamed_wasserstein
from jointlaw.laws import Law
from jointlaw.regularizers._draws import seeded, shared_out
from jointlaw.regularizers._families import Axes, Blend, FastOrthogonal, LowerEigen, Slices, Sparse
from jointlaw.regularizers._regularizer import Regularizer, as_views
from jointlaw.regularizers._tables import Tables
from jointlaw.regularizers._targets import OrderStatistics, Targets

_IN_USE: WeakKeyDictionary[Fitted, tuple[list[tuple[Tensor, int]], Tables]] = WeakKeyDictionary()
"""The tables of the laws that are being matched, with the tensors and their versions to which they belong.

Outside of the modules, whose forward pass changes nothing, for it is but a memo: values do not depend on it. It keeps
the tables of a law alive until the last module that matches to this law is gone.
"""


def tables_of(held: Fitted) -> Tables:
    """The tables of the law that a module holds; its values are looked at when its tensors have changed."""
    buffers = list(held.buffers())
    versions, tables = _IN_USE.get(held, ([], None))
    same = len(versions) == len(buffers) and all(
        now is then and now._version == version for now, (then, version) in zip(buffers, versions, strict=True)
    )
    if tables is None or not same:
        tables = Tables.of(held.law)
        _IN_USE[held] = [(buffer, buffer._version) for buffer in buffers], tables
    return tables


class SlicedWasserstein(Regularizer):
    r"""Sliced 2-Wasserstein distance between the batch and a law of independent, identically distributed units.

    .. math:: \sum_i w_i \frac{1}{V B} \sum_{v, b} (\operatorname{sort}(Z_v c_i)_b - t_{i b})^2

    Reductions: mean over views and batch, mean over the slices of a family, weighted mean over families.
    Units: squared embedding units. The batch is that of all processes. Slices and sampled targets come from a
    generator seeded by ``(seed, step)``: the same on every process, and again after a restart. Slices that depend on
    the batch are those of one view, the views taking turns from step to step: the least directions of several views
    together would be those in which the views of a sample differ, which are to vanish.

    Args:
        law: of one unit; its tensors become buffers.
        slices: the family of slices along which batch and law are compared (default: `default_slices`).
        targets: what sorted projections are compared with (default: `OrderStatistics`).
        seed: determines, together with the step, the slices and drawn targets of a step.
        share: let each process match its part of the slices (every W-th block of a few hundred, of W processes) to the
            batch of all; the same value and gradient, and a cost per process that does not grow with W. Otherwise
            every process matches all slices.

    Source: Kuang et al. (2026), arXiv 2602.01456 (there: RDMReg, uniform slices, a sample of the law per view).
    Differs from the authors' code in: default slices and targets; ``Uniform(8192)`` with
    ``TwoSample(shared=False)`` is theirs.

    >>> from jointlaw.laws import RectifiedGeneralizedGaussian
    >>> law = RectifiedGeneralizedGaussian.with_activity(0.2)
    >>> distance = SlicedWasserstein(law)
    >>> z = law.sample((128, 64), torch.Generator().manual_seed(0))
    >>> floor, collapse = distance.anchors(batch=128, dim=64)
    >>> bool(distance(z) < 1.2 * floor < collapse)
    True
    """

    def __init__(
        self,
        law: Law,
        slices: Slices | None = None,
        targets: Targets | None = None,
        seed: int = 0,
        share: bool = False,
    ) -> None:
        super().__init__()
        check.non_negative("SlicedWasserstein", seed=seed)
        self.fixed = held_unit("SlicedWasserstein", law)
        self.slices = default_slices() if slices is None else slices
        self.targets = OrderStatistics() if targets is None else targets
        self.seed = seed
        self.share = share
        self.step = 0

    @property
    def law(self) -> Law:
        """The law on the device of the module."""
        return self.fixed.law

    def forward(self, z: Tensor) -> Tensor:
        """Measure embeddings ``[B, D]`` or views of them ``[V, B, D]``."""
        z = gather(as_views("SlicedWasserstein", z), dim=-2)
        if self.share:
            return mean_across_ranks(self._distance(z, self.step, share=True))
        distance: Tensor = self._distance(z, self.step)
        return distance

    def update(self) -> None:
        """Draw new slices and samples from now on."""
        self.step += 1

    def anchors(self, batch: int, dim: int, draws: int = 4) -> tuple[float, float]:
        """The value for embeddings drawn from the law (mean over a few draws) and for all-zero embeddings.

        Args:
            batch: B, samples of all processes together.
            dim: D, width of the embeddings.
            draws: batches drawn from the law for the first value.
        """
        check.at_least("SlicedWasserstein.anchors", 2, batch=batch)
        check.at_least("SlicedWasserstein.anchors", 1, dim=dim, draws=draws)
        with torch.no_grad():
            generator = seeded(next(self.fixed.buffers()).device, self.seed, 0, 2)
            perfect = self.law.draw(torch.Size((draws, 1, batch, dim)), generator)
            floor = torch.stack([self._distance(z, step) for step, z in enumerate(perfect)]).mean()
            collapse = self._distance(torch.zeros_like(perfect[0]), 0)
        return float(floor), float(collapse)

    def get_extra_state(self) -> Tensor:
        """The step counter."""
        return torch.tensor(self.step, dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the step counter."""
        self.step = int(state)

    @untraced  # one graph break: slices are drawn lazily
    def _distance(self, z: Tensor, step: int, share: bool = False) -> Tensor:
        views, batch, dim = z.shape
        with torch.autocast(z.device.type, enabled=False):
            exact = z if z.dtype == torch.float64 else z.float()
            columns = exact.reshape(views * batch, dim).T.contiguous()  # [D, V B]
            generator = seeded(z.device, self.seed, step, 1)
            target = self.targets.of(self.law, exact.detach(), generator, tables_of(self.fixed))
            turn = exact[step % views].detach().T  # the view that data-dependent slices are made for
            blocks = self.slices.blocks(turn, seeded(z.device, self.seed, step, 0))
            own = shared_out(blocks) if share else blocks
            pieces = (Piece(weight, block, target(block)) for weight, block in own)
            return streamed_wasserstein(columns, views, pieces)


def default_slices() -> Blend:
    """The default families, with their weights: what each of them sees.

    - dense orthogonal slices (.4): dependence between units;
    - sparse slices (.2) and axes (.2): the shape of the law;
    - lower singular vectors of a view of the batch (.2; of 128 samples and 512 units): directions that the batch
      leaves empty. They fill the space, and vary from step to step as those samples do: at batch 256 and width 512
      the squared error of the gradient is five times that of the other families alone. A weight of .08 would make it
      a third of this one's, at the price of the rank.

    >>> [(round(weight, 2), type(slices).__name__) for weight, slices in default_slices().families]
    [(0.4, 'FastOrthogonal'), (0.2, 'Sparse'), (0.2, 'Axes'), (0.2, 'LowerEigen')]
    """
    dense, sparse, lower = FastOrthogonal(1024), Sparse(512), LowerEigen(samples=128)
    return Blend([(0.4, dense), (0.2, sparse), (0.2, Axes()), (0.2, lower)])

"""Prototypes that grow while an encoder learns: a joint mixture about the vertices of a growing neural gas."""

from typing import Literal, get_args

import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor, nn

from jointlaw import _check as check
from jointlaw.densities import _gas_batch as gas
from jointlaw.densities._gas_graph import NO_EDGE, Growth
from jointlaw.densities._moving import moving_rate
from jointlaw.densities._prototypes import JointPrototypes, unit_blocks
from jointlaw.densities._scales import ComponentScale, MovingScale
from jointlaw.distributed import gather
from jointlaw.functional._linalg import wide, without_autocast
from jointlaw.laws import JointMixture
from jointlaw.laws._blocks import check_split, check_width

Movers = Literal["gas", "both"]
MOST = 4096  # vertices, whose edges take 128 MiB
IDLE = 0.1  # share of an average vertex's samples below which a vertex counts as idle


class GrowingPrototypes(JointPrototypes):
    r"""A Gaussian mixture over joint embeddings whose components are vertices of a growing neural gas.

    Every ``update`` presents a batch to the graph, as `GrowingNeuralGas` does sample by sample: winners and their
    neighbours move towards the samples, errors accumulate, edges age and are severed, and a vertex is put where the
    error is largest. The vertices are the means of the mixture; the other parts follow what they win,

    .. math:: \pi_k \propto \langle n_k / n \rangle, \qquad
              S_k = \langle \textstyle\sum_{b \text{ won by } k} (Z_b - m_k)(Z_b - m_k)^\top / n \rangle / \pi_k

    where <.> are moving averages over batches (S is shared by default; see ``scale``). A new vertex takes a third of
    the share of each of the two between which it is put. The gradient of ``loss`` reaches the embeddings, which pulls
    them to the vertices; the graph follows them. Whatever the graph is, it is made of samples of past batches.

    How many vertices there are, the data decide, up to a limit: a vertex is removed where the error that its samples
    would add to the others' is less than 1 / ``utility`` of the largest error (so are those that the embeddings left
    behind, which win nothing), or where its last edge was severed.

    A batch is presented at once: winners are those before it, and positions are the mean of the sample-by-sample form
    over all orders of the batch, given these winners and the edges before it. The samples are those of all processes,
    and all of them reach the same graph. Before the first update there are two vertices at random places, which the
    first update puts on its first two samples.

    Args:
        dim: width E of the joint embedding.
        split: how many leading coordinates are the context; None for a law of one block.
        most: number of vertices at which the graph stops growing.
        growth: the constants of the gas, per sample.
        utility: how many times the largest error may exceed the least utility of a vertex; None removes no vertex for
            that.
        momentum: share of the past that the weights keep per batch.
        scale: where the covariance comes from (default: a `MovingScale` shared by all components).
        moves: what moves the vertices: the "gas", or "both" the gas and the gradient.
        sphere: vertices stay on the unit sphere, block by block where there is a split.

    Raises:
        ValueError: if a number is out of range, the split leaves a block empty, or the scale has another size.

    Source: Huang (2026), arXiv 2603.26799, section 4.5, eq. 24 to 26 and algorithm 1; Fritzke (1995); Fritzke (1997),
    "A self-organizing network that can follow non-stationary distributions" (the utility).
    Differs from the authors' code in: learns during training, by batches; weights and covariances; the utility.

    >>> prototypes = GrowingPrototypes(2, split=1, most=8, growth=Growth(every=100))
    >>> z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    >>> for batch in z.split(200):
    ...     prototypes.update(batch)
    >>> prototypes().count, prototypes(torch.zeros(3, 1)).batch_shape
    (8, torch.Size([3]))
    """

    position: Tensor
    error: Tensor
    utility: Tensor
    age: Tensor
    alive: Tensor
    mass: Tensor
    seen: Tensor
    steps: Tensor

    def __init__(  # noqa: PLR0913 (a keyword for each part)
        self,
        dim: int,
        split: int | None = None,
        most: int = 100,
        *,
        growth: Growth | None = None,
        utility: float | None = 20.0,
        momentum: float = 0.99,
        scale: ComponentScale | None = None,
        moves: Movers = "gas",
        sphere: bool = False,
    ) -> None:
        super().__init__()
        check.at_least("GrowingPrototypes", 1, dim=dim)
        check.at_least("GrowingPrototypes", 2, most=most)
        check.fraction("GrowingPrototypes", momentum=momentum)
        check_split("GrowingPrototypes", split, dim)
        if most > MOST:
            raise ValueError(
                f"GrowingPrototypes: expected most <= {MOST:,}, found {most:,}. Edges are kept in a table of "
                "most x most; lower the limit."
            )
        if utility is not None:
            check.positive("GrowingPrototypes", utility=utility)
        self.dim, self.split, self.most, self.sphere, self.momentum = dim, split, most, sphere, momentum
        self.growth = Growth() if growth is None else growth
        self.least_utility = 0.0 if utility is None else 1 / utility
        self.scale = MovingScale(dim) if scale is None else scale
        self._check_parts(moves)
        start = torch.zeros(most, dim)
        start[:2] = torch.randn(2, dim)
        start = unit_blocks(start, split) if sphere else start
        if moves == "both":
            self.position = nn.Parameter(start)
        else:
            self.register_buffer("position", start)
        self.register_buffer("error", torch.zeros(most))
        self.register_buffer("utility", torch.zeros(most))
        self.register_buffer("age", torch.full((most, most), NO_EDGE))
        self.register_buffer("alive", torch.arange(most) < 2)
        self.register_buffer("mass", torch.zeros(most))
        self.register_buffer("seen", torch.tensor(0))
        self.register_buffer("steps", torch.tensor(0))

    @property
    def loc(self) -> Tensor:
        """Positions of the vertices ``[n, E]``: the components' means."""
        found = self.position[self.alive]
        return unit_blocks(found, self.split) if self.sphere else found

    @property
    def edges(self) -> Tensor:
        """Pairs of positions in ``loc``, smaller first, ``[m, 2]``."""
        return self._linked().triu().nonzero()

    def connected_components(self) -> Tensor:
        """To which connected part of the graph each vertex belongs ``[n]``, counted from 0."""
        _, label = connected_components(self._linked().cpu().numpy(), directed=False)
        return torch.as_tensor(label, dtype=torch.int64, device=self.age.device)

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Number of ``vertices``, of connected ``parts``, and of ``idle`` vertices.

        An idle vertex won less than a tenth of an average one's samples, over the last batches.
        """
        mass = self.mass[self.alive]
        parts = self.connected_components().max() + 1
        found = {"vertices": self.alive.sum(), "parts": parts, "idle": (mass < IDLE * mass.mean()).sum()}
        return {name: value.to(torch.float32) for name, value in found.items()}

    @property
    def law(self) -> JointMixture:
        """The joint law of the vertices there are; of equal weights before the first update."""
        scale, mass = self.scale(), wide(self.mass[self.alive])
        scale = scale if len(scale) == 1 else scale[self.alive]
        weights = torch.where(self.steps > 0, mass, 1.0)
        return JointMixture(weights.log(), wide(self.loc), scale, self.split, validate_args=False)

    @torch.no_grad()
    @without_autocast
    def update(self, z: Tensor) -> None:
        """Present a batch ``[*, B, E]`` to the graph, of which every process holds an equal part.

        Raises:
            ValueError: if the width is another, the batch is empty or not finite, or a first batch has fewer than two
                samples.
        """
        check_width("GrowingPrototypes.update", z, self.dim, name="joint")
        check.embeddings("GrowingPrototypes.update", z, least_batch=1)
        rows = wide(z).movedim(-2, 0).reshape(-1, self.dim)  # sample by sample, so that ranks in turn are in order
        x = gather(rows).to(wide(self.position).dtype)
        if not bool(x.isfinite().all()):
            raise ValueError(
                "GrowingPrototypes.update: expected finite joint embeddings, found NaN or infinity. The graph stays as "
                "it was; lower the learning rate, or leave such samples out."
            )
        if self.steps == 0:
            self._found(x)
        found = gas.winners(x, self.position, self.alive)
        self._follow(x, found)
        self._weigh(x, found)
        self._sever()
        before = int(self.seen)
        self.seen.add_(len(x))
        for _ in range(int(self.seen) // self.growth.every - before // self.growth.every):
            self._prune()
            self._grow()

    def _found(self, x: Tensor) -> None:
        """Put the first two vertices on the first two samples."""
        if len(x) < 2:
            raise ValueError(
                f"GrowingPrototypes.update: expected a first batch of at least 2 samples, found {len(x)}. The first "
                "two vertices are samples of it."
            )
        self.position[:2] = self._placed(x[:2])

    def _follow(self, x: Tensor, found: gas.Winners) -> None:
        """Move the vertices, accumulate errors and utilities, and renew edges."""
        growth = self.growth
        rates = (growth.winner, growth.neighbour)
        moved = gas.moved(self.position, x, found.won, self.age != NO_EDGE, rates)
        self.position.copy_(self._placed(moved))
        self.error.copy_(gas.accumulated(self.error, found.won, found.nearest, growth.decay))
        saved = found.farther - found.nearest
        self.utility.copy_(gas.accumulated(self.utility, found.won, saved, growth.decay))
        self.age.copy_(gas.aged(self.age, found))

    def _weigh(self, x: Tensor, found: gas.Winners) -> None:
        """Let weights and covariances follow what was won."""
        self.steps.add_(1)
        rate = moving_rate(self.momentum, self.steps).to(self.mass)
        self.mass.lerp_(found.won.mean(0).to(self.mass), rate)
        self.scale.update(x, self.position, found.won)

    def _sever(self) -> None:
        """Drop edges that are too old, and vertices left without one."""
        self.age[self.age > self.growth.age] = NO_EDGE
        self._remove(self.alive & (self.age == NO_EDGE).all(1))

    def _prune(self) -> None:
        """Drop the least useful vertex where the largest error exceeds its utility by far; two always stay."""
        if int(self.alive.sum()) <= 2:
            return
        utility = self.utility.masked_fill(~self.alive, torch.inf)
        least = utility.argmin()
        if utility[least] < self.least_utility * self.error.max():
            self.age[least] = self.age[:, least] = NO_EDGE
            self._remove(torch.arange(self.most, device=least.device) == least)

    def _remove(self, gone: Tensor) -> None:
        self.alive &= ~gone
        for part in (self.error, self.utility, self.mass):
            part[gone] = 0

    def _grow(self) -> None:
        """Put a vertex between that of the largest error and its worst neighbour."""
        if bool(self.alive.all()):
            return
        worst = int(self.error.masked_fill(~self.alive, -torch.inf).argmax())
        linked = self.age[worst] != NO_EDGE
        if not bool(linked.any()):  # its neighbours were removed: any other vertex will do
            linked = self.alive.clone()
            linked[worst] = False
        other = int(self.error.masked_fill(~linked, -torch.inf).argmax())
        new, pair = int(self.alive.int().argmin()), [worst, other]
        self.alive[new] = True
        self.position[new] = self._placed(self.position[pair].mean(0))
        self.error[pair] *= self.growth.split
        self.error[new] = self.error[worst]
        self.utility[new] = self.utility[pair].mean()
        self.mass[new] = self.mass[pair].mean() * (2 / 3)
        self.mass[pair] *= 2 / 3
        self.scale.insert(new, worst, other)
        self.age[worst, other] = self.age[other, worst] = NO_EDGE
        self.age[new, pair] = 0
        self.age[pair, new] = 0

    def _placed(self, position: Tensor) -> Tensor:
        """Where vertices may be: on the sphere, if they live there."""
        return unit_blocks(position, self.split) if self.sphere else position

    def _linked(self) -> Tensor:
        return self.age[self.alive][:, self.alive] != NO_EDGE

    def _check_parts(self, moves: str) -> None:
        if moves not in get_args(Movers):
            raise ValueError(f'GrowingPrototypes: expected moves "gas" or "both", found {moves!r}. Choose one of them.')
        if self.scale.dim not in (None, self.dim) or self.scale.components not in (1, self.most):
            raise ValueError(
                f"GrowingPrototypes: expected a scale of width {self.dim} for 1 or {self.most} components, found width "
                f"{self.scale.dim} and {self.scale.components} components. Build it with the same sizes."
            )

"""Growing neural gas: a graph of prototypes that grows where samples are explained worst."""

from typing import Any

import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._gas_graph import NO_EDGE, Graph, Growth
from jointlaw.densities.em._covariances import Full
from jointlaw.densities.em._samples import Samples, enough, samples
from jointlaw.functional._linalg import cholesky, wide
from jointlaw.functional._mixtures import squared_distances
from jointlaw.laws import JointMixture
from jointlaw.laws._blocks import check_split

WHERE = "GrowingNeuralGas"


class GrowingNeuralGas(Density):
    r"""A graph of nodes that follows samples one by one, and the mixture of Gaussians about its nodes.

    For each sample x with winner s_1 and runner-up s_2 (squared Euclidean distance):

    .. math:: e_{s_1} \mathrel{+}= \|x - m_{s_1}\|^2, \quad m_{s_1} \mathrel{+}= \epsilon_b (x - m_{s_1}), \quad
              m_n \mathrel{+}= \epsilon_n (x - m_n) \text{ for the neighbours } n \text{ of } s_1

    Edges of s_1 age by one and the edge (s_1, s_2) becomes new; edges too old go, and nodes left without an edge. Every
    lambda samples, below the limit, a node is put midway between the node of largest error and its worst neighbour,
    between which it takes the place of their edge. Errors (squared embedding units) decay with every sample.

    ``partial_fit`` learns, ``settle`` makes the graph a mixture, and ``forward`` returns that mixture's law. The first
    two samples become the first two nodes. All of it is in the ``state_dict``: a restored gas goes on identically.

    Args:
        dim: E, width of the samples.
        nodes: number of nodes at which the graph stops growing.
        split: how many leading coordinates are the context of the law.
        growth: the constants of the algorithm.

    Raises:
        ValueError: if an argument is out of range.

    Source: Fritzke (1995), "A growing neural gas network learns topologies"; Huang (2026), arXiv 2603.26799,
    section 4.5, algorithm 1.
    Differs from the authors' code in: the first two nodes are the first two samples, not two random ones.

    >>> gas = GrowingNeuralGas(dim=2, nodes=8, split=1)
    >>> x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    >>> law = gas.fit(x)(x[:3, :1])
    >>> law.batch_shape, law.event_shape
    (torch.Size([3]), torch.Size([1]))
    """

    position: Tensor
    error: Tensor
    age: Tensor
    alive: Tensor
    seen: Tensor
    logits: Tensor
    scale_tril: Tensor

    def __init__(self, dim: int, nodes: int = 50, split: int | None = None, growth: Growth | None = None) -> None:
        super().__init__()
        check.at_least(WHERE, 1, dim=dim)
        check.at_least(WHERE, 2, nodes=nodes)
        check_split(WHERE, split, dim)
        self.dim, self.limit, self.split = dim, nodes, split
        self.growth = Growth() if growth is None else growth
        self.register_buffer("position", torch.zeros(nodes, dim))
        self.register_buffer("error", torch.zeros(nodes))
        self.register_buffer("age", torch.full((nodes, nodes), NO_EDGE))
        self.register_buffer("alive", torch.zeros(nodes, dtype=torch.bool))
        self.register_buffer("seen", torch.tensor(0))
        self.register_buffer("logits", torch.full((nodes,), -torch.inf))  # of the mixture; no component as yet
        self.register_buffer("scale_tril", torch.zeros(nodes, dim, dim))

    @property
    def nodes(self) -> Tensor:
        """Positions of the nodes ``[n, E]``."""
        return self.position[self.alive]

    @property
    def errors(self) -> Tensor:
        """Accumulated errors of the nodes ``[n]``, in squared embedding units."""
        return self.error[self.alive]

    @property
    def edges(self) -> Tensor:
        """Pairs of positions in ``nodes``, smaller first, ``[m, 2]``."""
        return (self._ages() != NO_EDGE).triu().nonzero()

    def connected_components(self) -> Tensor:
        """To which connected part of the graph each node belongs ``[n]``, counted from 0."""
        linked = (self._ages() != NO_EDGE).cpu().numpy()
        _, label = connected_components(linked, directed=False)
        return torch.as_tensor(label, dtype=torch.int64, device=self.position.device)

    def partial_fit(self, x: Samples) -> "GrowingNeuralGas":
        """Learn from samples ``[N, E]`` in their order; in as many calls as you like.

        A mixture made of the graph before is forgotten.

        Raises:
            ValueError: if the samples are not ``[N, E]`` or not finite.
        """
        x = self._samples(x)
        held = (self.position, self.error, self.age, self.alive)
        graph = Graph(_copy(self.position), _copy(self.error), _copy(self.age), _copy(self.alive), int(self.seen))
        arrays = _copy(x.to(self.position.dtype))
        graph.present(arrays[graph.found(arrays) :], self.growth)
        for buffer, array in zip(held, (graph.position, graph.error, graph.age, graph.alive), strict=True):
            buffer.copy_(torch.from_numpy(array))
        self.seen.fill_(graph.seen)
        self.logits.fill_(-torch.inf)
        return self

    def settle(self, x: Samples) -> "GrowingNeuralGas":
        """Make the graph the mixture that ``forward`` returns; see ``mixture``."""
        law = self.mixture(x)
        places = self.alive.nonzero().squeeze(1)[self._wins(self._samples(x)) > 0]
        self.logits.fill_(-torch.inf)
        self.logits[places] = law.logits.to(self.logits.dtype)
        self.scale_tril[places] = law.scale_tril.to(self.scale_tril.dtype)
        return self

    def fit(self, x: Samples, passes: int = 1, seed: int = 0) -> "GrowingNeuralGas":
        """Learn from samples ``[N, E]`` in random order, as often as ``passes`` says, and settle.

        Args:
            x: samples, a tensor or an array.
            passes: how often all samples are presented.
            seed: determines in which order, anew for each pass.

        Raises:
            ValueError: if the samples are not ``[N, E]``, not finite or too few for a covariance.
        """
        check.at_least(WHERE, 1, passes=passes)
        x = self._samples(x)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(passes):
            self.partial_fit(x[torch.randperm(len(x), generator=generator).to(x.device)])
        return self.settle(x)

    @torch.no_grad()
    def mixture(
        self, x: Samples, split: int | None = None, jitter: float = 1e-6, fewest: int | None = None
    ) -> JointMixture:
        r"""One Gaussian about each node that wins a sample.

        .. math:: w_k = n_k / N, \quad
                  S_k = \frac{1}{n_k} \sum_{n \text{ won by } k} (x_n - m_k)(x_n - m_k)^\top + \text{jitter } I

        Nodes that win fewer than ``fewest`` samples take the mean of that product over all samples and their winners.

        Args:
            x: samples ``[N, E]``.
            split: of the law (default: the gas's own).
            jitter: added to every variance, in squared embedding units.
            fewest: samples a covariance of its own needs (default: 2 E).

        Raises:
            ValueError: if nothing was learned yet, or the samples are not ``[N, E]``, not finite or too few.
        """
        check.non_negative(WHERE, jitter=jitter)
        fewest = 2 * self.dim if fewest is None else fewest
        check.at_least(WHERE, 1, fewest=fewest)
        x = self._samples(x)
        enough(WHERE, len(x), 1, self.dim, Full())
        winner, wins = self._winner(x), self._wins(x)
        nodes, kept = self.nodes.double(), wins.nonzero().squeeze(1)
        gap = x.double() - nodes[winner]
        pooled = gap.T @ gap / len(x)
        won = [gap[winner == k] for k in kept]
        matrices = torch.stack([part.T @ part / len(part) if len(part) >= fewest else pooled for part in won])
        matrices.diagonal(dim1=-2, dim2=-1).add_(jitter)
        split = self.split if split is None else split
        dtype = torch.promote_types(self.position.dtype, torch.float32)
        logits, loc, scale = (wins[kept] / len(x)).log(), nodes[kept], cholesky(matrices)
        return JointMixture(logits.to(dtype), loc.to(dtype), scale.to(dtype), split)

    def forward(self, context: Tensor | None = None) -> JointMixture:
        """Return the joint law of the settled graph, or that of the target given the context ``[B, d_c]``.

        Raises:
            ValueError: if the graph was not settled since it last learned, there is a context but no split, or the
                context has another width.
        """
        kept = self.logits > -torch.inf
        if not bool(kept.any()):
            raise ValueError(
                f"{WHERE}: expected a graph made into a mixture, found none since the last sample. "
                "Call settle(x) after partial_fit, or fit(x)."
            )
        logits, loc, scale = (wide(part[kept]) for part in (self.logits, self.position, self.scale_tril))
        law = JointMixture(logits, loc, scale, self.split)
        return law if context is None else law.given(context)

    def _ages(self) -> Tensor:
        return self.age[self.alive][:, self.alive]

    def _winner(self, x: Tensor) -> Tensor:
        if int(self.alive.sum()) < 2:
            raise ValueError(f"{WHERE}: expected a graph, found no nodes yet. Call partial_fit(x) first.")
        return squared_distances(x, self.nodes).argmin(1)

    def _wins(self, x: Tensor) -> Tensor:
        return torch.bincount(self._winner(x), minlength=int(self.alive.sum()))

    def _samples(self, x: Samples) -> Tensor:
        x = samples(WHERE, x).to(self.position.device)
        if x.shape[1] != self.dim:
            raise ValueError(
                f"{WHERE}: expected samples [N, {self.dim}], found shape {list(x.shape)}. Build the gas with "
                f"dim={x.shape[1]}."
            )
        return x


def _copy(tensor: Tensor) -> NDArray[Any]:
    """A NumPy copy; half precision, which NumPy lacks, becomes float32."""
    array: NDArray[Any] = (wide(tensor) if tensor.is_floating_point() else tensor).cpu().numpy()
    return array.copy()

"""Growing neural gas: a literal reference, topology, restarts, and the mixture about the nodes."""

import math

import numpy as np
import pytest
import torch

from jointlaw.densities import GrowingNeuralGas, Growth


class Literal:
    """The algorithm as it is written down, on dictionaries; a free place goes to the lowest number."""

    def __init__(self, limit, growth):
        self.limit, self.growth = limit, growth
        self.node, self.error, self.edge, self.seen = {}, {}, {}, 0

    def neighbours(self, s):
        return [n for n in self.node if frozenset((s, n)) in self.edge]

    def present(self, x):
        if len(self.node) < 2 and not self.seen:
            self.node[len(self.node)], self.error[len(self.error)] = x.copy(), 0.0
            return
        g = self.growth
        distance = {n: float(((x - m) ** 2).sum()) for n, m in self.node.items()}
        s1, s2 = sorted(distance, key=lambda n: (distance[n], n))[:2]
        for n in self.neighbours(s1):
            self.edge[frozenset((s1, n))] += 1
        self.error[s1] += distance[s1]
        self.node[s1] = self.node[s1] + g.winner * (x - self.node[s1])
        for n in self.neighbours(s1):
            self.node[n] = self.node[n] + g.neighbour * (x - self.node[n])
        self.edge[frozenset((s1, s2))] = 0
        self.edge = {edge: age for edge, age in self.edge.items() if age <= g.age}
        for n in [n for n in self.node if not self.neighbours(n)]:
            del self.node[n], self.error[n]
        self.seen += 1
        if self.seen % g.every == 0 and len(self.node) < self.limit:
            q = min(self.node, key=lambda n: (-self.error[n], n))
            f = min(self.neighbours(q), key=lambda n: (-self.error[n], n))
            r = min(set(range(self.limit)) - set(self.node))
            self.node[r] = (self.node[q] + self.node[f]) / 2
            del self.edge[frozenset((q, f))]
            self.edge[frozenset((q, r))] = self.edge[frozenset((f, r))] = 0
            self.error[q] *= g.split
            self.error[f] *= g.split
            self.error[r] = self.error[q]
        for n in self.error:
            self.error[n] *= g.decay


def blobs(count, dim=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(6, dim, generator=generator, dtype=dtype)
    label = torch.randint(6, (count,), generator=generator)
    return centres[label] + 0.5 * torch.randn(count, dim, generator=generator, dtype=dtype)


def rings(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    radius = torch.where(torch.rand(count, generator=generator) < 0.4, 1.0, 3.0)
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    noise = 0.05 * torch.randn(count, 2, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1) + noise


GROWTHS = {"default": Growth(), "busy": Growth(0.2, 0.02, every=15, age=6, split=0.3, decay=0.98)}


@pytest.mark.parametrize("growth", GROWTHS.values(), ids=GROWTHS)
def test_equals_the_algorithm_as_written(growth):
    x = blobs(3000)
    gas, literal = GrowingNeuralGas(3, nodes=20, growth=growth).double().partial_fit(x), Literal(20, growth)
    for sample in x.numpy():
        literal.present(sample)
    places = sorted(literal.node)
    assert gas.alive.nonzero().squeeze(1).tolist() == places
    np.testing.assert_allclose(gas.nodes, np.stack([literal.node[n] for n in places]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gas.errors, [literal.error[n] for n in places], rtol=1e-9)
    number = {place: i for i, place in enumerate(places)}
    assert {frozenset(edge) for edge in gas.edges.tolist()} == {
        frozenset(number[n] for n in edge) for edge in literal.edge
    }
    for (i, j), age in ((tuple(edge), age) for edge, age in literal.edge.items()):
        assert gas.age[i, j] == gas.age[j, i] == age


def test_nodes_are_removed_on_the_way():
    """Or the comparison with the literal form would not have seen it."""
    literal, most = Literal(20, GROWTHS["busy"]), 0
    for sample in blobs(3000).numpy():
        before = set(literal.node)
        literal.present(sample)
        most = max(most, len(before - set(literal.node)))
    assert most > 0


def test_two_separated_rings_become_two_components():
    gas = GrowingNeuralGas(2, nodes=50).fit(rings(4000), passes=5)
    label = gas.connected_components()
    assert sorted(label.unique().tolist()) == [0, 1]
    radius = gas.nodes.norm(dim=1)
    inner = label == label[radius.argmin()]
    assert radius[inner].max() < 2 < radius[~inner].min()
    assert len(gas.edges) >= len(gas.nodes)  # rings, not chains


def test_every_edge_joins_two_nodes_once():
    gas = GrowingNeuralGas(3, nodes=20, growth=GROWTHS["busy"]).partial_fit(blobs(2000, dtype=torch.float32))
    edges = gas.edges
    assert (edges[:, 0] < edges[:, 1]).all()
    assert edges.max() < len(gas.nodes)
    assert edges.flatten().unique().numel() == len(gas.nodes)  # no node is left without an edge
    assert len(gas.nodes) <= 20


def test_calls_may_be_cut_anywhere():
    x = blobs(1000)
    whole = GrowingNeuralGas(3).double().partial_fit(x)
    parts = GrowingNeuralGas(3).double()
    for part in (x[:1], x[1:2], x[2:3], x[3:500], x[500:]):
        parts.partial_fit(part)
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), parts.buffers(), strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_restored_gas_goes_on_identically(dtype):
    x = blobs(2000).to(dtype)
    gas = GrowingNeuralGas(3, growth=GROWTHS["busy"]).to(dtype).partial_fit(x[:1037])
    twin = GrowingNeuralGas(3, growth=GROWTHS["busy"]).to(dtype)
    twin.load_state_dict(gas.state_dict())
    gas.partial_fit(x[1037:])
    twin.partial_fit(x[1037:])
    assert all(torch.equal(a, b) for a, b in zip(gas.buffers(), twin.buffers(), strict=True))


def test_a_gas_in_half_precision_learns():
    gas = GrowingNeuralGas(3, nodes=10).bfloat16().fit(blobs(1000))
    assert gas.nodes.dtype == torch.bfloat16
    assert gas().loc.dtype == torch.float32


def test_the_mixture_has_the_shares_and_covariances_of_the_samples_won():
    x = blobs(4000)
    gas = GrowingNeuralGas(3, nodes=8).double().partial_fit(x)
    law = gas.mixture(x, jitter=0.25, fewest=1)
    winner = torch.cdist(x, gas.nodes).argmin(1)
    assert law.loc.shape == gas.nodes.shape
    for k in range(len(gas.nodes)):
        won = x[winner == k]
        gap = won - gas.nodes[k]
        expected = gap.T @ gap / len(won) + 0.25 * torch.eye(3, dtype=x.dtype)
        torch.testing.assert_close(law.components.covariance[k], expected)
        assert float(law.weights[k]) == pytest.approx(len(won) / len(x))


def test_a_node_with_few_samples_takes_the_pooled_covariance_and_one_without_is_left_out():
    x = blobs(2000)
    gas = GrowingNeuralGas(3, nodes=12).double().partial_fit(x)
    some = x[:40]
    winner = torch.cdist(some, gas.nodes).argmin(1)
    wins = winner.bincount(minlength=len(gas.nodes))
    law = gas.mixture(some, fewest=41)
    assert len(law.loc) == int((wins > 0).sum())
    gap = some - gas.nodes[winner]
    pooled = gap.T @ gap / 40 + 1e-6 * torch.eye(3, dtype=x.dtype)
    factors = torch.linalg.cholesky(pooled).expand(len(law.loc), 3, 3)
    torch.testing.assert_close(law.scale_tril.reshape(-1, 3, 3), factors)


def test_forward_conditions_the_settled_mixture():
    x = rings(3000)
    gas = GrowingNeuralGas(2, split=1).fit(x, passes=2)
    law = gas.mixture(x)
    torch.testing.assert_close(gas().log_prob(x), law.log_prob(x))
    torch.testing.assert_close(gas(x[:, :1]).log_prob(x[:, 1:]), law.given(x[:, :1]).log_prob(x[:, 1:]))
    modes = gas(torch.tensor([[0.0]])).sample((500,)).squeeze()
    assert (((modes.abs() - 1).abs() < 0.5) | ((modes.abs() - 3).abs() < 0.5)).float().mean() > 0.95


def test_learning_forgets_the_mixture():
    x = rings(500)
    gas = GrowingNeuralGas(2, split=1).fit(x)
    gas.partial_fit(x)
    with pytest.raises(ValueError, match=r"settle\(x\)"):
        gas(x[:, :1])


def test_a_gas_is_a_better_mixture_than_one_gaussian():
    x, test = blobs(3000), blobs(500)
    law = GrowingNeuralGas(3, nodes=20).double().fit(x)()
    gap = x - x.mean(0)
    one = torch.distributions.MultivariateNormal(x.mean(0), gap.T @ gap / len(x))
    assert law.log_prob(test).mean() > one.log_prob(test).mean() + 1


X = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda gas: gas.partial_fit(X[:, :1]), r"samples \[N, 2\], found shape \[50, 1\]"),
        (lambda gas: gas.partial_fit(X[:, 0]), r"floating samples \[N, E\]"),
        (lambda gas: gas.partial_fit(X.index_fill(0, torch.tensor([3]), torch.nan)), "1 of 50 rows"),
        (lambda gas: gas.mixture(X), "no nodes yet"),
        (lambda gas: gas(), "Call settle"),
        (lambda gas: gas.partial_fit(X).mixture(X[:2]), "at least 3 samples"),
        (lambda gas: gas.partial_fit(X).mixture(X, jitter=-1.0), "jitter >= 0"),
        (lambda gas: GrowingNeuralGas(2, nodes=1), "nodes >= 2"),
        (lambda gas: GrowingNeuralGas(2, split=2), "1 <= split < 2"),
        (lambda gas: Growth(winner=1.5), "0 < winner < 1"),
        (lambda gas: Growth(neighbour=0.1), "neighbour < winner"),
        (lambda gas: Growth(every=0), "every >= 1"),
    ],
)
def test_bad_input_is_named(action, message):
    with pytest.raises(ValueError, match=message):
        action(GrowingNeuralGas(2))

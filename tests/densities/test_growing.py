"""Growing prototypes: the gas by batches against the gas sample by sample, what grows, and the law of it."""

import copy
from itertools import permutations

import pytest
import torch
from torch import Tensor

from jointlaw.densities import GrowingNeuralGas, GrowingPrototypes, Growth, LearnedScale, MovingScale, descend
from jointlaw.densities import _gas_batch as batches
from jointlaw.densities._gas_graph import NO_EDGE
from jointlaw.laws import JointMixture
from jointlaw.objectives import GMJE
from jointlaw.types import Embeddings

RATES = (0.3, 0.1)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def blobs(count: int, centres: Tensor, spread: float = 0.1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(len(centres), (count,), generator=generator)
    return centres[label] + spread * torch.randn(count, centres.shape[1], generator=generator)


def grown(x: Tensor, batch: int = 100, **options) -> GrowingPrototypes:
    torch.manual_seed(0)
    prototypes = GrowingPrototypes(x.shape[1], **options)
    for part in x.split(batch):
        prototypes.update(part)
    return prototypes


@pytest.fixture
def graph() -> tuple[Tensor, Tensor, batches.Winners]:
    """Four vertices, five samples, and a graph with one vertex that has no neighbour."""
    position, x = normal(4, 2), normal(5, 2, seed=1)
    linked = torch.zeros(4, 4, dtype=torch.bool)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        linked[a, b] = linked[b, a] = True
    return position, linked, batches.winners(x, position, torch.ones(4, dtype=torch.bool))


def test_positions_are_the_mean_over_all_orders_of_the_batch(graph):
    position, linked, found = graph
    x, ends = normal(5, 2, seed=1), []
    for order in permutations(range(5)):
        place = position.clone()
        for i in order:
            first = int(found.first[i])
            gap = x[i] - place
            place[first] += RATES[0] * gap[first]
            place[linked[first]] += RATES[1] * gap[linked[first]]
        ends.append(place)
    got = batches.moved(position, x, found.won, linked, RATES)
    torch.testing.assert_close(got, torch.stack(ends).mean(0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("decay", [0.9, 1.0])
def test_errors_are_the_mean_over_all_orders_of_the_batch(graph, decay):
    found, start, ends = graph[2], torch.tensor([1.0, 2.0, 0.5, 0.0], dtype=torch.float64), []
    for order in permutations(range(5)):
        error = start.clone()
        for i in order:
            error[found.first[i]] += found.nearest[i]
            error *= decay
        ends.append(error)
    got = batches.accumulated(start, found.won, found.nearest, decay)
    torch.testing.assert_close(got, torch.stack(ends).mean(0), rtol=1e-12, atol=1e-12)


def test_thousands_of_samples_of_one_vertex_leave_none_of_its_old_place():
    x = normal(8192, 3) + 5
    got = batches.moved(torch.zeros(1, 3), x, torch.ones(8192, 1).double(), torch.zeros(1, 1), (0.05, 0.006))
    torch.testing.assert_close(got[0], x.mean(0), rtol=1e-9, atol=0)


def test_ages_count_the_wins_since_an_edge_was_renewed():
    generator = torch.Generator().manual_seed(0)
    pairs = torch.stack([torch.randperm(5, generator=generator)[:2] for _ in range(12)])
    age = torch.full((5, 5), NO_EDGE)
    for a, b, value in ((0, 1, 3), (3, 4, 7), (2, 4, 1)):
        age[a, b] = age[b, a] = value
    want = age.clone()
    for first, second in pairs.tolist():
        linked = want[first] != NO_EDGE
        want[first, linked] += 1
        want[linked, first] += 1
        want[first, second] = want[second, first] = 0
    won = torch.nn.functional.one_hot(pairs[:, 0], 5).double()
    zero = torch.zeros(12)
    assert torch.equal(batches.aged(age, batches.Winners(pairs[:, 0], pairs[:, 1], zero, zero, won)), want)


def test_batches_of_one_are_the_algorithm_as_published():
    growth = Growth(0.2, 0.02, every=15, age=6, split=0.3, decay=0.98)
    x = blobs(1500, 4 * normal(6, 3).float()).double()
    gas = GrowingNeuralGas(3, nodes=12, growth=growth).double().partial_fit(x)
    prototypes = GrowingPrototypes(3, most=12, growth=growth, utility=None).double()
    prototypes.position[:2] = x[:2]
    prototypes.steps.fill_(1)  # the first two vertices are placed already
    for sample in x[2:].split(1):
        prototypes.update(sample)
    assert torch.equal(prototypes.alive, gas.alive)
    assert torch.equal(prototypes.edges, gas.edges)
    torch.testing.assert_close(prototypes.loc, gas.nodes, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(prototypes.error[prototypes.alive], gas.errors, rtol=1e-9, atol=1e-12)


def test_vertices_become_the_modes_and_the_graph_falls_into_their_parts():
    centres = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0]])
    x = blobs(12_000, centres)
    prototypes = grown(x, split=1, most=12, growth=Growth(every=500, age=30), scale=MovingScale(2, 12, 0.9, floor=0.01))
    assert prototypes.statistics["parts"] == 3
    assert prototypes.statistics["idle"] == 0
    part, nearest = prototypes.connected_components(), torch.cdist(prototypes.loc, centres).argmin(1)
    for k in range(3):
        assert len(part[nearest == k].unique()) == 1
        share = prototypes().weights[nearest == k].sum()
        torch.testing.assert_close(share, torch.tensor(1 / 3), rtol=0, atol=0.03)
    true = JointMixture(torch.zeros(3), centres, 0.1 * torch.eye(2)[None])
    assert true.log_prob(x[-2000:]).mean() - prototypes().log_prob(x[-2000:]).mean() < 0.15


def test_without_a_utility_the_graph_grows_to_its_limit_and_keeps_what_was_left_behind():
    there, here = torch.tensor([[9.0, 9.0]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    x = torch.cat([blobs(1000, there), blobs(9000, here, seed=1)])
    growth = Growth(every=200, age=10_000)
    kept = grown(x, most=20, growth=growth, utility=None)
    assert kept().count == 20
    assert (torch.cdist(kept.loc, there) < 1).any()
    followed = grown(x, most=20, growth=growth, utility=10.0)
    assert not (torch.cdist(followed.loc, there) < 1).any()
    assert followed.statistics["idle"] == 0


def test_whatever_is_removed_two_vertices_stay():
    x = blobs(6000, torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [9.0, 9.0]]), spread=0.5)
    prototypes = GrowingPrototypes(2, most=20, growth=Growth(every=40, age=3), utility=0.5)
    for part in x.split(50):
        prototypes.update(part)
        assert prototypes().count >= 2
        assert torch.isfinite(prototypes.loss(part))


def test_more_than_one_vertex_is_put_by_a_large_batch():
    prototypes = GrowingPrototypes(2, most=9, growth=Growth(every=10), utility=None)
    prototypes.update(normal(45, 2, dtype=torch.float32))
    assert prototypes().count == 6  # two and one for each ten samples
    assert int(prototypes.seen) == 45


@pytest.mark.parametrize("scale", [None, MovingScale(4, 10, floor=0.05), LearnedScale(4, 10)], ids=str)
def test_a_new_vertex_takes_its_share_from_the_two_beside_it(scale):
    prototypes = GrowingPrototypes(4, split=2, most=10, growth=Growth(every=10**6), scale=scale)
    x = normal(400, 4, dtype=torch.float32)
    for part in x.split(100):
        prototypes.update(part)
    before = copy.deepcopy(prototypes)
    prototypes._grow()
    torch.testing.assert_close(prototypes.mass.sum(), before.mass.sum())
    torch.testing.assert_close(prototypes.mass[2], before.mass[:2].sum() / 3)
    torch.testing.assert_close(prototypes.position[2], before.position[:2].mean(0))
    assert prototypes().count == 3
    assert torch.isfinite(prototypes.loss(x))


def test_weights_and_the_shared_covariance_are_those_of_the_samples_won():
    x = normal(300, 3, dtype=torch.float32)
    prototypes = GrowingPrototypes(3, growth=Growth(every=10**6), scale=MovingScale(3, prior=1e-9))
    prototypes.update(x)
    before = torch.cdist(x, x[:2]).argmin(1)  # winners are those about the vertices as they were
    torch.testing.assert_close(prototypes().weights, before.bincount() / 300)
    gap = x - prototypes.loc[before]
    factor = prototypes().scale_tril[0]
    torch.testing.assert_close(factor @ factor.mT, gap.mT @ gap / 300, rtol=1e-5, atol=1e-5)


def test_vertices_stay_on_the_sphere():
    x = torch.nn.functional.normalize(normal(2000, 2, 3, dtype=torch.float32), dim=-1).flatten(1)
    prototypes = grown(x, split=3, most=20, growth=Growth(every=100), sphere=True)
    torch.testing.assert_close(prototypes.loc.unflatten(1, (2, 3)).norm(dim=-1), torch.ones(20, 2))


@pytest.mark.parametrize("sphere", [False, True])
def test_embeddings_get_the_gradient_and_vertices_only_if_both_move_them(sphere):
    x = normal(200, 4, dtype=torch.float32)
    for moves in ("gas", "both"):
        torch.manual_seed(0)
        prototypes = GrowingPrototypes(4, split=2, most=8, growth=Growth(every=50), moves=moves, sphere=sphere)
        prototypes.update(x)
        z = x.clone().requires_grad_()
        prototypes.loss(z).backward()
        assert z.grad.abs().sum() > 0
        learned = dict(prototypes.named_parameters())
        assert set(learned) == ({"position"} if moves == "both" else set())
        if moves == "both":
            moved = learned["position"].grad.abs().sum(1) > 0
            assert torch.equal(moved, prototypes.alive)
            before = prototypes.loss(x).item()
            descend(prototypes.loss, prototypes.parameters(), x, epochs=3, lr=0.01)
            assert prototypes.loss(x).item() < before


@pytest.mark.parametrize("moves", ["gas", "both"])
def test_a_restored_graph_goes_on_identically(moves):
    options = {"split": 2, "most": 10, "growth": Growth(every=60), "moves": moves, "scale": MovingScale(4, 10)}
    x, torch_seed = normal(1000, 4, dtype=torch.float32), 3
    straight = grown(x, 50, **copy.deepcopy(options))
    half = grown(x[:500], 50, **copy.deepcopy(options))
    torch.manual_seed(torch_seed)
    restored = GrowingPrototypes(4, **copy.deepcopy(options))
    restored.load_state_dict(half.state_dict())
    for part in x[500:].split(50):
        restored.update(part)
    for name, value in straight.state_dict().items():
        assert torch.equal(restored.state_dict()[name], value), name


def test_before_the_first_update_there_is_a_law():
    law = GrowingPrototypes(4, split=2)()
    assert (law.count, law.weights.tolist()) == (2, [0.5, 0.5])


def test_gmje_takes_them_and_tells_how_many_there_are():
    torch.manual_seed(0)
    objective = GMJE(GrowingPrototypes(8, split=4, most=6, growth=Growth(every=30), sphere=True))
    views = normal(2, 40, 4, dtype=torch.float32)
    before = copy.deepcopy(objective.state_dict())
    outcome = objective(Embeddings(views, views))
    assert all(torch.equal(before[name], value) for name, value in objective.state_dict().items())
    objective.update(Embeddings(views, views), outcome)
    assert {name: int(value) for name, value in objective.statistics.items()}["vertices"] == 4  # 80 pairs, both ways
    assert sorted(objective.statistics) == ["idle", "parts", "vertices"]
    assert GMJE(GrowingPrototypes(8, split=4)).statistics["parts"] == 2


def test_a_floor_is_relative_to_the_data():
    for size in (1e-3, 1.0, 1e3):
        x = size * normal(500, 6, dtype=torch.float32)
        x[:, 0] = 0
        scale = MovingScale(6, floor=0.1, prior=1e-15)
        scale.update(x, torch.zeros(1, 6), torch.ones(500, 1))
        factor = scale()[0].double()
        covariance = x.double().mT @ x.double() / 500
        want = 0.9 * covariance + 0.1 * covariance.diagonal().mean() * torch.eye(6)
        torch.testing.assert_close(factor @ factor.mT, want, rtol=1e-4, atol=1e-6 * size**2)
    assert torch.equal(MovingScale(3, floor=0.5, start=2.0)(), 2 * torch.eye(3)[None])


def test_wrong_input_is_named():
    for words, options in (
        ("dim >= 1", {"dim": 0}),
        ("most >= 2", {"dim": 4, "most": 1}),
        ("split < 4", {"dim": 4, "split": 4}),
        ("utility > 0", {"dim": 4, "utility": 0.0}),
        ("momentum < 1", {"dim": 4, "momentum": 1.0}),
        ("scale of width 4", {"dim": 4, "scale": MovingScale(3)}),
        ("1 or 100 components", {"dim": 4, "scale": MovingScale(4, 7)}),
    ):
        with pytest.raises(ValueError, match=words):
            GrowingPrototypes(**options)
    prototypes = GrowingPrototypes(4, split=2)
    with pytest.raises(ValueError, match="at least 2 samples"):
        prototypes.update(torch.zeros(1, 4))
    with pytest.raises(ValueError, match=r"joint \[\*, 4\]"):
        prototypes.update(torch.zeros(5, 3))
    prototypes.update(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)))
    before = copy.deepcopy(prototypes.state_dict())
    for words, batch in (
        ("found NaN or infinity", torch.full((3, 4), torch.nan)),
        ("at least 1 samples", torch.zeros(0, 4)),
        (r"\[..., batch, dim\]", torch.zeros(4)),
    ):
        with pytest.raises(ValueError, match=words):
            prototypes.update(batch)
    assert all(torch.equal(before[name], value) for name, value in prototypes.state_dict().items())
    with pytest.raises(ValueError, match="0 <= floor <= 1"):
        MovingScale(2, floor=-0.1)
    with pytest.raises(ValueError, match="0 <= floor <= 1"):
        MovingScale(2, floor=1.1)

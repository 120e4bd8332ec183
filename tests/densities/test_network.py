"""Mixture density networks: a known mixture is found again, and what happens when the target leaks in."""

import copy

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn.functional import softplus

from jointlaw.densities import DiagonalHead, LowRankHead, MixtureDensityNetwork, SphericalHead, descend

WEIGHTS, SCALES = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.1])
HEADS = (SphericalHead(), SphericalHead(softplus, 1e-6), DiagonalHead(), LowRankHead(1))


def branches(x: Tensor) -> Tensor:
    """Means of the three branches ``[B, 3]``."""
    return torch.cat([1 + x**2, 0.5 * x - 0.1, -1 - x**2], -1)


def sample(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(count, 1, generator=generator) - 1
    k = torch.multinomial(WEIGHTS, count, replacement=True, generator=generator)[:, None]
    return x, branches(x).gather(1, k) + SCALES[k] * torch.randn(count, 1, generator=generator)


def truth(x: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(WEIGHTS.expand(len(x), 3)), Normal(branches(x), SCALES.expand(len(x), 3)))


@pytest.fixture(scope="module")
def fitted() -> MixtureDensityNetwork:
    torch.manual_seed(0)
    network = MixtureDensityNetwork(1, 1, components=3)
    descend(network.loss, network.parameters(), *sample(1500, 0), epochs=350)
    return network


def test_a_known_mixture_is_recovered(fitted):
    x = torch.linspace(-0.8, 0.8, 41)[:, None]
    law = fitted(x)
    order = law.loc[..., 0].argsort(-1, descending=True)
    means, weights, scales = (v.gather(1, order) for v in (law.loc[..., 0], law.weights, law.scale_tril[..., 0]))
    assert (means - branches(x)).abs().mean() < 0.03
    assert (weights - WEIGHTS).abs().mean() < 0.05
    assert (scales / SCALES - 1).abs().mean() < 0.15


def test_held_out_likelihood_comes_near_that_of_the_truth(fitted):
    x, y = sample(4000, 1)
    gap = fitted.loss(x, y) + truth(x).log_prob(y[:, 0]).mean()
    assert -0.01 < gap < 0.1


@pytest.mark.parametrize("head", HEADS)
def test_loss_is_the_mean_negative_log_likelihood(head):
    torch.manual_seed(0)
    network = MixtureDensityNetwork(3, 2, components=4, head=head)
    x, y = torch.randn(6, 3), torch.randn(6, 2)
    law = network(x)
    assert (law.batch_shape, law.event_shape, law.split) == ((6,), (2,), None)
    parts = [
        torch.distributions.MultivariateNormal(law.loc[:, k], covariance_matrix=law.components.covariance[:, k])
        for k in range(4)
    ]
    log_density = torch.stack([part.log_prob(y) for part in parts], -1) + law.logits.log_softmax(-1)
    torch.testing.assert_close(network.loss(x, y), -log_density.logsumexp(-1).mean())


@pytest.mark.parametrize("head", HEADS)
def test_every_head_learns(head):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 1, generator=generator)
    mix = torch.tensor([[0.3, 0.0], [0.27, 0.13]])
    y = torch.cat([x, -x], -1) + torch.randn(500, 2, generator=generator) @ mix.mT
    network = MixtureDensityNetwork(1, 2, components=1, hidden=(16,), head=head)
    history = descend(network.loss, network.parameters(), x, y, epochs=150, lr=0.02)
    assert history[-1] < history[0] - 1
    if isinstance(head, LowRankHead):
        torch.testing.assert_close(network(x).covariance.mean(0), mix @ mix.mT, rtol=0, atol=0.02)


def test_richer_heads_fit_correlated_noise_better():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 1, generator=generator)
    y = torch.randn(200, 2, generator=generator) @ torch.tensor([[1.0, 0.0], [0.9, 0.1]]).mT * torch.tensor([1.0, 0.3])
    final = []
    for head in (SphericalHead(), DiagonalHead(), LowRankHead(1)):
        torch.manual_seed(0)
        network = MixtureDensityNetwork(1, 2, 1, (8,), head)
        final.append(descend(network.loss, network.parameters(), x, y, epochs=100, lr=0.03)[-1])
    assert final[0] > final[1] + 0.1 > final[2] + 0.2


def test_the_floor_bounds_the_deviations():
    head = SphericalHead(floor=0.1)
    assert head(torch.tensor([-50.0, 0.0]), 1).tolist() == pytest.approx([0.1, 1.1])


class Leaking(torch.nn.Module):
    """A mixture density network that is shown the joint vector, as no density here allows."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = MixtureDensityNetwork(2, 1, components=3, head=SphericalHead(floor=0.0))

    def loss(self, context: Tensor, target: Tensor) -> Tensor:
        return self.inner.loss(torch.cat([context, target], -1), target)

    def update(self, context: Tensor, target: Tensor) -> None:
        pass


def test_a_network_that_sees_the_target_copies_it_and_recovers_no_branch(fitted):
    x, y = sample(500, 0)
    torch.manual_seed(0)
    leaking = Leaking()
    history = descend(leaking.loss, leaking.parameters(), x, y, epochs=500)
    honest = -truth(x).log_prob(y[:, 0]).mean()
    assert history[-1] < honest - 1  # better than the truth itself: nothing was learned about the target
    assert history[499] < history[350] < history[200]  # and there is no end to it
    points = torch.linspace(-0.8, 0.8, 41)[:, None]

    def missed(law) -> Tensor:
        """Mean distance of each true branch from the nearest component of some weight."""
        means = law.loc[..., 0].masked_fill(law.weights < 0.05, torch.inf)
        return (means[:, None, :] - branches(points)[:, :, None]).abs().amin(-1).mean()

    unseen = torch.cat([points, torch.zeros_like(points)], -1)  # at inference there is no target to show
    assert missed(leaking.inner(unseen)) > 10 * missed(fitted(points))


def test_the_guard_is_a_gaussian_likelihood_with_the_moving_moment():
    generator = torch.Generator().manual_seed(0)
    network = MixtureDensityNetwork(3, 2, components=2).double()
    past, now = torch.randn(2, 100, 3, generator=generator, dtype=torch.float64)
    identity = network.guard(now)
    torch.testing.assert_close(identity, now.square().sum(-1).mean() / 2, rtol=1e-3, atol=0)
    network.update(past)
    moment = past.mT @ past / 100 + 1e-4 * torch.eye(3, dtype=torch.float64)
    quadratic = (now * torch.linalg.solve(moment, now.mT).mT).sum(-1).mean()
    torch.testing.assert_close(network.guard(now), (quadratic + torch.logdet(moment)) / 2)


def test_the_guard_has_a_gradient_inwards_and_under_the_batchs_own_moment_none():
    generator = torch.Generator().manual_seed(0)
    past = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    network = MixtureDensityNetwork(3, 2, components=2).double()
    network.update(past)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    (moving,) = torch.autograd.grad(network.guard(scale * past), scale)
    z = scale * past
    own = (z * torch.linalg.solve(z.mT @ z / 200, z.mT).mT).sum(-1).mean() / 2
    (trapped,) = torch.autograd.grad(own, scale)
    assert moving.item() == pytest.approx(3, rel=1e-3)  # d/ds of s^2 tr(S^-1 S) / 2
    assert abs(trapped.item()) < 1e-10


def test_only_update_changes_state():
    network = MixtureDensityNetwork(1, 1, components=3)
    state = copy.deepcopy(network.state_dict())
    x, y = sample(50, 0)
    network(x)
    network.loss(x, y)
    network.guard(x)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    network.update(x)
    assert network.context_law.steps == 1


def test_saves_loads_and_converts(fitted):
    x, y = sample(20, 2)
    fitted = copy.deepcopy(fitted)
    other = MixtureDensityNetwork(1, 1, components=3)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other.loss(x, y), fitted.loss(x, y))
    assert fitted.double()(x.double()).loc.dtype == torch.float64


def test_the_law_is_float32_under_autocast(fitted):
    x, y = sample(20, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        law, loss = fitted(x), fitted.loss(x, y)
        guard = fitted.guard(x)
    assert {v.dtype for v in law.tensors.values()} == {torch.float32} == {loss.dtype, guard.dtype}
    assert abs(loss - fitted.loss(x, y)) < 0.5


def test_any_leading_shape_is_a_batch(fitted):
    x, y = sample(20, 2)
    assert fitted(x.reshape(4, 5, 1)).batch_shape == (4, 5)
    assert fitted(x[0]).batch_shape == ()
    torch.testing.assert_close(fitted.loss(x.reshape(4, 5, 1), y.reshape(4, 5, 1)), fitted.loss(x, y))


def test_wrong_inputs_say_what_to_do():
    network = MixtureDensityNetwork(2, 3, components=2)
    with pytest.raises(ValueError, match="expected a context"):
        network()
    with pytest.raises(ValueError, match=r"expected context \[\*, 2\]"):
        network(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="expected paired"):
        network.loss(torch.zeros(4, 2), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="components >= 1"):
        MixtureDensityNetwork(2, 3, components=0)
    with pytest.raises(ValueError, match="layers >= 2"):
        MixtureDensityNetwork(2, 3, components=2, hidden=())
    with pytest.raises(ValueError, match="floor >= 0"):
        SphericalHead(floor=-1.0)
    with pytest.raises(ValueError, match="floor > 0"):
        LowRankHead(2, floor=0.0)

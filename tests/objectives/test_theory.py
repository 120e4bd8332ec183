"""Theory made executable: what the sources prove about these objectives, and what they only claim."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jointlaw.banks import FIFO
from jointlaw.densities import (
    RBF,
    FixedScale,
    GaussianProcess,
    LearnedScale,
    Linear,
    MixtureDensityNetwork,
    Prototypes,
)
from jointlaw.functional import covariance_penalty, unit, variance_hinge
from jointlaw.functional._slicing import Block
from jointlaw.laws import GeneralizedGaussian, JointMixture
from jointlaw.objectives import GMJE, ConditionalGMJE, DualGJE, MoCo, NaiveGJE, Objective, PrimalGJE, RectifiedLpJEPA
from jointlaw.objectives._gje import joined_both_ways
from jointlaw.regularizers import Eigen, SIGReg, SlicedWasserstein, Targets, Uniform
from jointlaw.regularizers._tables import Tables, UnitLaw
from jointlaw.regularizers._targets import Sorted
from jointlaw.types import Embeddings

B, INPUTS, DIM = 64, 8, 4


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def batches(steps: int) -> Iterator[Tensor]:
    """Two related views of samples, ``[2, B, INPUTS]``."""
    draws = generator(7)
    for _ in range(steps):
        yield torch.randn(B, INPUTS, generator=draws) + 0.5 * torch.randn(2, B, INPUTS, generator=draws)


class Trained(NamedTuple):
    """What training left: embeddings of fresh views before and after, and the losses."""

    before: Tensor
    after: Tensor
    losses: list[float]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(INPUTS, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, DIM))


def spread(z: Tensor) -> float:
    """Mean standard deviation of a unit over samples."""
    return z.std(dim=1).mean().item()


def embed(net: nn.Module, x: Tensor) -> Tensor:
    return net(x.flatten(0, 1)).view(*x.shape[:2], -1)


def train(
    objective: Objective, steps: int, loss_of: Callable[[Embeddings], Tensor] | None = None, follow: float = 0.05
) -> Trained:
    """Adam on a small network; ``loss_of`` replaces the objective's own loss."""
    net, slow = network(), network()
    learned: Iterable[nn.Parameter] = [p for p in objective.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam([*net.parameters(), *learned], 0.005)
    held_out = next(batches(1))
    before = objective.activate(embed(net, held_out)).detach()
    losses = []
    for x in batches(steps):
        z = embed(net, x)
        with torch.no_grad():
            target = embed(slow, x) if objective.uses_target_network else z.detach()
        pair = Embeddings(z, target)
        loss = objective(pair).loss if loss_of is None else loss_of(pair)
        optimizer.zero_grad()
        loss.backward()
        objective.update(Embeddings(z.detach(), target))
        optimizer.step()
        with torch.no_grad():
            for old, new in zip(slow.parameters(), net.parameters(), strict=True):
                old.lerp_(new, follow)
        losses.append(loss.item())
    return Trained(before, objective.activate(embed(net, held_out)).detach(), losses)


# The Mahalanobis trace trap


def test_the_data_term_of_the_naive_likelihood_is_a_constant_without_gradient() -> None:
    z = randn(2, B, DIM).requires_grad_()
    pair = Embeddings(z, z.detach())
    outcome = NaiveGJE(ridge=0.0)(pair)
    assert outcome.terms["mahalanobis"].item() == pytest.approx(DIM)  # half of 2 D
    (naive,) = torch.autograd.grad(outcome.loss, z)
    joint = torch.cat(list(z), 1)
    (volume,) = torch.autograd.grad(torch.logdet(joint.mT @ joint / B) / 2, z)
    torch.testing.assert_close(naive, volume)


def test_the_trap_holds_for_every_component_of_a_mixture() -> None:
    """Responsibilities of any kind, the covariance of each component from the same batch."""
    z, means = randn(B, 2 * DIM).requires_grad_(), randn(3, 2 * DIM, seed=1)
    share = (-(z[:, None] - means).square().sum(-1)).softmax(1)  # [B, K], with their gradient
    gap = z[:, None] - means
    covariances = torch.einsum("bk,bki,bkj->kij", share, gap, gap) / share.sum(0)[:, None, None]
    distances = torch.einsum("bki,kij,bkj->bk", gap, torch.linalg.inv(covariances), gap)
    fit = (share * distances).sum(0) / share.sum(0)  # [K]
    torch.testing.assert_close(fit, torch.full_like(fit, 2 * DIM))
    for component in fit:
        (gradient,) = torch.autograd.grad(component, z, retain_graph=True)
        assert gradient.abs().max() < 1e-8


def test_a_covariance_that_is_not_the_batchs_leaves_the_trap() -> None:
    """The same likelihood under learned prototypes has a gradient in the data term."""
    z = randn(2, B, DIM).requires_grad_()
    prototypes = Prototypes(2 * DIM, 1, split=DIM, scale=FixedScale(1.0)).double()
    (gradient,) = torch.autograd.grad(prototypes.loss(joined_both_ways(z)), z)
    assert gradient.abs().max() > 1e-3


def test_the_naive_likelihood_collapses_and_the_entropy_in_its_place_does_not() -> None:
    naive, primal = train(NaiveGJE(), 300), train(PrimalGJE(), 300)
    assert naive.losses[-1] < naive.losses[0] - 5
    assert spread(naive.after) < 0.1 * spread(naive.before)
    assert spread(primal.after) > 0.7 / math.sqrt(DIM)  # of what the unit sphere has


# The symmetric dual


def process() -> GaussianProcess:
    return GaussianProcess(DIM, DIM, RBF(1.5, learned=False), noise=0.1, learned=False)


def test_the_symmetric_dual_collapses_both_views_and_a_moving_target_on_the_sphere_survives() -> None:
    model = process()
    symmetric = train(
        DualGJE(model, sphere=False), 300, loss_of=lambda z: model.dual_loss(z.context[0], z.context[1]) / B
    )
    survivor = train(DualGJE(process()), 300)
    assert spread(symmetric.after) < 0.02 * spread(symmetric.before)
    assert spread(survivor.after) > 0.8 / math.sqrt(DIM)


def test_in_the_symmetric_dual_zero_targets_are_best_and_then_one_point() -> None:
    model, context, target = process().double(), randn(B, DIM), randn(B, DIM, seed=1)
    shrunk = [model.dual_loss(context, scale * target) for scale in (1.0, 0.5, 0.0)]
    gathered = [model.dual_loss(scale * context, 0 * target) for scale in (1.0, 0.5, 0.0)]
    assert shrunk == sorted(shrunk, reverse=True)
    assert gathered == sorted(gathered, reverse=True)


def test_without_the_sphere_a_moving_target_shrinks_with_the_network_more_slowly() -> None:
    """Targets in half the length are likelier, so that the published form drifts to zero behind its average."""
    published = train(DualGJE(process(), sphere=False), 600)
    early = train(DualGJE(process(), sphere=False), 100)
    assert spread(published.after) < 0.5 * spread(early.after)


def test_with_a_linear_kernel_the_dual_is_the_primal_up_to_a_constant() -> None:
    """Trace and log-determinant over samples are those over units, and (B - 2 d) log eps."""
    model = GaussianProcess(2 * DIM, 2 * DIM, Linear(learned=False), noise=0.3, learned=False).double()
    joint, noise = randn(B, 2 * DIM), model.noise
    moments = joint.mT @ joint
    ridged = moments + noise * torch.eye(2 * DIM, dtype=torch.float64)
    trace = torch.trace(moments @ torch.linalg.inv(ridged))
    volume = torch.logdet(ridged) + (B - 2 * DIM) * noise.log()
    torch.testing.assert_close(model.dual_loss(joint, joint), (trace + 2 * DIM * volume) / 2)


# The log-determinant cheat


def prototypes(sphere: bool) -> Prototypes:
    torch.manual_seed(1)
    return Prototypes(2 * DIM, 6, split=DIM, scale=LearnedScale(2 * DIM, start=0.5), sphere=sphere)


def test_shrinking_everything_cheats_the_joint_likelihood_and_not_the_entropies() -> None:
    """With prototypes and metric in step, scale s lowers the likelihood term by 2 D log s, without end."""
    z = randn(2, B, DIM)
    losses: dict[float, list[float]] = {0.0: [], 1.0: []}
    for scale in (1.0, 0.1, 0.01):
        density = Prototypes(2 * DIM, 6, split=DIM, scale=LearnedScale(2 * DIM, start=scale, floor=0.0))
        with torch.no_grad():
            density.means.copy_(scale * randn(6, 2 * DIM, seed=1))
        for entropy, values in losses.items():
            objective = GMJE(density.double(), entropy=entropy, eps=1e-9)
            values.append(objective(Embeddings(scale * z, scale * z)).loss.item())
    step = 2 * DIM * math.log(10)
    assert [a - b for a, b in zip(losses[0.0], losses[0.0][1:], strict=False)] == pytest.approx([step, step], rel=1e-4)
    assert losses[1.0] == pytest.approx([losses[1.0][0]] * 3, abs=1e-3)


@pytest.mark.parametrize("sphere", [False, True])
def test_bare_likelihood_collapses_with_or_without_the_sphere_and_entropy_saves_both(sphere: bool) -> None:
    """The sphere bounds the entropies; alone it leaves room for a single point with a metric that closes in on it."""
    bare, whole = (train(GMJE(prototypes(sphere), entropy=weight), 300) for weight in (0.0, 1.0))
    assert spread(bare.after) < 0.1 * spread(bare.before)
    assert spread(whole.after) > 0.5 * spread(whole.before)


def test_the_guard_alone_pulls_the_context_inwards_and_entropy_saves_it() -> None:
    """A moving covariance follows the shrinking context: the published conditional loss collapses."""

    def objective(entropy: float) -> ConditionalGMJE:
        torch.manual_seed(1)
        return ConditionalGMJE(MixtureDensityNetwork(DIM, DIM, 3, hidden=(32,), momentum=0.95), entropy=entropy)

    published, whole = train(objective(0.0), 300), train(objective(1.0), 300)
    assert spread(published.after) < 0.1 * spread(published.before)
    assert spread(whole.after) > 0.5 * spread(whole.before)


class Proportional(MixtureDensityNetwork):
    """Predicts the context itself, to a tenth of its length."""

    def forward(self, context: Tensor | None = None) -> JointMixture:
        assert context is not None
        length = context.norm(dim=-1)[..., None, None]
        return JointMixture(context.new_zeros(*context.shape[:-1], 1), context[..., None, :], 0.1 * length)


def test_lengths_that_differ_cheat_the_conditional_likelihood_and_not_on_the_sphere() -> None:
    """Half of the samples shrink, the others grow: the batch's moments stay, and small targets are sharply predicted.

    The entropies are those of a Gaussian of the same moments. What is less spread than that is a gain without end: the
    loss falls by D / 2 log 10 nats (half of the samples) for every tenth of the length.
    """
    u, losses = unit(randn(B, DIM)), {False: [], True: []}
    views = torch.stack([u, unit(u + 0.1 * randn(B, DIM, seed=1))])
    views = torch.cat([views, views.roll(1, -1)], 1)  # the halves have the same directions but for the units' order
    for shrink in (1e-1, 1e-2, 1e-3):
        lengths = torch.cat([torch.full((B, 1), shrink), torch.full((B, 1), math.sqrt(2 - shrink**2))]).double()
        for sphere, values in losses.items():
            objective = ConditionalGMJE(Proportional(DIM, DIM, 1).double(), sphere=sphere, eps=1e-9)
            z = lengths * views
            values.append(objective(Embeddings(z, z)).terms["prediction"].item())
    steps = [a - b for a, b in zip(losses[False], losses[False][1:], strict=False)]
    assert steps == pytest.approx([DIM / 2 * math.log(10)] * 2, abs=0.05)
    assert losses[True] == pytest.approx([losses[True][0]] * 3)


# Contrast as a mixture whose modes are the data


def test_infonce_is_the_likelihood_of_the_own_mode_given_the_context() -> None:
    """-log responsibility of the own pair, in a mixture of spherical components tau I on all pairs, is InfoNCE."""
    tau, memories = 0.3, 24
    z = Embeddings(randn(2, B, DIM), randn(2, B, DIM, seed=1))
    moco = MoCo(FIFO(memories, DIM), tau).double()
    moco.bank.update(unit(randn(memories, DIM, seed=2)))
    query, key = unit(z.context[0]), unit(z.target[1])
    losses = []
    for b in range(B):
        modes = torch.cat([key[b : b + 1], moco.bank.embeddings])
        mixture = Prototypes(2 * DIM, memories + 1, split=DIM, scale=FixedScale(tau)).double()
        with torch.no_grad():
            mixture.means.copy_(torch.cat([modes, modes], 1))  # a key stands for both views of its sample
        losses.append(-mixture().responsibilities(query[b])[0].log())
    torch.testing.assert_close(moco(z).loss, torch.stack(losses).mean())


def test_infonce_is_the_conditional_likelihood_up_to_a_constant_where_the_target_sits_on_its_mode() -> None:
    """-log p(z_t | z_c): routing by the context, the target's density at the peak of its own narrow component."""
    tau, routed = 0.3, 1e-4
    keys, context = unit(randn(B, DIM)), unit(randn(B, DIM, seed=1))
    infonce = F.cross_entropy(context @ keys.mT / tau, torch.arange(B))
    log_routing = -(context[:, None] - keys).square().sum(-1) / (2 * tau)
    log_target = -(keys[:, None] - keys).square().sum(-1) / (2 * routed)  # all but the own mode vanish
    conditional = log_routing.logsumexp(1) - (log_routing + log_target).logsumexp(1)
    torch.testing.assert_close(conditional.mean(), infonce)


# Second-order terms from eigen slices


class NormalScores(Targets):
    """For every slice the same standard normal scores, of mean 0 and variance 1 to rounding."""

    def of(self, law: UnitLaw, embeddings: Tensor, generator: torch.Generator, tables: Tables) -> Sorted:
        places = (torch.arange(embeddings.shape[1], dtype=embeddings.dtype) + 0.5) / embeddings.shape[1]
        scores = torch.special.ndtri(places)
        scores = scores / scores.square().mean().sqrt()

        def score(block: Block) -> Tensor:
            return scores.expand(block.count, 1, -1)

        return score


@pytest.mark.parametrize("distortion", [0.0, 0.1, 0.5, 1.0])
def test_eigen_slices_alone_bound_variance_hinge_and_covariance_penalty(distortion: float) -> None:
    """With e^2 = D SW2, deviations along singular vectors are within e of 1: both terms vanish with the distance."""
    batch, dim = 200, 6
    white = torch.linalg.qr(randn(batch, dim) - randn(batch, dim).mean(0)).Q * math.sqrt(batch)
    z = white + distortion * randn(batch, dim, seed=1) @ randn(dim, dim, seed=2)
    distance = SlicedWasserstein(GeneralizedGaussian(2.0), Eigen(dim), NormalScores()).double()(z)
    e = (dim * distance).sqrt().item()
    correction = batch / (batch - 1)  # from the variance of the batch to the unbiased one
    deviations = torch.linalg.svdvals(z - z.mean(0)) / math.sqrt(batch)
    assert (deviations - 1).square().sum().sqrt() <= e * (1 + 1e-9)
    assert covariance_penalty(z) <= (correction * e * (2 + e)) ** 2 / dim
    assert variance_hinge(z) <= e + 1e-9


def test_matching_along_eigen_slices_alone_brings_the_second_order_terms_to_zero() -> None:
    z = (randn(200, 6) @ randn(6, 6, seed=1)).requires_grad_()
    distance = SlicedWasserstein(GeneralizedGaussian(2.0), Eigen(6), NormalScores()).double()
    before = covariance_penalty(z) + variance_hinge(z)
    optimizer = torch.optim.Adam([z], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        distance(z).backward()
        optimizer.step()
    assert before > 1
    assert covariance_penalty(z) + variance_hinge(z) < 0.01


# Plain features and p = 2: a Gaussian matcher


def test_plain_features_with_p_two_match_a_gaussian_and_stay_dense() -> None:
    batch, dim = 256, 8
    z = (randn(2, batch, dim).abs() @ randn(dim, dim, seed=1) + 1).float().requires_grad_()  # skewed and correlated
    objective = RectifiedLpJEPA(GeneralizedGaussian(2.0), rectify=False, invariance=0.0, slices=Uniform(64))
    judge = SIGReg(Uniform(256))
    before = judge(z).item()
    optimizer = torch.optim.Adam([z], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        pair = Embeddings(z, z.detach())
        objective(pair).loss.backward()
        objective.update(pair)
        optimizer.step()
    rows = objective.activate(z.detach())
    fresh = judge(torch.randn(2, batch, dim, generator=generator(3))).item()
    assert before > 20
    assert judge(rows).item() < 1.2 * fresh  # as normal as a normal sample, along directions never matched
    assert rows.mean(1).abs().max() < 0.1
    covariance = rows[0].mT.cov()
    torch.testing.assert_close(covariance, torch.eye(dim), atol=0.15, rtol=0.0)
    assert (rows != 0).all()

import subprocess
import sys
from itertools import permutations

import pytest
import torch
from torch import Tensor

from jointlaw.densities import FixedScale, LearnedScale, MixtureDensityNetwork, MovingScale, Prototypes
from jointlaw.objectives import GMJE, ConditionalGMJE
from jointlaw.types import Embeddings

B, DIM, K = 20, 3, 5

COMPILED = """
import torch
from jointlaw.banks import Particles
from jointlaw.densities import RBF, FourierProcess, GaussianProcess, Linear, MixtureDensityNetwork, Prototypes
from jointlaw.objectives import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.objectives import GMJE, ConditionalGMJE
from jointlaw.objectives import SMCGMJE
from jointlaw.types import Embeddings

processes = *(GaussianProcess(6, 6, k) for k in (RBF(1.5), Linear())), FourierProcess(6, 6, RBF(1.5), features=8)
duals = [DualGJE(process) for process in processes]
mixtures = GMJE(Prototypes(12, 4, split=6)), ConditionalGMJE(MixtureDensityNetwork(6, 6, 3))
for objective in (PrimalGJE(), PrimalHSIC(), NaiveGJE(), *duals, *mixtures, SMCGMJE(Particles(24, 12, 1.0))):
    torch._dynamo.reset()
    compiled = torch.compile(objective, backend="eager")
    for _ in range(3):
        z = torch.randn(2, 16, 6)
        z = Embeddings(z.requires_grad_(), z.detach() + 1)
        loss = compiled(z).loss
        torch.testing.assert_close(loss, objective(z).loss)
        loss.backward()
        objective.update(Embeddings(z.context.detach(), z.target))
"""


def embeddings(views: int = 2, seed: int = 0) -> Embeddings:
    z = torch.randn(views, B, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Embeddings(z.requires_grad_(), z.detach())


def marginal_volumes(views: Tensor, eps: float = 1e-5) -> Tensor:
    """Half the log-determinants of both blocks' second moments, the mean over views."""
    identity = torch.eye(DIM, dtype=views.dtype)
    return torch.stack([torch.logdet(z.mT @ z / B + eps * identity) for z in views]).mean()


def gmje(scale: LearnedScale | FixedScale | MovingScale, sphere: bool = False, entropy: float = 1.0) -> GMJE:
    torch.manual_seed(0)
    return GMJE(Prototypes(2 * DIM, K, split=DIM, scale=scale, sphere=sphere), entropy=entropy).double()


SCALES = [
    lambda: LearnedScale(2 * DIM),
    lambda: LearnedScale(2 * DIM, K),
    lambda: MovingScale(2 * DIM),
    lambda: FixedScale(0.1),
]


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("sphere", [False, True])
@pytest.mark.parametrize("scale", SCALES)
def test_is_the_joint_likelihood_of_every_ordered_pair_and_the_marginal_entropies(scale, sphere, views) -> None:
    z, objective = embeddings(views), gmje(scale(), sphere, entropy=2.0)
    u = z.context / z.context.norm(dim=-1, keepdim=True) if sphere else z.context
    law = objective.density()
    nll = [-law.log_prob(torch.cat([u[v], u[w]], 1)).mean() for v, w in permutations(range(views), 2)]
    outcome = objective(z)
    torch.testing.assert_close(outcome.loss, torch.stack(nll).mean() - 2 * marginal_volumes(u))
    torch.testing.assert_close(objective.activate(z.context), u)


def test_only_a_moving_covariance_changes_and_only_in_update() -> None:
    z, objective = embeddings(), gmje(MovingScale(2 * DIM))
    before = objective.density.scale().clone()
    objective(z).loss.backward()
    assert torch.equal(before, objective.density.scale())
    objective.update(z)
    assert not torch.equal(before, objective.density.scale())


def test_gradient_reaches_prototypes_weights_and_metric() -> None:
    objective = gmje(LearnedScale(2 * DIM))
    objective(embeddings()).loss.backward()
    for name, p in objective.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name


def test_the_learned_mixture_gives_the_law_of_one_view_given_the_other() -> None:
    law = gmje(LearnedScale(2 * DIM)).density(embeddings().context[0])
    assert law.batch_shape == (B,)
    assert law.event_shape == (DIM,)


def network() -> MixtureDensityNetwork:
    torch.manual_seed(0)
    return MixtureDensityNetwork(DIM, DIM, K, hidden=(16,))


@pytest.mark.parametrize("sphere", [False, True])
def test_conditional_form_is_prediction_guard_and_entropies(sphere: bool) -> None:
    z = embeddings(3)
    objective = ConditionalGMJE(network(), guard=0.5, entropy=2.0, sphere=sphere).double()
    objective.update(embeddings(3, seed=1))
    u = z.context / z.context.norm(dim=-1, keepdim=True) if sphere else z.context
    nll = [-objective.density(u[v]).log_prob(u[w]).mean() for v, w in permutations(range(3), 2)]
    moment = objective.density.context_law().covariance
    quadratic = torch.einsum("vbi,ij,vbj->vb", u, torch.linalg.inv(moment), u).mean()
    guard = (quadratic + torch.logdet(moment)) / 2
    torch.testing.assert_close(objective(z).loss, torch.stack(nll).mean() + 0.5 * guard - 2 * marginal_volumes(u))


def test_the_moving_moment_of_the_guard_is_that_of_all_views() -> None:
    z, objective = embeddings(3), ConditionalGMJE(network()).double()
    objective.update(z)
    rows = z.context.detach().flatten(0, 1)
    expected = rows.mT @ rows / len(rows) + 1e-4 * torch.eye(DIM, dtype=torch.float64)
    torch.testing.assert_close(objective.density.context_law().covariance, expected)


def test_the_network_sees_the_context_only() -> None:
    objective, z = ConditionalGMJE(network()).double(), embeddings()
    moved = z.context.detach().clone()
    seen: list[Tensor] = []
    objective.density.trunk.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    objective(Embeddings(moved, moved))
    assert seen[0].shape[-1] == DIM
    assert torch.equal(seen[0], moved.flatten(0, 1))  # [z_1, z_2], the contexts of both directions


def test_blocks_of_other_widths_are_refused() -> None:
    for density in (Prototypes(6, K), Prototypes(6, K, split=2)):
        with pytest.raises(ValueError, match="two blocks of one width"):
            GMJE(density)
    with pytest.raises(ValueError, match="one width"):
        ConditionalGMJE(MixtureDensityNetwork(3, 4, K))
    with pytest.raises(ValueError, match="entropy >= 0"):
        GMJE(Prototypes(6, K, split=3), entropy=-1.0)
    with pytest.raises(ValueError, match="expected"):
        GMJE(Prototypes(8, K, split=4)).double()(embeddings())


@pytest.mark.slow
def test_compiled_forwards_of_all_joint_embeddings_give_the_same_loss() -> None:
    """In a process of its own, since checked annotations cannot be traced."""
    subprocess.run([sys.executable, "-c", COMPILED], check=True)

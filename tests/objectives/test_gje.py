import math
from itertools import combinations, permutations

import pytest
import torch
from torch import Tensor

from jointlaw.densities import RBF, FourierProcess, GaussianProcess, Linear
from jointlaw.functional import hsic
from jointlaw.functional._dual import gram_nll
from jointlaw.objectives import DualGJE, NaiveGJE, PrimalGJE, PrimalHSIC
from jointlaw.types import Embeddings

B, DIM = 20, 4


def embeddings(views: int = 2, seed: int = 0) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(2, views, B, DIM, generator=generator, dtype=torch.float64)
    return Embeddings(z[0].requires_grad_(), z[1])


def unit(z: Tensor) -> Tensor:
    return z / z.norm(dim=-1, keepdim=True)


def half_log_det(z: Tensor, eps: float) -> Tensor:
    return torch.logdet(z.mT @ z / len(z) + eps * torch.eye(z.shape[1], dtype=z.dtype)) / 2


@pytest.mark.parametrize("views", [2, 3])
def test_primal_is_alignment_and_joint_entropy_per_coordinate(views: int) -> None:
    z = embeddings(views)
    u = unit(z.context)
    pairs = list(combinations(range(views), 2))
    alignment = sum((u[v] - u[w]).square().sum(-1).mean() for v, w in pairs) / len(pairs)
    volume = sum(half_log_det(torch.cat([u[v], u[w]], 1), 0.01) for v, w in pairs) / len(pairs)
    outcome = PrimalGJE(alignment=3.0, entropy=2.0, eps=0.01)(z)
    torch.testing.assert_close(outcome.loss, 3 * alignment - 2 * volume / (2 * DIM))


def test_the_balance_of_alignment_and_entropy_does_not_depend_on_the_width() -> None:
    """The share of their variance in which views differ, at the optimum over free embeddings."""
    shares = []
    for dim in (3, 8):
        torch.manual_seed(0)
        z = torch.randn(2, 100, dim, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([z], 0.1)
        for _ in range(150):
            optimizer.zero_grad()
            PrimalGJE(eps=1e-6)(Embeddings(z, z.detach())).loss.backward()
            optimizer.step()
        u = unit(z.detach())
        shares.append(((u[0] - u[1]).square().sum(-1).mean() / 4).item())
    assert shares == pytest.approx([1 / 16, 1 / 16], abs=0.01)


def test_hsic_variant_is_dependence_and_the_views_own_entropies() -> None:
    z = embeddings(3)
    u = unit(z.context)
    dependence = torch.stack([hsic(u[v], u[w]) for v, w in combinations(range(3), 2)]).mean()
    volume = torch.stack([half_log_det(view, 1e-3) for view in u]).mean()
    outcome = PrimalHSIC(dependence=4.0, entropy=0.5)(z)
    torch.testing.assert_close(outcome.loss, -4 * dependence - 0.5 * volume / DIM)


def test_the_hsic_variant_prefers_dependent_views() -> None:
    z = embeddings().context.detach()
    paired, broken = torch.stack([z[0], z[0]]), torch.stack([z[0], z[0].roll(1, 0)])
    objective = PrimalHSIC()
    assert objective(Embeddings(paired, paired)).loss < objective(Embeddings(broken, broken)).loss


@pytest.mark.parametrize("objective", [PrimalGJE(), PrimalHSIC()])
def test_length_does_not_matter_on_the_sphere(objective: PrimalGJE | PrimalHSIC) -> None:
    z = embeddings()
    torch.testing.assert_close(objective(z).loss, objective(Embeddings(z.context * 7, z.target)).loss)
    torch.testing.assert_close(objective.activate(z.context), unit(z.context))


def process(noise: float = 0.1) -> GaussianProcess:
    return GaussianProcess(DIM, DIM, RBF(1.5), noise).double()


@pytest.mark.parametrize("sphere", [True, False])
def test_dual_is_the_process_likelihood_per_sample_of_every_ordered_pair(sphere: bool) -> None:
    z, dual = embeddings(3), DualGJE(process(), sphere=sphere)
    context = unit(z.context) if sphere else z.context
    target = unit(z.target) * math.sqrt(DIM) if sphere else z.target
    values = [
        gram_nll(dual.process.kernel(context[v]), target[w], dual.process.noise) / B
        for v, w in permutations(range(3), 2)
    ]
    torch.testing.assert_close(dual(z).loss, torch.stack(values).mean())


def test_dual_gives_no_gradient_to_its_targets() -> None:
    z = embeddings()
    z.target.requires_grad_()
    DualGJE(process())(z).loss.backward()
    assert z.target.grad is None
    assert z.context.grad is not None


def test_random_features_estimate_the_exact_dual() -> None:
    z = embeddings()
    exact = DualGJE(process())(z).loss
    features = FourierProcess(DIM, DIM, RBF(1.5), features=1_000, noise=0.1).double()
    torch.testing.assert_close(DualGJE(features)(z).loss, exact, rtol=0.05, atol=0.0)


def test_kernel_and_noise_learn_where_they_are_to() -> None:
    free, held = process(), GaussianProcess(DIM, DIM, RBF(1.5, learned=False), 0.1, learned=False).double()
    for model in (free, held):
        DualGJE(model)(embeddings()).loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in free.parameters())
    assert all(p.grad is None for p in held.parameters())


def test_with_a_linear_kernel_the_dual_is_invariant_to_rotations_of_the_context() -> None:
    z = embeddings()
    rotation = torch.linalg.qr(torch.randn(DIM, DIM, dtype=torch.float64)).Q
    dual = DualGJE(GaussianProcess(DIM, DIM, Linear(DIM), noise=0.1).double())
    torch.testing.assert_close(dual(z).loss, dual(Embeddings(z.context @ rotation, z.target)).loss)


def test_naive_is_the_likelihood_under_the_batchs_own_moment() -> None:
    z = embeddings()
    joint = torch.cat(list(z.context), 1)
    moment = joint.mT @ joint / B
    law = torch.distributions.MultivariateNormal(torch.zeros(2 * DIM, dtype=torch.float64), moment)
    constant = DIM * math.log(2 * math.pi)
    torch.testing.assert_close(NaiveGJE(ridge=0.0)(z).loss, -law.log_prob(joint).mean() - constant)


def test_impossible_settings_are_refused() -> None:
    for build in (lambda: PrimalGJE(entropy=-1.0), lambda: PrimalHSIC(eps=0.0), lambda: NaiveGJE(ridge=-1.0)):
        with pytest.raises(ValueError, match="expected"):
            build()
    with pytest.raises(ValueError, match="one width"):
        DualGJE(GaussianProcess(3, 4, RBF()))
    with pytest.raises(ValueError, match="expected context"):
        DualGJE(GaussianProcess(3, 3, RBF()))(embeddings())

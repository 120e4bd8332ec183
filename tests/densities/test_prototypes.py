"""Prototypes: relaxed EM by gradient, with a learned, moving or fixed covariance."""

import copy

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from jointlaw.densities import FixedScale, LearnedScale, MovingScale, Prototypes, descend

CENTRES = torch.tensor([[2.0, 0.0, 1.0], [-2.0, 1.0, 0.0], [0.0, -2.0, -1.0]])
MIX = torch.tensor([[0.3, 0.0, 0.0], [0.2, 0.2, 0.0], [0.0, 0.0, 0.4]])
SHARES = torch.tensor([0.5, 0.3, 0.2])


@pytest.fixture
def joint() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    k = torch.multinomial(SHARES, 900, replacement=True, generator=generator)
    return CENTRES[k] + torch.randn(900, 3, generator=generator) @ MIX.mT


def learned(scale, joint: Tensor, epochs: int = 120, **options) -> Prototypes:
    torch.manual_seed(0)
    prototypes = Prototypes(3, 3, split=1, scale=scale, **options)
    with torch.no_grad():
        prototypes.means.copy_(CENTRES + 0.5)
    descend(prototypes.loss, prototypes.parameters(), joint, after=prototypes.update, epochs=epochs, lr=0.05)
    return prototypes


SCALES = (
    lambda: LearnedScale(3),
    lambda: LearnedScale(3, components=3),
    lambda: MovingScale(3, momentum=0.9),
    lambda: MovingScale(3, components=3, momentum=0.9),
)


@pytest.mark.parametrize("scale", SCALES)
def test_gradient_finds_weights_means_and_covariances(scale, joint):
    law = learned(scale(), joint)()
    torch.testing.assert_close(law.weights, SHARES, rtol=0, atol=0.05)
    torch.testing.assert_close(law.loc, CENTRES, rtol=0, atol=0.1)
    covariance = law.components.covariance
    torch.testing.assert_close(covariance.mean(-3), MIX @ MIX.mT, rtol=0, atol=0.03)


def test_a_fixed_temperature_stays(joint):
    law = learned(FixedScale(0.25), joint)()
    assert law.scale_tril.tolist() == [[0.5]]
    torch.testing.assert_close(law.loc, CENTRES, rtol=0, atol=0.1)


@pytest.mark.parametrize("components", [1, 4])
def test_loss_is_the_logsumexp_of_the_paper_and_its_constant(components):
    generator = torch.Generator().manual_seed(0)
    scale = LearnedScale(6, components)
    with torch.no_grad():
        scale.below.normal_(generator=generator)
        scale.log_diagonal.normal_(generator=generator)
    prototypes = Prototypes(6, 4, split=2, scale=scale)
    z = torch.randn(9, 6, generator=generator)
    factor = scale().expand(4, 6, 6)
    covariance = factor @ factor.mT
    gap = z[:, None] - prototypes.means  # [B, K, E]
    quadratic = torch.einsum("bke,kef,bkf->bk", gap, torch.linalg.inv(covariance), gap)
    inside = prototypes.logits.log_softmax(-1) - quadratic / 2 - torch.logdet(covariance) / 2
    constant = 3 * torch.tensor(2 * torch.pi).log()
    torch.testing.assert_close(prototypes.loss(z), constant - inside.logsumexp(-1).mean(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("components", [1, 4])
def test_the_first_update_is_the_m_step_of_em(components):
    generator = torch.Generator().manual_seed(0)
    z = 2 * torch.randn(300, 3, generator=generator, dtype=torch.float64) + 5
    prototypes = Prototypes(3, 4, scale=MovingScale(3, components, prior=1e-9)).double()
    prototypes.place(z, generator)
    share = prototypes().responsibilities(z).detach()
    gap = z[:, None] - prototypes.loc.detach()
    scatter = torch.einsum("bk,bke,bkf->kef", share, gap, gap)
    own = scatter / share.sum(0)[:, None, None]
    want = scatter.sum(0, keepdim=True) / 300 if components == 1 else own
    prototypes.update(z)
    factor = prototypes().scale_tril
    torch.testing.assert_close(factor @ factor.mT, want, rtol=1e-6, atol=1e-6)


def test_a_component_without_samples_keeps_the_start():
    scale = MovingScale(2, components=2, start=0.5)
    share = torch.tensor([[1.0, 0.0]]).expand(40, 2)
    z = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    scale.update(z, torch.zeros(2, 2), share)
    torch.testing.assert_close(scale()[1], 0.5 * torch.eye(2))
    factor = scale()[0]
    torch.testing.assert_close(factor @ factor.mT, z.mT @ z / 40, rtol=2e-3, atol=2e-3)


def test_moving_scales_average_batches_by_age():
    scale = MovingScale(1, momentum=0.8, prior=1e-9)
    for value in (1.0, 2.0, 3.0):
        scale.update(torch.full((5, 1), value), torch.zeros(1, 1), torch.ones(5, 1))
    weight = torch.tensor([0.64, 0.8, 1.0])
    want = (weight * torch.tensor([1.0, 4.0, 9.0])).sum() / weight.sum()
    torch.testing.assert_close(scale().square().squeeze(), want)


def test_the_batch_under_judgement_never_sets_its_own_covariance(joint):
    prototypes = Prototypes(3, 3, scale=MovingScale(3))
    prototypes.place(joint, torch.Generator().manual_seed(0))
    before = prototypes().scale_tril
    z = joint[:50].clone().requires_grad_()
    loss = prototypes.loss(z)
    loss.backward()
    assert torch.equal(prototypes().scale_tril, before)
    assert z.grad.abs().sum() > 0
    state = copy.deepcopy(prototypes.state_dict())
    prototypes.update(z)
    changed = {name for name, value in prototypes.state_dict().items() if not torch.equal(state[name], value)}
    assert changed == {"scale.scatter", "scale.mass", "scale.steps"}


def test_means_on_the_sphere_have_unit_blocks(joint):
    prototypes = learned(None, joint, epochs=5, sphere=True)
    context, target = prototypes().loc.split([1, 2], dim=-1)
    torch.testing.assert_close(context.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(target.norm(dim=-1), torch.ones(3))
    whole = Prototypes(3, 5, sphere=True)
    torch.testing.assert_close(whole().loc.norm(dim=-1), torch.ones(5))


def test_gradient_reaches_everything_that_is_learned(joint):
    prototypes = Prototypes(3, 4, split=1, scale=LearnedScale(3, components=4), sphere=True)
    prototypes.loss(joint[:20]).backward()
    for parameter in prototypes.parameters():
        assert parameter.grad.abs().sum() > 0


def test_the_law_is_joint_and_can_be_conditioned(joint):
    prototypes = Prototypes(3, 4, split=1)
    assert (prototypes().event_shape, prototypes().batch_shape) == ((3,), ())
    context, target = joint[:7].split([1, 2], dim=-1)
    given = prototypes(context)
    assert (given.event_shape, given.batch_shape) == ((2,), (7,))
    marginal = prototypes().marginal(1).log_prob(context)
    torch.testing.assert_close(given.log_prob(target) + marginal, prototypes().log_prob(joint[:7]))


@pytest.mark.parametrize("scale", [*SCALES, lambda: FixedScale(0.1)])
def test_saves_loads_and_converts(scale, joint):
    prototypes = learned(scale(), joint, epochs=3)
    other = Prototypes(3, 3, split=1, scale=scale())
    other.load_state_dict(prototypes.state_dict())
    assert torch.equal(other.loss(joint), prototypes.loss(joint))
    wide = prototypes.double()
    assert wide().loc.dtype == wide().scale_tril.dtype == torch.float64
    wide.update(joint.double())


def test_the_law_is_float32_under_autocast(joint):
    prototypes = Prototypes(3, 4, split=1, scale=MovingScale(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prototypes.update(joint)
        inside = prototypes.loss(joint)
    assert torch.equal(inside, prototypes.loss(joint))


def test_one_shared_component_is_the_gaussian_likelihood(joint):
    prototypes = Prototypes(3, 1, scale=LearnedScale(3, start=0.7))
    law = MultivariateNormal(prototypes.means[0], 0.49 * torch.eye(3))
    torch.testing.assert_close(prototypes.loss(joint), -law.log_prob(joint).mean())


def test_wrong_inputs_say_what_to_do(joint):
    with pytest.raises(ValueError, match="expected a scale of width 3 for 1 or 4"):
        Prototypes(3, 4, scale=LearnedScale(2))
    with pytest.raises(ValueError, match="expected a scale of width 3 for 1 or 4"):
        Prototypes(3, 4, scale=MovingScale(3, components=2))
    with pytest.raises(ValueError, match="temperature > 0"):
        FixedScale(0.0)
    with pytest.raises(ValueError, match="1 <= split < 3"):
        Prototypes(3, 4, split=3)
    with pytest.raises(ValueError, match="without a split"):
        Prototypes(3, 4)(joint[:, :1])
    with pytest.raises(ValueError, match=r"expected value \[\*, 3\]"):
        Prototypes(3, 4).loss(joint[:, :2])
    with pytest.raises(ValueError, match="at least 4 samples"):
        Prototypes(3, 4).place(joint[:3])

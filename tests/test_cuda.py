"""The same mathematics on a GPU: equal to the CPU's where nothing is drawn, and where it was asked for."""

import pytest
import torch
from torch import Generator, Tensor

from jointlaw.functional._sorting import ranks_to_samples
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian, TruncatedGeneralizedGaussian
from jointlaw.networks import ConvEncoder, Projector
from jointlaw.objectives import RectifiedLpJEPA, Threshold
from jointlaw.regularizers import SlicedWasserstein, Slices, Uniform
from jointlaw.training._learner import Learner
from jointlaw.types import Views

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

LAW = RectifiedGeneralizedGaussian.with_activity(0.2)


def embeddings() -> Tensor:
    return torch.randn(2, 64, 32, generator=Generator().manual_seed(0)).relu()


def test_ties_are_ranked_alike() -> None:
    x = embeddings().mT
    assert torch.equal(ranks_to_samples(x.cuda()).cpu(), ranks_to_samples(x))


@pytest.mark.parametrize("family", [GeneralizedGaussian, RectifiedGeneralizedGaussian, TruncatedGeneralizedGaussian])
def test_laws_agree_and_draw_where_their_parameters_lie(family: type[GeneralizedGaussian]) -> None:
    here, there = family(1.5, -0.5), family(torch.tensor(1.5).cuda(), torch.tensor(-0.5).cuda())
    sample = there.sample((1000,))
    assert sample.device.type == "cuda"
    torch.testing.assert_close(there.log_prob(sample).cpu(), here.log_prob(sample.cpu()), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(there.entropy().cpu(), here.entropy())


def test_thresholds_move_alike() -> None:
    here, there = Threshold(LAW), Threshold(LAW).cuda()
    for threshold, h in ((here, embeddings()), (there, embeddings().cuda())):
        threshold.update(h)
    torch.testing.assert_close(there.level.cpu(), here.level)


@pytest.mark.parametrize("slices", [None, Uniform(512)])
def test_matching_sees_the_same_distance(slices: Slices | None) -> None:
    """Generators of other devices draw other slices, so the values agree as two seeds do."""
    values, gradients = [], []
    for device in ("cpu", "cuda"):
        z = embeddings().to(device).requires_grad_()
        value = SlicedWasserstein(LAW, slices).to(device)(z)
        value.backward()
        assert z.grad is not None
        assert value.device.type == z.grad.device.type == device
        values.append(float(value))
        gradients.append(z.grad.cpu().flatten())
    assert values[1] == pytest.approx(values[0], rel=0.1)
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.9


def test_a_learner_takes_a_step() -> None:
    torch.manual_seed(0)
    learner = Learner(ConvEncoder(1, width=4), Projector(32, width=32, bias=False), RectifiedLpJEPA(LAW)).cuda()
    images = torch.rand(64, 1, 16, 16).cuda()
    z = learner.embed(Views([images, images.flip(-1)], torch.full((64,), -1), torch.arange(64)))
    with torch.autocast("cuda", torch.bfloat16):
        outcome = learner.objective(z)
    outcome.loss.backward()
    learner.objective.update(z)
    assert outcome.loss.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learner.encoder.parameters())

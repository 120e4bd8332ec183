import pytest
import torch
from torch import Generator, Tensor

from jointlaw.objectives import LeJEPA
from jointlaw.regularizers import SIGReg, SphereSIGReg, Uniform
from jointlaw.types import Embeddings


def views(count: int = 4, batch: int = 32, dim: int = 16) -> Embeddings:
    z = torch.randn(count, batch, dim, generator=Generator().manual_seed(0), dtype=torch.float64)
    return Embeddings(z.requires_grad_(), z.detach())


def test_loss_is_the_published_mean_of_prediction_and_sigreg() -> None:
    z = views(6)
    centre = z.context[:2].mean(0)
    prediction = torch.stack([(view - centre).square().mean() for view in z.context]).mean()
    sigreg = torch.stack([SphereSIGReg()(view) for view in z.context]).mean()
    outcome = LeJEPA()(z)
    torch.testing.assert_close(outcome.terms["prediction"], prediction.detach())
    torch.testing.assert_close(outcome.loss, 0.95 * prediction + 0.05 * sigreg)


def test_the_centre_is_that_of_the_global_views_alone() -> None:
    z = views(5).context.detach()
    centre = z[:2].mean(0)
    moved = z.clone()
    moved[3] += 1.0  # a local view: nobody else's prediction changes
    before, after = (LeJEPA(sigreg=0.0)(Embeddings(x, x)).loss for x in (z, moved))
    own = (moved[3] - centre).square().mean() - (z[3] - centre).square().mean()
    torch.testing.assert_close(after - before, own / 5)


def test_the_centre_carries_gradient() -> None:
    z = views(3)
    (gradient,) = torch.autograd.grad(LeJEPA(sigreg=0.0)(z).loss, z.context)
    torch.testing.assert_close(gradient.sum(0), torch.zeros_like(gradient[0]))  # what pulls views pulls the centre back


def test_views_that_agree_score_no_prediction() -> None:
    x = torch.randn(8, 4, generator=Generator().manual_seed(0)).expand(3, 8, 4)
    assert LeJEPA()(Embeddings(x, x)).terms["prediction"] == 0


def test_two_views_are_half_a_pairwise_squared_error_apart_from_their_centre() -> None:
    z = views(2)
    plain = torch.nn.functional.mse_loss(z.context[0], z.context[1])
    torch.testing.assert_close(LeJEPA()(z).terms["prediction"], plain.detach() / 4)


def test_slices_as_published_agree_with_the_sphere_and_are_new_every_step() -> None:
    z = views(2, batch=64)
    published = LeJEPA(SIGReg(Uniform(4096)))
    torch.testing.assert_close(published(z).loss, LeJEPA()(z).loss, rtol=0.03, atol=0)
    first = published(z).loss
    published.update(z)
    assert published(z).loss != first


def test_descending_the_loss_makes_a_collapsed_batch_standard_normal() -> None:
    raw = 0.1 * torch.randn(1, 256, 8, generator=Generator().manual_seed(0))
    z = raw.repeat(2, 1, 1).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        outcome = LeJEPA()(Embeddings(z, z.detach()))
        outcome.loss.backward()
        optimizer.step()
    assert float(outcome.terms["sigreg"]) < 1.05
    covariance: Tensor = z.detach()[0].T.cov()
    torch.testing.assert_close(covariance, torch.eye(8), rtol=0, atol=0.1)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="0 <= sigreg <= 1"):
        LeJEPA(sigreg=1.5)
    with pytest.raises(ValueError, match="global_views >= 1"):
        LeJEPA(global_views=0)
    with pytest.raises(ValueError, match="at least 2 views"):
        LeJEPA()(views(1))

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from jointlaw.objectives import RepReLU, VICReg
from jointlaw.types import Embeddings


def views(count: int = 2, batch: int = 12, dim: int = 7) -> Embeddings:
    z = torch.randn(count, batch, dim, generator=Generator().manual_seed(0), dtype=torch.float64)
    return Embeddings((0.8 * z).requires_grad_(), (0.8 * z).detach())


def official(x: Tensor, y: Tensor) -> Tensor:
    """The loss as the authors' code writes it."""
    invariance = F.mse_loss(x, y)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    spread_x, spread_y = torch.sqrt(x.var(dim=0) + 0.0001), torch.sqrt(y.var(dim=0) + 0.0001)
    variance = torch.mean(F.relu(1 - spread_x)) / 2 + torch.mean(F.relu(1 - spread_y)) / 2
    covariances = [z.T @ z / (len(z) - 1) for z in (x, y)]
    covariance = sum(off_diagonal(c).pow(2).sum() / c.shape[0] for c in covariances)
    return 25 * invariance + 25 * variance + covariance


def off_diagonal(matrix: Tensor) -> Tensor:
    n = matrix.shape[0]
    return matrix.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


@pytest.mark.parametrize("batch", [5, 40])
def test_loss_is_that_of_the_official_code(batch: int) -> None:
    z = views(batch=batch)
    ours, theirs = VICReg()(z).loss, official(*z.context)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, z.context)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_loss_of_many_views_is_the_mean_over_pairs() -> None:
    z = views(4)
    pairs = [official(z.context[v], z.context[w]) for w in range(4) for v in range(w)]
    torch.testing.assert_close(VICReg()(z).loss, torch.stack(pairs).mean())


@pytest.mark.parametrize("rectifier", [nn.ReLU(), RepReLU()])
def test_the_non_negative_form_is_the_loss_of_rectified_features(rectifier: nn.Module) -> None:
    z = views()
    torch.testing.assert_close(VICReg(rectifier=rectifier)(z).loss, official(*z.context.relu()))
    assert torch.equal(VICReg(rectifier=rectifier).activate(z.context), z.context.relu())


def test_a_gelu_backward_pass_reaches_silent_units() -> None:
    raw = views().target.clone()
    raw[:, :, 0] = -raw[:, :, 0].abs()
    raw[:, 0, 0] = 1.0  # the first unit fires for the first sample alone
    raw.requires_grad_()
    for rectifier, reaches in ((nn.ReLU(), False), (RepReLU(), True)):
        (gradient,) = torch.autograd.grad(VICReg(rectifier=rectifier)(Embeddings(raw, raw.detach())).loss, raw)
        assert bool(gradient[:, 1:, 0].any()) == reaches


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="covariance >= 0"):
        VICReg(covariance=-1.0)
    with pytest.raises(ValueError, match="at least 2 views"):
        VICReg()(views(1))

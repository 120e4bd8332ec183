"""Gaussian processes against scikit-learn, their Fourier form against the exact one."""

import copy
import math

import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process import kernels as peer

from jointlaw.densities import RBF, FourierProcess, GaussianProcess, Linear, Matern
from jointlaw.functional._dual import feature_nll

NOISE = 0.05


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(60, 2, generator=generator, dtype=torch.float64) - 2
    clean = torch.stack([x[:, 0].sin() * x[:, 1].cos(), x.prod(-1)], -1)
    return x, clean + 0.2 * torch.randn(clean.shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def points() -> torch.Tensor:
    return 6 * torch.rand(25, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 3


KERNELS = (
    (RBF(0.8, 1.5), peer.ConstantKernel(1.5) * peer.RBF(0.8)),
    (RBF([0.5, 2.0], 1.5), peer.ConstantKernel(1.5) * peer.RBF([0.5, 2.0])),
    (Matern(0.5, 0.8), peer.ConstantKernel(1.0) * peer.Matern(0.8, nu=0.5)),
    (Matern(1.5, 0.8), peer.ConstantKernel(1.0) * peer.Matern(0.8, nu=1.5)),
    (Matern(2.5, 0.8), peer.ConstantKernel(1.0) * peer.Matern(0.8, nu=2.5)),
    (Linear(0.7), 0.7 * peer.DotProduct(0.0, sigma_0_bounds="fixed")),
)
each_kernel = pytest.mark.parametrize(("kernel", "reference"), KERNELS, ids=lambda k: type(k).__name__)


@each_kernel
def test_mean_and_variance_equal_scikit_learn(kernel, reference, pairs, points):
    process = GaussianProcess(2, 2, copy.deepcopy(kernel), NOISE).double().condition(*pairs)
    other = GaussianProcessRegressor(reference, alpha=process.noise.item(), optimizer=None).fit(
        *(v.numpy() for v in pairs)
    )
    mean, deviation = other.predict(points.numpy(), return_std=True)
    latent, law = process.latent(points), process(points)
    torch.testing.assert_close(latent.mean, torch.from_numpy(mean), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(latent.variance, torch.from_numpy(deviation).square(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(law.variance, latent.variance + process.noise)
    assert (law.batch_shape, law.event_shape, law.split) == ((25,), (2,), None)


@each_kernel
def test_dual_loss_is_scikit_learns_marginal_likelihood(kernel, reference, pairs):
    """Both are exact to 1e-12 by mpmath; what differs is that the module holds its hyper-parameters in float32."""
    process = GaussianProcess(2, 2, copy.deepcopy(kernel), NOISE).double()
    with torch.no_grad():  # float64 parameters of exactly scikit-learn's values
        values = torch.as_tensor(reference.theta).split([p.numel() for p in process.kernel.parameters()][::-1])
        for parameter, value in zip(reversed(list(process.kernel.parameters())), values, strict=True):
            parameter.copy_(value.view_as(parameter))
    other = GaussianProcessRegressor(reference, alpha=process.noise.item(), optimizer=None).fit(
        *(v.numpy() for v in pairs)
    )
    want = -other.log_marginal_likelihood_value_ - pairs[1].numel() / 2 * math.log(2 * math.pi)
    assert process.dual_loss(*pairs).item() == pytest.approx(want, abs=1e-9)


def test_fit_finds_scikit_learns_hyper_parameters(pairs, points):
    process = GaussianProcess(2, 2, RBF(1.0), NOISE).double().fit(*pairs)
    reference = peer.ConstantKernel(1.0) * peer.RBF(1.0) + peer.WhiteKernel(NOISE)
    other = GaussianProcessRegressor(reference, alpha=0.0).fit(*(v.numpy() for v in pairs))
    found = torch.stack([process.kernel.log_variance, process.kernel.log_length[0], process.log_noise]).detach()
    torch.testing.assert_close(found, torch.from_numpy(other.kernel_.theta), rtol=0, atol=1e-3)
    mean, deviation = other.predict(points.numpy(), return_std=True)
    law = process(points)
    torch.testing.assert_close(law.mean, torch.from_numpy(mean), rtol=0, atol=1e-3)
    torch.testing.assert_close(law.stddev, torch.from_numpy(deviation), rtol=0, atol=1e-3)


def test_a_float32_process_predicts_as_well_as_a_float64_one(pairs, points):
    wide = GaussianProcess(2, 2, RBF(1.0), NOISE).double().fit(*pairs)
    narrow = GaussianProcess(2, 2, RBF(1.0), NOISE).fit(*(v.float() for v in pairs))
    law = narrow(points.float())
    assert law.loc.dtype == law.scale_tril.dtype == torch.float32
    torch.testing.assert_close(law.mean.double(), wide(points).mean, rtol=0, atol=1e-4)
    torch.testing.assert_close(law.variance.double(), wide(points).variance, rtol=1e-3, atol=1e-5)


def test_held_hyper_parameters_stay(pairs):
    process = GaussianProcess(2, 2, RBF(0.3, learned=False), NOISE, learned=False).fit(*pairs)
    assert process.kernel.length.item() == pytest.approx(0.3)
    assert process.noise.item() == pytest.approx(NOISE)
    one = GaussianProcess(2, 2, RBF(0.3, learned=False), NOISE).fit(*pairs)
    assert one.kernel.length.item() == pytest.approx(0.3)
    assert one.noise.item() != pytest.approx(NOISE, rel=0.01)


@pytest.mark.parametrize("process", [GaussianProcess(2, 3, RBF(variance=2.0)), FourierProcess(2, 3, RBF(variance=2.0))])
def test_without_data_the_law_is_the_prior(process):
    law = process.latent(torch.randn(5, 2, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(law.mean, torch.zeros(5, 3))
    torch.testing.assert_close(law.variance, torch.full((5, 3), 2.0), rtol=0.2, atol=0)


def test_the_fourier_form_converges_to_the_exact_process(pairs, points):
    inside = points[points.abs().amax(-1) < 2]
    exact = GaussianProcess(2, 2, RBF(), NOISE).double().condition(*pairs)
    means, spreads, losses = [], [], []
    for count in (50, 500, 3000):
        other = FourierProcess(2, 2, RBF(), count, NOISE).double().condition(*pairs)
        means.append((other(inside).mean - exact(inside).mean).square().mean().sqrt().item())
        spreads.append((other(inside).variance / exact(inside).variance - 1).square().mean().sqrt().item())
        losses.append((other.dual_loss(*pairs) / exact.dual_loss(*pairs) - 1).abs().item())
    assert means[0] > 2 * means[1] > 3 * means[2]
    assert spreads[0] > 2 * spreads[1] > 3 * spreads[2]
    assert means[2] < 0.04
    assert spreads[2] < 0.02
    assert losses[2] < 0.01 < losses[0]


def test_the_fourier_form_learns_the_length(pairs):
    exact = GaussianProcess(2, 2, RBF(0.5), NOISE).fit(*pairs)
    other = FourierProcess(2, 2, RBF(0.5), 1000, NOISE).fit(*pairs)
    torch.testing.assert_close(other.kernel.length, exact.kernel.length, rtol=0.15, atol=0)
    torch.testing.assert_close(other.noise, exact.noise, rtol=0.15, atol=0)


def test_fourier_features_form_no_matrix_of_all_pairs():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                self.numbers = max(self.numbers, result.numel())
            return result

    B, R = 4000, 32
    x = torch.randn(B, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    process = FourierProcess(3, 2, RBF(), R)
    with Largest() as seen:
        process.dual_loss(x, x[:, :2].detach()).backward()
    assert seen.numbers <= B * R


@pytest.mark.parametrize("kind", [GaussianProcess, FourierProcess])
def test_the_loss_moves_context_target_and_hyper_parameters(kind, pairs):
    process = kind(2, 2, RBF())
    x, z = (v.float().requires_grad_() for v in pairs)
    process.dual_loss(x, z).backward()
    for value in (x, z, *process.parameters()):
        assert value.grad is not None
        assert value.grad.abs().sum() > 0


def test_symmetric_training_collapses_and_a_held_target_does_not():
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(64, 8, generator=generator)
    process = GaussianProcess(4, 4, RBF(learned=False), 0.1, learned=False)
    spread = {}
    for symmetric in (True, False):
        encode = torch.nn.Linear(8, 4)
        with torch.no_grad():
            encode.weight.copy_(torch.randn(4, 8, generator=torch.Generator().manual_seed(1)) / 3)
        optimiser = torch.optim.Adam(encode.parameters(), 0.02)
        held = encode(data).detach()
        for _ in range(200):
            z = encode(data)
            loss = process.dual_loss(z, encode(data + 0.1) if symmetric else held) / 64
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        spread[symmetric] = encode(data).std(0).mean().item()
    assert spread[False] > 0.1
    assert spread[True] < 0.01


@pytest.mark.parametrize("kind", [GaussianProcess, FourierProcess])
def test_saves_and_loads_with_its_data(kind, pairs, points):
    process = kind(2, 2, RBF(0.7), noise=NOISE).fit(*pairs)
    other = kind(2, 2, RBF())
    other.load_state_dict(copy.deepcopy(process.state_dict()))
    before, after = process(points), other(points)
    assert torch.equal(before.loc, after.loc)
    assert torch.equal(before.scale_tril, after.scale_tril)
    nested = torch.nn.Sequential(kind(2, 2, RBF()))
    nested.load_state_dict(torch.nn.Sequential(process).state_dict())
    assert torch.equal(nested[0](points).loc, before.loc)


@pytest.mark.parametrize("kind", [GaussianProcess, FourierProcess])
def test_prediction_takes_any_leading_shape_and_changes_no_state(kind, pairs, points):
    process = kind(2, 2, Matern(1.5), noise=NOISE).fit(*pairs)
    state = copy.deepcopy(process.state_dict())
    law = process(points.reshape(5, 5, 2))
    assert law.batch_shape == (5, 5)
    torch.testing.assert_close(law.mean.reshape(25, 2), process(points).mean)
    assert process(points[0]).batch_shape == ()
    process.dual_loss(*pairs)
    assert all(torch.equal(state[name], value) for name, value in process.state_dict().items())


def test_autocast_changes_nothing(pairs, points):
    for process in (GaussianProcess(2, 2, RBF()).float(), FourierProcess(2, 2, RBF()).float()):
        process.fit(*(v.float() for v in pairs))
        plain = process.float()(points.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = process(points.float())
        assert torch.equal(plain.loc, inside.loc)
        assert torch.equal(plain.scale_tril, inside.scale_tril)


def test_wrong_inputs_say_what_to_do(pairs):
    process = GaussianProcess(2, 2, RBF())
    x, z = pairs
    with pytest.raises(ValueError, match="expected a context"):
        process()
    with pytest.raises(ValueError, match=r"expected context \[\*, 2\]"):
        process(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="expected paired context"):
        process.fit(x, z[:-1])
    with pytest.raises(ValueError, match="expected finite data"):
        process.fit(x, z.clone().fill_(torch.nan))
    with pytest.raises(ValueError, match="expected one data set"):
        process.condition(x[None], z[None])
    with pytest.raises(ValueError, match="noise > 0"):
        GaussianProcess(2, 2, RBF(), noise=0.0)
    with pytest.raises(ValueError, match=r"smoothness 0\.5, 1\.5 or 2\.5"):
        Matern(2.0)
    with pytest.raises(ValueError, match="length > 0"):
        RBF(-1.0)


def test_the_linear_kernel_is_the_primal_form(pairs):
    x, z = pairs
    process = GaussianProcess(2, 2, Linear(), NOISE).double()
    torch.testing.assert_close(process.dual_loss(x, z), feature_nll(x, z, process.noise))

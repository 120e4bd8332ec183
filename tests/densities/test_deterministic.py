"""The deterministic predictor: what squared error finds, and the law of its residuals."""

import pytest
import torch

from jointlaw.densities import Deterministic, descend


@pytest.fixture
def branches() -> tuple[torch.Tensor, torch.Tensor]:
    """Two branches, at +0.8 with probability 3/4 and at -0.8 with 1/4, around sin(3 x) / 5."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(2000, 1, generator=generator) - 1
    side = torch.where(torch.rand(2000, 1, generator=generator) < 0.75, 0.8, -0.8)
    return x, (3 * x).sin() / 5 + side + 0.05 * torch.randn(2000, 1, generator=generator)


@pytest.fixture
def density(branches) -> Deterministic:
    torch.manual_seed(0)
    density = Deterministic(1, 1, hidden=(32, 32))
    descend(density.loss, density.parameters(), *(part[:1000] for part in branches), epochs=150)
    return density


def test_squared_error_goes_to_the_conditional_mean_where_no_sample_is(density, branches):
    x = torch.linspace(-0.9, 0.9, 50)[:, None]
    mean = (3 * x).sin() / 5 + 0.4
    assert (density(x).mean - mean).square().mean().sqrt() < 0.1
    assert (density(branches[0]).mean - branches[1]).abs().min() > 0.1


def test_calibration_measures_the_spread_of_the_branches(density, branches):
    held_out = tuple(part[1000:] for part in branches)
    before = density(held_out[0]).log_prob(held_out[1]).mean()
    density.calibrate(*held_out)
    law = density(held_out[0])
    residual = held_out[1] - law.mean.detach()
    torch.testing.assert_close(law.variance[0], residual.square().mean(0))
    assert law.variance[0].item() == pytest.approx(0.75 * 0.25 * 1.6**2 + 0.05**2, rel=0.1)
    assert law.log_prob(held_out[1]).mean() > before


def test_the_law_before_calibration_has_squared_error_as_its_likelihood(branches):
    x, y = branches
    density = Deterministic(1, 1)
    nll = -density(x).log_prob(y).mean()
    half_log_2pi = torch.tensor(2 * torch.pi).log() / 2
    torch.testing.assert_close(nll, density.loss(x, y) / 2 + half_log_2pi)


def test_one_covariance_is_held_for_all_contexts():
    density = Deterministic(2, 3)
    law = density(torch.zeros(7, 2))
    assert (law.batch_shape, law.event_shape, law.split) == ((7,), (3,), None)
    assert law.scale_tril.shape == (1, 3, 3)
    assert density(torch.zeros(4, 7, 2)).batch_shape == (4, 7)
    assert density(torch.zeros(2)).batch_shape == ()


def test_residuals_of_several_coordinates_keep_their_correlation():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(4000, 2, generator=generator), torch.randn(4000, 3, generator=generator)
    mix = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 2.0]])
    density = Deterministic(2, 3)
    target = density(x).mean.detach() + noise @ mix.mT
    law = density.calibrate(x, target)(x)
    torch.testing.assert_close(law.covariance[0], mix @ mix.mT, rtol=0, atol=0.15)


def test_saves_loads_and_converts(density, branches):
    density.calibrate(*branches)
    other = Deterministic(1, 1, hidden=(32, 32))
    other.load_state_dict(density.state_dict())
    x = branches[0]
    assert torch.equal(density(x).loc, other(x).loc)
    assert torch.equal(density(x).scale_tril, other(x).scale_tril)
    assert density.double()(x.double()).loc.dtype == torch.float64


def test_neither_prediction_nor_loss_changes_state(density, branches):
    state = {name: value.clone() for name, value in density.state_dict().items()}
    density(branches[0])
    density.loss(*branches)
    density.update(branches[0])
    assert all(torch.equal(state[name], value) for name, value in density.state_dict().items())


def test_the_law_is_float32_under_autocast(density, branches):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        law = density(branches[0])
        loss = density.loss(*branches)
    assert law.loc.dtype == law.scale_tril.dtype == loss.dtype == torch.float32


def test_wrong_inputs_say_what_to_do():
    density = Deterministic(2, 3)
    with pytest.raises(ValueError, match="expected a context"):
        density()
    with pytest.raises(ValueError, match="expected paired"):
        density.loss(torch.zeros(4, 2), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"expected target \[\*, 3\]"):
        density.loss(torch.zeros(4, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="more than 3 held-out pairs"):
        density.calibrate(torch.zeros(3, 2), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="expected finite covariances"):
        density.calibrate(torch.zeros(9, 2), torch.full((9, 3), torch.nan))


def test_descend_uses_every_sample_once_a_pass_and_repeats_itself(branches):
    seen = []

    class Counting(Deterministic):
        def loss(self, context, target):
            seen.append(context)
            return super().loss(context, target)

    histories = []
    for _ in range(2):
        torch.manual_seed(1)
        density = Counting(1, 1)
        histories.append(descend(density.loss, density.parameters(), *branches, epochs=2, batch=300, seed=3))
    assert histories[0] == histories[1]
    assert len(seen) == 2 * 2 * 7
    assert torch.equal(torch.cat(seen[:7]).sort(0).values, branches[0].sort(0).values)
    assert not torch.equal(seen[0], seen[7])


def test_descend_says_what_is_wrong(branches):
    x, y = branches
    density = Deterministic(1, 1)
    parts = density.loss, density.parameters()
    with pytest.raises(ValueError, match="one number of samples"):
        descend(*parts, x, y[:-1])
    with pytest.raises(ValueError, match="one number of samples"):
        descend(*parts)
    with pytest.raises(ValueError, match="expected a finite loss, found nan in epoch 1"):
        descend(*parts, x, y * torch.nan, epochs=3)
    with pytest.raises(ValueError, match="epochs >= 1"):
        descend(*parts, x, y, epochs=0)

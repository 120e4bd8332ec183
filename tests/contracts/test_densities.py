"""What every density promises. A new density is one more entry in DENSITIES."""

import copy
from collections.abc import Callable

import pytest
import torch

from contracts.snapshots import snapshot
from jointlaw.densities import (
    RBF,
    ComponentScale,
    Density,
    Deterministic,
    DiagonalHead,
    Fitted,
    FixedScale,
    FourierProcess,
    GaussianProcess,
    GrowingNeuralGas,
    GrowingPrototypes,
    Growth,
    LearnedScale,
    LowRankHead,
    MixtureDensityNetwork,
    Moving,
    MovingScale,
    Prototypes,
    Shared,
    Spherical,
    fit_gaussian,
    fit_mixture,
)
from jointlaw.laws import Law

CONTEXT, TARGET = 2, 1


def pairs(count: int = 200) -> torch.Tensor:
    """Joint samples ``[N, CONTEXT + TARGET]``: two branches."""
    generator = torch.Generator().manual_seed(0)
    context = torch.rand(count, CONTEXT, generator=generator) - 0.5
    sign = torch.where(torch.rand(count, 1, generator=generator) < 0.5, 1.0, -1.0)
    return torch.cat([context, sign * context[:, :TARGET] + 0.1 * torch.randn(count, TARGET, generator=generator)], 1)


def blocks() -> tuple[torch.Tensor, torch.Tensor]:
    """Their contexts and targets."""
    z = pairs()
    return z[:, :CONTEXT], z[:, CONTEXT:]


def moving() -> Moving:
    density = Moving(CONTEXT + TARGET, split=CONTEXT)
    density.update(pairs())
    return density


def prototypes(scale: ComponentScale, sphere: bool = False) -> Prototypes:
    density = Prototypes(CONTEXT + TARGET, 4, CONTEXT, scale, sphere)
    density.update(pairs())
    return density


def growing(scale: ComponentScale, moves: str = "gas") -> GrowingPrototypes:
    growth = Growth(every=25)
    density = GrowingPrototypes(CONTEXT + TARGET, CONTEXT, 6, growth=growth, scale=scale, moves=moves)
    density.update(pairs())
    return density


# Every entry returns a density ready for use: fitted, or as it is before training. Call it twice and the twins differ
# in nothing that is not in the state_dict.
DENSITIES: dict[str, Callable[[], Density]] = {
    "Gaussian": lambda: Fitted(fit_gaussian(pairs(), CONTEXT)),
    "mixture": lambda: Fitted(fit_mixture(pairs(), 3, CONTEXT)),
    "mixture, shared covariance": lambda: Fitted(fit_mixture(pairs(), 3, CONTEXT, covariance=Shared())),
    "mixture, spherical": lambda: Fitted(fit_mixture(pairs(), 3, CONTEXT, covariance=Spherical())),
    "growing neural gas": lambda: GrowingNeuralGas(CONTEXT + TARGET, nodes=8, split=CONTEXT).fit(pairs()),
    "Gaussian process": lambda: GaussianProcess(CONTEXT, TARGET, RBF(0.5)).fit(*blocks(), steps=2),
    "Fourier features": lambda: FourierProcess(CONTEXT, TARGET, RBF(0.5), features=32).fit(*blocks(), steps=2),
    "deterministic": lambda: Deterministic(CONTEXT, TARGET, (8,)).calibrate(*blocks()),
    "network": lambda: MixtureDensityNetwork(CONTEXT, TARGET, 3, (8,)),
    "network, diagonal": lambda: MixtureDensityNetwork(CONTEXT, TARGET, 3, (8,), DiagonalHead()),
    "network, low rank": lambda: MixtureDensityNetwork(CONTEXT, TARGET, 3, (8,), LowRankHead(1)),
    "prototypes, learned covariance": lambda: prototypes(LearnedScale(CONTEXT + TARGET)),
    "prototypes, own covariances": lambda: prototypes(LearnedScale(CONTEXT + TARGET, 4)),
    "prototypes, moving covariance": lambda: prototypes(MovingScale(CONTEXT + TARGET)),
    "prototypes, on the sphere": lambda: prototypes(FixedScale(0.1), sphere=True),
    "growing prototypes": lambda: growing(MovingScale(CONTEXT + TARGET)),
    "growing prototypes, own covariances": lambda: growing(MovingScale(CONTEXT + TARGET, 6), moves="both"),
    "moving": moving,
}

# Those that have no law of the context.
PREDICTORS = {
    "Gaussian process",
    "Fourier features",
    "deterministic",
    "network",
    "network, diagonal",
    "network, low rank",
}


@pytest.fixture(params=DENSITIES)
def name(request):
    return request.param


@pytest.fixture
def density(name):
    torch.manual_seed(0)
    return DENSITIES[name]()


@pytest.fixture
def context():
    return pairs()[:7, :CONTEXT]


def tensors(law: Law) -> list[torch.Tensor]:
    return [value.detach() for value in law.tensors.values()]


def equal(first: Law, second: Law) -> bool:
    return type(first) is type(second) and all(map(torch.equal, tensors(first), tensors(second)))


def test_is_a_module_that_returns_the_law_of_the_target(density, context):
    assert isinstance(density, Density)
    law = density(context)
    assert isinstance(law, Law)
    assert law.batch_shape == (7,)
    assert law.event_shape == (TARGET,)
    assert law.log_prob(pairs()[:7, CONTEXT:]).shape == (7,)
    assert law.sample((5,)).shape == (5, 7, TARGET)
    assert law.mean.shape == law.variance.shape == (7, TARGET)


def test_has_a_joint_law_or_says_that_it_needs_the_context(density, name, context):
    if name in PREDICTORS:
        with pytest.raises(ValueError, match="context"):
            density()
        return
    law = density()
    assert law.batch_shape == ()
    assert law.event_shape == (CONTEXT + TARGET,)
    torch.testing.assert_close(
        law.given(context).log_prob(pairs()[:7, CONTEXT:]), density(context).log_prob(pairs()[:7, CONTEXT:])
    )


def test_forward_changes_nothing(density, context):
    before, random = snapshot(density), torch.get_rng_state()
    density(context).log_prob(pairs()[:7, CONTEXT:])
    assert snapshot(density) == before
    assert torch.equal(random, torch.get_rng_state())


def test_forward_is_a_function(density, context):
    assert equal(density(context), density(context))


def test_state_dict_round_trip(density, name, context, tmp_path):
    torch.save(density.state_dict(), tmp_path / "density.pt")
    torch.manual_seed(1)
    twin = DENSITIES[name]()
    with torch.no_grad():
        for value in (*twin.parameters(), *twin.buffers()):
            value.zero_()
    twin.load_state_dict(torch.load(tmp_path / "density.pt", weights_only=True))
    assert equal(density(context), twin(context))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_follows_the_dtype(density, context, dtype):
    density = density.to(dtype)
    law = density(context.to(dtype))
    assert all(value.dtype == dtype for value in tensors(law))
    assert law.log_prob(pairs()[:7, CONTEXT:].to(dtype)).dtype == dtype


def test_double_precision_changes_the_law_by_rounding_only(density, context):
    target = pairs()[:7, CONTEXT:]
    single = density(context).log_prob(target)
    torch.testing.assert_close(
        density.double()(context.double()).log_prob(target.double()).float(), single, rtol=1e-3, atol=1e-3
    )


def test_a_copy_is_independent(density, context):
    twin = copy.deepcopy(density)
    assert equal(density(context), twin(context))


def test_one_context_at_a_time_is_the_same_as_all_together(density, context):
    target = pairs()[:7, CONTEXT:]
    single = torch.cat([density(row[None]).log_prob(z[None]) for row, z in zip(context, target, strict=True)])
    torch.testing.assert_close(single, density(context).log_prob(target), rtol=1e-4, atol=1e-5)


def test_a_context_of_another_width_is_an_error(density, context):
    with pytest.raises(ValueError, match="expected"):
        density(context[:, :1])

"""What is particular to mixtures: routing, empty components, uncertainty, modes, regions, bounds."""

import math

import pytest
import torch
from torch import Tensor

from jointlaw.functional import _mixtures as mixtures
from jointlaw.functional._mixtures import component_log_densities
from jointlaw.laws import JointGaussian, JointMixture, estimate_kl

K, E, SPLIT = 4, 3, 1


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factors(count: int, dim: int = E) -> Tensor:
    root = normal(count, dim, dim, seed=3)
    return torch.linalg.cholesky(root @ root.mT + 0.3 * torch.eye(dim))


def mixture(count: int = K) -> JointMixture:
    return JointMixture(normal(K), 2 * normal(K, E, seed=1), factors(count), split=SPLIT)


def line(weights: list[float], loc: list[float], scale: list[float]) -> JointMixture:
    logits, loc, scale = (torch.tensor(x, dtype=torch.float64) for x in (weights, loc, scale))
    return JointMixture(logits.log(), loc[:, None], scale[:, None])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_the_router_is_bayes_rule():
    law, context = mixture(), normal(6, SPLIT, seed=5)
    blocks = [JointGaussian(law.loc[k, :SPLIT], law.scale_tril[k, :SPLIT, :SPLIT]) for k in range(K)]
    joint = torch.stack([block.log_prob(context) for block in blocks], -1) + law.log_weights
    expected = torch.softmax(joint, -1)
    torch.testing.assert_close(law.responsibilities(context), expected)
    torch.testing.assert_close(law.given(context).weights, expected)


def test_each_component_conditions_as_a_gaussian():
    law, context = mixture(), normal(6, SPLIT, seed=5)
    after, each = law.given(context), law.components.given(context[:, None])
    torch.testing.assert_close(after.loc, each.mean)
    torch.testing.assert_close(after.components.covariance.expand(6, K, 2, 2), each.covariance)


def test_responsibilities_take_the_whole_vector_too():
    law, value = mixture(), normal(6, E, seed=5)
    found = law.responsibilities(value)
    expected = torch.softmax(law.log_weights + law.components.log_prob(value[:, None]), -1)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match=r"\[\*, 1\] or \[\*, 3\]"):
        law.responsibilities(value[:, :2])


def test_one_component_is_the_gaussian():
    law = JointMixture(torch.zeros(1).double(), normal(1, E), factors(1), split=SPLIT)
    twin = JointGaussian(normal(1, E)[0], factors(1)[0], split=SPLIT)
    value = normal(8, E, seed=5)
    torch.testing.assert_close(law.log_prob(value), twin.log_prob(value))
    torch.testing.assert_close(law.given(value[:, :1]).mean, twin.given(value[:, :1]).mean)
    torch.testing.assert_close(law.entropy_bounds().lower, twin.entropy())
    torch.testing.assert_close(law.entropy_bounds().upper, twin.entropy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, K])
@pytest.mark.parametrize("far", [1e3, 1e8, 1e15])
def test_weights_far_outside_the_data_are_finite_and_sum_to_one(dtype, count, far):
    law = mixture(count).to(dtype=dtype)
    context = far * torch.tensor([[1.0], [-1.0]], dtype=dtype)
    after = law.given(context)
    assert after.logits.isfinite().any(-1).all()
    for weights in (after.weights, law.responsibilities(context)):
        assert weights.isfinite().all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, dtype=dtype))
    assert after.mean.isfinite().all()
    assert after.sample((3,)).isfinite().all()
    assert law.log_prob(far * torch.ones(2, E, dtype=dtype)).isfinite().all() or dtype == torch.float32


def test_far_away_the_nearest_of_equal_components_takes_all():
    law = JointMixture(torch.zeros(2), torch.tensor([[-1.0, 5.0], [1.0, -5.0]]), torch.tensor([[0.1]]), split=1)
    context = torch.tensor([[-1e4], [1e4]])
    torch.testing.assert_close(law.given(context).mean, torch.tensor([[5.0], [-5.0]]))


@pytest.mark.parametrize("count", [1, K])
def test_empty_components_add_nothing(count):
    law = mixture(count)
    logits = law.logits.clone()
    logits[2] = -torch.inf
    kept = [0, 1, 3]
    empty = JointMixture(logits, law.loc, law.scale_tril, SPLIT)
    less = JointMixture(logits[kept], law.loc[kept], law.scale_tril[kept if count == K else slice(None)], SPLIT)
    value = normal(6, E, seed=5)
    pairs = [
        (empty.log_prob(value), less.log_prob(value)),
        (empty.mean, less.mean),
        (empty.covariance, less.covariance),
        (empty.given(value[:, :1]).mean, less.given(value[:, :1]).mean),
        (empty.entropy_bounds().lower, less.entropy_bounds().lower),
        (empty.entropy_bounds().upper, less.entropy_bounds().upper),
        (empty.marginal(1).icdf(torch.tensor(0.3)), less.marginal(1).icdf(torch.tensor(0.3))),
        (empty.marginal(1).interval(0.8).upper, less.marginal(1).interval(0.8).upper),
    ]
    for found, expected in pairs:
        torch.testing.assert_close(found, expected)
    assert (empty.responsibilities(value)[:, 2] == 0).all()
    assert int(empty.modes().found.sum()) == int(less.modes().found.sum())
    assert empty.sample((100,)).isfinite().all()
    trained = logits.clone().requires_grad_()
    JointMixture(trained, law.loc, law.scale_tril, SPLIT).log_prob(value).sum().backward()
    assert trained.grad.isfinite().all()


@pytest.mark.parametrize("logits", [[-math.inf, -math.inf], [0.0, math.nan], [0.0, math.inf]])
def test_laws_without_a_component_are_refused(logits):
    with pytest.raises(ValueError, match="logits"):
        JointMixture(torch.tensor(logits), torch.zeros(2, E), torch.ones(2, 1))


def test_components_that_do_not_match_are_explained():
    with pytest.raises(ValueError, match="Components run along"):
        JointMixture(torch.zeros(3), torch.zeros(2, E), torch.ones(1, 1))
    with pytest.raises(ValueError, match=r"scale_tril\[None\]"):
        JointMixture(torch.zeros(2), torch.zeros(2, E), torch.eye(E))


def test_total_variance_splits_into_noise_and_ambiguity():
    law = mixture()
    after = law.given(normal(1, SPLIT, seed=5))
    x, parts = after.sample((400_000,))[:, 0], after.uncertainty()
    torch.testing.assert_close(x.var(0), parts.total[0], rtol=0.02, atol=0)
    apart = torch.cov(after.loc[0].T, aweights=after.weights[0], correction=0).diagonal()
    torch.testing.assert_close(parts.ambiguity[0], apart)
    one = JointMixture(law.logits, law.loc[:1].expand(K, E), law.scale_tril)
    torch.testing.assert_close(one.uncertainty().ambiguity, torch.zeros(E).double())


def test_entropy_lies_between_its_bounds_and_information_matches_entropies():
    for law in (mixture(), mixture(1), JointMixture(normal(K), normal(K, E), 0.3 + normal(K, E).abs(), split=1)):
        bounds, estimate = law.entropy_bounds(), law.estimate_entropy(40_000)
        assert bounds.lower - 4 * estimate.error < estimate.value < bounds.upper + 4 * estimate.error
        assert bounds.lower < bounds.upper
        parts = [part.estimate_entropy(40_000) for part in (law.marginal(1), law.swap().marginal(E - 1))]
        information = law.estimate_mutual_information(40_000)
        expected = parts[0].value + parts[1].value - estimate.value
        error = math.hypot(*(float(part.error) for part in (*parts, estimate, information)))
        assert abs(float(information.value - expected)) < 4 * error


def test_bounds_are_exact_where_components_lie_apart_or_coincide():
    weights = torch.tensor([0.2, 0.8], dtype=torch.float64)
    own = JointGaussian(torch.zeros(E).double(), torch.ones(E).double()).entropy()
    for gap, expected in ((1e3, own - (weights * weights.log()).sum()), (0.0, own)):
        loc = torch.stack([torch.zeros(E), torch.full((E,), gap)]).double()
        for bound in JointMixture(weights.log(), loc, torch.ones(1, 1).double()).entropy_bounds():
            torch.testing.assert_close(bound, expected)


def test_divergence_of_mixtures_is_estimated_with_its_error():
    p = mixture()
    assert float(estimate_kl(p, p).value) == 0.0
    q = JointMixture(p.logits, p.loc + 0.5, p.scale_tril)
    value, error = estimate_kl(p, q, 5_000, torch.Generator().manual_seed(1))
    assert value > 4 * error > 0
    with pytest.raises(ValueError, match="samples >= 2"):
        estimate_kl(p, q, samples=1)


def test_modes_are_where_the_gradient_vanishes():
    for law in (mixture(), mixture(1), mixture().given(normal(2, 1))):
        modes = law.modes()
        x = modes.points.movedim(-2, 0).clone().requires_grad_()  # [K, *batch, E]
        (slope,) = torch.autograd.grad(law.log_prob(x).sum(), x)
        torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-6)
        torch.testing.assert_close(law.log_prob(x).movedim(0, -1), modes.log_prob)
        assert (modes.log_prob.diff() <= 1e-12).all()


@pytest.mark.parametrize(("gap", "count"), [(1.9, 1), (2.2, 2), (6.0, 2)])
def test_two_equal_peaks_part_at_two_deviations(gap, count):
    modes = line([1, 1], [-gap / 2, gap / 2], [1.0, 1.0]).modes()
    assert int(modes.found.sum()) == count


def test_a_component_in_a_valley_leaves_it():
    modes = line([1, 0.001, 1], [-3.0, 0.0, 3.0], [1.0, 1.0, 1.0]).modes()
    assert int(modes.found.sum()) == 2
    assert modes.points[modes.found].abs().min() > 2


def test_quantiles_invert_probabilities_in_both_tails():
    law = line([1, 2, 0.1], [-2.0, 1.0, 30.0], [0.3, 1.0, 0.01])
    q = torch.tensor([1e-12, 1e-3, 0.2, 0.5, 0.9, 1 - 1e-9], dtype=torch.float64)
    torch.testing.assert_close(law.cdf(law.icdf(q)), q)
    assert law.icdf(torch.tensor([0.0, 1.0])).flatten().tolist() == [-math.inf, math.inf]


@pytest.mark.parametrize("level", [0.01, 0.3, 0.5, 0.8, 0.95, 0.9999])
def test_highest_density_regions_hold_their_mass_at_one_height(level):
    laws = [
        ([1, 1, 0.3], [-2.0, 1.0, 8.0], [0.3, 1.0, 0.01]),
        ([1, 1], [0.0, 0.1], [1.0, 5.0]),
        ([1, 1], [-3, 3], [1, 1]),
    ]
    for law in (line(*parameters) for parameters in laws):
        region = law.highest_density_region(level)
        inside = torch.isfinite(region.lower)
        ends = torch.stack([region.lower[inside], region.upper[inside]], -1)
        below, above = law.cdf(ends[:, :1]), law.cdf(ends[:, 1:])
        assert float((above - below).sum()) == pytest.approx(level, abs=1e-9)
        height = law.log_prob(ends.reshape(-1, 1))
        torch.testing.assert_close(height, height[:1].expand_as(height))
        central = law.interval(level)
        assert float(region.length) <= float(central.length) + 1e-9
        assert float(law.cdf(central.upper) - law.cdf(central.lower)) == pytest.approx(level, abs=1e-9)


def test_separated_branches_give_one_interval_each():
    loc = torch.tensor([[-5.0, 0.0, 5.0], [0.0, 0.0, 5.0]], dtype=torch.float64)[..., None]
    law = JointMixture(torch.zeros(2, 3).double(), loc, torch.full((1, 1, 1), 0.1).double())
    region = law.highest_density_region(0.9)
    assert region.parts.tolist() == [3, 2]
    assert region.contains(law.sample((20_000,))).double().mean(0).tolist() == pytest.approx([0.9, 0.9], abs=0.01)
    assert not region.contains(torch.tensor([2.5]).double()).any()
    assert law.interval(0.9).contains(torch.tensor([2.5]).double()).all()


def test_a_gaussian_written_as_a_mixture_has_the_central_region():
    law = line([1], [1.0], [2.0])
    torch.testing.assert_close(law.highest_density_region(0.9), law.interval(0.9))


@pytest.mark.parametrize("count", [1, K])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_float32_densities_survive_an_offset_of_the_data(count, offset):
    exact = mixture(count)
    exact = JointMixture(exact.logits, (exact.loc + offset).float().double(), exact.scale_tril)
    value = (normal(50, E, seed=5) + offset).float()
    rough = exact.to(dtype=torch.float32)
    torch.testing.assert_close(rough.log_prob(value).double(), exact.log_prob(value.double()), rtol=1e-4, atol=1e-4)


def test_components_far_apart_in_units_of_noise_keep_their_densities_in_float32():
    loc = torch.tensor([[0.0, 0.0], [1000.0, -1000.0]])
    law = JointMixture(torch.zeros(2), loc, torch.tensor([[0.1]]))
    value = loc[1:] + torch.tensor([[0.1, 0.2]])
    expected = law.to(dtype=torch.float64).log_prob(value.double())
    torch.testing.assert_close(law.log_prob(value).double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("chunk", [1, 60])
@pytest.mark.parametrize("kept", [0, 2**25])
def test_streaming_does_not_change_values_or_gradients(monkeypatch, chunk, kept):
    law, value = mixture(), normal(9, E, seed=5).requires_grad_()
    inputs = [value, law.loc.requires_grad_(), law.scale_tril.requires_grad_()]
    upstream = normal(9, K, seed=6)
    results = []
    for settings in ((2**18, 2**25), (chunk, kept)):
        for name, number in zip(("CHUNK", "KEPT"), settings, strict=True):
            monkeypatch.setattr(mixtures, name, number)
        density = component_log_densities(*inputs)
        results.append((density, *torch.autograd.grad(density, inputs, upstream)))
    torch.testing.assert_close(results[1], results[0])


def test_memory_of_the_density_does_not_hold_every_distance(monkeypatch):
    monkeypatch.setattr(mixtures, "CHUNK", 2**16)
    batch, count, dim = 512, 64, 32
    law = JointMixture(torch.zeros(count), normal(count, dim).float(), factors(count, dim).float(), validate_args=False)
    value = normal(batch, dim).float()
    with torch.profiler.profile(profile_memory=True) as profile:
        law.log_prob(value)
    events = profile.profiler.kineto_results.events()
    held, most = 0, 0
    for event in events:
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    assert most < 4 * batch * count * dim  # bytes of one [B, K, E] in float32 are four times its numbers

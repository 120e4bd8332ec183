"""What every joint law must satisfy, in every form of covariance."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck as full_gradcheck
from torch.distributions import Categorical, Distribution, MixtureSameFamily, MultivariateNormal

from jointlaw.laws import JointGaussian, JointMixture, Law

gradcheck = partial(full_gradcheck, fast_mode=True)
K, E, SPLIT = 3, 4, 2
FORMS = {"full": (E, E), "diagonal": (E,), "spherical": (1,)}
CASES = [
    *(("gaussian", form, 0) for form in FORMS),
    *(("mixture", form, count) for form in FORMS for count in (K, 1)),
]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scale(form: str, *batch: int) -> Tensor:
    raw = normal(*batch, *FORMS[form], seed=3)
    if form == "full":
        return torch.linalg.cholesky(raw @ raw.mT + 0.5 * torch.eye(E))
    return 0.4 + raw.square()


def build(kind: str, form: str, count: int, batch: tuple[int, ...] = ()) -> Law:
    if kind == "gaussian":
        return JointGaussian(normal(*batch, E), scale(form, *batch), split=SPLIT)
    return JointMixture(normal(*batch, K), 2 * normal(*batch, K, E), scale(form, *batch, count), split=SPLIT)


def reference(law: Law) -> Distribution:
    """The same law by torch's own classes."""
    matrix = law.scale_tril
    if matrix.ndim == law.loc.ndim:
        matrix = torch.diag_embed(matrix.expand(*matrix.shape[:-1], E))
    components = MultivariateNormal(law.loc, scale_tril=matrix)
    return (
        MixtureSameFamily(Categorical(logits=law.logits), components) if isinstance(law, JointMixture) else components
    )


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def case(request):
    return request.param


@pytest.fixture
def law(case):
    return build(*case)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_is_a_torch_distribution(law):
    assert isinstance(law, Distribution)
    assert isinstance(law, Law)
    assert law.batch_shape == ()
    assert law.event_shape == (E,)


@pytest.mark.parametrize("batch", [(), (2,), (5, 2)], ids=str)
@pytest.mark.parametrize("shape", [(), (7, 5, 2), (1, 1)], ids=str)
def test_log_density_is_torchs(case, batch, shape):
    law = build(*case, batch=batch)
    value = normal(*shape, E, seed=5)
    torch.testing.assert_close(law.log_prob(value), reference(law).log_prob(value))


def test_log_density_of_many_samples_is_torchs_in_float32(case):
    law = build(*case).to(dtype=torch.float32)
    value = 3 * normal(100, E, seed=5).float()
    found = law.log_prob(value)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), reference(build(*case)).log_prob(value.double()), rtol=1e-5, atol=1e-4)


def test_moments_are_torchs_and_those_of_samples(law):
    twin = reference(law)
    torch.testing.assert_close(law.mean, twin.mean)
    torch.testing.assert_close(law.variance, twin.variance)
    torch.testing.assert_close(law.covariance.diagonal(), law.variance)
    x = law.sample((200_000,))
    torch.testing.assert_close(x.mean(0), law.mean, rtol=0, atol=0.03)
    torch.testing.assert_close(x.T.cov(), law.covariance, rtol=0.02, atol=0.1)


def test_uncertainty_adds_up_to_the_variance(law):
    noise, ambiguity, total = law.uncertainty()
    torch.testing.assert_close(noise + ambiguity, total)
    torch.testing.assert_close(total, law.variance)
    assert (ambiguity > 0).all() == isinstance(law, JointMixture)


def test_joint_density_is_marginal_times_conditional_either_way(law):
    x = 2 * normal(6, 3, E, seed=7)
    context, target = x[..., :SPLIT], x[..., SPLIT:]
    joint = law.log_prob(x)
    torch.testing.assert_close(law.marginal(SPLIT).log_prob(context) + law.given(context).log_prob(target), joint)
    turned = law.swap()
    assert turned.split == E - SPLIT
    other = turned.marginal(E - SPLIT).log_prob(target) + turned.given(target).log_prob(context)
    torch.testing.assert_close(other, joint)


def test_swap_twice_is_the_same_law(law):
    twice = law.swap().swap()
    for name, value in law.tensors.items():
        torch.testing.assert_close(twice.tensors[name], value)
    assert twice.split == law.split


def test_batched_laws_condition_entry_by_entry(case):
    law = build(*case, batch=(2,))
    context = normal(5, 2, SPLIT, seed=8)
    after = law.given(context)
    assert after.batch_shape == (5, 2)
    assert after.event_shape == (E - SPLIT,)
    for i in range(2):
        names = law.tensors
        one = type(law)(**{name: value[i] for name, value in names.items()}, **law.constants).given(context[:, i])
        torch.testing.assert_close(after.mean[:, i], one.mean)
        torch.testing.assert_close(after.covariance[:, i], one.covariance)
        value = normal(5, E - SPLIT, seed=9)
        both = after.log_prob(value[:, None].expand(5, 2, E - SPLIT))
        torch.testing.assert_close(both[:, i], one.log_prob(value))


def test_conditionals_are_laws_too(law):
    after = law.given(normal(5, SPLIT, seed=8))
    value = after.sample((6,))
    assert value.shape == (6, 5, E - SPLIT)
    assert after.log_prob(value).shape == (6, 5)
    assert after.mean.shape == after.variance.shape == after.uncertainty().noise.shape == (5, E - SPLIT)
    assert after.covariance.shape == (5, E - SPLIT, E - SPLIT)
    assert after.entropy().shape == (5,)
    assert after.modes().points.shape[::2] == (5, E - SPLIT)
    assert after.modes().found[:, 0].all()
    x = after.sample((100_000,))
    torch.testing.assert_close(x.mean(0), after.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(x.var(0), after.variance, rtol=0.05, atol=0.02)


def test_conditionals_hold_their_scale_once(law):
    few, many = (law.given(normal(count, SPLIT)).scale_tril for count in (2, 500))
    assert many.untyped_storage().nbytes() == few.untyped_storage().nbytes()
    assert many.shape[0] == 1


def test_is_rebuilt_from_its_tensors_and_constants(law):
    twin = type(law)(**law.tensors, **law.constants)
    value = normal(5, E)
    assert torch.equal(twin.log_prob(value), law.log_prob(value))
    assert twin.split == law.split
    after = law.given(value[:, :SPLIT])
    again = type(after)(**after.tensors, **after.constants)
    assert torch.equal(again.log_prob(value[:, SPLIT:]), after.log_prob(value[:, SPLIT:]))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda law: pickle.loads(pickle.dumps(law))])  # noqa: S301
def test_survives_copies(law, copied):
    value = normal(5, E)
    assert torch.equal(copied(law).log_prob(value), law.log_prob(value))


def test_expands_like_torch_without_memory(law):
    broad = law.expand((4, 3))
    assert broad.batch_shape == (4, 3)
    assert broad.split == law.split
    assert broad.sample((5,)).shape == (5, 4, 3, E)
    assert broad.mean.shape == broad.variance.shape == (4, 3, E)
    assert broad.entropy().shape == (4, 3)
    value = normal(4, 3, E)
    torch.testing.assert_close(broad.log_prob(value), law.log_prob(value))
    for name, tensor in broad.tensors.items():
        assert tensor.untyped_storage().nbytes() == law.tensors[name].untyped_storage().nbytes()
    with pytest.raises((RuntimeError, ValueError)):
        broad.expand((4, 2))


def test_conditionals_expand_too(law):
    after = law.given(normal(3, SPLIT))
    broad = after.expand((4, 3))
    value = normal(4, 3, E - SPLIT)
    torch.testing.assert_close(broad.log_prob(value), after.log_prob(value))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_dtype_is_kept(law, dtype):
    law = law.to(dtype=dtype)
    x = law.sample((6,))
    after = law.given(x[:, :SPLIT])
    results = (x, law.log_prob(x), law.mean, law.variance, law.covariance, law.entropy(), law.mutual_information())
    results += (after.loc, after.log_prob(x[:, SPLIT:]), after.mean, law.swap().loc, *law.modes()[:2])
    assert all(value.dtype == dtype for value in results)


def test_runs_in_float32_under_autocast(law):
    law = law.to(dtype=torch.float32)
    value = normal(9, E).float()
    plain, after = law.log_prob(value), law.given(value[:, :SPLIT]).mean
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(law.log_prob(value), plain)
        assert torch.equal(law.given(value[:, :SPLIT]).mean, after)
        assert law.swap().covariance.dtype == law.variance.dtype == torch.float32


def test_draws_are_those_of_the_generator(law):
    first, second = (law.draw((9,), torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)
    state = torch.get_rng_state()
    law.sample((9,), generator=torch.Generator().manual_seed(7))
    assert torch.equal(state, torch.get_rng_state())


def test_empty_samples_and_batches_pass(law):
    assert law.sample((0,)).shape == (0, E)
    assert law.log_prob(normal(0, E)).shape == (0,)
    after = law.given(normal(0, SPLIT))
    assert after.sample((2,)).shape == (2, 0, E - SPLIT)


def tracked(law: Law) -> dict[str, Tensor]:
    return {name: value.clone().requires_grad_() for name, value in law.tensors.items()}


def rebuilt(law: Law, tensors: tuple[Tensor, ...]) -> Law:
    named = dict(zip(law.tensors, tensors, strict=True))
    if named["scale_tril"].ndim > named["loc"].ndim:
        named["scale_tril"] = named["scale_tril"].tril()
    return type(law)(**named, **law.constants, validate_args=False)


@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
@pytest.mark.parametrize("count", [2, 6])
def test_gradients_of_the_log_density(case, batch, count):
    law = build(*case, batch=batch)
    value = normal(count, *batch, E, seed=5).requires_grad_()
    inputs = (value, *tracked(law).values())
    assert gradcheck(lambda value, *tensors: rebuilt(law, tensors).log_prob(value), inputs)


def test_gradients_of_conditionals_and_moments(law):
    context, target = normal(3, SPLIT, seed=5).requires_grad_(), normal(3, E - SPLIT, seed=6).requires_grad_()
    inputs = tuple(tracked(law).values())
    assert gradcheck(lambda c, t, *x: rebuilt(law, x).given(c).log_prob(t), (context, target, *inputs))
    assert gradcheck(lambda c, *x: rebuilt(law, x).swap().given(c).mean, (context, *inputs))
    assert gradcheck(lambda *x: rebuilt(law, x).covariance, inputs)


def test_validates_values_when_asked(law):
    bad = normal(3, E)
    bad[1, 2] = torch.nan
    with pytest.raises(ValueError, match="support"):
        law.log_prob(bad)
    assert law.given(normal(2, SPLIT))._validate_args == law._validate_args


def test_wrong_widths_and_one_block_laws_are_refused(law):
    for broken in (
        lambda: law.given(normal(2, E)),
        lambda: law.log_prob(normal(2, E - 1)),
        lambda: law.marginal(E + 1),
        lambda: law.marginal(0),
        lambda: law.marginal(SPLIT).given(normal(2, SPLIT)),
        lambda: law.marginal(SPLIT).swap(),
        lambda: law.marginal(SPLIT).mutual_information(),
        lambda: law.cdf(normal(2, 1)),
        lambda: law.interval(0.9),
        lambda: law.marginal(1).interval(1.0),
        lambda: law.marginal(1).highest_density_region(0.0),
        lambda: type(law)(**law.tensors, split=E),
        lambda: type(law)(**{**law.tensors, "scale_tril": law.scale_tril[..., :0]}),
        lambda: type(law)(**{**law.tensors, "loc": law.loc.float()}),
        lambda: type(law)(**{**law.tensors, "scale_tril": -law.scale_tril}),
        lambda: type(law)(**{**law.tensors, "loc": law.loc * torch.nan}),
    ):
        with pytest.raises(ValueError, match=r"[Ee]xpected"):
            broken()

"""Expectation-maximisation: scikit-learn's answers, exact ones, and what goes wrong."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from jointlaw.densities.em import (
    BIC,
    ConvergenceWarning,
    Covariance,
    Diagonal,
    ExpectationMaximization,
    FromLaw,
    Full,
    HeldOut,
    KMeans,
    Means,
    Responsibilities,
    Shared,
    Spherical,
    choose_components,
)
from jointlaw.densities.em import _steps as steps
from jointlaw.densities.em._covariances import COVARIANCES
from jointlaw.densities.em._runs import level
from jointlaw.densities.em._screening import Whitened
from jointlaw.densities.em._steps import EmptyComponentWarning, Parameters, expect
from jointlaw.functional._mixtures import component_log_densities
from jointlaw.laws import JointGaussian

THEIRS = {"full": "full", "shared": "tied", "diagonal": "diag", "spherical": "spherical"}


@pytest.fixture(params=COVARIANCES.values(), ids=COVARIANCES)
def kind(request) -> Covariance:
    return request.param


def clusters(count=600, dim=4, components=3, spread=2.0, seed=0, shift=3.0):
    """Samples of skewed clusters that overlap, and soft shares to start from."""
    rng = np.random.default_rng(seed)
    centres = spread * rng.normal(size=(components, dim))
    label = rng.integers(components, size=count)
    x = centres[label] + rng.normal(size=(count, dim)) @ rng.normal(size=(dim, dim)) * 0.7 + shift
    return torch.from_numpy(x), torch.from_numpy(rng.dirichlet(np.full(components, 0.3), size=count))


def scikit(x, share, kind, **options):
    """Their model from the parameters that the shares imply, worked out here."""
    mass = share.sum(0)
    loc = share.T @ x / mass[:, None]
    gap = x[:, None] - loc
    own = torch.einsum("nk,nki,nkj->kij", share, gap, gap)
    floor = 1e-6 * torch.eye(x.shape[1], dtype=x.dtype)
    covariance = {
        "full": own / mass[:, None, None] + floor,
        "shared": own.sum(0) / mass.sum() + floor,
        "diagonal": own.diagonal(dim1=1, dim2=2) / mass[:, None] + 1e-6,
        "spherical": own.diagonal(dim1=1, dim2=2).mean(1) / mass + 1e-6,
    }[kind.name]
    precision = covariance.inverse() if kind.name in ("full", "shared") else 1 / covariance
    model = GaussianMixture(
        share.shape[1],
        covariance_type=THEIRS[kind.name],
        weights_init=(mass / mass.sum()).numpy(),
        means_init=loc.numpy(),
        precisions_init=precision.numpy(),
        **options,
    )
    return model.fit(x.numpy())


def test_agrees_with_scikit_learn_from_the_same_start(kind):
    x, share = clusters()
    theirs = scikit(x, share, kind, tol=1e-8, max_iter=500)
    ours = ExpectationMaximization(3, kind, tolerance=1e-8, iterations=500).fit(x, start=Responsibilities(share))
    assert ours.iterations == theirs.n_iter_
    np.testing.assert_allclose(ours.law.weights, theirs.weights_, atol=1e-6)
    np.testing.assert_allclose(ours.law.loc, theirs.means_, atol=1e-6)
    np.testing.assert_allclose(ours.law.log_prob(x), theirs.score_samples(x.numpy()), atol=1e-6)
    assert ours.history[-1] == pytest.approx(theirs.lower_bound_, abs=1e-9)
    assert ours.bic == pytest.approx(theirs.bic(x.numpy()), abs=1e-5)


def test_agrees_with_scikit_learn_where_most_components_are_screened_out():
    x, share = clusters(count=1500, dim=40, components=6, spread=3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = scikit(x, share, Full(), tol=0.0, max_iter=6)
        ours = ExpectationMaximization(6, tolerance=0.0, iterations=6).fit(x, start=Responsibilities(share))
    np.testing.assert_allclose(ours.law.log_prob(x), theirs.score_samples(x.numpy()), atol=1e-6)


def test_the_likelihood_never_falls(kind):
    x, share = clusters()
    history = (
        ExpectationMaximization(3, kind, floor=0.0, tolerance=1e-9, iterations=500)
        .fit(x, start=Responsibilities(share))
        .history
    )
    assert all(later >= earlier - 1e-12 for earlier, later in itertools.pairwise(history))


def test_the_reported_likelihood_is_that_of_the_law(kind):
    x, _ = clusters()
    fit = ExpectationMaximization(3, kind).fit(x)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(float(fit.law.log_prob(x).mean()), abs=1e-9)
    assert fit.bic == pytest.approx(-2 * float(fit.law.log_prob(x).sum()) + fit.parameters * math.log(len(x)))


@pytest.mark.parametrize(("kind", "free"), [(Full(), 44), (Shared(), 24), (Diagonal(), 26), (Spherical(), 17)])
def test_parameters_are_counted(kind, free):
    x, _ = clusters()
    assert ExpectationMaximization(3, kind).fit(x).parameters == free


def test_one_full_component_is_the_sample_mean_and_covariance():
    x, _ = clusters()
    law = ExpectationMaximization(1, floor=0.0).fit(x).law
    torch.testing.assert_close(law.loc[0], x.mean(0))
    torch.testing.assert_close(law.covariance, torch.cov(x.T, correction=0))


def test_an_integer_weight_is_as_many_copies(kind):
    x, share = clusters(count=200)
    weight = torch.arange(200) % 4
    em = ExpectationMaximization(3, kind, tolerance=1e-7, iterations=500)
    weighted = em.fit(x, weight=10.0 * weight, start=Responsibilities(share))
    copies = em.fit(x.repeat_interleave(weight, 0), start=Responsibilities(share.repeat_interleave(weight, 0)))
    torch.testing.assert_close(weighted.law.loc, copies.law.loc)
    torch.testing.assert_close(weighted.law.scale_tril, copies.law.scale_tril)
    assert weighted.log_likelihood == pytest.approx(copies.log_likelihood)
    assert weighted.samples == 150


def test_a_sample_without_weight_is_no_sample():
    x, share = clusters(count=200)
    far = torch.cat([x, x[:20] + 100])
    weight = torch.cat([torch.ones(200), torch.zeros(20)])
    em = ExpectationMaximization(3)
    with_them = em.fit(far, weight, Responsibilities(torch.cat([share, share[:20]])))
    without = em.fit(x, start=Responsibilities(share))
    torch.testing.assert_close(with_them.law.loc, without.law.loc)
    assert with_them.bic == pytest.approx(without.bic)


def test_shifted_and_scaled_samples_give_the_shifted_and_scaled_law(kind):
    x, share = clusters(shift=0.0)
    em = ExpectationMaximization(3, kind, floor=0.0)
    law = em.fit(x, start=Responsibilities(share)).law
    moved = em.fit(1e-3 * x + 1e3, start=Responsibilities(share)).law
    torch.testing.assert_close(moved.loc, 1e-3 * law.loc + 1e3, rtol=1e-9, atol=0)
    torch.testing.assert_close(moved.scale_tril, 1e-3 * law.scale_tril, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_law_has_the_dtype_and_split_of_what_was_asked(dtype):
    x, _ = clusters()
    law = ExpectationMaximization(3, split=1).fit(x.to(dtype)).law
    assert law.loc.dtype == law.logits.dtype == law.scale_tril.dtype == dtype
    assert law.given(x[:5, :1].to(dtype)).event_shape == (3,)


def test_arithmetic_in_float32_is_close():
    x, share = clusters()
    laws = [
        ExpectationMaximization(3, tolerance=1e-5, iterations=300, dtype=dtype).fit(x, start=Responsibilities(share))
        for dtype in (torch.float32, torch.float64)
    ]
    assert laws[0].log_likelihood == pytest.approx(laws[1].log_likelihood, abs=1e-3)


def test_half_precision_samples_give_a_float32_law():
    x, _ = clusters()
    assert ExpectationMaximization(2).fit(x.bfloat16()).law.loc.dtype == torch.float32


def test_arrays_are_samples_too():
    x, _ = clusters()
    fits = [ExpectationMaximization(2).fit(samples) for samples in (x, x.numpy())]
    assert torch.equal(fits[0].law.loc, fits[1].law.loc)


def test_blobs_are_found_from_a_kmeans_start(kind):
    x, _ = clusters(count=900, dim=2, components=5, spread=30.0, seed=3)
    fit = ExpectationMaximization(5, kind, restarts=3).fit(x)
    assert fit.law.weights.min() > 0.15
    assert fit.log_likelihood > ExpectationMaximization(4, kind, restarts=3).fit(x).log_likelihood + 0.1


def test_more_restarts_are_never_worse():
    x, _ = clusters(components=6, spread=3.0)
    one, many = (ExpectationMaximization(6, restarts=n, seed=1).fit(x).history[-1] for n in (1, 5))
    assert many >= one


def test_the_seed_decides():
    x, _ = clusters()
    first, second = (ExpectationMaximization(5, seed=3).fit(x).law for _ in range(2))
    assert torch.equal(first.loc, second.loc)


def test_a_fit_goes_on_from_a_law(kind):
    x, share = clusters()
    em = ExpectationMaximization(3, kind, tolerance=1e-10, iterations=1000)
    done = em.fit(x, start=Responsibilities(share))
    again = em.fit(x, start=FromLaw(done.law))
    assert again.iterations <= 2
    torch.testing.assert_close(again.law.loc, done.law.loc, rtol=1e-4, atol=1e-4)


def test_given_means_are_where_a_fit_starts():
    x = torch.tensor([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]], dtype=torch.float64)
    start = Means(torch.tensor([[9.0], [0.0], [5.0]]))
    law = ExpectationMaximization(3, Shared()).fit(x, start=start).law
    torch.testing.assert_close(law.loc.squeeze(1), torch.tensor([9.05, 0.05, 5.05], dtype=torch.float64))


def test_says_so_when_it_has_not_converged():
    x, share = clusters()
    with pytest.warns(ConvergenceWarning, match="not converged after 2 iterations"):
        fit = ExpectationMaximization(3, iterations=2, tolerance=0.0).fit(x, start=Responsibilities(share))
    assert not fit.converged
    assert fit.iterations == 2


def empty_start(x):
    """Two clusters, and a third component that no sample belongs to."""
    share = torch.zeros(len(x), 3, dtype=x.dtype)
    share[: len(x) // 2, 0] = 1
    share[len(x) // 2 :, 1] = 1
    return Responsibilities(share)


def test_an_empty_component_moves_to_what_is_explained_worst(kind):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 2, generator=generator, dtype=torch.float64)
    x[100:] += 8
    x[280:] += 30  # a third cluster, which the second component must take at first
    with pytest.warns(EmptyComponentWarning, match="1 of 3 components .* moved"):
        fit = ExpectationMaximization(3, kind, iterations=500).fit(x, start=empty_start(x))
    assert len(fit.law.loc) == 3
    assert float((fit.law.loc - 38).square().sum(1).min()) < 1
    assert fit.law.weights.min() > 0.05


def test_an_empty_component_is_removed_when_asked(kind):
    x, _ = clusters()
    with pytest.warns(EmptyComponentWarning, match="1 of 3 components .* removed"):
        fit = ExpectationMaximization(3, kind, move=False).fit(x, start=empty_start(x))
    assert fit.law.weights.shape == (2,)
    torch.testing.assert_close(fit.law.weights.sum(), torch.tensor(1.0, dtype=torch.float64))


def test_too_few_distinct_samples_end_without_empty_components():
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 0.0]], dtype=torch.float64).repeat(20, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        law = ExpectationMaximization(5, Diagonal()).fit(x).law
    assert law.log_prob(x).isfinite().all()
    assert torch.isfinite(law.logits).all()


def test_batches_reach_the_likelihood_of_all_samples_at_once(kind):
    x, _ = clusters(count=6000, components=3, spread=6.0)
    whole = ExpectationMaximization(3, kind, tolerance=1e-6).fit(x)
    batches = ExpectationMaximization(3, kind, tolerance=2e-3).fit_batches(x.split(500), passes=30)
    assert batches.converged
    assert batches.samples == 6000
    assert batches.log_likelihood == pytest.approx(whole.log_likelihood, abs=0.01)
    assert batches.log_likelihood == pytest.approx(float(batches.law.log_prob(x).mean()), abs=1e-9)


def test_one_batch_with_a_full_step_is_one_iteration(kind):
    """(t + delay)^-decay is one at t = 1 as delay goes to zero."""
    x, share = clusters()
    em = ExpectationMaximization(3, kind, iterations=1)
    with pytest.warns(ConvergenceWarning):
        whole = em.fit(x, start=Responsibilities(share))
    with pytest.warns(ConvergenceWarning):
        batch = em.fit_batches([x], passes=1, delay=1e-12, start=Responsibilities(share))
    torch.testing.assert_close(batch.law.loc, whole.law.loc)
    torch.testing.assert_close(batch.law.scale_tril, whole.law.scale_tril)


@pytest.mark.parametrize("criterion", [BIC(), HeldOut(0.3)], ids=["bic", "held out"])
def test_the_true_number_of_components_is_chosen(criterion):
    x, _ = clusters(count=1500, dim=2, components=4, spread=12.0, seed=5)
    choice = choose_components(x, [1, 2, 3, 4], ExpectationMaximization(1, Shared(), restarts=2), criterion)
    assert choice.components == len(choice.fit.law.weights) == 4
    assert sorted(choice.scores) == [1, 2, 3, 4]
    assert choice.fit.samples == 1500


def test_bic_prefers_fewer_components_than_the_likelihood():
    x, _ = clusters(count=300, components=1)
    choice = choose_components(x, [1, 2, 4])
    assert choice.components == 1


def test_screening_never_drops_a_component_that_matters():
    """Ill-conditioned factors and close components: every share above rounding is there, and exact."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    loc = draw(8, 40) * torch.logspace(-2, 0.5, 8, dtype=torch.float64)[:, None]
    factor = torch.linalg.qr(draw(8, 40, 40)).Q * torch.logspace(-3, 1, 40, dtype=torch.float64)
    scale = torch.linalg.cholesky(factor @ factor.mT + 1e-6 * torch.eye(40, dtype=torch.float64))
    x = (loc.unsqueeze(1) + draw(8, 50, 40) @ scale.mT).flatten(0, 1)
    plain = component_log_densities(x, loc, scale)
    found = Whitened(loc, scale)(x)
    matters = plain > plain.amax(1, keepdim=True) - 80
    assert not matters.all()
    torch.testing.assert_close(found[matters], plain[matters], rtol=1e-8, atol=1e-6)


def test_the_expectation_step_is_bayes_rule(kind):
    x, share = clusters(count=50)
    fit = ExpectationMaximization(3, kind).fit(x, start=Responsibilities(share))
    weight = torch.linspace(0.1, 2, 50, dtype=torch.float64)
    law = fit.law
    parameters = Parameters(law.log_weights, law.loc, law.scale_tril)
    evidence = expect(kind, x, weight, parameters)
    torch.testing.assert_close(evidence.log_density, law.log_prob(x))
    expected = (law.responsibilities(x) * weight[:, None]).sum(0) / weight.sum()
    torch.testing.assert_close(evidence.moments.mass, expected)


def test_densities_of_each_kind_are_those_of_the_law(kind):
    x, share = clusters(count=50)
    law = ExpectationMaximization(3, kind).fit(x, start=Responsibilities(share)).law
    scale = law.scale_tril.expand(3, *law.scale_tril.shape[1:])
    own = torch.stack([JointGaussian(loc, part).log_prob(x) for loc, part in zip(law.loc, scale, strict=True)], 1)
    torch.testing.assert_close(kind.log_density(law.loc, law.scale_tril)(x), own)


def test_kmeans_ends_where_no_sample_changes_its_centre():
    x, _ = clusters(components=4, spread=4.0)
    weight = torch.ones(len(x), dtype=x.dtype)
    share = KMeans().responsibilities(x, weight, 4, seed=0)
    centres = share.T @ x / share.sum(0)[:, None]
    assert torch.equal(torch.cdist(x, centres).argmin(1), share.argmax(1))


X = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
NAN = X.clone().index_fill_(0, torch.tensor([4, 7]), math.nan)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda em: ExpectationMaximization(31).fit(X), "30 samples for 31 components"),
        (lambda em: em.fit(NAN), r"NaN or infinity in 2 of 30 rows \(first: 4, 7\)"),
        (lambda em: em.fit(X[:, 0]), r"expected floating samples \[N, E\], found .* \[30\].*x\[:, None\]"),
        (lambda em: em.fit(X.long()), "found torch.int64"),
        (lambda em: em.fit(X[:3]), "at least 4 samples for a full covariance of 3 coordinates, found 3"),
        (lambda em: em.fit(X, weight=torch.ones(29)), r"one weight per sample \[30\], found shape \[29\]"),
        (lambda em: em.fit(X, weight=-torch.ones(30)), "weights >= 0"),
        (lambda em: em.fit(X, start=Means(X[:3])), r"Means: expected loc of shape \[2, 3\], found \[3, 3\]"),
        (lambda em: em.fit(X, start=Responsibilities(X[:, :2])), "Responsibilities: expected finite shares >= 0"),
        (lambda em: em.fit_batches(iter([X])), "more than once"),
        (lambda em: em.fit_batches([]), "at least one batch"),
        (lambda em: em.fit_batches([X, X[:, :2]]), r"like the first, found \[30, 2\]"),
        (lambda em: em.fit_batches([X[:3], X]), "first batch.*at least 4 samples"),
        (lambda em: em.fit_batches([X], decay=0.4), "0.5 < decay <= 1"),
        (lambda em: ExpectationMaximization(0), "components >= 1"),
        (lambda em: ExpectationMaximization(2, restarts=2).fit(X, start=Means(X[:2])), "restarts=1 from Means"),
        (lambda em: ExpectationMaximization(2, restarts=2).fit_batches([X]), "restarts=1 with batches"),
        (lambda em: ExpectationMaximization(2, dtype=torch.float16), "float32 or float64"),
        (lambda em: ExpectationMaximization(2, split=3).fit(X), "1 <= split < 3"),
        (lambda em: choose_components(X, []), "at least one candidate"),
        (lambda em: HeldOut(0.01).score(em, X, torch.ones(30)), "held out, found 0 of 30"),
    ],
)
def test_bad_input_is_named(action, message):
    with pytest.raises(ValueError, match=message):
        action(ExpectationMaximization(2))


def test_a_constant_coordinate_needs_a_floor():
    x = torch.cat([X, torch.zeros(30, 1)], 1)
    assert ExpectationMaximization(2, Diagonal()).fit(x).law.log_prob(x).isfinite().all()
    with pytest.raises(ValueError, match="does not vary"):
        ExpectationMaximization(2, Diagonal(), floor=0.0).fit(x)


@pytest.mark.parametrize("kind", [Shared(), Full()], ids=str)
def test_what_all_components_share_is_left_out_and_added_again(kind):
    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(300, 4, generator=generator, dtype=torch.float64)
    weight = torch.rand(300, generator=generator, dtype=torch.float64)
    share = torch.rand(300, 3, generator=generator, dtype=torch.float64).softmax(1) * weight[:, None]
    moments = steps.gather(kind, x, share, weight.sum())
    law = steps.maximise(kind, moments, 1e-6)
    whole, known = steps.expect(kind, x, weight, law), steps.expect(kind, x, weight, law, moments.second)
    assert level(known, weight) == pytest.approx(level(whole, weight), rel=1e-12)
    torch.testing.assert_close(known.moments.mass, whole.moments.mass)
    torch.testing.assert_close(known.moments.first, whole.moments.first)
    left_out = whole.log_density - known.log_density
    quadratic = torch.linalg.solve_triangular(law.scale[0], x.mT, upper=False).square().sum(0) / 2
    torch.testing.assert_close(-left_out, quadratic if kind.pooled else torch.zeros_like(left_out))

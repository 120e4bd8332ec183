import copy
import gc
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from itertools import accumulate
from typing import ClassVar

import pytest
import torch
from torch import Generator, Tensor, nn

from contracts.snapshots import snapshot
from jointlaw.functional import _slicing as slicing
from jointlaw.functional import covariance_penalty, hsic, sigreg, variance_hinge
from jointlaw.functional._characteristic import sphere_characteristic
from jointlaw.functional._ordering import Unit
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian
from jointlaw.regularizers import (
    HSIC,
    Axes,
    Blend,
    Eigen,
    FastOrthogonal,
    LogDetEntropy,
    LowerEigen,
    OrderStatistics,
    Orthogonal,
    Regularizer,
    SIGReg,
    SlicedWasserstein,
    Slices,
    Sparse,
    SphereSIGReg,
    TwoSample,
    Uniform,
    VarianceCovariance,
    default_slices,
)
from jointlaw.regularizers._tables import MOST, Tables

law = RectifiedGeneralizedGaussian(1.0, 0.0)
SLICES: dict[str, Slices] = {
    "uniform": Uniform(40),
    "orthogonal": Orthogonal(40),
    "fast": FastOrthogonal(70),
    "sparse": Sparse(20),
    "axes": Axes(),
    "eigen": Eigen(40),
    "mixture": Blend([(1.0, FastOrthogonal(32)), (1.0, Axes(16))]),
}


class Given(Slices):
    """The rows of a matrix."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def blocks(self, columns, generator):
        yield 1 / len(self.matrix), slicing.Dense(self.matrix)


def embeddings(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed)).relu()


@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
@pytest.mark.parametrize("targets", [TwoSample(), TwoSample(shared=False), OrderStatistics()])
def test_forward_is_repeatable_and_changes_no_state(slices: Slices, targets) -> None:
    distance = SlicedWasserstein(law, slices, targets)
    z = embeddings(2, 24, 32)
    before = copy.deepcopy(distance.state_dict())
    first, second = distance(z), distance(z)
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], value) for name, value in distance.state_dict().items())


@pytest.mark.parametrize("targets", [TwoSample(), OrderStatistics()])
def test_update_draws_new_slices(targets) -> None:
    distance = SlicedWasserstein(law, Uniform(8), targets)
    z = embeddings(24, 32)
    before = distance(z)
    distance.update()
    assert distance(z) != before


def test_update_draws_a_new_sample_even_for_fixed_slices() -> None:
    distance = SlicedWasserstein(law, Axes(), TwoSample())
    z = embeddings(24, 32)
    before = distance(z)
    distance.update()
    assert distance(z) != before


def test_a_resumed_run_draws_what_an_uninterrupted_one_draws() -> None:
    z = embeddings(24, 32)
    straight, resumed = (SlicedWasserstein(law, Uniform(8), TwoSample(), seed=3) for _ in range(2))
    for _ in range(5):
        straight.update()
    resumed.load_state_dict(straight.state_dict())
    assert torch.equal(straight(z), resumed(z))
    straight.update()
    resumed.update()
    assert torch.equal(straight(z), resumed(z))


def test_the_state_survives_a_weights_only_file(tmp_path) -> None:
    distance = SlicedWasserstein(law)
    distance.update()
    torch.save(distance.state_dict(), tmp_path / "state.pt")
    other = SlicedWasserstein(RectifiedGeneralizedGaussian(2.0, 1.0))
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    z = embeddings(24, 32)
    assert other.step == 1
    assert torch.equal(other(z), distance(z))  # the law came along


def test_seeds_give_different_slices() -> None:
    z = embeddings(24, 32)
    assert SlicedWasserstein(law, Uniform(8), seed=1)(z) != SlicedWasserstein(law, Uniform(8), seed=2)(z)


def test_slices_do_not_depend_on_how_targets_are_had() -> None:
    class Recording(Slices):
        def __init__(self) -> None:
            self.drawn: list[Tensor] = []

        def blocks(self, columns, generator):
            for weight, block in Uniform(8).blocks(columns, generator):
                self.drawn.append(block.matrix)
                yield weight, block

    recordings = [Recording() for _ in range(2)]
    for recording, targets in zip(recordings, (TwoSample(), OrderStatistics()), strict=True):
        SlicedWasserstein(law, recording, targets)(embeddings(24, 32))
    assert torch.equal(recordings[0].drawn[0], recordings[1].drawn[0])


def test_one_view_may_come_without_a_view_dimension() -> None:
    distance = SlicedWasserstein(law)
    z = embeddings(24, 32)
    assert torch.equal(distance(z), distance(z.unsqueeze(0)))


@pytest.mark.parametrize("targets", [TwoSample(shared=True), OrderStatistics()])
def test_views_are_averaged(targets) -> None:
    distance = SlicedWasserstein(law, SLICES["mixture"], targets)
    z = embeddings(3, 24, 32)
    torch.testing.assert_close(distance(z), torch.stack([distance(view) for view in z]).mean())


def test_the_order_of_the_batch_does_not_matter() -> None:
    distance = SlicedWasserstein(law)
    z = embeddings(24, 64)
    torch.testing.assert_close(distance(z), distance(z[torch.randperm(24, generator=Generator().manual_seed(0))]))


def test_gradients_flow_to_every_view_and_equal_finite_differences() -> None:
    distance = SlicedWasserstein(law, SLICES["mixture"])
    z = torch.randn(2, 6, 32, generator=Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(distance, z)


@pytest.mark.parametrize("make", [lambda slices: SlicedWasserstein(law, slices), lambda slices: SIGReg(slices)])
def test_slices_that_depend_on_the_batch_are_of_each_view_in_turn(make) -> None:
    z = embeddings(3, 24, 32)
    distance = make(Eigen())
    for view in (0, 1, 2, 0):
        fixed = make(Given(torch.linalg.svd(z[view] - z[view].mean(0), full_matrices=False).Vh[:23]))
        fixed.step = distance.step  # of drawn targets
        torch.testing.assert_close(distance(z), fixed(z), rtol=1e-4, atol=1e-6)
        distance.update()


def test_mixture_value_is_the_weighted_mean_of_its_families() -> None:
    z = embeddings(24, 64)
    axes, eigen = Axes(), Eigen(23)  # neither is random here
    whole = SlicedWasserstein(law, Blend([(3.0, axes), (1.0, eigen)]))(z)
    parts = [SlicedWasserstein(law, slices)(z) for slices in (axes, eigen)]
    torch.testing.assert_close(whole, 0.75 * parts[0] + 0.25 * parts[1])


@pytest.mark.parametrize(("batch", "floor"), [(128, 0.0169), (256, 0.0089), (1024, 0.0024)])
def test_two_sample_anchors_are_the_known_floor_and_collapse(batch: int, floor: float) -> None:
    measured, collapse = SlicedWasserstein(law, Uniform(256), TwoSample()).anchors(batch, 512)
    assert measured == pytest.approx(floor, rel=0.1)
    assert collapse == pytest.approx(0.49, abs=0.02)


def test_expected_order_statistics_halve_the_floor() -> None:
    drawn = SlicedWasserstein(law, Uniform(256), TwoSample()).anchors(256, 512)[0]
    expected, collapse = SlicedWasserstein(law, Uniform(256)).anchors(256, 512)
    assert expected == pytest.approx(drawn / 2, rel=0.1)
    assert collapse == pytest.approx(0.49, abs=0.02)


@pytest.mark.parametrize("slices", [Axes(), LowerEigen(), default_slices()], ids=["axes", "lower eigen", "default"])
def test_views_that_agree_and_follow_the_law_score_the_floor(slices: Slices) -> None:
    distance = SlicedWasserstein(law, slices)
    floor, _ = distance.anchors(64, 96)
    values = []
    for seed in range(8):
        z = law.draw((1, 64, 96), Generator().manual_seed(100 + seed))
        values.append(distance(z.expand(2, -1, -1)))
        distance.update()
    assert torch.stack(values).mean() == pytest.approx(floor, rel=0.1)


@pytest.mark.parametrize(("batch", "dim"), [(32, 512), (128, 128), (128, 2048)])
def test_a_batch_of_the_law_is_far_from_collapse_at_every_width(batch: int, dim: int) -> None:
    """Singular vectors of all units of a batch much smaller than its width put it beyond collapse."""
    floor, collapse = SlicedWasserstein(law).anchors(batch, dim)
    assert floor < collapse / 4


def test_anchors_do_not_depend_on_the_step() -> None:
    distance = SlicedWasserstein(law, Uniform(16), TwoSample())
    before = distance.anchors(32, 64)
    distance.update()
    assert distance.anchors(32, 64) == before


def test_the_law_of_the_batch_scores_lower_than_others_of_its_mean_and_variance() -> None:
    z = law.draw((512, 64), Generator().manual_seed(0))
    other = GeneralizedGaussian(2.0, float(law.mean), float(law.variance) ** 0.5)
    assert SlicedWasserstein(law)(z) < 0.5 * SlicedWasserstein(other)(z)


@pytest.mark.parametrize("targets", [TwoSample(), OrderStatistics()])
def test_autocast_and_half_precision_are_computed_in_float32(targets) -> None:
    distance = SlicedWasserstein(law, SLICES["mixture"], targets)
    z = embeddings(24, 64).bfloat16().requires_grad_()
    wide = z.detach().float().requires_grad_()
    exact = distance(wide)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = distance(z)
        from_wide = distance(wide)
    assert value.dtype == torch.float32
    assert torch.equal(value, exact)
    assert torch.equal(from_wide, exact)
    value.backward()
    exact.backward()
    assert torch.equal(z.grad, wide.grad.bfloat16())


def test_targets_keep_their_moments_in_a_half_precision_module() -> None:
    distance = SlicedWasserstein(GeneralizedGaussian(1.0, 0.0), Axes(), TwoSample()).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        draw = distance.law.draw((400_000,), Generator().manual_seed(0))
    assert draw.dtype == torch.float32
    assert draw.abs().max() > 7  # a draw rounded to half precision ends at 3.9 (bf16) or 5.4 (fp16)
    kurtosis = (draw**4).mean() / (draw**2).mean() ** 2
    assert kurtosis - 3 == pytest.approx(3.0, abs=0.25)


def test_the_law_moves_with_the_module() -> None:
    distance = SlicedWasserstein(law).double()
    assert distance.law.loc.dtype == torch.float64
    distance.load_state_dict(SlicedWasserstein(RectifiedGeneralizedGaussian(1.0, 0.5)).state_dict())
    assert float(distance.law.loc) == 0.5


@pytest.mark.parametrize(
    "regularizer",
    [
        SlicedWasserstein(law),
        SlicedWasserstein(law, Uniform(8), TwoSample()),
        SIGReg(Uniform(8)),
        SphereSIGReg(),
        VarianceCovariance(),
        LogDetEntropy(),
        HSIC(),
    ],
    ids=lambda regularizer: type(regularizer).__name__,
)
def test_forward_changes_nothing(regularizer: Regularizer) -> None:
    before = snapshot(regularizer)
    regularizer(embeddings(2, 16, 32).requires_grad_()).backward()
    assert snapshot(regularizer) == before


@pytest.fixture
def tables_made(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The location of each law whose tables were begun in this test."""
    made: list[float] = []
    original = Unit.discretise
    monkeypatch.setattr(
        Unit, "discretise", lambda quantile: made.append(float(quantile.__self__.law.loc)) or original(quantile)
    )
    return made


def rectified(loc: float, dtype: torch.dtype = torch.float32) -> SlicedWasserstein:
    """A distance to a law that no other test has."""
    return SlicedWasserstein(RectifiedGeneralizedGaussian(1.0, torch.tensor(loc, dtype=dtype)), Sparse(8))


def test_equal_laws_share_their_tables(tables_made: list[float]) -> None:
    z, distances = embeddings(16, 32), [rectified(0.125), rectified(0.125), copy.deepcopy(rectified(0.125))]
    distances.append(pickle.loads(pickle.dumps(distances[0])))  # noqa: S301 (our own bytes)
    values = torch.stack([distance(z) for distance in distances])
    assert tables_made == [0.125]
    assert torch.equal(values, values[0].expand(4))
    rectified(0.25)(z)
    assert tables_made == [0.125, 0.25]


def test_tables_go_with_the_last_module_that_uses_them(tables_made: list[float]) -> None:
    z, first, second = embeddings(16, 32), rectified(0.125), rectified(0.125)
    first(z)
    second(z)
    store = weakref.ref(Tables.of(first.law))
    del first
    gc.collect()
    assert store() is Tables.of(second.law)
    del second
    gc.collect()
    assert store() is None
    rectified(0.125)(z)
    assert tables_made == [0.125, 0.125]


@pytest.mark.parametrize("change", ["loaded", "in place"])
def test_another_law_in_the_same_module_has_other_tables(change: str) -> None:
    z, distance, other = embeddings(16, 32), rectified(0.125), rectified(0.5)
    distance(z)
    if change == "loaded":
        distance.load_state_dict(other.state_dict())
    else:
        distance.fixed.loc.fill_(0.5)
    assert torch.equal(distance(z), other(z))


def test_a_store_keeps_a_limited_number_of_tables() -> None:
    tables = Tables(law)
    for batch in range(2, 2 + 2 * MOST):
        tables.signs(1, batch, torch.device("cpu"), torch.float32)
        tables.signs(1, 2, torch.device("cpu"), torch.float32)
    batches = [batch for _, _, batch, _, _ in tables._kept]
    assert len(batches) == MOST
    assert batches[-2:] == [1 + 2 * MOST, 2]


def test_the_module_copies_and_lies_in_a_bigger_module() -> None:
    outer = nn.ModuleDict({"inner": SlicedWasserstein(law)})
    other = copy.deepcopy(outer)
    z = embeddings(24, 64)
    assert torch.equal(outer["inner"](z), other["inner"](z))
    assert set(outer.state_dict()) == {"inner.fixed.p", "inner.fixed.loc", "inner.fixed.scale", "inner._extra_state"}


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_compiled_models_give_the_same_value_and_gradient(backend: str) -> None:
    torch._dynamo.reset()
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), SlicedWasserstein(law, SLICES["mixture"]))
    z = embeddings(24, 8)
    compiled = torch.compile(model, backend=backend)(z)
    plain = model(z)
    torch.testing.assert_close(compiled, plain)
    (ours,), (theirs,) = (torch.autograd.grad(value, [model[0].weight]) for value in (compiled, plain))
    torch.testing.assert_close(ours, theirs)


class Counted(slicing.Dense):
    """A dense block that knows how many of its kind are alive."""

    alive: ClassVar[weakref.WeakSet["Counted"]] = weakref.WeakSet()
    most = 0

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(matrix)
        Counted.alive.add(self)
        Counted.most = max(Counted.most, len(Counted.alive))


def test_no_more_than_two_blocks_of_slices_live_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicing, "Dense", Counted)
    value = SlicedWasserstein(law, Uniform(20 * 512))(embeddings(8, 64).requires_grad_())
    value.backward()
    assert Counted.most <= 2


@pytest.mark.parametrize("targets", [TwoSample(), OrderStatistics()])
def test_peak_memory_does_not_grow_with_the_number_of_slices(targets) -> None:
    z = embeddings(2, 16, 64).requires_grad_()

    def largest(count: int) -> int:
        distance = SlicedWasserstein(law, FastOrthogonal(count), targets)
        distance(z)  # tables are computed once
        with torch.profiler.profile(profile_memory=True) as profile:
            distance(z).backward()
        events = profile.profiler.kineto_results.events()
        return max(accumulate(event.nbytes() for event in events if event.name() == "[memory]"))

    assert largest(16 * 512) <= 1.1 * largest(2 * 512)  # a few rows more or less take longer keys


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (torch.zeros(1, 8), "at least 2 samples"),
        (torch.zeros(8), "floating embeddings"),
        (torch.zeros(2, 2, 8, 8), "at most one dimension of views"),
        (torch.zeros(8, 8, dtype=torch.int64), "floating embeddings"),
    ],
)
def test_wrong_embeddings_are_named(z: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SlicedWasserstein(law)(z)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="seed >= 0"):
        SlicedWasserstein(law, seed=-1)
    with pytest.raises(ValueError, match="law of one unit"):
        SlicedWasserstein(RectifiedGeneralizedGaussian(1.0, torch.zeros(3)))
    with pytest.raises(ValueError, match="batch >= 2"):
        SlicedWasserstein(law).anchors(1, 8)


def test_the_regularizers_need_no_training_library() -> None:
    code = (
        "import sys, jointlaw.regularizers; sys.exit(any(m in sys.modules for m in ('pytorch_lightning', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


REGULARIZERS: dict[str, Callable[[], Regularizer]] = {
    "sliced Wasserstein": lambda: SlicedWasserstein(law, SLICES["mixture"]),
    "SIGReg": lambda: SIGReg(Uniform(40)),
    "SIGReg on fast slices": lambda: SIGReg(FastOrthogonal(64)),
    "SIGReg of the sphere": SphereSIGReg,
    "variance and covariance": VarianceCovariance,
    "log-determinant": LogDetEntropy,
    "HSIC": HSIC,
}


@pytest.fixture(params=REGULARIZERS)
def regularizer(request: pytest.FixtureRequest) -> Regularizer:
    return REGULARIZERS[request.param]()


def spread(*shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(0))


def test_every_regularizer_leaves_its_state_alone_until_update(regularizer: Regularizer) -> None:
    z = spread(2, 24, 32)
    before = copy.deepcopy(regularizer.state_dict())
    assert torch.equal(regularizer(z), regularizer(z))
    after = regularizer.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], value) for name, value in after.items())


def test_every_regularizer_is_a_finite_scalar_with_a_gradient(regularizer: Regularizer) -> None:
    z = spread(3, 24, 32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = regularizer(z)
    value.backward()
    assert value.shape == ()
    assert value.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()
    assert (z.grad.abs().sum((1, 2)) > 0).all()  # of every view


def test_every_regularizer_takes_the_batch_in_any_order(regularizer: Regularizer) -> None:
    z = spread(2, 24, 32).double()
    order = torch.randperm(24, generator=Generator().manual_seed(1))
    torch.testing.assert_close(regularizer(z[:, order]), regularizer(z))


def test_every_regularizer_refuses_a_batch_of_one(regularizer: Regularizer) -> None:
    with pytest.raises(ValueError, match="expected"):
        regularizer(torch.zeros(2, 1, 8))


@pytest.mark.parametrize("name", [name for name in REGULARIZERS if name != "HSIC"])
def test_every_regularizer_of_one_view_averages_several(name: str) -> None:
    regularizer, z = REGULARIZERS[name](), spread(3, 24, 32).double()
    torch.testing.assert_close(regularizer(z), torch.stack([regularizer(view) for view in z]).mean())


@pytest.mark.parametrize("name", ["SIGReg", "SIGReg of the sphere"])
def test_every_sigreg_falls_where_a_batch_is_whitened(name: str) -> None:
    z = spread(512, 32)
    regularizer = REGULARIZERS[name]()
    assert regularizer(z) < 1.3 < regularizer(1.5 * z) < regularizer(0 * z)


def test_sigreg_is_the_published_statistic_of_its_slices() -> None:
    drawn: list[Tensor] = []

    class Recording(Slices):
        def blocks(self, columns, generator):
            for weight, block in Uniform(40).blocks(columns, generator):
                drawn.append(block.matrix)
                yield weight, block

    z = spread(2, 24, 16)
    value = SIGReg(Recording())(z)
    plain = torch.stack([sigreg(view.double(), drawn[0].double()) for view in z]).mean()
    torch.testing.assert_close(value.double(), plain, rtol=1e-5, atol=0)


def test_sigreg_draws_new_slices_after_update_and_resumes_with_them() -> None:
    z = spread(24, 32)
    straight, resumed = SIGReg(Uniform(8), seed=3), SIGReg(Uniform(8), seed=3)
    first = straight(z)
    straight.update()
    assert straight(z) != first
    resumed.load_state_dict(straight.state_dict())
    assert torch.equal(straight(z), resumed(z))
    assert SIGReg(Uniform(8), seed=4)(z) != first


def test_sigreg_of_the_sphere_is_the_function() -> None:
    z = spread(2, 24, 16)
    assert torch.equal(SphereSIGReg()(z), sphere_characteristic(z, z))


def test_shared_slices_are_all_slices_on_one_process() -> None:
    z = spread(24, 32)
    for build in (lambda share: SIGReg(Uniform(40), share=share), lambda share: SlicedWasserstein(law, share=share)):
        assert torch.equal(build(True)(z), build(False)(z))


def test_variance_and_covariance_have_their_weights() -> None:
    z = spread(2, 24, 16)
    expected = 3 * variance_hinge(z).mean() + 0.5 * covariance_penalty(z).mean()
    torch.testing.assert_close(VarianceCovariance(3.0, 0.5)(z), expected)


def test_log_det_entropy_falls_as_a_batch_fills_the_space() -> None:
    z = spread(64, 8)
    flat = z * torch.tensor([1.0] * 4 + [0.01] * 4)
    assert LogDetEntropy()(z) < LogDetEntropy()(flat)


def test_hsic_rewards_views_that_tell_of_each_other() -> None:
    z = spread(3, 64, 4)
    pairs = [hsic(z[v], z[w]) for w in range(3) for v in range(w)]
    joint = torch.stack([torch.cat([z[v], z[w]], 1) for w in range(3) for v in range(w)])
    torch.testing.assert_close(HSIC()(joint), -torch.stack(pairs).mean())
    assert HSIC()(torch.cat([z[0], z[0]], 1)) < 2 * HSIC()(joint[0]) < 0
    torch.testing.assert_close(HSIC(split=3)(z[0]), -hsic(z[0][:, :3], z[0][:, 3:]))


@pytest.mark.parametrize(("split", "width"), [(None, 3), (4, 4)])
def test_hsic_wants_two_blocks(split: int | None, width: int) -> None:
    with pytest.raises(ValueError, match="joint embeddings of two blocks"):
        HSIC(split)(torch.zeros(4, width))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SIGReg(seed=-1), "seed >= 0"),
        (lambda: VarianceCovariance(variance=-1.0), "variance >= 0"),
        (lambda: LogDetEntropy(eps=0.0), "eps > 0"),
        (lambda: SIGReg()(torch.zeros(2, 2, 8, 8)), "at most one dimension of views"),
    ],
)
def test_wrong_arguments_of_others_are_named(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()

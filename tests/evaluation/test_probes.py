"""Probes: perfect on separable blobs, near chance on noise, blind to the test set and to missing labels."""

import warnings
from collections.abc import Callable

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from jointlaw.evaluation import _probes as probes
from jointlaw.evaluation._labelled import ProbeResult
from jointlaw.evaluation._probes import few_shot, knn_probe, linear_probe

Probe = Callable[[Tensor, Tensor, Tensor, Tensor], ProbeResult]
PROBES: list[Probe] = [linear_probe, knn_probe]


def blobs(rows: int, seed: int, classes: int = 3, spread: float = 0.3) -> tuple[Tensor, Tensor]:
    """Clouds around the directions of a simplex."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(rows) % classes
    centres = torch.nn.functional.pad(torch.eye(classes), (0, 5))
    return 4 * centres[label] + spread * torch.randn(rows, classes + 5, generator=generator), label


def noise(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 6, generator=generator), torch.randint(4, (rows,), generator=generator)


@pytest.mark.parametrize("probe", PROBES)
def test_separable_blobs_are_read_perfectly(probe: Probe) -> None:
    result = probe(*blobs(150, 0), *blobs(90, 1))
    assert result.accuracy == 1
    assert result.converged
    assert result.dropped == 0
    torch.testing.assert_close(result.per_class, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(result.confusion, 30 * torch.eye(3, dtype=torch.int64))


@pytest.mark.parametrize("probe", PROBES)
def test_random_labels_are_read_at_chance(probe: Probe) -> None:
    result = probe(*noise(1000, 0), *noise(1000, 1))
    assert result.accuracy == pytest.approx(0.25, abs=0.05)
    assert result.confusion.sum() == 1000


@pytest.mark.parametrize("probe", PROBES)
def test_the_test_set_is_only_scored(probe: Probe) -> None:
    # Whatever else is in the test set, a sample is answered alike: nothing is fitted, scaled or chosen on it.
    train = noise(400, 0)
    here, there = noise(200, 1), noise(200, 2)
    there = (1000 * there[0] + 500, there[1])
    apart = probe(*train, *here).confusion + probe(*train, *there).confusion
    together = probe(*train, torch.cat([here[0], there[0]]), torch.cat([here[1], there[1]]))
    torch.testing.assert_close(together.confusion, apart)
    relabelled = probe(*train, here[0], (here[1] + 1) % 4)
    torch.testing.assert_close(relabelled.confusion.sum(dim=0), probe(*train, *here).confusion.sum(dim=0))
    assert relabelled.penalty == together.penalty


@pytest.mark.parametrize("probe", PROBES)
def test_unlabelled_rows_are_dropped_and_counted(probe: Probe) -> None:
    (train_x, train_y), (test_x, test_y) = blobs(90, 0), blobs(60, 1)
    junk = torch.full((7, 8), 50.0)
    unknown = torch.full((7,), -1)
    result = probe(
        torch.cat([train_x, junk]),
        torch.cat([train_y, unknown]),
        torch.cat([junk, test_x]),
        torch.cat([unknown, test_y]),
    )
    assert result.dropped == 14
    assert result.accuracy == 1
    torch.testing.assert_close(result.confusion, probe(train_x, train_y, test_x, test_y).confusion)


@pytest.mark.parametrize("probe", PROBES)
def test_a_class_that_training_never_saw_counts_as_wrong(probe: Probe) -> None:
    x, y = blobs(60, 1)
    train = blobs(90, 0)
    result = probe(train[0], torch.where(train[1] == 2, -1, 10 * train[1]), x, 10 * y)
    torch.testing.assert_close(result.classes, torch.tensor([0, 10, 20]))
    assert result.accuracy == pytest.approx(2 / 3)
    torch.testing.assert_close(result.per_class, torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64))


def test_a_class_that_the_test_set_lacks_has_no_accuracy() -> None:
    x, y = blobs(60, 1)
    result = linear_probe(*blobs(90, 0), x[y != 1], y[y != 1])
    assert result.per_class.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("probe", PROBES)
def test_features_of_any_scale_precision_and_constants_will_do(probe: Probe) -> None:
    (train_x, train_y), (test_x, test_y) = blobs(150, 0), blobs(90, 1)
    for change in (lambda x: x.double(), lambda x: x.bfloat16(), lambda x: 1e-4 * x, lambda x: 1e4 * x):
        assert probe(change(train_x), train_y, change(test_x), test_y).accuracy == 1
    dead = torch.zeros(150, 2), torch.tensor([0.0, 1.0]).expand(90, 2)
    assert probe(torch.cat([train_x, dead[0]], 1), train_y, torch.cat([test_x, dead[1]], 1), test_y).accuracy == 1


def test_linear_probe_is_unchanged_by_affine_maps_of_single_features() -> None:
    train, test = noise(300, 0), noise(200, 1)
    scale, shift = torch.logspace(-2, 2, 6), torch.arange(6.0)
    moved = linear_probe(train[0] * scale + shift, train[1], test[0] * scale + shift, test[1])
    torch.testing.assert_close(moved.confusion, linear_probe(*train, *test).confusion, atol=2, rtol=0)


def test_linear_probe_chooses_a_penalty_that_generalises() -> None:
    # Two informative features among 200 of noise: the weakest penalty learns the noise by heart.
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(1300) % 2
    x = torch.randn(1300, 200, generator=generator)
    x[:, :2] += (2 * y[:, None] - 1).float()
    train, test = (x[:300], y[:300]), (x[300:], y[300:])
    weak = linear_probe(*train, *test, penalties=(1e-3,))
    chosen = linear_probe(*train, *test, penalties=(1e-3, 1.0, 1000.0))
    assert chosen.penalty == 1000
    assert weak.penalty == 1e-3
    assert chosen.accuracy > weak.accuracy


def test_the_choice_of_penalty_repeats_with_its_seed() -> None:
    train, test = noise(400, 0), noise(200, 1)
    torch.testing.assert_close(linear_probe(*train, *test).confusion, linear_probe(*train, *test).confusion)


@pytest.mark.parametrize("counts", [(1, 1), (1, 50), (3, 4), (30_000, 1, 2), (20_000, 20_000)])
def test_validation_leaves_every_class_to_fit_on(counts: tuple[int, ...]) -> None:
    y = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)]).numpy()
    fitted, held = probes._validation_rows(y, seed=0)
    assert set(y[fitted]) == set(range(len(counts)))
    assert not set(fitted) & set(held)
    assert len(fitted) + len(held) <= 10_000 + len(counts)


def test_a_fit_that_stops_early_is_reported_and_not_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(**settings: object) -> LogisticRegression:
        return LogisticRegression(**{**settings, "max_iter": 1})

    monkeypatch.setattr(probes, "LogisticRegression", impatient)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not linear_probe(*noise(300, 0), *noise(30, 1)).converged
        assert not few_shot(*noise(300, 0), *noise(30, 1), draws=1)[1].converged


def test_other_warnings_of_a_fit_pass_through() -> None:
    class Talkative(LogisticRegression):
        def fit(self, x: object, y: object) -> None:
            warnings.warn("something else", RuntimeWarning, stacklevel=1)

    with pytest.warns(RuntimeWarning, match="something else"):
        probes._fit(Talkative(), torch.zeros(2, 2).numpy(), torch.zeros(2).long().numpy())


def test_neighbours_vote_by_cosine_and_weigh_by_similarity() -> None:
    train_x = torch.tensor([[10.0, 0.0], [0.0, 0.1], [0.0, 0.2]])
    train_y = torch.tensor([0, 1, 1])
    query = torch.tensor([[0.2, 0.1]])
    near = knn_probe(train_x, train_y, query, torch.tensor([0]), neighbours=3)
    far = knn_probe(train_x, train_y, query, torch.tensor([0]), neighbours=3, temperature=100.0)
    single = knn_probe(train_x, train_y, query, torch.tensor([0]), neighbours=1, temperature=100.0)
    assert (near.accuracy, far.accuracy, single.accuracy) == (1, 0, 1)


def test_neighbours_do_not_depend_on_the_chunks() -> None:
    train, test = noise(300, 0), noise(2100, 1)
    whole = knn_probe(*train, *test).confusion
    parts = sum(knn_probe(*train, x, y).confusion for x, y in zip(test[0].split(700), test[1].split(700), strict=True))
    torch.testing.assert_close(whole, parts)


def test_features_of_zeros_do_not_break_the_neighbours() -> None:
    train_x, train_y = blobs(90, 0)
    result = knn_probe(
        torch.cat([train_x, torch.zeros(9, 8)]), torch.cat([train_y, torch.arange(9) % 3]), *blobs(90, 1)
    )
    assert result.accuracy == 1
    assert knn_probe(train_x, train_y, torch.zeros(3, 8), torch.arange(3)).confusion.sum() == 3


def test_few_shots_repeat_nest_and_grow_better() -> None:
    train, test = blobs(300, 0, spread=1.5), blobs(300, 1, spread=1.5)
    results = few_shot(*train, *test, shots=(1, 10, 100), draws=4)
    assert list(results) == [1, 10, 100]
    assert results[1].mean < results[10].mean <= results[100].mean + 0.02
    assert results[1].std > 0
    assert results[1].accuracy.shape == (4,)
    assert results[1].mean == pytest.approx(results[1].accuracy.mean().item())
    assert results[100].std == pytest.approx(0, abs=1e-9)  # every draw holds all 100 samples of each class
    assert few_shot(*train, *test, shots=(1,), draws=4)[1].mean == results[1].mean
    assert few_shot(*train, *test, shots=(1,), draws=4, seed=1)[1].mean != results[1].mean


def test_few_shots_are_perfect_on_tight_blobs() -> None:
    (train_x, train_y), (test_x, test_y) = blobs(60, 0, spread=0.1), blobs(60, 1, spread=0.1)
    results = few_shot(train_x[:, :3], train_y, test_x[:, :3], test_y)
    assert results[1].mean == results[10].mean == 1
    assert results[1].converged


X, Y = torch.zeros(30, 2), torch.arange(30) % 2


@pytest.mark.parametrize("probe", [linear_probe, knn_probe, few_shot])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, torch.full((30,), -1), X, Y), "training set: expected labelled samples"),
        ((X, Y, X, torch.full((30,), -1)), "test set: expected labelled samples"),
        ((X, torch.zeros(30).long(), X, Y), "at least two classes"),
        ((X, Y[:4], X, Y), "30 integer labels"),
        ((X, Y.float(), X, Y), "integer labels"),
        ((X, Y, torch.zeros(30, 3), Y), "features of one width"),
        ((torch.full((30, 2), torch.nan), Y, X, Y), "finite features"),
        ((X, Y, torch.full((30, 2), torch.inf), Y), "finite features"),
        ((X[0], Y[0], X, Y), "floating embeddings"),
    ],
)
def test_bad_sets_are_clear_errors(
    probe: Callable[..., object], arguments: tuple[Tensor, Tensor, Tensor, Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        probe(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_probe(X, Y, X, Y, penalties=()), "at least one penalty"),
        (lambda: linear_probe(X, Y, X, Y, penalties=(1.0, 0.0)), "penalty > 0"),
        (lambda: knn_probe(X, Y, X, Y, neighbours=0), "neighbours >= 1"),
        (lambda: knn_probe(X, Y, X, Y, neighbours=31), "Lower neighbours"),
        (lambda: knn_probe(X, Y, X, Y, temperature=0.0), "temperature > 0"),
        (lambda: few_shot(X, Y, X, Y, shots=(0,)), "shots"),
        (lambda: few_shot(X, Y, X, Y, draws=0), "draws >= 1"),
        (lambda: few_shot(X, Y, X, Y, shots=(16,)), "16 training samples of every class, found 15 of class 0"),
    ],
)
def test_bad_settings_are_clear_errors(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

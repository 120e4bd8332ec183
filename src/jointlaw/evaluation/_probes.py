"""Simple classifiers on frozen features: linear, nearest neighbours, few labels.

The test set is used for the score alone: scaling, regularisation and neighbours come from the training part.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from jointlaw import _check as check
from jointlaw.evaluation._labelled import Array, Labels, ProbeResult, Split, array

_SELECTION_ROWS = 10_000  # training samples that choose the penalty; more cost much and hardly change the choice
_HELD_OUT = 5  # one in this many of them is for validation
_QUERIES = 1024  # test samples per step of the neighbour search: bounds the memory, does not change the values


class FewShot(NamedTuple):
    """Test accuracy of linear probes that saw a few labels per class.

    Attributes:
        mean: mean accuracy over draws.
        std: population standard deviation over draws.
        accuracy: float64 ``[draws]``, the accuracy of each draw.
        converged: whether every fit ended before its limit of steps.
    """

    mean: float
    std: float
    accuracy: Tensor
    converged: bool


def linear_probe(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    penalties: Sequence[float] = (1.0, 10.0, 100.0, 1000.0),
    seed: int = 0,
) -> ProbeResult:
    r"""Multinomial logistic regression on standardised features.

    Minimises ``sum_b -log softmax(W x_b + a)_{y_b} + (penalty / 2) ||W||^2`` (sums over training samples, nats;
    L-BFGS, at most 200 steps). Features are centred and scaled by the training part's statistics; constant features
    are only centred. Of at most 10,000 training samples a fifth of each class is held out; the penalty is the one
    with the lowest cross-entropy there, and the probe is then fitted on all training samples. Where every class has
    fewer than 5 samples nothing can be held out, and the first penalty is used.

    Args:
        train_x: ``[N, F]``, any floating dtype; on the CPU, or brought there.
        train_y: ``[N]`` classes; negative where unknown, and then dropped.
        test_x: ``[M, F]``.
        test_y: ``[M]``.
        penalties: candidates for the penalty, each above zero. A single candidate is used without validation.
        seed: determines the samples that the penalty is chosen by.

    Raises:
        ValueError: for shapes that do not fit, features that are not finite, no labelled samples, or a single class.

    Source: scikit-learn's ``LogisticRegression`` and ``StandardScaler``.

    Example:
        >>> x, y = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, -1])
        >>> result = linear_probe(x, y, x, y)
        >>> result.accuracy, result.dropped
        (1.0, 2)
    """
    if not penalties:
        raise ValueError("linear_probe: expected at least one penalty, found none. Pass penalties=(1.0,).")
    for penalty in penalties:
        check.positive("linear_probe", penalty=penalty)
    split = Split.of("linear_probe", (train_x, train_y), (test_x, test_y))
    scaler = StandardScaler().fit(split.train_x)
    x, y = scaler.transform(split.train_x), split.train_y
    chosen = penalties[0] if len(penalties) == 1 else _best_penalty(x, y, penalties, seed)
    model = LogisticRegression(C=1 / chosen, max_iter=200)
    converged = _fit(model, x, y)
    return split.result(model.predict(scaler.transform(split.test_x)), converged, chosen)


def knn_probe(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    neighbours: int = 20,
    temperature: float = 0.07,
) -> ProbeResult:
    r"""Vote of the nearest training samples by cosine similarity ``s``, each weighing ``exp(s / temperature)``.

    Nothing is fitted. A sample whose features are all zero has similarity 0 to every other. Computed in float32 on the
    device of ``train_x``.

    Args:
        train_x: ``[N, F]``.
        train_y: ``[N]`` classes; negative where unknown, and then dropped.
        test_x: ``[M, F]``.
        test_y: ``[M]``.
        neighbours: number of nearest samples that vote, at most the number of labelled training samples.
        temperature: above zero; the larger, the closer to a plain majority vote.

    Raises:
        ValueError: as :func:`linear_probe`, or too few training samples.

    Source: Wu et al. (2018), arXiv 1805.01978, section 3.4.

    Differs from the authors' code in: 20 neighbours instead of 200.

    >>> x, y = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    >>> knn_probe(x, y, torch.tensor([[2.0, 0.1]]), torch.tensor([0]), neighbours=1).accuracy
    1.0
    """
    check.at_least("knn_probe", 1, neighbours=neighbours)
    check.positive("knn_probe", temperature=temperature)
    split = Split.of("knn_probe", (train_x, train_y), (test_x, test_y))
    if len(split.train_y) < neighbours:
        raise ValueError(
            f"knn_probe: expected at least {neighbours} labelled training samples, found {len(split.train_y)}. "
            "Lower neighbours."
        )
    position = torch.from_numpy(np.searchsorted(split.classes, split.train_y)).to(train_x.device)
    keys = F.normalize(torch.from_numpy(split.train_x).to(train_x.device).float(), dim=1)
    predicted = []
    for queries in torch.split(torch.from_numpy(split.test_x), _QUERIES):
        similarity = F.normalize(queries.to(keys.device).float(), dim=1) @ keys.T  # [queries, N]
        nearest, row = similarity.topk(neighbours, dim=1)
        weight = ((nearest - 1) / temperature).double().exp()
        votes = weight.new_zeros(len(queries), len(split.classes)).scatter_add_(1, position[row], weight)
        predicted.append(votes.argmax(dim=1))
    return split.result(split.classes[torch.cat(predicted).cpu().numpy()])


def few_shot(
    train_x: Tensor,
    train_y: Tensor,
    test_x: Tensor,
    test_y: Tensor,
    shots: Sequence[int] = (1, 10),
    draws: int = 5,
    seed: int = 0,
) -> dict[int, FewShot]:
    r"""Accuracy of the linear probe with a few labels per class, over random draws of the labelled samples.

    The loss is that of :func:`linear_probe` with a penalty of 1, since there are too few samples to choose it by.
    Features are standardised by the whole training part, which needs no labels. Within a draw, the samples for fewer
    shots are among those for more.

    Args:
        train_x: ``[N, F]``.
        train_y: ``[N]`` classes; negative where unknown: these take part in the standardisation only.
        test_x: ``[M, F]``.
        test_y: ``[M]``; negative ones are dropped.
        shots: numbers of labelled samples per class, one result for each.
        draws: number of random draws.
        seed: determines which samples are drawn.

    Returns:
        For each number of shots the mean and deviation over draws.

    Raises:
        ValueError: as :func:`linear_probe`, or a class with too few samples.

    >>> x, y = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, 1])
    >>> few_shot(x, y, x, y, shots=(1,), draws=3)[1].mean
    1.0
    """
    check.at_least("few_shot", 1, draws=draws, **{f"shots[{i}]": shot for i, shot in enumerate(shots)})
    split = Split.of("few_shot", (train_x, train_y), (test_x, test_y))
    classes, counts = np.unique(split.train_y, return_counts=True)
    if counts.min() < max(shots):
        raise ValueError(
            f"few_shot: expected at least {max(shots)} training samples of every class, found {counts.min()} of "
            f"class {classes[counts.argmin()]}. Lower shots, or label more samples."
        )
    scaler = StandardScaler().fit(array("few_shot", train_x))
    x, test = scaler.transform(split.train_x), scaler.transform(split.test_x)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(x)) for _ in range(draws)]
    results = {}
    for shot in shots:
        accuracies, converged = [], True
        for order in orders:
            rows = np.concatenate([order[split.train_y[order] == label][:shot] for label in classes])
            model = LogisticRegression(C=1.0, max_iter=200)
            converged &= _fit(model, x[rows], split.train_y[rows])
            accuracies.append(float((model.predict(test) == split.test_y).mean()))
        accuracy = torch.tensor(accuracies, dtype=torch.float64)
        results[shot] = FewShot(accuracy.mean().item(), accuracy.std(correction=0).item(), accuracy, converged)
    return results


def _best_penalty(x: Array, y: Labels, penalties: Sequence[float], seed: int) -> float:
    """The penalty with the lowest cross-entropy on held-out samples: less noisy than accuracy where they are few."""
    fitted, held = _validation_rows(y, seed)
    if len(held) == 0:
        return penalties[0]
    model = LogisticRegression(max_iter=200, warm_start=True)
    losses: dict[float, float] = {}
    for penalty in sorted(penalties, reverse=True):
        model.set_params(C=1 / penalty)
        # A candidate that stops early is scored as it stands; the final fit reports whether it converged.
        _fit(model, x[fitted], y[fitted])
        losses[penalty] = log_loss(y[held], model.predict_proba(x[held]), labels=model.classes_)
    return min(losses, key=lambda penalty: losses[penalty])


def _validation_rows(y: Labels, seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows to fit on and to validate on, each class in its proportion and present among the fitted ones."""
    order = np.random.default_rng(seed).permutation(len(y))
    fitted, held = [], []
    for label in np.unique(y):
        rows = order[y[order] == label]
        rows = rows[: -(-len(rows) * _SELECTION_ROWS // max(len(y), _SELECTION_ROWS))]
        held.append(rows[: len(rows) // _HELD_OUT])
        fitted.append(rows[len(rows) // _HELD_OUT :])
    return np.concatenate(fitted), np.concatenate(held)


def _fit(model: LogisticRegression, x: Array, y: Labels) -> bool:
    """Fit the model and say whether it converged; other warnings pass through."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(x, y)
    for entry in caught:
        if not issubclass(entry.category, ConvergenceWarning):
            warnings.warn_explicit(entry.message, entry.category, entry.filename, entry.lineno)
    return not any(issubclass(entry.category, ConvergenceWarning) for entry in caught)

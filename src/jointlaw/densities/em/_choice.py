"""How many components a mixture should have."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities.em._estimator import ExpectationMaximization, Fit
from jointlaw.densities.em._samples import Samples, samples, weights

WHERE = "choose_components"


@dataclass(frozen=True)
class Choice:
    """The chosen fit and the scores it was chosen by.

    Attributes:
        fit: of the best number of components, to all samples.
        scores: the criterion for each number of components; the lowest was chosen.

    >>> x = torch.cat([torch.linspace(-1, 1, 40), torch.linspace(9, 11, 40)])[:, None]
    >>> choice = choose_components(x, [1, 2])
    >>> choice.components, choice.scores[2] < choice.scores[1]
    (2, True)
    """

    fit: Fit
    scores: dict[int, float]

    @property
    def components(self) -> int:
        """The chosen K."""
        return min(self.scores, key=self.scores.__getitem__)


class Criterion(ABC):
    """How a number of components is scored."""

    @abstractmethod
    def score(self, em: ExpectationMaximization, x: Tensor, weight: Tensor) -> float:
        """Fit and judge: the lower the better."""


class BIC(Criterion):
    """Bayesian information criterion of the fit to all samples, in nats.

    Source: Schwarz (1978), "Estimating the dimension of a model".

    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> em = ExpectationMaximization(1)
    >>> BIC().score(em, x, torch.ones(40, dtype=torch.float64)) == em.fit(x).bic
    True
    """

    def score(self, em: ExpectationMaximization, x: Tensor, weight: Tensor) -> float:
        """-2 log L + parameters log N."""
        return em.fit(x, weight).bic


class HeldOut(Criterion):
    """Negative log-likelihood of samples held out from the fit, in nats per sample (weighted mean).

    Args:
        share: of the samples held out, at random.
        seed: determines which samples; they are the same for every number of components.

    >>> x = torch.cat([torch.linspace(-1, 1, 40), torch.linspace(9, 11, 40)])[:, None]
    >>> choose_components(x, [1, 2], criterion=HeldOut(share=0.25)).components
    2
    """

    def __init__(self, share: float = 0.2, seed: int = 0) -> None:
        check.fraction("HeldOut", share=share)
        check.non_negative("HeldOut", seed=seed)
        self.share, self.seed = share, seed

    def score(self, em: ExpectationMaximization, x: Tensor, weight: Tensor) -> float:
        """Fit some samples and judge the others.

        Raises:
            ValueError: if no sample, or all of them, would be held out.
        """
        count = round(self.share * len(x))
        if not 0 < count < len(x):
            raise ValueError(
                f"HeldOut: expected between 1 and {len(x) - 1} samples held out, found {count} of {len(x)}. "
                "Choose another share or use BIC()."
            )
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed)).to(x.device)
        held, rest = order[:count], order[count:]
        law = em.fit(x[rest], weight[rest]).law
        return -float(weight[held] @ law.log_prob(x[held]).to(weight.dtype) / weight[held].sum())


def choose_components(
    x: Samples,
    candidates: Sequence[int],
    em: ExpectationMaximization | None = None,
    criterion: Criterion | None = None,
    weight: Samples | None = None,
) -> Choice:
    """Fit a mixture for each number of components and keep the best.

    Args:
        x: samples ``[N, E]``, a tensor or an array.
        candidates: the numbers of components to compare.
        em: how to fit; its own number of components is not used (default: full covariances).
        criterion: ``BIC()`` where None, or ``HeldOut()``.
        weight: of each sample ``[N]``; only ratios matter.

    Raises:
        ValueError: if there are no candidates, or a fit refuses the samples.

    >>> x = torch.cat([torch.linspace(-1, 1, 40), torch.linspace(9, 11, 40)])[:, None]
    >>> choose_components(x, [1, 2, 3]).components
    2
    """
    if not candidates:
        raise ValueError(f"{WHERE}: expected at least one candidate, found none. Pass numbers such as [1, 2, 4, 8].")
    em = ExpectationMaximization(1) if em is None else em
    criterion = BIC() if criterion is None else criterion
    x = samples(WHERE, x)
    weight = weights(WHERE, x, weight, em.dtype)
    scores = {k: criterion.score(replace(em, components=k), x, weight) for k in candidates}
    best = min(scores, key=scores.__getitem__)
    return Choice(replace(em, components=best).fit(x, weight), scores)

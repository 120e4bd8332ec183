"""Expectation-maximisation for joint Gaussian mixtures."""

import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jointlaw import _check as check
from jointlaw.densities.em._covariances import Covariance, Full
from jointlaw.densities.em._runs import Ascent, Batches, climb, climb_batches, judge, level
from jointlaw.densities.em._samples import Samples, enough, law_dtype, samples, weights
from jointlaw.densities.em._starts import KMeans, Start
from jointlaw.densities.em._steps import Parameters, expect
from jointlaw.laws import JointMixture
from jointlaw.laws._blocks import check_split

WHERE = "ExpectationMaximization"


class ConvergenceWarning(UserWarning):
    """A fit stopped at its last iteration before the log-likelihood settled.

    >>> x = torch.cat([torch.linspace(-1, 1, 40), torch.linspace(0, 3, 40)])[:, None]
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     fit = ExpectationMaximization(2, iterations=1).fit(x)
    >>> fit.converged, told[0].category.__name__
    (False, 'ConvergenceWarning')
    """


@dataclass(frozen=True)
class Fit:
    """A fitted mixture and how the fit went.

    Attributes:
        law: the mixture.
        converged: whether the log-likelihood settled within the tolerance.
        history: the log-likelihood before each iteration (batches: the mean over each pass), in nats per sample.
        log_likelihood: of the law, in nats per sample.
        samples: N, those without weight not counted.
        parameters: free numbers of the mixture.

    >>> fit = ExpectationMaximization(1).fit(torch.linspace(-1, 1, 40)[:, None])
    >>> fit.converged, fit.samples, fit.parameters
    (True, 40, 2)
    """

    law: JointMixture
    converged: bool
    history: tuple[float, ...]
    log_likelihood: float
    samples: int
    parameters: int

    @property
    def iterations(self) -> int:
        """How many there were."""
        return len(self.history)

    @property
    def bic(self) -> float:
        """Bayesian information criterion, -2 log L + parameters log N, in nats: the lower the better."""
        return -2 * self.samples * self.log_likelihood + self.parameters * math.log(self.samples)


@dataclass(frozen=True)
class ExpectationMaximization:
    r"""Fit a mixture of Gaussians by maximum likelihood.

    .. math:: r_{nk} \propto w_k N(x_n; m_k, S_k), \quad w_k = \tfrac{1}{N} \sum_n r_{nk}, \quad
              m_k = \frac{\sum_n r_{nk} x_n}{\sum_n r_{nk}}, \quad
              S_k = \frac{\sum_n r_{nk} (x_n - m_k)(x_n - m_k)^\top}{\sum_n r_{nk}} + \epsilon I

    Log-likelihoods are means over the samples, in nats. A component that loses all of its samples is moved to the
    sample explained worst (K times at most, then removed), with a warning. The arithmetic runs in ``dtype`` on the
    device of the samples, about their mean; the law comes back in the dtype of the samples.

    Args:
        components: K, how many Gaussians the mixture has.
        covariance: ``Full()``, ``Shared()``, ``Diagonal()`` or ``Spherical()``.
        split: how many leading coordinates are the context of the law.
        restarts: how many starts are tried; the best log-likelihood is kept.
        tolerance: the change of the log-likelihood below which the fit has converged.
        iterations: after which a fit ends with a `ConvergenceWarning`.
        floor: added to every variance, in squared embedding units.
        move: whether empty components are moved; otherwise they are removed at once.
        seed: determines what starts draw; a restart takes the next one.
        dtype: in which sums and products are computed, float32 or float64.

    Raises:
        ValueError: if an argument is out of range.

    Source: Dempster, Laird and Rubin (1977); as a baseline in Huang (2026), arXiv 2603.26799, section 5.
    Differs from the authors' code in: nothing of the equations; sums run over blocks of samples.

    >>> from jointlaw.densities import Shared
    >>> x = torch.tensor([[0.0], [0.2], [4.0], [4.2]])
    >>> fit = ExpectationMaximization(2, Shared()).fit(x)
    >>> fit.law.loc.sort(0).values
    tensor([[0.1000],
            [4.1000]])
    """

    components: int
    covariance: Covariance = field(default_factory=Full)
    split: int | None = None
    restarts: int = 1
    tolerance: float = 1e-3
    iterations: int = 200
    floor: float = 1e-6
    move: bool = True
    seed: int = 0
    dtype: torch.dtype = torch.float64

    def __post_init__(self) -> None:
        check.at_least(WHERE, 1, components=self.components, restarts=self.restarts, iterations=self.iterations)
        check.non_negative(WHERE, tolerance=self.tolerance, floor=self.floor, seed=self.seed)
        if self.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{WHERE}: expected dtype float32 or float64, found {self.dtype}. Sums over samples need the precision."
            )

    @torch.no_grad()
    def fit(self, x: Samples, weight: Samples | None = None, start: Start | None = None) -> Fit:
        """Fit all samples at once.

        Args:
            x: samples ``[N, E]``, a tensor or an array.
            weight: of each sample ``[N]``; only ratios matter.
            start: where to begin (default: ``KMeans()``).

        Raises:
            ValueError: if there are fewer samples than components or than a covariance needs, a value is NaN or
                infinite, shapes do not fit, or restarts are asked for from a start that is always the same.
        """
        x = samples(WHERE, x)
        weight = weights(WHERE, x, weight, self.dtype)
        count = int((weight > 0).sum())
        enough(WHERE, count, self.components, x.shape[1], self.covariance)
        check_split(WHERE, self.split, x.shape[1])
        start = self._start(start)
        exact = x.to(self.dtype)
        centre = weight @ exact / weight.sum()
        runs = []
        for seed in range(self.seed, self.seed + self.restarts):
            share = start.responsibilities(exact, weight, self.components, seed)
            ascent = self._ascent()
            runs.append((ascent, climb(ascent, exact - centre, weight, share, self.iterations)))
        ascent, law = max(runs, key=lambda run: run[0].history[-1])
        likelihood = level(expect(self.covariance, exact - centre, weight, law), weight)
        return self._fit(ascent, law, self._law(law, centre, law_dtype(x)), likelihood, count)

    @torch.no_grad()
    def fit_batches(
        self,
        batches: Iterable[Tensor],
        passes: int = 10,
        decay: float = 0.7,
        delay: float = 10.0,
        start: Start | None = None,
    ) -> Fit:
        r"""Fit data that come in batches, in memory that does not grow with their number.

        After each batch the moments move :math:`(t + \text{delay})^{-\text{decay}}` of the way to the batch's own.
        The tolerance is on the change of the mean log-likelihood from one pass to the next.

        Args:
            batches: gives ``[n, E]`` each, shuffled and of about one size, more than once: a list, a data loader.
                The fit starts on the first one.
            passes: how often the batches are gone through at most; they take the place of ``iterations``.
            decay: how fast the steps shrink, in (0.5, 1].
            delay: how small the first step is.
            start: where to begin, on the first batch (default: ``KMeans()``).

        Raises:
            ValueError: as for ``fit`` and each batch, or if the batches can be gone through only once.

        Source: Cappé and Moulines (2009), arXiv 0712.4273, section 2.
        """
        check.at_least(WHERE, 1, passes=passes)
        check.positive(WHERE, delay=delay)
        if not 0.5 < decay <= 1:
            raise ValueError(f"{WHERE}: expected 0.5 < decay <= 1, found {decay}. Only such steps average the batches.")
        if self.restarts > 1:
            raise ValueError(f"{WHERE}: expected restarts=1 with batches, found {self.restarts}. Restart with seed=.")
        if isinstance(batches, Iterator):
            raise ValueError(
                f"{WHERE}: expected batches to go through more than once, found a {type(batches).__name__}. "
                "Pass a list, x.split(1024) or a data loader."
            )
        stream = Batches(WHERE, batches, self.dtype)
        stream.check(self.components, self.covariance)
        check_split(WHERE, self.split, stream.first.shape[1])
        x = stream.first.to(self.dtype)
        weight = torch.ones_like(x[:, 0])
        share = self._start(start).responsibilities(x, weight, self.components, self.seed)
        ascent = self._ascent()
        moments, law, _ = ascent.begin(x - stream.centre, weight, share)
        law = climb_batches(ascent, stream, moments, law, passes, lambda seen: (seen + 1 + delay) ** -decay)
        likelihood, count = judge(self.covariance, stream, law)
        return self._fit(ascent, law, self._law(law, stream.centre, stream.law_dtype), likelihood, count)

    def _ascent(self) -> Ascent:
        return Ascent(self.covariance, self.floor, self.tolerance, self.components if self.move else 0)

    def _start(self, start: Start | None) -> Start:
        start = KMeans() if start is None else start
        if self.restarts > 1 and not start.restarts:
            raise ValueError(
                f"{WHERE}: expected restarts=1 from {type(start).__name__}, which is the same for every seed, found "
                f"{self.restarts}. Leave restarts out, or start from KMeans()."
            )
        return start

    def _law(self, law: Parameters, centre: Tensor, dtype: torch.dtype) -> JointMixture:
        logits, loc, scale = (part.to(dtype) for part in (law.log_weight, law.loc + centre, law.scale))
        return JointMixture(logits, loc, scale, self.split)

    def _fit(self, ascent: Ascent, law: Parameters, mixture: JointMixture, likelihood: float, count: int) -> Fit:
        if not ascent.converged:
            warnings.warn(
                f"{WHERE}: not converged after {len(ascent.history)} iterations (tolerance {self.tolerance:g}). "
                "Allow more, raise the tolerance, or use fewer components.",
                ConvergenceWarning,
                stacklevel=4,
            )
        components, dim = law.loc.shape
        free = self.covariance.parameters(components, dim) + components * (dim + 1) - 1
        return Fit(mixture, ascent.converged, tuple(ascent.history), likelihood, count, free)

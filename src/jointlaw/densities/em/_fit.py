"""Laws fitted to samples in one call."""

import torch

from jointlaw import _check as check
from jointlaw.densities.em._covariances import Covariance, Full
from jointlaw.densities.em._estimator import ExpectationMaximization
from jointlaw.densities.em._samples import Samples, enough, law_dtype, samples, weights
from jointlaw.densities.em._steps import gather, maximise
from jointlaw.laws import JointGaussian, JointMixture
from jointlaw.laws._blocks import check_split


@torch.no_grad()
def fit_gaussian(
    x: Samples,
    split: int | None = None,
    weight: Samples | None = None,
    covariance: Covariance | None = None,
    floor: float = 1e-6,
) -> JointGaussian:
    r"""Fit one Gaussian by maximum likelihood.

    .. math:: m = \frac{\sum_n w_n x_n}{\sum_n w_n}, \quad
              S = \frac{\sum_n w_n (x_n - m)(x_n - m)^\top}{\sum_n w_n} + \epsilon I

    The covariance is the mean over samples (divided by N, not N - 1). Float64 inside; the law has the dtype of the
    samples.

    Args:
        x: samples ``[N, E]``, a tensor or an array.
        split: how many leading coordinates are the context of the law.
        weight: of each sample ``[N]``; only ratios matter.
        covariance: ``Full()`` where None; ``Diagonal()`` or ``Spherical()``.
        floor: added to every variance, in squared embedding units.

    Raises:
        ValueError: if there are too few samples for the covariance, a value is NaN or infinite, or shapes do not fit.

    Source: Huang (2026), arXiv 2603.26799, section 3.
    Differs from the authors' code in: nothing.

    >>> law = fit_gaussian(torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 2.0]]), split=1)
    >>> law.given(torch.tensor([[2.5]])).mean
    tensor([[2.8000]])
    """
    check.non_negative("fit_gaussian", floor=floor)
    kind = Full() if covariance is None else covariance
    x = samples("fit_gaussian", x)
    check_split("fit_gaussian", split, x.shape[1])
    exact, weight = x.double(), weights("fit_gaussian", x, weight, torch.float64)
    enough("fit_gaussian", int((weight > 0).sum()), 1, x.shape[1], kind)
    centre = weight @ exact / weight.sum()
    law = maximise(kind, gather(kind, exact - centre, weight[:, None], weight.sum()), floor)
    dtype = law_dtype(x)
    return JointGaussian((law.loc[0] + centre).to(dtype), law.scale[0].to(dtype), split)


def fit_mixture(
    x: Samples,
    components: int,
    split: int | None = None,
    weight: Samples | None = None,
    covariance: Covariance | None = None,
    restarts: int = 1,
    seed: int = 0,
) -> JointMixture:
    """Fit a mixture of Gaussians by expectation-maximisation; ``ExpectationMaximization`` has every option.

    Args:
        x: samples ``[N, E]``, a tensor or an array.
        components: K, how many Gaussians the mixture has.
        split: how many leading coordinates are the context of the law.
        weight: of each sample ``[N]``; only ratios matter.
        covariance: ``Full()`` where None; ``Shared()``, ``Diagonal()`` or ``Spherical()``.
        restarts: how many starts are tried.
        seed: determines what starts draw; a restart takes the next one.

    Raises:
        ValueError: as ``ExpectationMaximization.fit``.

    >>> x = torch.tensor([[0.0], [0.2], [4.0], [4.2]])
    >>> fit_mixture(x, components=2).weights
    tensor([0.5000, 0.5000])
    """
    kind = Full() if covariance is None else covariance
    em = ExpectationMaximization(components, kind, split, restarts=restarts, seed=seed)
    return em.fit(x, weight).law

"""Gaussian processes from context to target: exact, and through random Fourier features."""

import copy
import math
from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from jointlaw import _check as check
from jointlaw.densities._density import Density
from jointlaw.densities._kernels import Kernel, Stationary, logarithm
from jointlaw.densities._pairs import paired, required
from jointlaw.functional._dual import feature_nll, feature_weights, gram_nll
from jointlaw.functional._features import fourier_features, uniform_phases
from jointlaw.functional._linalg import cholesky, without_autocast
from jointlaw.laws import JointGaussian

LOWEST, HIGHEST = math.log(1e-5), math.log(1e5)  # of hyper-parameters in fit


class Process(Density):
    """A zero-mean Gaussian process with noise for each coordinate of the target, all with one kernel.

    ``fit`` chooses hyper-parameters by marginal likelihood and remembers the data; ``forward`` predicts. As an
    objective over the embeddings of a batch, ``dual_loss`` is all there is to it.

    Args:
        context_dim: d_c, width of the context.
        target_dim: d_t, width of the target.
        kernel: covariance of the functions; its hyper-parameters say themselves whether they are learned.
        noise: variance eps of the target around the function, in squared embedding units.
        learned: whether marginal likelihood or gradient may change the noise.

    Raises:
        ValueError: if a width is below 1 or the noise is not above zero.
    """

    def __init__(self, context_dim: int, target_dim: int, kernel: Kernel, noise: float, learned: bool) -> None:
        super().__init__()
        where = type(self).__name__
        check.at_least(where, 1, context_dim=context_dim, target_dim=target_dim)
        check.positive(where, noise=noise)
        self.context_dim, self.target_dim, self.kernel = context_dim, target_dim, kernel
        self.log_noise = nn.Parameter(logarithm(noise)[0], requires_grad=learned)

    @property
    def noise(self) -> Tensor:
        """Variance of the target around the function."""
        return self.log_noise.exp()

    @abstractmethod
    def dual_loss(self, context: Tensor, target: Tensor) -> Tensor:
        r"""L = (1/2) tr(z_t^T (K + eps I)^-1 z_t) + (d/2) log det(K + eps I).

        In nats, summed over batch and width, without the constant (B d / 2) log 2 pi; once differentiable in context,
        target and hyper-parameters.

        Args:
            context: z_c ``[*, B, d_c]``.
            target: z_t ``[*, B, d_t]``; must carry no gradient in training, or both collapse.

        Returns:
            ``[*]``.

        Raises:
            ValueError: if shapes do not fit.
        """

    @abstractmethod
    def condition(self, context: Tensor, target: Tensor) -> Self:
        """Remember pairs ``[B, d_c]``, ``[B, d_t]`` in place of earlier ones, with the hyper-parameters as they are."""

    @abstractmethod
    def latent(self, context: Tensor) -> JointGaussian:
        """The law of the function without noise, of batch shape ``[*]``; before ``fit``, its prior."""

    def forward(self, context: Tensor | None = None) -> JointGaussian:
        """The law of the target, noise included: the variance is that of ``latent`` plus ``noise``.

        Its gradient is one for the context. Hyper-parameters learn by ``fit`` or ``dual_loss``: what ``condition``
        keeps does not follow them.

        Args:
            context: ``[*, d_c]``.

        Raises:
            ValueError: without a context, or if its width is another.
        """
        context = required(type(self).__name__, context, self.context_dim)
        law = self.latent(context)
        deviation = (law.scale_tril.square() + self.noise.detach()).sqrt()
        return JointGaussian(law.loc, deviation.to(law.loc.dtype), validate_args=False)

    def fit(self, context: Tensor, target: Tensor, steps: int = 200) -> Self:
        """Maximise the marginal likelihood over the learned hyper-parameters, then ``condition`` on the pairs.

        L-BFGS from the present values, in float64, with each hyper-parameter kept between 1e-5 and 1e5. Where none
        is learned this is ``condition``.

        Args:
            context: ``[B, d_c]``.
            target: ``[B, d_t]``; the prior has mean zero, so centre what is far from it.
            steps: iterations of L-BFGS after which the search ends, converged or not.

        Raises:
            ValueError: if shapes do not fit, a value is NaN or infinite, or ``steps`` is below 1.
        """
        check.at_least("fit", 1, steps=steps)
        self._check_data(context, target)
        learned = [p for p in self.parameters() if p.requires_grad]
        if learned:
            found = _maximise(self, context.detach(), target.detach(), steps)
            with torch.no_grad():
                vector_to_parameters(found.to(learned[0].device, learned[0].dtype), learned)
        return self.condition(context, target)

    def _check_data(self, context: Tensor, target: Tensor) -> None:
        where = type(self).__name__
        paired(where, context, target, self.context_dim, self.target_dim)
        if context.ndim != 2:
            raise ValueError(f"{where}: expected one data set [B, d], found shape {list(context.shape)}. Flatten it.")
        if not (context.isfinite().all() and target.isfinite().all()):
            raise ValueError(f"{where}: expected finite data, found NaN or infinity. Drop those rows.")


class GaussianProcess(Process):
    r"""Exact Gaussian process regression (dual GJE): O(B^3) time and O(B^2) memory.

    .. math::
        z_t \mid z_c \sim N(k_*^\top (K + \epsilon I)^{-1} Z_t,\;
            (k_{**} - k_*^\top (K + \epsilon I)^{-1} k_* + \epsilon) I)

    The law includes the noise eps; :meth:`latent` leaves it out. What was fitted is kept, and predicted from, in
    float64 until the module is converted.

    Args:
        context_dim: d_c, width of the context.
        target_dim: d_t, width of the target.
        kernel: such as ``RBF(length=0.3)``; ``RBF(..., learned=False)`` holds its hyper-parameters.
        noise: variance eps of the target around the function, in squared embedding units.
        learned: whether marginal likelihood or gradient may change the noise.

    Raises:
        ValueError: if a width is below 1 or the noise is not above zero.

    Source: Huang (2026), arXiv 2603.26799, section 3.1, eq. 3 to 5; Rasmussen and Williams (2006), eq. 2.25, 2.26.
    Differs from the authors' code in: hyper-parameters can be learned, and the law of the target includes the noise.

    >>> from jointlaw.densities._kernels import RBF
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> law = GaussianProcess(1, 1, RBF(0.5), noise=1e-4).fit(x, x.square())(torch.tensor([[0.5]]))
    >>> round(law.mean.item(), 2)
    0.25
    """

    context: Tensor
    factor: Tensor
    weights: Tensor

    def __init__(
        self, context_dim: int, target_dim: int, kernel: Kernel, noise: float = 1e-2, learned: bool = True
    ) -> None:
        super().__init__(context_dim, target_dim, kernel, noise, learned)
        for name, shape in (("context", (0, context_dim)), ("factor", (0, 0)), ("weights", (0, target_dim))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def dual_loss(self, context: Tensor, target: Tensor) -> Tensor:
        """L of :meth:`Process.dual_loss`, from the kernel matrix."""
        paired("GaussianProcess", context, target, self.context_dim, self.target_dim)
        return gram_nll(self.kernel(context), target, self.noise)

    @torch.no_grad()
    def condition(self, context: Tensor, target: Tensor) -> Self:
        """Remember pairs ``[B, d_c]``, ``[B, d_t]`` in place of earlier ones, with the hyper-parameters as they are.

        Raises:
            ValueError: if shapes do not fit, or a value is NaN or infinite.
        """
        self._check_data(context, target)
        self.context = context.detach().double().clone()
        gram = self.kernel(self.context)
        factor = cholesky(gram + torch.diag_embed(self.noise.double().expand(len(gram))))
        # In the memory order that a checkpoint restores, so that a loaded process predicts the same to the last bit.
        self.factor = factor.contiguous()
        self.weights = torch.cholesky_solve(target.double(), factor).contiguous()
        return self

    @without_autocast
    def latent(self, context: Tensor) -> JointGaussian:
        """The law of the function without noise given the context ``[*, d_c]``, of batch shape ``[*]``.

        Raises:
            ValueError: if the width is another.
        """
        points = required("GaussianProcess", context, self.context_dim).to(self.context.dtype)
        cross = self.kernel(points.reshape(-1, self.context_dim), self.context)  # [N, B]
        white = torch.linalg.solve_triangular(self.factor, cross.mT, upper=False)
        prior = self.kernel.diagonal(points).detach()
        variance = prior - white.square().sum(0).reshape(prior.shape)
        loc = (cross @ self.weights).reshape(*prior.shape, self.target_dim)
        return _law(loc, variance, prior, context)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for as many samples as were saved."""
        for name in ("context", "factor", "weights"):
            if prefix + name in state_dict:
                setattr(self, name, getattr(self, name).new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class FourierProcess(Process):
    r"""Gaussian process on R random Fourier features of the kernel: O(B R^2) to fit, and no matrix of B x B.

    A linear model of the features phi with weights of variance one; its kernel phi(x)^T phi(y) tends to the exact one
    as R grows, with an error of 1 / sqrt(R). Faster than the exact process from about B = 2 R on.

    .. math::
        z_t \mid z_c \sim N(\phi^\top C^{-1} \Phi^\top Z_t,\; \epsilon (\phi^\top C^{-1} \phi + 1) I), \quad
        C = \Phi^\top \Phi + \epsilon I_R

    The law includes the noise eps; :meth:`latent` leaves it out. Far from the data, and with many more samples than
    features, R features give too small a variance.

    Args:
        context_dim: d_c, width of the context.
        target_dim: d_t, width of the target.
        kernel: a kernel of differences (RBF, Matern).
        features: R, how many random features stand for the kernel.
        noise: variance eps of the target around the function, in squared embedding units.
        learned: whether marginal likelihood or gradient may change the noise.
        seed: determines frequencies and phases. They are drawn once, for a kernel of length one; lengths scale them.

    Raises:
        ValueError: if a number is below 1 or the noise is not above zero.

    Source: Huang (2026), arXiv 2603.26799, appendix F.1, eq. 66 to 69, algorithm 4; Rahimi and Recht (2007).
    Differs from the authors' code in: frequencies are drawn once and scaled by the learned length; Matern kernels.

    >>> from jointlaw.densities import RBF
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> process = FourierProcess(1, 1, RBF(0.5), features=200, noise=1e-4).condition(x, x.square())
    >>> bool((process(torch.tensor([[0.5]])).mean - 0.25).abs() < 0.02)
    True
    """

    frequencies: Tensor
    phases: Tensor
    factor: Tensor
    weights: Tensor

    def __init__(
        self,
        context_dim: int,
        target_dim: int,
        kernel: Stationary,
        features: int = 512,
        noise: float = 1e-2,
        learned: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(context_dim, target_dim, kernel, noise, learned)
        check.at_least("FourierProcess", 1, features=features)
        self.kernel: Stationary = kernel
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("frequencies", kernel.frequencies(context_dim, features, generator))
        self.register_buffer("phases", uniform_phases(features, generator))
        # Without data, C = eps I: the predictions are those of the prior.
        self.register_buffer("factor", torch.eye(features, dtype=torch.float64) * math.sqrt(noise))
        self.register_buffer("weights", torch.zeros(features, target_dim, dtype=torch.float64))

    def features(self, context: Tensor) -> Tensor:
        """Features phi ``[*, B, R]`` of a context ``[*, B, d_c]``, whose inner products estimate the kernel."""
        frequencies = self.frequencies / self.kernel.length[:, None]
        if context.dtype == torch.float64:
            frequencies = frequencies.double()
        return self.kernel.variance.sqrt() * fourier_features(context, frequencies, self.phases)

    def dual_loss(self, context: Tensor, target: Tensor) -> Tensor:
        """L of :meth:`Process.dual_loss`, from R features."""
        paired("FourierProcess", context, target, self.context_dim, self.target_dim)
        return feature_nll(self.features(context), target, self.noise)

    @torch.no_grad()
    def condition(self, context: Tensor, target: Tensor) -> Self:
        """Remember pairs ``[B, d_c]``, ``[B, d_t]`` in place of earlier ones, with the hyper-parameters as they are.

        Raises:
            ValueError: if shapes do not fit, or a value is NaN or infinite.
        """
        self._check_data(context, target)
        features = self.features(context.double())
        noise = self.noise.double().expand(features.shape[-1])
        factor = cholesky(features.mT @ features + torch.diag_embed(noise))
        self.factor = factor.contiguous()
        self.weights = feature_weights(features, target.double(), factor).contiguous()
        return self

    @without_autocast
    def latent(self, context: Tensor) -> JointGaussian:
        """The law of the function without noise given the context ``[*, d_c]``, of batch shape ``[*]``.

        Raises:
            ValueError: if the width is another.
        """
        points = required("FourierProcess", context, self.context_dim).to(self.factor.dtype)
        features = self.features(points.reshape(-1, self.context_dim))  # [N, R]
        white = torch.linalg.solve_triangular(self.factor, features.mT, upper=False)
        variance = (self.noise.detach() * white.square().sum(0)).reshape(points.shape[:-1])
        loc = (features @ self.weights).reshape(*points.shape[:-1], self.target_dim)
        return _law(loc, variance, self.kernel.diagonal(points).detach(), context)


def _law(loc: Tensor, variance: Tensor, prior: Tensor, context: Tensor) -> JointGaussian:
    """One deviation for all coordinates, kept above rounding of the prior's variance; float32 or as the context."""
    dtype = torch.promote_types(context.dtype, torch.float32)
    least = prior * torch.finfo(variance.dtype).eps
    deviation = torch.maximum(variance, least.to(variance.dtype)).sqrt().unsqueeze(-1)  # [*, 1]
    return JointGaussian(loc.to(dtype), deviation.to(dtype), validate_args=False)


def _maximise(process: Process, context: Tensor, target: Tensor, steps: int) -> Tensor:
    """The learned hyper-parameters' logarithms that minimise the dual loss, as one vector, float64."""
    from scipy.optimize import minimize  # here alone: it takes half a second to load

    worker = copy.deepcopy(process).double()  # the search needs more digits than float32 parameters have
    learned = [p for p in worker.parameters() if p.requires_grad]
    context, target = context.double(), target.double()

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        vector = torch.as_tensor(values, dtype=torch.float64, device=learned[0].device)
        with torch.no_grad():
            vector_to_parameters(vector, learned)
        with torch.enable_grad():
            loss = worker.dual_loss(context, target)
            gradients = torch.autograd.grad(loss, learned)
        return loss.item(), torch.cat([g.reshape(-1) for g in gradients]).cpu().numpy()

    start = parameters_to_vector(learned).detach().cpu().numpy()
    bounds = [(LOWEST, HIGHEST)] * len(start)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    return torch.as_tensor(found.x)

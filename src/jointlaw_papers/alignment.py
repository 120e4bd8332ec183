"""Ambiguous alignment: predictors of a target that has several right answers."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw import evaluation
from jointlaw.densities import (
    RBF,
    Density,
    Deterministic,
    Fitted,
    FourierProcess,
    GaussianProcess,
    GrowingNeuralGas,
    MixtureDensityNetwork,
    descend,
    fit_mixture,
)
from jointlaw.laws import JointGaussian, JointMixture
from jointlaw_papers.experiment import Bench
from jointlaw_papers.problems import Pairs, Problem, arm, crossing, separated


@dataclass(frozen=True)
class AlignmentPlan:
    """How much of the experiment is run.

    Attributes:
        pairs: training pairs.
        tests: test contexts.
        steps: Adam's steps, for the predictors that learn by gradient.
        rounds: passes of the growing neural gas.
        draws: how many points of each conditional law make the energy score.
    """

    pairs: int = 3000
    tests: int = 300
    steps: int = 1200
    rounds: int = 10
    draws: int = 500


PLANS = {"smoke": AlignmentPlan(400, 60, 120, 3, 100), "cpu": AlignmentPlan(), "paper": AlignmentPlan()}
"""The paper's own sizes take minutes on two cores, so that ``cpu`` has the same."""

GAS_NODES = 25
TRUTH = "the true law"


class Task(NamedTuple):
    """What a predictor is fitted to.

    Attributes:
        train: training pairs.
        branches: how many right answers a context has.
        noise: standard deviation of each target coordinate.
        plan: what is done.
        seed: determines starts and initial weights.
    """

    train: Pairs
    branches: int
    noise: float
    plan: AlignmentPlan
    seed: int

    @property
    def dims(self) -> tuple[int, int]:
        """Widths of context and target."""
        return self.train.context.shape[1], self.train.target.shape[1]

    @property
    def joint(self) -> Tensor:
        """Context and target side by side, ``[N, c + d]``."""
        return torch.cat([self.train.context, self.train.target], dim=-1)


class Predictor(NamedTuple):
    """A fitted predictor with its conditional laws at the test contexts.

    Attributes:
        name: what it is called on the page.
        density: the module; None for the true law.
        law: its law of each test target, batch shape ``[tests]``.
        seconds: how long it took to fit; None for the true law.
    """

    name: str
    density: Density | None
    law: JointGaussian | JointMixture
    seconds: float | None


def deterministic(task: Task) -> Density:
    """Classic JEPA: an MLP trained by squared error; its residuals' covariance is that of a tenth of pairs held out."""
    train, held = task.train, len(task.train.context) // 10
    torch.manual_seed(task.seed)
    density = Deterministic(*task.dims, hidden=(64, 64))
    pairs = train.context[held:], train.target[held:]
    descend(density.loss, density.parameters(), *pairs, epochs=task.plan.steps, lr=0.01, seed=task.seed)
    density.calibrate(train.context[:held], train.target[:held])
    return density


def process(task: Task) -> Density:
    """Dual GJE: a Gaussian process whose kernel is fixed, as in the source (RBF of length 0.3, noise of the data)."""
    density = GaussianProcess(*task.dims, RBF(0.3, learned=False), noise=task.noise**2, learned=False)
    return density.condition(task.train.context, task.train.target)


def learned_process(task: Task) -> Density:
    """The same with length and noise learned by marginal likelihood, on 200 random Fourier features. Ours."""
    density = FourierProcess(*task.dims, RBF(0.3), features=200, noise=0.1, seed=task.seed)
    return density.fit(task.train.context, task.train.target)


def gaussian(task: Task) -> Density:
    """GMJE-EM with one component."""
    return Fitted(fit_mixture(task.joint, 1, split=task.dims[0], seed=task.seed))


def mixture(task: Task) -> Density:
    """GMJE-EM with as many components as there are branches."""
    return Fitted(fit_mixture(task.joint, task.branches, split=task.dims[0], seed=task.seed))


def gas(task: Task) -> Density:
    """GMJE-GNG: a growing neural gas over the joint vectors, read as a mixture."""
    density = GrowingNeuralGas(sum(task.dims), nodes=GAS_NODES, split=task.dims[0])
    return density.fit(task.joint, passes=task.plan.rounds, seed=task.seed)


def network(task: Task) -> Density:
    """GMJE-MDN: a mixture density network with as many components as there are branches.

    It learns from batches of 256: from the whole batch, as in the source, some starts end in components that coincide.
    """
    torch.manual_seed(task.seed)
    density = MixtureDensityNetwork(*task.dims, task.branches, hidden=(64, 64))
    pairs, count = (task.train.context, task.train.target), len(task.train.context)
    batch = min(256, count)
    epochs = math.ceil(task.plan.steps * batch / count)
    descend(density.loss, density.parameters(), *pairs, epochs=epochs, lr=0.01, batch=batch, seed=task.seed)
    return density


PREDICTORS: dict[str, Callable[[Task], Density]] = {
    "JEPA (MSE)": deterministic,
    "Gaussian process": process,
    "Gaussian process, learned": learned_process,
    "EM, one component": gaussian,
    "EM, one per branch": mixture,
    "growing neural gas": gas,
    "mixture density network": network,
}

PROBLEMS: dict[str, Callable[[], Problem]] = {"A": separated, "B": crossing, "arm": arm}


@dataclass(frozen=True, eq=False)
class Solved:
    """One problem, its data and what the predictors made of it.

    Attributes:
        problem: what was asked.
        train: the pairs that were learned from.
        test: one pair per test context.
        predictors: in the source's order, the true law last.
        figures: predictor -> figure -> value.
    """

    problem: Problem
    train: Pairs
    test: Pairs
    predictors: list[Predictor]
    figures: dict[str, dict[str, float | None]]


def solve(plan: AlignmentPlan, bench: Bench) -> dict[str, Solved]:
    """Solve all problems."""
    return {key: solved(problem(), plan, bench.seed) for key, problem in PROBLEMS.items()}


def solved(problem: Problem, plan: AlignmentPlan, seed: int) -> Solved:
    """Fit the predictors to a problem and judge them, and the true law, on test pairs."""
    generator = torch.Generator().manual_seed(seed)
    train = problem.sample(plan.pairs, generator)
    test = problem.pairs(problem.grid(plan.tests), generator)
    branches = problem.branches(test.context).shape[1]
    task = Task(train, branches, problem.noise, plan, seed)
    predictors = [predictor(name, task, test) for name in PREDICTORS]
    predictors.append(Predictor(TRUTH, None, true_law(problem, test.context), None))
    figures = {one.name: judge(one, problem, test, plan.draws, seed) for one in predictors}
    return Solved(problem, train, test, predictors, figures)


def predictor(name: str, task: Task, test: Pairs) -> Predictor:
    """A predictor, fitted, with its law at the test contexts."""
    start = time.perf_counter()
    density = PREDICTORS[name](task)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        law = density(test.context)
    if not isinstance(law, JointGaussian | JointMixture):
        raise TypeError(f"{name}: expected a Gaussian or a mixture, found {type(law).__name__}.")
    return Predictor(name, density, law, seconds)


def judge(predictor: Predictor, problem: Problem, test: Pairs, draws: int, seed: int) -> dict[str, float | None]:
    """The figures of one predictor.

    Returns:
        ``nll`` (nats per pair), ``energy_score`` and ``sharpness`` (embedding units), ``coverage`` (of 90 % regions of
        highest density), ``calibration_error`` (mean over levels), ``branches`` (share of true branches with a mode
        within three deviations of the noise), ``scale_error`` (root mean square deviation of the law's noise, relative
        to the true one, minus 1), ``fit_seconds``.
    """
    law, target = predictor.law, test.target

    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    noise = law.uncertainty().noise.double().mean().sqrt().item()
    return {
        "nll": evaluation.nll(law, target),
        "energy_score": evaluation.energy_score(law, target, draws, generator()),
        "coverage": evaluation.coverage(law, target, 0.9, generator()),
        "calibration_error": evaluation.reliability(law, target, generator=generator()).error,
        "sharpness": evaluation.sharpness(law),
        "branches": evaluation.branches_recovered(law, problem.branches(test.context), 3 * problem.noise),
        "scale_error": noise / problem.noise - 1,
        "fit_seconds": predictor.seconds,
    }


def true_law(problem: Problem, context: Tensor) -> JointMixture:
    """The conditional law that made the targets."""
    loc = problem.branches(context)  # [N, M, d]
    return JointMixture(torch.zeros(1, loc.shape[1]), loc, torch.full((1, 1, 1), problem.noise))

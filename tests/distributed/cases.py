"""Everything that must be equal on one process and on several."""

from collections.abc import Callable
from functools import partial
from typing import Any

from contracts.test_objectives import OBJECTIVES
from distributed.processes import train
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.objectives import Objective
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
    Targets,
    TwoSample,
    Uniform,
    VarianceCovariance,
    default_slices,
)
from jointlaw.types import Embeddings, Outcome


class Alone(Objective):
    """A regularizer as the only term."""

    def __init__(self, regularizer: Regularizer) -> None:
        super().__init__()
        self.regularizer = regularizer

    def forward(self, z: Embeddings) -> Outcome:
        return Outcome.weigh(value=(1.0, self.regularizer(z.context)))

    def update(self, z: Embeddings, outcome: Outcome | None = None) -> None:
        self.regularizer.update()


SLICES: dict[str, Slices] = {
    "uniform": Uniform(1100),
    "orthogonal": Orthogonal(150),
    "fast": FastOrthogonal(1100),
    "sparse": Sparse(1100),
    "axes": Axes(),
    "some axes": Axes(16),
    "eigen": Eigen(80),
    "lower eigen": LowerEigen(80),
    "default": default_slices(),
    "mixture": Blend([(0.5, FastOrthogonal(600)), (0.25, Sparse(600)), (0.25, Axes())]),
}


def matcher(slices: Slices, targets: Targets, share: bool) -> Objective:
    return Alone(SlicedWasserstein(RectifiedGeneralizedGaussian(1.0), slices, targets, share=share))


CASES: dict[str, Callable[[], Objective]] = {name: case.build for name, case in OBJECTIVES.items()}
for _name, _slices in SLICES.items():
    CASES[f"{_name} slices"] = partial(matcher, _slices, OrderStatistics(), False)
    CASES[f"{_name} slices, shared out"] = partial(matcher, _slices, TwoSample(shared=False), True)
CASES |= {
    "SIGReg": lambda: Alone(SIGReg(Uniform(1100))),
    "SIGReg, shared out": lambda: Alone(SIGReg(Uniform(1100), share=True)),
    "SIGReg of the sphere": lambda: Alone(SphereSIGReg()),
    "variance and covariance": lambda: Alone(VarianceCovariance()),
    "log-determinant": lambda: Alone(LogDetEntropy()),
    "HSIC": lambda: Alone(HSIC()),
}


def train_all() -> dict[str, dict[str, Any]]:
    """Every case in turn, so that processes start once."""
    return {name: train(build) for name, build in CASES.items()}

"""What the library computes for given embeddings, beside the plain formula and what other packages compute."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from agreement import references
from jointlaw.banks import FIFO
from jointlaw.densities import RBF, GaussianProcess
from jointlaw.functional import sinkhorn
from jointlaw.functional._slicing import Block, Dense, unit_rows
from jointlaw.objectives import BYOL, MoCo, Objective, SimCLR, SwAV, VICReg
from jointlaw.regularizers import SIGReg, Slices
from jointlaw.types import Embeddings

BATCH, DIM, PROTOTYPES, MEMORIES = 24, 16, 30, 40


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


Z = randn(1, BATCH, DIM, seed=0) + 0.5 * randn(2, BATCH, DIM, seed=1)
TARGET = randn(2, BATCH, DIM, seed=2)
MEMORY = nn.functional.normalize(randn(MEMORIES, DIM, seed=3), dim=1)
CENTRES = nn.functional.normalize(randn(PROTOTYPES, DIM, seed=4), dim=1)
PROCESS = GaussianProcess(DIM, DIM, RBF(3.0), 0.05).double()
LENGTH, NOISE = PROCESS.kernel.length.item(), PROCESS.noise.item()  # held in float32 until a moment ago
DIRECTIONS = unit_rows((50, DIM), Z, Generator().manual_seed(5))


class Given(Slices):
    """These slices and no others."""

    def blocks(self, columns: Tensor, generator: Generator) -> Iterator[tuple[float, Block]]:
        yield 1 / len(DIRECTIONS), Dense(DIRECTIONS)


class Comparison(NamedTuple):
    """One quantity of views ``[2, B, D]``, computed twice or three times.

    Attributes:
        ours: by the library.
        formula: written out in ``references``.
        peer: by another package, where there is one; imports it when called.
        package: its name.
        note: how its value becomes ours, where they differ by convention.
    """

    ours: Callable[[Tensor], Tensor]
    formula: Callable[[Tensor], Tensor]
    peer: Callable[[Tensor], Tensor] | None = None
    package: str = "lightly"
    note: str = ""


def judged(build: Callable[[], Objective]) -> Callable[[Tensor], Tensor]:
    """The loss of a fresh objective."""
    return lambda z: build().double()(Embeddings(z, TARGET)).loss


def ours_moco() -> MoCo:
    objective = MoCo(FIFO(MEMORIES, DIM), 0.2).double()
    objective.bank.update(MEMORY)
    return objective


def ours_byol() -> BYOL:
    objective = BYOL(DIM)
    objective.predictor = nn.Identity()
    return objective


def ours_swav() -> SwAV:
    objective = SwAV(DIM, PROTOTYPES, frozen=0).double()
    with torch.no_grad():
        objective.prototypes.copy_(CENTRES)
    return objective


def scores(z: Tensor) -> Tensor:
    return nn.functional.normalize(z, dim=2) @ CENTRES.T


def peer_nt_xent(z: Tensor) -> Tensor:
    from lightly.loss import NTXentLoss

    return NTXentLoss(temperature=0.2)(z[0], z[1])


def peer_moco(z: Tensor) -> Tensor:
    from lightly.loss import NTXentLoss

    loss = NTXentLoss(temperature=0.2, memory_bank_size=(MEMORIES, DIM))
    loss.memory_bank.bank = MEMORY.clone()
    return loss(z[0], TARGET[1])


def peer_vicreg(z: Tensor) -> Tensor:
    from lightly.loss import VICRegLoss

    return VICRegLoss()(z[0], z[1])


def peer_swav(z: Tensor) -> Tensor:
    from lightly.loss import SwaVLoss

    return SwaVLoss()(list(scores(z)), []).squeeze()


def peer_codes(z: Tensor) -> Tensor:
    from lightly.loss.swav_loss import sinkhorn as theirs

    return theirs(scores(z)[0])


def peer_byol(z: Tensor) -> Tensor:
    from lightly.loss import NegativeCosineSimilarity

    loss = NegativeCosineSimilarity()
    return 4 + 4 * 0.5 * (loss(z[0], TARGET[1]) + loss(z[1], TARGET[0]))


def peer_process(z: Tensor) -> Tensor:
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels

    model = GaussianProcessRegressor(kernels.RBF(LENGTH), alpha=NOISE, optimizer=None)
    context, target = (part.detach().numpy() for part in (z[0], TARGET[1]))
    value = -model.fit(context, target).log_marginal_likelihood_value_ - target.size / 2 * math.log(2 * math.pi)
    return torch.tensor(value)


COMPARISONS: dict[str, Comparison] = {
    "NT-Xent": Comparison(judged(lambda: SimCLR(0.2)), lambda z: references.nt_xent(z, 0.2), peer_nt_xent),
    "MoCo over a bank": Comparison(
        judged(ours_moco), lambda z: references.moco(z[0], TARGET[1], MEMORY, 0.2), peer_moco
    ),
    "VICReg": Comparison(judged(VICReg), references.vicreg, peer_vicreg),
    "SwAV": Comparison(judged(ours_swav), lambda z: references.swav(z, CENTRES), peer_swav),
    "SwAV's codes": Comparison(
        lambda z: sinkhorn(scores(z)[0]), lambda z: references.codes(scores(z)[0].detach()), peer_codes
    ),
    "BYOL": Comparison(
        judged(ours_byol), lambda z: references.byol(z, TARGET), peer_byol, note="4 + 4 x mean negative cosine"
    ),
    "SIGReg, given slices": Comparison(SIGReg(Given()).double(), lambda z: references.sigreg(z, DIRECTIONS)),
    "Gaussian process": Comparison(
        lambda z: PROCESS.dual_loss(z[0], TARGET[1]),
        lambda z: references.gaussian_process(z[0], TARGET[1], LENGTH, NOISE),
        peer_process,
        package="scikit-learn",
        note="minus log-likelihood, less its constant",
    ),
}

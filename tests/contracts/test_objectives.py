"""What every objective promises. A new objective is one more entry in OBJECTIVES."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from contracts.snapshots import snapshot
from jointlaw.banks import FIFO, Bank, Particles
from jointlaw.densities import (
    RBF,
    FixedScale,
    FourierProcess,
    GaussianProcess,
    GrowingPrototypes,
    Growth,
    LearnedScale,
    Linear,
    MixtureDensityNetwork,
    MovingScale,
    Prototypes,
)
from jointlaw.distributed import rank, world_size
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian
from jointlaw.objectives import (
    BYOL,
    GMJE,
    JEPA,
    NCL,
    SMCGMJE,
    ConditionalGMJE,
    DualGJE,
    LeJEPA,
    MoCo,
    NaiveGJE,
    Objective,
    PrimalGJE,
    PrimalHSIC,
    RectifiedLpJEPA,
    SimCLR,
    SwAV,
    VICReg,
)
from jointlaw.regularizers import FastOrthogonal, SIGReg, Sparse, TwoSample, Uniform
from jointlaw.types import Embeddings


class Case(NamedTuple):
    """An objective and what to expect of it.

    Attributes:
        build: makes it; embeddings have 64 units, batches 32 samples.
        weights: of its terms, by name.
        moves: whether `update` changes its state, and with it the loss of the same embeddings.
        symmetric: whether all views play one role, so that their order is no matter. MoCo's last view alone is the key;
            RectifiedLpJEPA's default slices look at one view in turn, its published targets are drawn for each view.
    """

    build: Callable[[], Objective]
    weights: dict[str, float]
    moves: bool = True
    symmetric: bool = True


LPJEPA = {"invariance": 25.0, "matching": 125.0}
LEJEPA = {"prediction": 0.95, "sigreg": 0.05}
VICREG = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}

CONTRAST = {"contrast": 1.0}
JOINT = {"likelihood": 1.0, "entropy": 1.0}
PREDICT = {"prediction": 1.0, "guard": 1.0, "entropy": 1.0}


def filled(bank: Bank) -> Bank:
    """A bank with memories: against an empty one loss and gradient are zero, as they must be."""
    z = torch.randn(48, bank.dim, generator=torch.Generator().manual_seed(5))
    bank.update(nn.functional.normalize(z, dim=1).chunk(world_size())[rank()])
    return bank


def grown(**options: Any) -> GrowingPrototypes:
    """Growing prototypes amid a training: a graph of several vertices."""
    prototypes = GrowingPrototypes(128, 64, 12, growth=Growth(every=40), **options)
    z = torch.randn(160, 128, generator=torch.Generator().manual_seed(5)).view(160, 2, 64)
    prototypes.update(nn.functional.normalize(z, dim=-1).flatten(1).chunk(world_size())[rank()])
    return prototypes


OBJECTIVES: dict[str, Case] = {
    "rectified": Case(
        lambda: RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.2)), LPJEPA, symmetric=False
    ),
    "rectified, p = 2": Case(
        lambda: RectifiedLpJEPA(RectifiedGeneralizedGaussian(2.0, -1.0), slices=FastOrthogonal(128)), LPJEPA
    ),
    "plain target": Case(lambda: RectifiedLpJEPA(GeneralizedGaussian(1.0), slices=Sparse(64)), LPJEPA),
    "as published": Case(
        lambda: RectifiedLpJEPA(
            RectifiedGeneralizedGaussian(1.0), rate=0.0, slices=Uniform(256), targets=TwoSample(shared=False)
        ),
        LPJEPA,
        symmetric=False,
    ),
    "LeJEPA": Case(LeJEPA, LEJEPA, moves=False),
    "LeJEPA as published": Case(lambda: LeJEPA(SIGReg(Uniform(64))), LEJEPA),
    "VICReg": Case(VICReg, VICREG, moves=False),
    "non-negative VICReg": Case(lambda: VICReg(rectifier=nn.ReLU()), VICREG, moves=False),
    "SimCLR": Case(SimCLR, CONTRAST, moves=False),
    "NCL": Case(NCL, CONTRAST, moves=False),
    "MoCo": Case(lambda: MoCo(filled(FIFO(100, 64))), CONTRAST, symmetric=False),
    "MoCo, symmetric": Case(lambda: MoCo(filled(FIFO(100, 64)), symmetric=True), CONTRAST),
    "MoCo with particles": Case(lambda: MoCo(filled(Particles(48, 64, 0.2))), CONTRAST, symmetric=False),
    "MoCo with particles, postponed": Case(
        lambda: MoCo(filled(Particles(48, 64, 0.2, threshold=0.5))), CONTRAST, symmetric=False
    ),
    "BYOL": Case(lambda: BYOL(64, 128), {"regression": 1.0}, moves=False),
    "JEPA": Case(lambda: JEPA(64), {"prediction": 1.0}, moves=False),
    "SwAV": Case(lambda: SwAV(64, 30, queue=96, frozen=2), {"assignment": 1.0}),
    "primal GJE": Case(PrimalGJE, {"alignment": 1.0, "entropy": 1.0}, moves=False),
    "primal HSIC": Case(PrimalHSIC, {"dependence": 10.0, "entropy": 1.0}, moves=False),
    "dual GJE": Case(lambda: DualGJE(GaussianProcess(64, 64, RBF(1.5))), {"likelihood": 1.0}, moves=False),
    "dual GJE, linear": Case(
        lambda: DualGJE(GaussianProcess(64, 64, Linear(1 / 16))), {"likelihood": 1.0}, moves=False
    ),
    "dual GJE by features": Case(
        lambda: DualGJE(FourierProcess(64, 64, RBF(1.5), features=40)), {"likelihood": 1.0}, moves=False
    ),
    "naive GJE": Case(NaiveGJE, {"mahalanobis": 1.0, "volume": 1.0}, moves=False),
    "GMJE": Case(lambda: GMJE(Prototypes(128, 10, split=64)), JOINT, moves=False),
    "GMJE, moving on the sphere": Case(
        lambda: GMJE(Prototypes(128, 10, split=64, scale=MovingScale(128), sphere=True)), JOINT
    ),
    "GMJE, own covariances": Case(lambda: GMJE(Prototypes(128, 4, split=64, scale=LearnedScale(128, 4))), JOINT, False),
    "GMJE, fixed": Case(
        lambda: GMJE(Prototypes(128, 10, split=64, scale=FixedScale(0.1), sphere=True)), JOINT, moves=False
    ),
    "GMJE, growing on the sphere": Case(lambda: GMJE(grown(sphere=True)), JOINT),
    "GMJE, growing by both": Case(lambda: GMJE(grown(moves="both", scale=MovingScale(128, 12, floor=0.1))), JOINT),
    "conditional GMJE": Case(lambda: ConditionalGMJE(MixtureDensityNetwork(64, 64, 5)), PREDICT),
    "SMC-GMJE": Case(lambda: SMCGMJE(filled(Particles(48, 128, temperature=1.0))), JOINT),
    "SMC-GMJE over a queue": Case(lambda: SMCGMJE(filled(FIFO(100, 128)), sphere=False), JOINT),
}


@pytest.fixture(params=list(OBJECTIVES))
def case(request: pytest.FixtureRequest) -> Case:
    return OBJECTIVES[request.param]


@pytest.fixture
def objective(case: Case) -> Objective:
    torch.manual_seed(0)
    return case.build()


def embeddings(views: int = 2, batch: int = 32, dim: int = 64, dtype: torch.dtype = torch.float32) -> Embeddings:
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(1, batch, dim, generator=generator, dtype=dtype)
    own = torch.randn(views, batch, dim, generator=generator, dtype=dtype)
    z = shared + 0.3 * own
    return Embeddings(z.requires_grad_(), z.detach())


def state(objective: Objective) -> dict[str, Tensor]:
    return copy.deepcopy(objective.state_dict())


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_forward_leaves_all_state_untouched(objective: Objective) -> None:
    """Attributes that no state_dict shows included."""
    before = snapshot(objective)
    objective(embeddings()).loss.backward()
    assert snapshot(objective) == before


def test_update_gives_the_same_with_the_outcome_and_without(case: Case, objective: Objective) -> None:
    z = embeddings()
    twin = copy.deepcopy(objective)
    twin.update(z)
    objective.update(z, objective(z))
    assert same(state(twin), state(objective))


def test_forward_is_repeatable_until_update(case: Case, objective: Objective) -> None:
    z = embeddings()
    first, again = objective(z).loss, objective(z).loss
    assert torch.equal(first, again)
    objective.update(embeddings(batch=96))  # others, and so many that every queue is full of them
    change = ((objective(z).loss - first).abs() / first.abs()).item()
    assert change > 1e-5 if case.moves else change == 0  # more than rounding


def test_update_changes_state_where_there_is_any(case: Case, objective: Objective) -> None:
    before = state(objective)
    objective.update(embeddings())
    assert same(before, state(objective)) != case.moves


def test_what_judges_the_embeddings_has_the_law_of_the_objective(objective: Objective) -> None:
    law, matcher = objective.law, objective.matcher
    assert (law is None) == (matcher is None)
    assert (law is None) != isinstance(objective, RectifiedLpJEPA | LeJEPA)
    if law is not None and matcher is not None:
        assert type(matcher.law) is type(law)
        assert {name: float(x) for name, x in matcher.law.tensors.items()} == {
            name: float(x) for name, x in law.tensors.items()
        }


def test_terms_are_detached_scalars_and_their_weighted_sum_is_the_loss(case: Case, objective: Objective) -> None:
    outcome = objective(embeddings())
    assert all(term.ndim == 0 and not term.requires_grad for term in outcome.terms.values())
    assert outcome.terms.keys() == case.weights.keys()
    total = sum(weight * outcome.terms[name] for name, weight in case.weights.items())
    torch.testing.assert_close(outcome.loss.detach(), total)


def test_loss_does_not_depend_on_the_order_of_the_batch(objective: Objective) -> None:
    z = embeddings(dtype=torch.float64)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    shuffled = Embeddings(z.context[:, order], z.target[:, order])
    torch.testing.assert_close(objective.double()(z).loss, objective.double()(shuffled).loss)


@pytest.mark.parametrize("views", [2, 3])
def test_loss_of_a_symmetric_objective_does_not_depend_on_the_order_of_the_views(
    case: Case, objective: Objective, views: int
) -> None:
    """Of SwAV and LeJEPA the first two views play one role and all others another."""
    if not case.symmetric:
        pytest.skip("not all views play one role")
    z = embeddings(views, dtype=torch.float64)
    order = [1, 0, 2][:views] if isinstance(objective, SwAV | LeJEPA) else [*range(1, views), 0]
    permuted = Embeddings(z.context[order], z.target[order])
    torch.testing.assert_close(objective.double()(z).loss, objective.double()(permuted).loss)


def test_gradient_is_finite_and_not_zero(objective: Objective) -> None:
    z = embeddings()
    objective(z).loss.backward()
    assert z.context.grad is not None
    assert z.context.grad.isfinite().all()
    assert z.context.grad.abs().sum() > 0


def test_finite_under_bfloat16_autocast(objective: Objective) -> None:
    z = embeddings()
    with torch.autocast("cpu", torch.bfloat16):
        outcome = objective(z)
    outcome.loss.backward()
    assert outcome.loss.isfinite()
    assert z.context.grad is not None
    assert z.context.grad.isfinite().all()


def test_state_goes_through_a_state_dict(case: Case, objective: Objective) -> None:
    z = embeddings()
    for _ in range(3):
        objective.update(z)
    fresh = case.build()
    fresh.load_state_dict(objective.state_dict())
    assert torch.equal(fresh(z).loss, objective(z).loss)


def test_more_than_two_views(objective: Objective) -> None:
    outcome = objective(embeddings(views=4))
    assert outcome.loss.isfinite()


@pytest.mark.parametrize("shape", [(1, 32, 64), (2, 1, 64)])
def test_too_few_views_or_samples_are_refused(objective: Objective, shape: tuple[int, ...]) -> None:
    z = torch.rand(shape)
    with pytest.raises(ValueError, match="expected"):
        objective(Embeddings(z, z))

"""The dual form of a loss with a linear kernel, and its primal form, on the embeddings of a run."""

import math

import pytest
import torch
from torch import Tensor

from jointlaw.data import load
from jointlaw.densities import RBF, FourierProcess, GaussianProcess, Linear
from jointlaw.evaluation import Embedder, judge
from jointlaw.evaluation._duality import duality_figures
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives import DualGJE, Objective, PrimalGJE
from jointlaw.training import Learner
from jointlaw.types import Embeddings
from jointlaw.views import view_maker
from jointlaw.views._makers import digits

DIM, VARIANCE, NOISE = 4, 0.3, 0.2
TERMS = [f"{of}.{term}" for of in ("conditional", "joint") for term in ("data", "volume", "loss")]


def linear(width: int = DIM, sphere: bool = True) -> DualGJE:
    return DualGJE(GaussianProcess(width, width, Linear(VARIANCE), NOISE), sphere=sphere)


def views(samples: int) -> Tensor:
    z = torch.randn(2, samples, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return z / z.norm(dim=-1, keepdim=True)


def both(figures: dict[str, float | None], term: str) -> tuple[float | None, float | None]:
    return figures[f"duality.{term}.samples"], figures[f"duality.{term}.units"]


@pytest.mark.parametrize("samples", [3, 30])
@pytest.mark.parametrize("sphere", [True, False])
def test_every_term_is_the_same_over_samples_and_over_units(samples: int, sphere: bool) -> None:
    """With fewer samples than units, too."""
    figures = duality_figures(linear(sphere=sphere), *views(samples))
    assert figures.keys() == {f"duality.{term}.{form}" for term in TERMS for form in ("samples", "units")}
    for term in TERMS:
        dual, primal = both(figures, term)
        assert dual == pytest.approx(primal, rel=1e-12)


def test_the_conditional_loss_is_that_of_the_objective() -> None:
    objective, z = linear().double(), views(30)
    loss = (duality_figures(objective, *z), duality_figures(objective, *z.flip(0)))
    mean = sum(float(figures["duality.conditional.loss.samples"] or 0) for figures in loss) / 2
    assert mean == pytest.approx(objective(Embeddings(z, z)).loss.item(), rel=1e-9)


def test_joint_terms_are_those_of_the_source() -> None:
    """Appendix J, eq. 87 and 91, with the kernel's variance: v Z Z^T over samples is v Z^T Z over units."""
    z, samples = torch.cat(list(views(30)), 1), 30
    figures = duality_figures(linear().double(), *views(30))
    moments = VARIANCE * z.mT @ z
    ridged = moments + NOISE * torch.eye(2 * DIM, dtype=torch.float64)
    trace = torch.trace(z.mT @ z @ torch.linalg.inv(ridged))
    volume = torch.logdet(ridged) + (samples - 2 * DIM) * math.log(NOISE)
    assert both(figures, "joint.data") == pytest.approx((trace.item() / (2 * samples),) * 2, rel=1e-6)
    assert both(figures, "joint.volume") == pytest.approx((DIM * volume.item() / samples,) * 2, rel=1e-6)


@pytest.mark.parametrize(
    "objective",
    [
        PrimalGJE(),
        DualGJE(GaussianProcess(DIM, DIM, RBF(1.5))),
        DualGJE(FourierProcess(DIM, DIM, RBF(1.5), features=8)),
    ],
)
def test_other_losses_have_no_second_form(objective: Objective) -> None:
    assert duality_figures(objective, *views(30)) == {}


def test_a_judgement_holds_both_forms_of_two_views_of_the_held_out_samples() -> None:
    whole = load("digits")
    data = whole._replace(train=whole.train.take(torch.arange(100)))
    torch.manual_seed(0)
    learner = Learner(MLPEncoder(64, 32, 24), Projector(24, 16), linear(16)).eval()
    figures = judge(Embedder(learner, view_maker(digits()), 128), data).figures
    for term in TERMS:
        dual, primal = both(figures, term)
        assert dual is not None
        assert dual == pytest.approx(primal, rel=1e-9)

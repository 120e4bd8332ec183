"""All figures of a trained learner."""

import math

import pytest
import torch

from jointlaw.data._sources import Data, load
from jointlaw.evaluation import FIGURES
from jointlaw.evaluation._embed import Embedder, embed
from jointlaw.evaluation._geometry import alignment, uniformity
from jointlaw.evaluation._judge import judge, probe_figures
from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.networks import MLPEncoder, Projector
from jointlaw.objectives import LeJEPA, RectifiedLpJEPA
from jointlaw.objectives._objective import Objective
from jointlaw.training._datamodule import clean_views, drawn_views
from jointlaw.training._learner import Learner
from jointlaw.types import Embeddings, Outcome
from jointlaw.views._makers import digits, view_maker

KEYS = {
    "probe.backbone.accuracy",
    "probe.projector.accuracy",
    "knn.accuracy",
    "sparsity.l0",
    "sparsity.l0_expected",
    "sparsity.l1",
    "dead_units",
    "rankme.backbone",
    "rankme.projector",
    "nhsic",
    "alignment",
    "uniformity",
    "matching.value",
    "matching.floor",
    "matching.collapse",
}


class Lawless(Objective):
    def forward(self, z: Embeddings) -> Outcome:
        return Outcome.weigh(distance=(1.0, (z.context - z.target).square().mean()))


def learner(objective: Objective | None = None) -> Learner:
    torch.manual_seed(0)
    objective = objective or RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.2))
    return Learner(MLPEncoder(64, 32, 24), Projector(24, 16), objective).eval()


@pytest.fixture(scope="module")
def data() -> Data:
    whole = load("digits")
    return whole._replace(train=whole.train.take(torch.arange(400)), probe=whole.train.take(torch.arange(400)))


def test_figures_are_complete_finite_and_repeatable(data: Data) -> None:
    views = view_maker(digits())
    judgement = judge(Embedder(learner(), views, 128), data, data)
    assert FIGURES.keys() >= judgement.figures.keys() >= KEYS
    assert all(value is not None and math.isfinite(value) for value in judgement.figures.values())
    assert judgement.figures["sparsity.l0_expected"] == pytest.approx(0.2, abs=1e-6)
    assert judgement.figures == judge(Embedder(learner(), views, 128), data, data).figures
    assert len(judgement.clean) == len(data.held_out)
    assert len(judgement.drawn) >= 5_000


def test_alignment_is_that_of_views_of_one_sample(data: Data) -> None:
    model, views = learner(), view_maker(digits())
    judgement = judge(Embedder(model, views, 128), data)
    batches = list(drawn_views(data.held_out, views, 128, 0))
    sides = [torch.cat([model.project(model(batch.images[k])) for batch in batches]).detach() for k in (0, 1)]
    assert judgement.figures["alignment"] == pytest.approx(alignment(*sides), rel=1e-6)
    assert judgement.figures["uniformity"] == pytest.approx(uniformity(judgement.clean.embeddings), rel=1e-6)


def test_judging_leaves_the_learner_as_it_was(data: Data) -> None:
    model = learner().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    judge(Embedder(model, view_maker(digits()), 128), data)
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_without_labels_there_is_no_probe_and_a_note_says_so(data: Data) -> None:
    judgement = judge(Embedder(learner(), view_maker(digits()), 128), data)
    assert judgement.figures["probe.backbone.accuracy"] is None
    assert "--probe-data" in judgement.notes[0]


def test_lejepa_is_judged_against_the_standard_normal_law(data: Data) -> None:
    figures = judge(Embedder(learner(LeJEPA()), view_maker(digits()), 128), data).figures
    assert figures["sparsity.l0_expected"] == 1.0
    assert figures["entropy.expected"] == pytest.approx(0.5 * math.log(2 * math.pi * math.e))
    floor, value, collapse = (figures[f"matching.{name}"] for name in ("floor", "value", "collapse"))
    assert floor is not None
    assert value is not None
    assert collapse is not None
    assert floor < value
    assert floor < collapse


def test_without_a_law_there_is_no_distance_to_it(data: Data) -> None:
    figures = judge(Embedder(learner(Lawless()), view_maker(digits()), 128), data).figures
    assert figures["matching.value"] is figures["sparsity.l0_expected"] is None
    assert figures["sparsity.l0"] == 1.0


def test_a_probe_that_cannot_be_had_leaves_the_others(data: Data) -> None:
    few = data._replace(probe=data.train.take(torch.arange(30)))
    figures, notes = probe_figures(Embedder(learner(), view_maker(digits()), 128), few, 0)
    assert figures["few_shot.10"] is None
    assert figures["knn.accuracy"] is not None
    assert any(note.startswith("few_shot.10: not measured.") for note in notes)


def test_embeddings_are_those_of_the_evaluation_mode(data: Data) -> None:
    model, views = learner().train(), view_maker(digits())
    table = embed(model, clean_views(data.held_out, views, 50))
    whole = embed(model, clean_views(data.held_out, views, 359))
    torch.testing.assert_close(table.embeddings, whole.embeddings)
    assert torch.equal(table.index, torch.arange(359))
    assert torch.equal(table.label, data.held_out.label)
    assert (table.embeddings >= 0).all()
    assert model.training


def test_nothing_to_embed_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one batch"):
        embed(learner(), [])

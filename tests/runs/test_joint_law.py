"""The law that was learned in training is the one that a run is fitted, judged, sampled and reported by."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from jointlaw import Run
from jointlaw.cli import main
from jointlaw.densities import GrowingPrototypes, MovingScale
from jointlaw.evaluation import Gaussian, Mixture, Reduction, Target, Trained, Which
from jointlaw.laws import JointMixture
from jointlaw.runs import RunSettings, Setup
from jointlaw.training.recipes import gmje, gmje_gng, simclr

GROWING = partial(gmje_gng, width=12, hidden=None, every=150, most=8)


def trained(folder: Path, recipe: object) -> Run:
    settings = RunSettings(folder=folder, epochs=2, threads=1, precision="32", report=False)
    return Run.new(recipe, Setup(data="digits", encoder="mlp", run=settings)).train()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("growing") / "run", GROWING)


def test_a_graph_grew_and_is_in_the_folder(run: Run) -> None:
    density = run.learner.objective.density
    assert isinstance(density, GrowingPrototypes)
    again = Run.open(run.workspace.folder).learner.objective.density
    assert again().count == density().count > 2
    assert torch.equal(again.age, density.age)
    assert {"train/vertices", "train/parts", "train/idle"} <= set(run.history)


def test_fit_takes_the_learned_law_and_projects_it_exactly(run: Run) -> None:
    assert run.fit().reduction.directions.shape == (12, 12)  # as many components as there are
    fitted = run.fit(dim=5)
    assert (fitted.recipe, fitted.which) == (Trained(), Which.embeddings)
    law, whole = fitted.law, run.learner.objective.joint_law
    assert (law.count, law.split) == (whole.count, 5)
    reduction = fitted.reduction
    draws = whole.sample((20_000,), torch.Generator().manual_seed(0)).unflatten(-1, (2, 12))
    seen = reduction(draws).flatten(1)
    torch.testing.assert_close(law.mean, seen.mean(0), rtol=0, atol=0.02)
    torch.testing.assert_close(law.covariance, seen.mT.cov(), rtol=0, atol=0.02)
    page = (run.workspace.folder / "density.html").read_text()
    assert "Learned in training" in page
    again = Run.open(run.workspace.folder)
    torch.testing.assert_close(load(again).loc, law.loc)


def load(run: Run) -> JointMixture:
    from jointlaw.runs._fit import load_fit

    return load_fit(run).law


def test_all_directions_keep_the_likelihood(run: Run) -> None:
    whole = run.learner.objective.joint_law
    basis = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0))).Q
    loc = torch.randn(12, generator=torch.Generator().manual_seed(1))
    law = Trained().of(whole, Reduction(loc, basis, kept=1.0))()
    z = whole.sample((50,), torch.Generator().manual_seed(2))
    turned = ((z.unflatten(-1, (2, 12)) - loc) @ basis).flatten(1)
    torch.testing.assert_close(law.log_prob(turned), whole.log_prob(z), rtol=1e-4, atol=1e-3)


def test_samples_come_from_it(run: Run) -> None:
    folder = str(run.workspace.folder)
    assert main(["fit", folder, "--dim=5"]) == 0
    assert main(["decode", folder, "--epochs=1"]) == 0  # of what the density is of
    assert main(["sample", folder, "--count=6"]) == 0
    with np.load(run.workspace.folder / "samples.npz") as drawn:
        assert drawn["latents"].shape == (6, 12)
        np.testing.assert_allclose(np.linalg.norm(drawn["latents"], axis=1), 1, rtol=1e-4)  # on the sphere
    assert main(["sample", folder, "--count=8", "--given=left"]) == 0  # of halves, which no training knows
    assert "decoded draws from the mixture given the half" in (run.workspace.folder / "completions.html").read_text()


def test_another_density_can_be_fitted_all_the_same(run: Run) -> None:
    assert run.fit(Gaussian(), dim=3).which == Which.features
    assert run.fit(which=Which.features, dim=3).recipe == Mixture()
    assert run.fit(target=Target.clean, dim=3).recipe == Mixture()


def test_what_no_training_learned_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="expected embeddings, found features"):
        run.fit(Trained(), which=Which.features)
    with pytest.raises(ValueError, match="expected embeddings, found both"):
        run.fit(Trained(), which=Which.both)
    with pytest.raises(ValueError, match="found the clean sample"):
        run.fit(Trained(), target=Target.clean)
    other = trained(tmp_path / "other", partial(simclr, width=12, hidden=None))
    assert main(["fit", str(other.workspace.folder), "--density=Trained"]) == 2
    assert "learned a joint law, found one of simclr" in capsys.readouterr().err
    assert other.fit(dim=3).recipe == Mixture()


def test_a_run_is_judged_and_reported_by_its_components(run: Run) -> None:
    figures = run.judge()
    assert figures["joint.components"] == run.learner.objective.joint_law.count
    assert 0 <= figures["joint.dead"] < figures["joint.components"]
    assert figures["joint.parts"] >= 1
    run.report()
    page = run.workspace.report.read_text()
    for name in ("plot-graph", "plot-holdings", "plot-map"):
        assert f'id="{name}"' in page, name
    assert json.loads((run.workspace.folder / "results.json").read_text())["joint.components"] > 2


def test_an_embedding_of_one_unit_is_judged(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", partial(GROWING, width=1))
    assert run.judge()["nhsic"] is None


def test_fixed_prototypes_that_hold_nothing_are_told(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", partial(gmje, width=12, hidden=None, components=9))
    objective = run.learner.objective
    with torch.no_grad():
        objective.density.logits[:4] = -torch.inf
    figures = run.judge()
    assert figures["joint.components"] == 9
    assert figures["joint.dead"] >= 4
    assert "joint.parts" not in figures


def test_each_has_its_own_covariance_if_asked(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", partial(GROWING, covariance="own", moves="both"))
    density = run.learner.objective.density
    assert isinstance(density.scale, MovingScale)
    assert len(density().scale_tril) == density().count
    assert torch.isfinite(density().log_prob(torch.zeros(3, 24))).all()

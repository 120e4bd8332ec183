"""The sparsity experiment: its plans, its scales, its claims and its page, most of it without training."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jointlaw.data import Data, Stored
from jointlaw.evaluation import l0, l1
from jointlaw.laws import GeneralizedGaussian, RectifiedGeneralizedGaussian
from jointlaw.objectives import RectifiedLpJEPA
from jointlaw.training import LARS
from jointlaw.training.recipes import RECIPES
from jointlaw.types import Embeddings
from jointlaw_papers.seeds import Found
from jointlaw_papers.sparsity import (
    CPU,
    LOCATIONS,
    PAPER,
    PLANS,
    SHAPES,
    SMOKE,
    SparsityPlan,
    SparsityResult,
    transfer,
)
from jointlaw_papers.sparsity_cases import Case, Dial, baseline, ours, published
from jointlaw_papers.sparsity_charts import Mark, undominated
from jointlaw_papers.sparsity_claims import FAILS, HOLDS, OPEN, THEIRS, Claim, claims, difference, exact
from jointlaw_papers.sparsity_page import EXPERIMENT
from jointlaw_papers.trials import BACKBONE, PROJECTOR, Done, Figures, Trial


@pytest.mark.parametrize("dial", [Dial(1, 0), Dial(1, -1), Dial(2, 1), Dial(1, -1, "RGN")])
def test_plans_are_what_draws_of_the_law_measure(dial: Dial) -> None:
    z = dial.law.draw((400, 4000), torch.Generator().manual_seed(0))
    assert l0(z) == pytest.approx(dial.planned, rel=0.02)
    assert l1(z) == pytest.approx(dial.planned_l1, rel=0.03)


def test_the_scale_of_the_law_changes_the_plan() -> None:
    assert Dial(1, -3).planned == pytest.approx(0.0072, abs=1e-4)
    assert Dial(1, -3, "RGN").planned == pytest.approx(0.1202, abs=1e-4)


@pytest.mark.parametrize("name", PLANS)
def test_every_part_finds_its_cases(name: str) -> None:
    scale = PLANS[name]
    names = [trial.name for trial in scale.trials(0)]
    assert len(set(names)) == len(names)
    several = [case for case in scale.cases().values() if scale.seeds_of(case) > 1]
    assert len(several) == len(scale.repeated) + len(scale.repeated_published)
    assert len(names) == len(scale.cases()) + (scale.seeds - 1) * len(several)


def test_the_cpu_scale_has_three_seeds_where_the_findings_hang() -> None:
    assert {CPU.seeds_of(ours(Dial(1, loc))) for loc in (0, -1, -3)} == {3}
    assert CPU.seeds_of(baseline("lejepa")) == 3
    assert {Dial(1, loc) for loc in LOCATIONS} <= set(CPU.grid)


def test_the_published_form_is_the_paper_s_recipe() -> None:
    z = torch.randn(2, 16, 24, generator=torch.Generator().manual_seed(0))
    losses = [
        method.objective(Embeddings(z, z)).loss
        for method in (
            published(Dial(1, -1), 32).recipe(24)(seed=5),
            RECIPES["rectified-lpjepa-paper"](loc=-1, slices=32, seed=5),
        )
    ]
    assert losses[0] == losses[1]


def test_ablations_change_features_and_law_apart() -> None:
    seen = set()
    for features in (True, False):
        for target in (True, False):
            objective = ours(Dial(1, -1), features=features, target=target).recipe(16)().objective
            assert isinstance(objective, RectifiedLpJEPA)
            assert objective.rectify == features
            assert isinstance(objective.law, RectifiedGeneralizedGaussian if target else GeneralizedGaussian)
            seen.add((features, target))
    assert len(seen) == 4


def images(side: int) -> Data:
    values = torch.randint(256, (8, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = Stored(values=values, label=torch.arange(8) % 2)
    return Data("folder:none", source, source, source)


def test_the_paper_s_scale_is_the_paper_s_setting() -> None:
    setup = PAPER.setup
    assert (setup.encoder, setup.run.epochs, setup.run.batch, PAPER.width, PAPER.count) == (
        "resnet50",
        1000,
        128,
        2048,
        8192,
    )
    assert isinstance(setup.optimizer, LARS)
    assert set(PAPER.grid) >= {Dial(p, loc, s) for p in SHAPES for loc in LOCATIONS for s in ("GN", "RGN")}
    assert set(PAPER.grid) >= {key for key in THEIRS if isinstance(key, Dial)}
    data = images(setup.resolution or 0)
    maker = setup.settled(data).view_maker()
    drawn = maker(data.train.read(torch.arange(2)), torch.Generator().manual_seed(0))
    assert [list(view.shape) for view in drawn] == [[2, 3, 224, 224]] * 2
    learner = setup.learner(published(Dial(1, 0), PAPER.count).recipe(PAPER.width)(), data.train.shape)
    widths = [module.out_features for module in learner.projector.modules() if isinstance(module, torch.nn.Linear)]
    assert widths == [2048, 2048, 2048]
    assert learner.projector[1].in_features == 2048


@pytest.mark.parametrize("name", THEIRS)
def test_every_method_of_the_paper_s_table_can_be_built_at_its_width(name: Dial | str) -> None:
    case = ours(name) if isinstance(name, Dial) else baseline(name)
    projector = case.recipe(PAPER.width)().projector(64)
    assert [layer.out_features for layer in projector.modules() if isinstance(layer, torch.nn.Linear)] == [2048] * 3


def test_transfer_measures_other_data_with_a_frozen_run(tmp_path: Path) -> None:
    data = SMOKE.setup.load_data()
    (place,) = SMOKE.elsewhere
    turned = place.load(SMOKE.setup, data.train.shape)
    first = torch.arange(1)
    assert torch.equal(turned.train.read(first)[0, 0], data.train.read(first)[0, 0].rot90(1))
    run = SMOKE.trials(0)[0].run(tmp_path / "out", data)
    run._learner = run.fresh_learner().eval()
    figures = transfer(SMOKE, data.train.shape)(run)
    key = f"transfer.{place.name}"
    assert figures["held_out"] == figures[f"{key}.held_out"] == 359
    assert (figures[f"{key}.backbone"] or 0) > 0.7
    assert 0 < (figures[f"{key}.l0"] or 0) < 1


WIDER = replace(
    SMOKE,
    grid=(*SMOKE.grid, Dial(2, 0), Dial(1, -1, "RGN")),
    published=(Dial(1, 0), Dial(1, -1)),
    baselines=("lejepa", "vicreg"),
)
"""With every case that the claims are about."""


def seeds(case: Case, figures: list[Figures]) -> Found[Case]:
    trial = Trial(case.name, case.name, case.recipe(8), SMOKE.setup)
    return Found(case, [Done(trial, one, Path("unused")) for one in figures])


def made_up(changes: Mapping[str, Mapping[str, float]], scale: SparsityPlan = WIDER) -> SparsityResult:
    """Figures as the source has them, but for changes by case."""
    found = {}
    for name, case in scale.cases().items():
        planned = 1.0 if case.dial is None or "plain" in name else case.dial.planned
        if name.endswith("gn-gn-relu"):
            planned = 0.5  # rectified features of a law that is not
        figures: Figures = {
            BACKBONE: 0.8,
            PROJECTOR: 0.7,
            "held_out": 1e6,
            "sparsity.l0": planned,
            "sparsity.l0_clean": planned,
            "sparsity.l1": 0.3,
            "nhsic": 0.5 if name == "vicreg" else 0.1,
            "rankme.projector": 20.0 if name.startswith("eigen") else 10.0,
            "dead_units": 0.0,
            "entropy.value": 1.0,
            "entropy.expected": 1.1,
            "seconds": 3.0,
            "transfer.digits, turned.l0": planned / 2,
            "transfer.digits, turned.backbone": 0.6,
            "transfer.digits, turned.projector": 0.5,
            "transfer.digits, turned.held_out": 359.0,
        }
        found[name] = seeds(case, [{**figures, **changes.get(name, {})}] * scale.seeds_of(case))
    return SparsityResult(scale, found)


def verdicts(changes: Mapping[str, Mapping[str, float]]) -> list[Claim]:
    return claims(made_up(changes))


def about(made: list[Claim], words: str) -> list[str]:
    return [claim.verdict for claim in made if words in claim.text]


def test_claims_follow_the_figures() -> None:
    made = verdicts({})
    assert about(made, "the planned one") == [HOLDS, HOLDS]
    assert about(made, "95 % zeros") == [OPEN, OPEN]  # nothing here is that sparse
    assert about(made, "beats") == [OPEN, OPEN]
    assert about(made, "Only rectified") == [HOLDS]
    assert about(made, "VICReg.") == [HOLDS]


def test_claims_fail_where_figures_speak_against_them() -> None:
    sparse = ours(Dial(1, -1)).name
    made = verdicts(
        {
            sparse: {"sparsity.l0": 0.3, "nhsic": 0.9},
            ours(Dial(1, -1, "RGN")).name: {BACKBONE: 0.7, PROJECTOR: 0.5},
            ours(Dial(2, 0)).name: {BACKBONE: 0.85, PROJECTOR: 0.9},
            "lejepa": {BACKBONE: 0.9},
            "vicreg": {BACKBONE: 0.75},
            ours(Dial(1, -1), features=True, target=False).name: {"sparsity.l0": 0.1},
        }
    )
    assert about(made, "the planned one") == [FAILS, HOLDS]
    assert about(made, "95 % zeros") == [FAILS, FAILS]
    assert about(made, "beats") == [FAILS, HOLDS]
    assert about(made, "Only rectified") == [FAILS]
    assert about(made, "than under VICReg") == [FAILS]


def test_a_denser_setting_that_is_worse_has_not_fallen() -> None:
    made = verdicts({ours(Dial(1, -1)).name: {BACKBONE: 0.85}, ours(Dial(2, 0)).name: {BACKBONE: 0.7}})
    assert about(made, "95 % zeros") == [OPEN, OPEN]


def test_a_share_counts_as_planned_within_its_tolerance() -> None:
    assert exact(0.5, 0.509)
    assert not exact(0.5, 0.512)
    assert exact(0.007, 0.0076)
    assert not exact(0.007, 0.0078)
    assert not exact(0.001, 0.0)


def test_gaps_are_paired_where_both_have_several_seeds() -> None:
    some: list[Figures] = [{BACKBONE: 0.8, "held_out": 100.0}, {BACKBONE: 0.9, "held_out": 100.0}]
    more: list[Figures] = [{**one, BACKBONE: (one[BACKBONE] or 0.0) + 0.01} for one in some]
    case = ours(Dial(1, 0))
    gap, noise = difference(seeds(case, more), seeds(case, some), BACKBONE)
    assert gap == pytest.approx(0.01)
    assert noise == pytest.approx(0, abs=1e-9)  # both seeds say the same
    gap, noise = difference(seeds(case, more[:1]), seeds(case, some), BACKBONE)
    assert gap == pytest.approx(-0.04)
    assert noise == pytest.approx(2 * (0.81 * 0.19 / 100 + 0.85 * 0.15 / 100) ** 0.5)


def test_the_paper_s_table_names_both_forms() -> None:
    result = made_up({}, SMOKE)
    result.found[published(Dial(2, 0), SMOKE.count).name] = result.found[ours(Dial(1, 0)).name]
    assert "RGN_2(0), as published" in EXPERIMENT.page(result).html()


def test_the_front_keeps_what_nothing_beats_in_both() -> None:
    marks = [Mark(1, 5, "a"), Mark(2, 4, "b"), Mark(3, 6, "c"), Mark(3, 5.5, "d")]
    assert [mark.label for mark in undominated(marks)] == ["a", "c"]


def test_the_page_shows_every_part() -> None:
    result = made_up({}, SMOKE)
    page = EXPERIMENT.page(result).html()
    for plot in ("dial", "entropy", "dead", "front-backbone", "front-projector", "ablations", "slices-accuracy"):
        assert f'id="plot-{plot}"' in page
    assert all(claim.found in page.replace("&#39;", "'") for claim in claims(result))
    assert "does not agree" not in page
    assert "planned (within 5 % of it" in page
    assert SMOKE.caution in page
    figures = EXPERIMENT.figures(result)
    assert json.loads(json.dumps(figures)) == figures
    assert len(EXPERIMENT.lines(result)) == 2 * len(claims(result))


@pytest.mark.slow
def test_the_experiment_trains_once_and_writes_figures_and_a_page(tmp_path: Path) -> None:
    said: list[str] = []
    EXPERIMENT.reproduce("smoke", tmp_path / "out", 111, said.append)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(results["settings"]) == len(SMOKE.cases())
    assert sum(": starts" in line for line in said) == len(SMOKE.trials(111))
    assert any("The measured share of active units is the planned one." in line for line in said)
    said.clear()
    EXPERIMENT.reproduce("smoke", tmp_path / "out", 111, said.append)
    assert sum(": done before" in line for line in said) == len(SMOKE.trials(111))
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results

from dataclasses import replace

import numpy as np
import pytest
import torch

from jointlaw.laws import GeneralizedGaussian, JointMixture, Law, RectifiedGeneralizedGaussian
from jointlaw.report import Contents
from jointlaw.report import _charts as charts
from jointlaw.report import _curves as curves
from jointlaw.report._blocks import Absent, Chart
from jointlaw.report._components import holdings
from jointlaw.report._neighbourhood import draw_map
from jointlaw.report._tables import figure_table, probe_table, tiles, verdict
from jointlaw.report.drawing import canvas, thin


def sampled(law: Law, samples: int = 2000, units: int = 24) -> Contents:
    torch.manual_seed(0)
    z = law.sample((samples, units)).numpy()
    return Contents("Sampled", z, z, np.full(samples, -1), law=law)


def chart(plot: Chart | Absent) -> Chart:
    assert isinstance(plot, Chart)
    return plot


def drawn(plot: Chart | Absent) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {trace.name: (np.array(trace.x, float), np.array(trace.y, float)) for trace in chart(plot).figure.data}


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("kind", ["rectified", "dense"])
def test_samples_of_the_law_lie_on_the_diagonal_and_inside_the_band(kind: str, p: float) -> None:
    law: Law = RectifiedGeneralizedGaussian.with_activity(0.1, p=p) if kind == "rectified" else GeneralizedGaussian(p)
    contents = sampled(law)
    lines = drawn(charts.quantiles(contents))
    planned, pooled = lines["all units pooled"]
    scale = float(law.variance) ** 0.5
    np.testing.assert_allclose(pooled, planned, rtol=0.1, atol=0.1 * scale)
    assert np.all(np.diff(planned) >= 0)
    assert lines["90 % of the units"][1][-1] > planned[-1]


def test_the_histogram_and_the_atom_hold_all_the_mass() -> None:
    contents = sampled(RectifiedGeneralizedGaussian.with_activity(0.3))
    atom, bars, law_atom, _ = charts.histogram(contents).figure.data
    inside = sum(bars.y) * (bars.x[1] - bars.x[0])
    assert atom.y[0] / 100 + inside == pytest.approx(1, abs=2e-3)
    assert law_atom.y[0] == pytest.approx(70)


def test_the_law_is_judged_on_drawn_views_where_there_are_any() -> None:
    contents = sampled(RectifiedGeneralizedGaussian.with_activity(0.1))
    silent = replace(contents, drawn=np.zeros((50, 24), dtype=np.float32))
    assert "measured 0 %" in drawn(charts.dial(silent))
    assert "24 of 24 units" in next(tile.caption for tile in tiles(silent) if tile.name == "dead units")


def test_a_dense_law_has_no_dial() -> None:
    plot = charts.dial(sampled(GeneralizedGaussian(2.0)))
    assert isinstance(plot, Absent)
    assert "no dial" in plot.reason


def test_singular_values_are_shares_of_their_sum(complete: Contents) -> None:
    for _, values in drawn(charts.spectrum(complete)).values():
        assert values.sum() == pytest.approx(100, rel=1e-3)


def test_matching_is_drawn_between_floor_and_collapse(complete: Contents) -> None:
    assert list(drawn(curves.matching(complete))) == ["matching", "floor 0.009", "collapse 0.4"]


@pytest.mark.parametrize("build", [curves.losses, curves.matching, curves.probes, curves.activity])
def test_values_that_are_not_finite_are_no_points(build, complete: Contents) -> None:
    spoiled = {name: [(0.0, float("nan")), *points, (2e3, float("inf"))] for name, points in complete.history.items()}
    for _, values in drawn(build(replace(complete, history=spoiled))).values():
        assert np.isfinite(values).all()


@pytest.mark.parametrize(
    "build",
    [curves.losses, curves.matching, curves.probes, curves.activity, curves.rank, curves.spread, charts.quantiles],
)
def test_what_was_not_measured_is_absent_with_a_reason(build, bare: Contents) -> None:
    plot = build(bare)
    assert isinstance(plot, Absent)
    assert plot.reason.endswith(".")


def watched(contents: Contents) -> Contents:
    """A run with a bank and vital signs."""
    ends = {"health/rank": 80.0, "health/spread": 0.6, "health/silent": 0.1}
    ends |= {"train/ess": 300.0, "train/age": 1.5, "train/survival": 0.4, "train/distinct": 0.9, "train/filled": 1.0}
    limits = {"health.limit.rank": 12.8, "health.limit.spread": 0.02, "health.limit.silent": 0.5}
    history = {**contents.history, **{name: [(0.0, 0.0), (10.0, end)] for name, end in ends.items()}}
    return replace(contents, history=history, figures={**contents.figures, **limits})


def test_vital_signs_are_drawn_with_the_alarm_s_limits(complete: Contents) -> None:
    lines = drawn(curves.rank(watched(complete)))
    assert lines["effective dimensions"][1].tolist() == [0, 80]
    assert lines["alarm below 12.8"][1].tolist() == [12.8, 12.8]
    shares = drawn(curves.spread(watched(complete)))
    assert shares["differ between samples"][1][-1] == 60
    assert shares["alarm below 2 %"][1][0] == 2
    assert shares["alarm above 50 %"][1][0] == 50


def test_a_bank_has_charts_of_its_own_and_leaves_the_losses_alone(complete: Contents) -> None:
    contents = watched(complete)
    assert drawn(curves.bank_size(contents))["effective sample size"][1][-1] == 300
    assert drawn(curves.bank_age(contents))["age"][1][-1] == 1.5
    assert drawn(curves.bank_shares(contents)).keys() == {"filled", "slots in use", "outlive an update"}
    assert drawn(curves.losses(contents)).keys() == drawn(curves.losses(complete)).keys()


def test_a_queue_has_no_effective_sample_size(complete: Contents) -> None:
    plot = curves.bank_size(complete)
    assert isinstance(plot, Absent)
    assert "one weight" in plot.reason


def test_units_that_are_always_active_have_no_dial_over_the_run(bare: Contents) -> None:
    plot = curves.activity(replace(bare, history={"train/activity": [(0.0, 1.0), (1.0, 1.0)]}))
    assert isinstance(plot, Absent)


def test_collapsed_embeddings_still_make_a_report(complete: Contents) -> None:
    zeros = np.zeros_like(complete.embeddings)
    collapsed = replace(complete, embeddings=zeros, features=np.zeros_like(complete.features))
    assert isinstance(draw_map(collapsed), Absent)
    assert isinstance(charts.spectrum(collapsed), Absent)
    for build in (charts.dial, charts.quantiles, charts.histogram):
        chart(build(collapsed))


def test_every_point_of_the_map_knows_its_card(complete: Contents) -> None:
    plane = chart(draw_map(replace(complete, label=np.where(np.arange(160) < 5, -1, complete.label))))
    assert len(plane.cards) == 160
    for trace in plane.figure.data:
        shown = {plane.cards[i].label for i in trace.customdata}
        assert len(shown) == 1
    assert sum(len(trace.customdata) for trace in plane.figure.data) == 160


def test_few_samples_are_projected(complete: Contents) -> None:
    few = replace(
        complete,
        embeddings=complete.embeddings[:5],
        features=complete.features[:5],
        label=complete.label[:5],
        names=None,
        images=None,
    )
    plane = draw_map(few)
    assert "principal components" in chart(plane).reading
    assert [card.name for card in chart(plane).cards] == [f"sample {i}" for i in range(5)]


@pytest.mark.parametrize(("measured", "word"), [(0.1, "holds"), (0.1049, "holds"), (0.1051, "does not hold")])
def test_the_verdict_follows_the_tolerance(complete: Contents, measured: float, word: str) -> None:
    figures = {**complete.figures, "sparsity.l0": measured}
    assert verdict(replace(complete, figures=figures)).endswith(f"{word}.")


def test_probe_table_starts_with_chance_and_skips_what_is_missing(complete: Contents) -> None:
    table = probe_table(complete)
    assert table is not None
    assert [row[1] for row in table.rows] == ["10.0 %", "97.0 %", "50.0 %"]
    assert list(table.bars) == [0.1, 0.97, 0.5]
    assert probe_table(replace(complete, figures={})) is None


def test_figures_have_names_units_and_meanings() -> None:
    table = figure_table({"sparsity.l0": 0.0072, "few_shot.5": None, "of.another.version": 3.0}, keys=True)
    assert table.rows == [
        ["measured activity", "0.72 %", "sparsity.l0"],
        ["linear probe of the backbone, 5 labels per class", "not measured", "few_shot.5"],
        ["of.another.version", "3", "of.another.version"],
    ]
    assert table.meanings[0].startswith("Share of non-zero units")


def test_thinning_keeps_the_last_point() -> None:
    points = [(float(i), 0.0) for i in range(1001)]
    kept = thin(points, 400)
    assert kept[-1] == points[-1]
    assert len(kept) <= 401
    assert thin([], 400) == []


def test_figure_text_cannot_close_a_script_element() -> None:
    figure = canvas("</script>", "a < b & c")
    assert not set("<>&") & set(Chart("x", "x", figure, "", "").json)


def held() -> Contents:
    """Samples about the corners of a triangle; a joint law with a component at each corner, and one far away."""
    corners = torch.tensor([[4.0, 0.0], [0.0, 4.0], [-4.0, -4.0], [50.0, 50.0]])
    label = np.repeat(np.arange(3), 40)
    noise = torch.randn(120, 2, generator=torch.Generator().manual_seed(0))
    z = (corners[torch.from_numpy(label)] + 0.3 * noise).numpy()
    law = JointMixture(torch.zeros(4), torch.cat([corners, corners], 1), torch.eye(4)[None], split=2)
    return Contents("Held", z, z, label, joint=law, edges=np.array([[0, 1], [2, 3]]))


def test_components_hold_the_classes_that_belong_to_them() -> None:
    figure = chart(holdings(held())).figure
    table = figure.data[0]
    assert [[int(text or 0) for text in row] for row in table.text] == [[40, 0, 0], [0, 40, 0], [0, 0, 40]]
    assert list(table.y) == ["0 (part 1)", "1 (part 1)", "2 (part 2)"]
    assert "1 hold none of them" in chart(holdings(held())).reading
    assert "100.0%" in chart(holdings(held())).reading


def test_the_map_marks_the_components_and_their_edges() -> None:
    traces = {trace.name: trace for trace in chart(draw_map(held())).figure.data}
    assert len(traces["components"].x) == 4
    assert [value is None for value in traces["edges"].x] == [False, False, True] * 2
    plain = {trace.name for trace in chart(draw_map(replace(held(), joint=None))).figure.data}
    assert plain.isdisjoint({"components", "edges"})


def test_particles_too_many_to_tell_apart_are_not_drawn() -> None:
    contents = held()
    many = JointMixture(torch.zeros(300), torch.randn(300, 4), torch.eye(4)[None], split=2)
    crowded = replace(contents, joint=many, edges=None, embeddings=np.random.default_rng(0).normal(size=(120, 2)) * 2)
    assert "components" not in {trace.name for trace in chart(draw_map(crowded)).figure.data}
    assert len(chart(holdings(crowded)).figure.data[0].y) <= 120


def test_samples_without_a_class_are_held_too() -> None:
    contents = held()
    table = chart(holdings(replace(contents, label=np.full(120, -1)))).figure.data[0]
    assert list(table.x) == ["unlabelled"]
    assert isinstance(holdings(replace(contents, joint=None)), Absent)
    assert isinstance(curves.graph(contents), Absent)
    grown = replace(contents, history={"train/vertices": [(0, 2.0), (9, 7.0)], "train/parts": [(0, 1.0), (9, 2.0)]})
    assert set(drawn(curves.graph(grown))) == {"vertices", "connected parts"}

"""The pictures of the alignment experiment."""

import math
from collections.abc import Iterator, Sequence

import plotly.graph_objects as go
import torch
from torch import Tensor

from jointlaw.densities import Fitted, GrowingNeuralGas, MixtureDensityNetwork
from jointlaw.evaluation import reliability
from jointlaw.laws import JointMixture
from jointlaw.report import Chart
from jointlaw.report.drawing import FOURTH, LAW, MEASURED, QUIET, THIRD, band, canvas, cycle, dots, line
from jointlaw_papers.alignment import TRUTH, Predictor, Solved

SHOWN = 600
"""Training pairs in a picture; more hide what is drawn over them."""


READING = {
    "weights": "A component whose weight falls to zero is switched off.",
    "means": "Each component follows one branch.",
    "deviations": "Above the line a component is too wide, below it too narrow.",
}


def charts(result: Solved, key: str) -> list[Chart]:
    """One picture per predictor, then coverage against level."""
    draw = _curve if result.test.context.shape[1] == 1 else _poses
    return [*(draw(result, one, f"{key}-{i}") for i, one in enumerate(result.predictors[:-1])), _coverage(result, key)]


def internals(result: Solved, key: str) -> list[Chart]:
    """Weights, means and deviations that the mixture density network gives each component, against the truth."""
    network = next(one for one in result.predictors if isinstance(one.density, MixtureDensityNetwork))
    law = network.law
    if not isinstance(law, JointMixture) or result.test.context.shape[1] != 1:
        return []
    x = result.test.context[:, 0]
    truth = result.problem.branches(result.test.context)  # [N, M, 1]
    count = law.count
    weights, means = law.weights, law.loc[..., 0]  # [N, K]
    deviations = law.components.variance[..., 0].sqrt()
    shown = [
        ("weights", "Weights", "weight of a component", weights, [1 / count]),
        ("means", "Means", "mean of a component", means, []),  # the truth: one curve per branch
        ("deviations", "Deviations", "standard deviation of a component", deviations, [result.problem.noise]),
    ]
    made = []
    for name, title, axis, values, level in shown:
        figure = canvas("context", axis)
        for k, colour in zip(range(count), cycle(count), strict=True):
            line(figure, _points(x, values[:, k]), f"component {k + 1}", colour)
        references = [torch.full_like(x, value) for value in level] or list(truth[..., 0].unbind(1))
        for m, reference in enumerate(references):
            line(figure, _points(x, reference), "truth", QUIET, dash="dash")
            figure.data[-1].showlegend = m == 0
        reading = f"Dashed: the truth. {READING[name]}"
        gap = f"{title} of {count} components over the context."
        made.append(Chart(f"{key}-{name}", f"{title} inside the mixture density network", figure, reading, gap))
    return made


def _curve(result: Solved, predictor: Predictor, name: str) -> Chart:
    """Data, mean and two deviations over a scalar context, with the components or the graph."""
    x, law = result.test.context[:, 0], predictor.law
    mean, deviation = law.mean[:, 0], law.variance[:, 0].sqrt()
    figure = canvas("context", "target")
    train = result.train
    dots(figure, train.context[:SHOWN, 0].numpy(), train.target[:SHOWN, 0].numpy(), "data", QUIET, size=3, opacity=0.55)
    band(figure, x.numpy(), (mean - 2 * deviation).numpy(), (mean + 2 * deviation).numpy(), "mean ± 2 deviations")
    _parts(figure, predictor, x)
    line(figure, _points(x, mean), "mean", LAW)
    figures = result.figures[predictor.name]
    reading = (
        f"NLL {figures['nll']:.2f} nats (the true law {result.figures[TRUTH]['nll']:.2f}); "
        f"{figures['branches']:.0%} of the branches have a mode."
    )
    return Chart(name, predictor.name, figure, reading, f"Scatter of the data with the law of {predictor.name}.")


def _parts(figure: go.Figure, predictor: Predictor, x: Tensor) -> None:
    """What a law is made of: ellipses of joint components, or the means of conditional ones."""
    if isinstance(predictor.density, Fitted | GrowingNeuralGas):
        for index, path in enumerate(_ellipses(predictor.density())):
            line(figure, path, "components", THIRD)
            figure.data[-1].showlegend = index == 0
        if isinstance(predictor.density, GrowingNeuralGas):
            _graph(figure, predictor.density)
    elif isinstance(predictor.law, JointMixture):
        for k in range(predictor.law.count):
            line(figure, _points(x, predictor.law.loc[:, k, 0]), f"component {k + 1}", (THIRD, FOURTH, MEASURED)[k % 3])


def _graph(figure: go.Figure, gas: GrowingNeuralGas) -> None:
    for index, (a, b) in enumerate(gas.edges.tolist()):
        ends = gas.nodes[[a, b]]
        line(figure, _points(ends[:, 0], ends[:, 1]), "edges", FOURTH)
        figure.data[-1].showlegend = index == 0


def _ellipses(law: object) -> Iterator[list[tuple[float, float]]]:
    """Two deviations around each component of a law of two coordinates."""
    if not isinstance(law, JointMixture):
        return
    turn = torch.linspace(0, 2 * math.pi, 49)
    circle = torch.stack([turn.cos(), turn.sin()])  # [2, 49]
    for loc, covariance in zip(law.loc, law.components.covariance, strict=True):
        edge = loc[:, None] + 2 * torch.linalg.cholesky(covariance.double()).to(loc.dtype) @ circle
        yield _points(edge[0], edge[1])


def _poses(result: Solved, predictor: Predictor, name: str) -> Chart:
    """Draws of the two-dimensional target at one context, beside the true answers."""
    place = len(result.test.context) // 2
    draws = predictor.law.sample((400,), torch.Generator().manual_seed(0))[:, place]
    truth = result.problem.branches(result.test.context[place : place + 1])[0]
    figure = canvas("shoulder (radians)", "elbow (radians)")
    dots(figure, draws[:, 0].numpy(), draws[:, 1].numpy(), "draws", MEASURED, size=4, opacity=0.55)
    dots(figure, truth[:, 0].numpy(), truth[:, 1].numpy(), "true poses", LAW, size=13, symbol="x")
    figures = result.figures[predictor.name]
    reading = f"NLL {figures['nll']:.2f} nats; {figures['branches']:.0%} of the poses have a mode, over all contexts."
    return Chart(name, predictor.name, figure, reading, f"Draws of {predictor.name} at one place of the hand.")


def _coverage(result: Solved, key: str) -> Chart:
    figure = canvas("nominal level", "share of targets inside the region")
    line(figure, [(0.0, 0.0), (1.0, 1.0)], "exact", QUIET, dash="dash")
    for predictor, colour in zip(result.predictors[:-1], _colours(), strict=True):
        found = reliability(predictor.law, result.test.target, generator=torch.Generator().manual_seed(0))
        line(figure, _points(found.level, found.highest), predictor.name, colour)
    reading = "Regions of highest density. On the dashed line a law knows what it does not know; above it is too wide."
    alt = "Reliability of the predictors: coverage against nominal level."
    return Chart(f"{key}-coverage", "Reliability", figure, reading, alt, wide=True)


def _colours() -> Sequence[str]:
    return (MEASURED, LAW, QUIET, THIRD, FOURTH, "#c2475c", "#7a8a2e")


def _points(x: Tensor, y: Tensor) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))

"""The generation experiment, from its scale to results.json and a page."""

import math
from collections.abc import Sequence

import torch

from jointlaw.report import Chart, FigureTable, Picture, Section, tiled
from jointlaw.report.drawing import LAW, QUIET, canvas, dots
from jointlaw_papers.experiment import Experiment
from jointlaw_papers.generation import GenerationResult, Sampled, solve
from jointlaw_papers.generation_plans import PLANS
from jointlaw_papers.seeds import Interval

SHAPE = {
    "log_det": ("mean log det", "{:.1f}"),
    "variance": ("mean trace", "{:.3f}"),
    "spread": ("prototype spread", "{:.3f}"),
    "nll": ("NLL of held-out (nats)", "{:.1f}"),
}
"""Figure of a law -> heading and form."""

MERIT = {
    "precision": ("precision", "{:.1%}"),
    "recall": ("recall", "{:.1%}"),
    "density": ("density", "{:.3f}"),
    "coverage": ("coverage", "{:.1%}"),
    "imbalance": ("class imbalance", "{:.1%}"),
    "memorisation": ("distance to training", "{:.3f}"),
}
"""Figure of samples -> heading and form."""

PROTOTYPES, GAUSSIAN, AFTERWARDS = "GMJE, its prototypes", "GJE, one Gaussian", "SimCLR, mixture afterwards"

PAPER: dict[str, dict[str, float]] = {
    AFTERWARDS: {"log_det": -878.99, "variance": 0.85, "spread": 0.55},
    GAUSSIAN: {"log_det": -636.15, "variance": 0.99},
    PROTOTYPES: {"log_det": -621.58, "variance": 1.00, "spread": 1.43},
}
"""Table 2 of Huang (2026)."""

PAPER_WIDTH = 128
"""Lost from the source's text; at this width an isotropic law on the unit sphere has the log det of its GMJE."""

SHOWN = 64
"""Images of a grid."""

QUESTION = (
    "Does a latent law that is learned with the encoder give better samples than one fitted afterwards? Three "
    "encoders, a decoder each, and draws from their laws."
)


def figures(result: GenerationResult) -> dict[str, dict[str, float | None]]:
    """Figures of encoders and laws as plain numbers."""
    found: dict[str, dict[str, float | None]] = {one.name: dict(one.figures) for one in result.encoded}
    for one in result.sampled:
        row: dict[str, float | None] = {}
        for key, value in one.figures.items():
            row[key] = None if value is None else value.mean
            if value is not None and value.half is not None:
                row[f"{key}_half"] = value.half
        found[one.name] = row
    return found


def lines(result: GenerationResult) -> list[str]:
    """The figures of laws and images as lines of text."""
    columns = {**SHAPE, **MERIT}
    head = "".join(f"{heading:>24s}" for heading, _ in columns.values())
    found = figures(result)
    rows = [
        f"{one.name:34s}" + "".join(f"{_text(found[one.name].get(k), form):>24s}" for k, (_, form) in columns.items())
        for one in result.sampled
    ]
    return [f"{'':34s}{head}", *rows]


def sections(result: GenerationResult) -> Sequence[Section]:
    """The page's sections."""
    drawn = [one for one in result.sampled if one.law is not None]
    return [
        Section("laws", "The laws", _width_words(result), [shape_table(result), claim_table(result)]),
        Section(
            "samples",
            "Samples",
            f"At most {SHOWN} of each law's samples, decoded; in the first picture, real images.",
            [merit_table(result), *(_grid(one) for one in result.sampled)],
        ),
        Section(
            "maps",
            "Where samples fall",
            "Embeddings of held-out images and draws from the law, in one t-SNE map each. Draws should fall where "
            "embeddings lie, and on all of them.",
            [_map(one, result) for one in drawn],
        ),
        Section("encoders", "Encoders and decoders", "What the laws had to work with.", [encoder_table(result)]),
    ]


def shape_table(result: GenerationResult) -> FigureTable:
    """Table 2 of the source: measured, then theirs."""
    headings = ["law", *(heading for heading, _ in SHAPE.values())]
    rows = [_row(one.name, one.figures, SHAPE) for one in result.sampled if one.law is not None]
    rows.append(_isotropic("isotropic about random directions, width", result.plan.width))
    for name, values in PAPER.items():
        rows.append([f"paper: {name}", *(_text(values.get(key), form) for key, (_, form) in SHAPE.items())])
    rows.append(_isotropic("isotropic about random directions, paper's width", PAPER_WIDTH))
    note = (
        f"Components' covariances in embedding units, width {result.plan.width} here and probably {PAPER_WIDTH} in "
        "the paper. Log dets of different widths are not comparable. Spread: mean distance between prototypes; random "
        "directions are √2 apart. NLL of held-out embeddings: lower is better, between laws of one encoder only."
    )
    return FigureTable("Size and spread of the laws", headings, rows, note)


def merit_table(result: GenerationResult) -> FigureTable:
    """What the samples are worth."""
    headings = ["samples", *(heading for heading, _ in MERIT.values())]
    rows = [_row(one.name, one.figures, MERIT) for one in result.sampled]
    scale = result.plan
    note = (
        f"{len(result.sampled[0].images):,} images against as many held-out ones, means over {scale.draws} sets of "
        "samples with 95 % intervals. The first four (Naeem et al. 2020) in the features of a classifier (accuracy "
        f"{result.accuracy:.1%}) that has learned from the "
        "training images; imbalance: share of the samples that would have to change class; last, the distance "
        "to the nearest training image over that of held-out images: near 0 means copies. Blurred images lie between "
        "many real ones, which raises density above 1 and lowers recall. One training of each "
        "encoder: the intervals do not tell how much trainings differ."
    )
    return FigureTable("Figures of the samples", headings, rows, note)


def encoder_table(result: GenerationResult) -> FigureTable:
    """Probes and decoders."""
    rows = [
        [one.name, _text(one.figures["probe"], "{:.1%}"), _text(one.figures["mse"], "{:.5f}")] for one in result.encoded
    ]
    note = "Squared error of decoded held-out images, in squared shares of full brightness."
    return FigureTable("Encoders", ("encoder", "linear probe", "decoder error"), rows, note)


def claim_table(result: GenerationResult) -> FigureTable:
    """The paper's claims, and whether they hold here."""
    by_name = {one.name: one.figures for one in result.sampled}
    ours, one, after = by_name[PROTOTYPES], by_name[GAUSSIAN], by_name[AFTERWARDS]
    fitted = by_name["GMJE, mixture afterwards"]
    rows = [
        ["GMJE's components are larger than those fitted to SimCLR (log det)", *_compared(ours, after, "log_det")],
        ["GMJE's prototypes stand further apart (spread)", *_compared(ours, after, "spread")],
        ["GMJE's samples are more real than SimCLR's (density)", *_compared(ours, after, "density")],
        ["GMJE's samples are more real than one Gaussian's (density)", *_compared(ours, one, "density")],
        ["GMJE's samples cover more than SimCLR's (coverage)", *_compared(ours, after, "coverage")],
        ["GMJE's samples cover more than one Gaussian's (coverage)", *_compared(ours, one, "coverage")],
        [
            "not in the paper: its own law beats a mixture fitted afterwards (density)",
            *_compared(ours, fitted, "density"),
        ],
    ]
    note = "The paper judges samples by eye. One training each: small differences may be luck."
    return FigureTable("Claims", ("claim", "GMJE, its prototypes", "the other", "here"), rows, note)


def _compared(ours: dict[str, Interval | None], theirs: dict[str, Interval | None], key: str) -> tuple[str, str, str]:
    left, right = ours[key], theirs[key]
    if left is None or right is None:
        return "", "", "not measured"
    form = {**SHAPE, **MERIT}[key][1]
    gap, noise = left.mean - right.mean, math.hypot(left.half or 0.0, right.half or 0.0)
    verdict = "too close to tell" if abs(gap) <= noise else "holds" if gap > 0 else "does not hold"
    return form.format(left.mean), form.format(right.mean), verdict


def _isotropic(name: str, width: int) -> list[str]:
    values = {"log_det": -width * math.log(width), "variance": 1.0, "spread": math.sqrt(2)}
    return [f"{name} {width}", *(_text(values.get(key), form) for key, (_, form) in SHAPE.items())]


def _width_words(result: GenerationResult) -> str:
    trace = next(one.figures["variance"] for one in result.sampled if one.name == PROTOTYPES)
    here = "" if trace is None else f" Here a component of GMJE has {trace.mean:.3f} of the sphere's 1."
    theirs = ", ".join(_text(value, SHAPE[key][1]) for key, value in PAPER[PROTOTYPES].items())
    return (
        f"The paper's figures of GMJE ({theirs}) are nearly those of isotropic noise that fills the unit sphere, about "
        "random prototypes, which is also how prototypes here begin: each component is as wide as the whole space."
        + here
    )


def _row(name: str, values: dict[str, Interval | None], columns: dict[str, tuple[str, str]]) -> list[str]:
    cells = []
    for key, (_, form) in columns.items():
        value = values.get(key)
        cells.append("" if value is None else value.text(form))
    return [name, *cells]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _grid(one: Sampled) -> Picture:
    images = one.images[torch.linspace(0, len(one.images) - 1, min(SHOWN, len(one.images))).long()]
    grid = tiled(images.numpy(), columns=8)
    value = one.figures["density"]
    density = "" if value is None else f" Density {value.mean:.3f} (real images: about 1)."
    return Picture(one.name, grid, f"{len(images)} images.{density}", f"A grid of images: {one.name}.")


def _map(one: Sampled, result: GenerationResult) -> Chart:
    from sklearn.manifold import TSNE

    held_out = next(encoder.held_out for encoder in result.encoded if encoder.name == one.encoder)
    count, sampled = result.plan.mapped
    real = held_out[torch.randperm(len(held_out), generator=torch.Generator().manual_seed(result.seed))[:count]]
    points = torch.cat([real, one.latent[:sampled]]).numpy()
    layout = TSNE(perplexity=min(30, len(points) // 4), init="pca", random_state=result.seed)
    plane = layout.fit_transform(points).round(1)
    figure = canvas("", "")
    for rows, name, colour in ((plane[: len(real)], "held-out images", QUIET), (plane[len(real) :], "draws", LAW)):
        dots(figure, rows[:, 0], rows[:, 1], name, colour, size=4, opacity=0.7)
    figure.update_xaxes(showticklabels=False)
    figure.update_yaxes(showticklabels=False)
    reading = (
        f"{_among(real, one.latent[:sampled]):.0%} of the draws have another draw, not an image, as their nearest "
        "neighbour in the embedding space; half would be as good as real."
    )
    name = one.name.replace(",", "").replace(" ", "-")
    return Chart(f"map-{name}", one.name, figure, reading, f"A map of embeddings and draws of {one.name}.")


def _among(real: torch.Tensor, drawn: torch.Tensor) -> float:
    """Share of the draws nearer to another draw than to any image, out of as many images as draws."""
    count = min(len(real), len(drawn))
    drawn = drawn[:count]
    among = torch.cdist(drawn, drawn)
    among.fill_diagonal_(math.inf)
    return (among.amin(1) < torch.cdist(drawn, real[:count]).amin(1)).double().mean().item()


def _results(result: GenerationResult) -> dict[str, object]:
    return {"classifier_accuracy": result.accuracy, **figures(result), "paper": PAPER}


EXPERIMENT = Experiment(
    name="generation",
    title="Generation",
    question=QUESTION,
    plans=PLANS,
    solve=solve,
    budget=lambda _: "",
    figures=_results,
    sections=sections,
    lines=lines,
)

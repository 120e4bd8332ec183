"""What each figure of a run is called, in which unit it is shown, and what it means: stated here and nowhere else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """How a figure is shown.

    Attributes:
        name: a few words, as they stand in a table.
        unit: follows the number: ``%`` for shares (which results.json holds between 0 and 1), "" for no unit.
        form: how the number in that unit is formatted, as for ``str.format``.
        meaning: one sentence that explains the figure.

    >>> FIGURES["sparsity.l0"].text(0.1012)
    '10.12 %'
    >>> FIGURES["entropy.value"].text(None)
    'not measured'
    """

    name: str
    unit: str
    form: str
    meaning: str

    def number(self, value: float) -> str:
        """The number alone, in the figure's unit."""
        return self.form.format(100 * value if self.unit == "%" else value)

    def text(self, value: float | None, half: float | None = None) -> str:
        """Number and unit, or "not measured".

        Args:
            value: as results.json holds it.
            half: half the width of its interval, such as ``10.1 ± 0.2 %``.
        """
        if value is None:
            return "not measured"
        spread = "" if half is None else f" ± {self.number(half)}"
        return f"{self.number(value)}{spread} {self.unit}".rstrip()


BACKBONE, PROJECTOR, NEIGHBOURS = "probe.backbone.accuracy", "probe.projector.accuracy", "knn.accuracy"
PROBES = (BACKBONE, PROJECTOR, NEIGHBOURS, "few_shot.1", "few_shot.10")
"""What is measured with labels."""


def _few_shot(count: str) -> Figure:
    labels = f"{count} {'label' if count == '1' else 'labels'} per class"
    meaning = (
        f"Share of the held-out samples whose class a linear classifier reads off the features, fitted to {labels}."
    )
    return Figure(f"linear probe of the backbone, {labels}", "%", "{:.1f}", meaning)


def _duality() -> dict[str, Figure]:
    """The terms of a linear Gaussian process's loss, and their sum, in both its forms."""
    of = {"conditional": "target given context", "joint": "joint embeddings"}
    terms = {"data": "data term", "volume": "log-determinant", "loss": "loss"}
    forms = {"samples": ("dual", "pairs of samples"), "units": ("primal", "pairs of units")}
    return {
        f"duality.{a}.{b}.{c}": Figure(
            f"{terms[b]}, {of[a]}, {forms[c][0]}",
            "nats",
            "{:.6f}",
            f"Of the linear process, per held-out sample, from a matrix over {forms[c][1]}.",
        )
        for a in of
        for b in terms
        for c in forms
    }


FIGURES: dict[str, Figure] = {
    "sparsity.l0_expected": Figure(
        "planned activity", "%", "{:.2f}", "Share of the units that the law lets be active in an embedding."
    ),
    "sparsity.l0": Figure(
        "measured activity", "%", "{:.2f}", "Share of non-zero units, in views drawn as in training."
    ),
    "sparsity.l0_clean": Figure("measured activity, clean", "%", "{:.2f}", "Share of non-zero units, in clean views."),
    "sparsity.l1": Figure(
        "soft sparsity", "", "{:.3f}", "Squared l1 norm over width times squared l2 norm: 1 is dense, near 0 sparse."
    ),
    "dead_units": Figure("dead units", "%", "{:.2f}", "Share of the units that no embedding looked at wakes."),
    "dead_units_rows": Figure(
        "embeddings looked at for dead units", "", "{:,.0f}", "Fewer would call rare units dead."
    ),
    "rankme.backbone": Figure(
        "effective dimensions, backbone", "", "{:.1f}", "RankMe: exponential of the entropy of the singular values."
    ),
    "rankme.projector": Figure(
        "effective dimensions, projector", "", "{:.1f}", "RankMe: exponential of the entropy of the singular values."
    ),
    "nhsic": Figure(
        "dependence of units", "", "{:.4f}", "Normalised HSIC, mean over pairs of units: 0 is independent, 1 the same."
    ),
    "alignment": Figure(
        "alignment", "", "{:.4f}", "Mean squared distance between two views of a sample, on the unit sphere: 0 is best."
    ),
    "uniformity": Figure(
        "uniformity", "", "{:.3f}", "Logarithm of the mean attraction of pairs on the unit sphere: lower is more even."
    ),
    "entropy.value": Figure(
        "entropy of a unit", "nats", "{:.3f}", "Rényi entropy with the atom at zero, mean over units."
    ),
    "entropy.expected": Figure("entropy of the law", "nats", "{:.3f}", "What the entropy of a unit is under the law."),
    "matching.value": Figure(
        "distance to the law",
        "",
        "{:.4g}",
        "Sliced distance of held-out batches to the law, in squared embedding units.",
    ),
    "matching.floor": Figure(
        "sampling floor of the distance", "", "{:.4g}", "What batches drawn from the law itself score on average."
    ),
    "matching.collapse": Figure(
        "distance of a collapsed batch", "", "{:.4g}", "What embeddings that are all zero score."
    ),
    "joint.components": Figure(
        "components of the joint law", "", "{:.0f}", "Of the mixture over pairs of embeddings that was learned."
    ),
    "joint.dead": Figure(
        "dead components", "", "{:.0f}", "To which no embedding looked at belongs more than to every other."
    ),
    "joint.parts": Figure("connected parts", "", "{:.0f}", "Of the graph whose vertices are the components' means."),
    BACKBONE: Figure(
        "linear probe, backbone",
        "%",
        "{:.1f}",
        "Share of the held-out samples whose class a linear classifier reads off the features.",
    ),
    PROJECTOR: Figure(
        "linear probe, projector",
        "%",
        "{:.1f}",
        "Share of the held-out samples whose class a linear classifier reads off the embeddings.",
    ),
    NEIGHBOURS: Figure(
        "nearest neighbours, backbone",
        "%",
        "{:.1f}",
        "Share of the held-out samples whose neighbours vote for the right class.",
    ),
    "few_shot.1": _few_shot("1"),
    "few_shot.10": _few_shot("10"),
    "health.rank": Figure("vital sign: rank", "", "{:.1f}", "Effective dimensions of held-out features at the end."),
    "health.spread": Figure(
        "vital sign: spread", "%", "{:.1f}", "How much embeddings differ between samples, as a share of their size."
    ),
    "health.silent": Figure(
        "vital sign: silent units", "%", "{:.1f}", "Share of the units with one value for all samples, beyond chance."
    ),
    "health.limit.rank": Figure("alarm below this rank", "", "{:.3g}", "A lower one is called a collapse."),
    "health.limit.spread": Figure("alarm below this spread", "%", "{:.1f}", "A lower one is called a collapse."),
    "health.limit.silent": Figure(
        "alarm above this share of silent units", "%", "{:.1f}", "A higher one is called a collapse."
    ),
    "decoder.mse": Figure(
        "error of decoded images",
        "",
        "{:.5f}",
        "Mean squared error of held-out images, in squared shares of full brightness.",
    ),
    "decoder.explained": Figure(
        "variance that decoding explains", "%", "{:.1f}", "Of the pixels of held-out images about the mean image."
    ),
    **_duality(),
    "density.kept": Figure("variance kept", "%", "{:.1f}", "Share of the variance that the principal components keep."),
    "density.nll": Figure(
        "negative log-likelihood", "nats", "{:.3f}", "Of the target given a view, mean over held-out pairs."
    ),
    "density.energy_score": Figure(
        "energy score", "", "{:.4f}", "Of the law of the target given a view: lower is better."
    ),
    "density.coverage": Figure(
        "coverage at 90 %", "%", "{:.1f}", "Share of the targets inside regions meant to hold 90 %."
    ),
    "density.noise": Figure(
        "noise", "", "{:.4f}", "Variance within components, summed over coordinates, in squared units."
    ),
    "density.ambiguity": Figure(
        "ambiguity", "", "{:.4f}", "Variance between components, summed over coordinates, in squared units."
    ),
    "density.ood_auroc": Figure(
        "AUROC against other data", "", "{:.4f}", "How well likelihood tells other data: 1 always, 0.5 by chance."
    ),
    "density.seconds": Figure("time to fit", "s", "{:.1f}", "Wall time of fitting the density."),
    "samples.precision": Figure("precision", "%", "{:.1f}", "Share of the samples that lie among real images."),
    "samples.recall": Figure("recall", "%", "{:.1f}", "Share of the real images that lie among samples."),
    "samples.density": Figure(
        "density", "", "{:.3f}", "How closely real images surround a sample: about 1 for real ones."
    ),
    "samples.coverage": Figure(
        "coverage", "%", "{:.1f}", "Share of the real images with a sample in their neighbourhood."
    ),
    "samples.memorisation": Figure(
        "distance to training images",
        "",
        "{:.3f}",
        "To the nearest one, over that of held-out images: near 0 means copies.",
    ),
    "completion.nll": Figure("negative log-likelihood", "nats", "{:.3f}", "Of the whole image given its half."),
    "completion.energy_score": Figure(
        "energy score", "", "{:.4f}", "Of the law of the whole given the half: lower is better."
    ),
    "completion.coverage": Figure(
        "coverage at 90 %", "%", "{:.1f}", "Share of the wholes inside regions meant to hold 90 %."
    ),
    "completion.ambiguity_share": Figure(
        "ambiguity", "%", "{:.1f}", "Share of the variance of the whole that the half leaves open between components."
    ),
    "images_per_second": Figure(
        "training speed", "samples/s", "{:,.0f}", "Samples per second of training, whatever their number of views."
    ),
    "seconds": Figure("training time", "s", "{:,.0f}", "Wall time of training, before and after a restart."),
    "epochs": Figure("epochs", "", "{:.0f}", "Passes over the training samples."),
    "seed": Figure("seed", "", "{:.0f}", "Of initial weights, order, views and slices."),
}
"""Every figure that results.json may hold, by its key there, in the order of a report."""


def figure_of(key: str) -> Figure:
    """The figure of a key. A key that is not known here, such as one of another version, is its own name."""
    if key not in FIGURES and key.startswith("few_shot."):
        return _few_shot(key.removeprefix("few_shot."))
    return FIGURES.get(key, Figure(key, "", "{:.6g}", ""))

"""What the generation experiment trains, at three scales."""

from dataclasses import dataclass, replace
from functools import partial

from jointlaw.runs import RunSettings, Setup
from jointlaw.training import AdamW
from jointlaw.training.recipes import RECIPES
from jointlaw.views import ViewSettings, digits, greyscale
from jointlaw_papers.trials import Trial


@dataclass(frozen=True)
class GenerationPlan:
    """How much of the experiment is run.

    Attributes:
        data: images with labels.
        encoder: conv, conv-fast or mlp.
        views: how the encoders' views are made.
        epochs: how long each of the three encoders is trained.
        decoder_epochs: how long each of the three decoders is trained.
        classifier_epochs: how long the classifier is trained in whose features samples are compared.
        width: the embeddings' width, D.
        components: how many mixtures and prototypes have, K.
        fitted: embeddings that a mixture is fitted to.
        judged: samples, and real images, that are compared.
        draws: independent sets of samples.
        mapped: real and sampled embeddings in a map.
    """

    data: str
    encoder: str
    views: ViewSettings
    epochs: int
    decoder_epochs: int
    classifier_epochs: int
    width: int = 128
    components: int = 50
    fitted: int = 10_000
    judged: int = 2_000
    draws: int = 5
    mapped: tuple[int, int] = (1_000, 500)


PLANS = {
    "smoke": GenerationPlan("digits", "mlp", digits(), 8, 20, 8, 16, 10, 1_000, 300, 3, (200, 100)),
    "cpu": GenerationPlan("fashion-mnist", "conv-fast", greyscale(), 12, 8, 4),
    "paper": GenerationPlan(
        "mnist", "conv", replace(digits(), jitter=0.0), 50, 50, 10, judged=5_000, draws=10, mapped=(2_000, 500)
    ),
}
"""``cpu``: 3 encoders of 12 epochs, 3 decoders of 8 and a small classifier of 4 on 60,000 images, about an hour."""

METHODS = {"SimCLR": "simclr", "GJE": "primal-gje", "GMJE": "gmje"}
"""Encoder -> its recipe."""


def trials(plan: GenerationPlan, seed: int) -> list[Trial]:
    """The trainings: one of each method."""
    setup = Setup(
        data=plan.data,
        download=True,
        encoder=plan.encoder,
        views=plan.views,
        optimizer=AdamW(learning_rate=1e-3, weight_decay=0.0),
        run=RunSettings(epochs=plan.epochs, batch=256, precision="32"),
    )
    made = []
    for name, recipe in METHODS.items():
        options = {"width": plan.width, **({"components": plan.components} if name == "GMJE" else {})}
        made.append(Trial(name, name, partial(RECIPES[recipe], **options), setup, seed))
    return made

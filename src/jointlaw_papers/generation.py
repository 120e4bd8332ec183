"""Generation: what the latent laws of three methods look like, once drawn from and decoded.

Encoders are trained without labels, decoders on the frozen encoders' embeddings, and every latent law is drawn from,
several times. Laws: a mixture by expectation-maximisation on the embeddings of SimCLR, of GJE and of GMJE (afterwards),
one Gaussian on those of GJE, and the prototypes that GMJE itself has learned.

Source: Huang (2026), arXiv 2603.26799, section 5.3 and appendix P.4.
Differs from the authors' code in: GMJE's law is its learned one (weights, means and shared covariance), where theirs
has equal weights and a covariance tracked over the whole batch; the losses are those of the recipes here; images keep
their size; samples are measured.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.data._samples import Data
from jointlaw.densities.em._estimator import ConvergenceWarning, ExpectationMaximization
from jointlaw.densities.em._fit import fit_gaussian
from jointlaw.evaluation._joint import representations
from jointlaw.generation._decoder import (
    Decoding,
    Trained,
    load_decoder,
    reconstruction_error,
    save_decoder,
    train_decoder,
)
from jointlaw.generation._quality import geometry, imbalance, memorisation, overlap, shares
from jointlaw.laws._gaussian import JointGaussian
from jointlaw.laws._mixture import JointMixture
from jointlaw.objectives._gmje import GMJE
from jointlaw.training._learner import Learner
from jointlaw_papers.classifier import Classifier, train_classifier
from jointlaw_papers.generation_scales import Scale, trials
from jointlaw_papers.trials import Done, Interval, carry_out, interval, trained

Latent = JointGaussian | JointMixture


ITERATIONS = 20
"""Of expectation-maximisation, at most: the source's number."""

REFERENCE = 10_000
"""Training images among which the nearest is looked for, at most."""

REAL, DECODED = "training images", "decoded held-out images"


class Ground(NamedTuple):
    """What samples are compared with.

    Attributes:
        classifier: whose features they are compared in.
        features: of real held-out images ``[J, F]``: ``judged`` of them, or half of what there are.
        rest: positions of as many other held-out images.
        share: of each class among the training images.
        train: pixels of training images ``[N, P]``, in shares of full brightness.
        held_out: pixels of the real held-out images ``[J, P]``.
    """

    classifier: Classifier
    features: Tensor
    rest: Tensor
    share: Tensor
    train: Tensor
    held_out: Tensor


class Encoded(NamedTuple):
    """A trained encoder with its decoder.

    Attributes:
        name: of the method.
        learner: frozen.
        decoder: of its embeddings.
        train: clean embeddings of the training images.
        held_out: of the held-out ones.
        figures: ``probe`` (linear, of the backbone) and ``mse`` of the decoder on held-out images.
    """

    name: str
    learner: Learner
    decoder: Trained
    train: Tensor
    held_out: Tensor
    figures: dict[str, float | None]


class Sampled(NamedTuple):
    """A law, its samples and their figures.

    Attributes:
        name: of method and law.
        encoder: the method.
        law: over embeddings ``[D]``; None for real images.
        latent: a set of samples ``[J, D]``.
        images: what they were decoded to, uint8 ``[J, C, H, W]``.
        figures: means over the sets of samples, with intervals.
    """

    name: str
    encoder: str
    law: Latent | None
    latent: Tensor
    images: Tensor
    figures: dict[str, Interval | None]


class Result(NamedTuple):
    """All that was found.

    Attributes:
        scale: of the experiment.
        encoded: the encoders.
        sampled: their laws, after the real images.
        accuracy: of the classifier, on held-out images.
    """

    scale: Scale
    encoded: list[Encoded]
    sampled: list[Sampled]
    accuracy: float


def solve(scale: Scale, folder: Path, seed: int, say: Callable[[str], None]) -> Result:
    """Train what is not trained yet, fit the laws, draw and judge.

    Args:
        scale: of the experiment.
        folder: trainings, decoders and the classifier are kept in it.
        seed: of everything.
        say: is told what is going on.
    """
    done = carry_out(trials(scale, seed), folder, say)
    data = done[0].trial.setup.load_data()
    say("classifier")
    classifier = train_classifier(data.train, folder / "classifier.safetensors", scale.classifier_epochs, seed)
    ground = _ground(classifier, data, scale, seed)
    sampled = [_real(data, ground, seed)]
    encoded = []
    for one in done:
        say(f"{one.trial.name}: decoder")
        encoder = _encoded(one, scale, seed)
        encoded.append(encoder)
        sampled.append(_decoded(encoder, ground))
        for name, law in laws(encoder, scale, seed).items():
            say(f"{name}: samples")
            sampled.append(_sampled(name, encoder, law, ground, scale, seed))
    return Result(scale, encoded, sampled, classifier.accuracy(data.held_out))


def laws(encoder: Encoded, scale: Scale, seed: int) -> dict[str, Latent]:
    """The laws over an encoder's embeddings that are drawn from, by name."""
    chosen = torch.randperm(len(encoder.train), generator=torch.Generator().manual_seed(seed))[: scale.fitted]
    z = encoder.train[chosen]
    found: dict[str, Latent] = {}
    if isinstance(encoder.learner.objective, GMJE):
        found[f"{encoder.name}, its prototypes"] = encoder.learner.objective.density().marginal(scale.width)
    if encoder.name == "GJE":
        found["GJE, one Gaussian"] = fit_gaussian(encoder.train)
    em = ExpectationMaximization(scale.components, iterations=ITERATIONS, floor=1e-5, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the source stops after as many
        found[f"{encoder.name}, mixture afterwards"] = em.fit(z).law
    return found


def _ground(classifier: Classifier, data: Data, scale: Scale, seed: int) -> Ground:
    order = torch.randperm(len(data.held_out), generator=torch.Generator().manual_seed(seed))
    count = min(scale.judged, len(order) // 2)
    real, rest = data.held_out.read(order[:count].sort().values), order[count : 2 * count].sort().values
    train = data.train.read(_some(len(data.train), REFERENCE, seed))
    share = shares(data.train.label, int(data.train.label.max()) + 1)
    return Ground(classifier, classifier.read(real)[0], rest, share, _pixels(train), _pixels(real))


def _encoded(done: Done, scale: Scale, seed: int) -> Encoded:
    learner, data = trained(done)
    setup, path = done.trial.setup, done.workspace.folder / "decoder.safetensors"
    views = setup.view_maker(data)
    train, held_out = (
        representations(learner, source, views, setup.run.batch, "embeddings") for source in (data.train, data.held_out)
    )
    how = Decoding("embeddings", scale.decoder_epochs, seed=seed)
    if not path.exists():
        device = "cuda" if torch.cuda.is_available() else "cpu"
        save_decoder(path, train_decoder(train.to(device), data.train, how))
    decoder = load_decoder(path)
    if decoder.how != how:
        raise ValueError(f"{path}: expected {how}, found {decoder.how}. Delete the file, or choose another folder.")
    mse = reconstruction_error(decoder.decoder, held_out, data.held_out)
    figures = {"probe": done.figures["probe.backbone.accuracy"], "mse": mse}
    return Encoded(done.trial.name, learner, decoder, train, held_out, figures)


def _sampled(name: str, encoder: Encoded, law: Latent, ground: Ground, scale: Scale, seed: int) -> Sampled:
    size = geometry(law)
    fixed = {"log_det": size.log_det, "variance": size.variance, "spread": size.spread}
    fixed["nll"] = -law.log_prob(encoder.held_out).double().mean().item()
    sets = []
    for draw in range(scale.draws):
        with torch.no_grad():
            latent = law.sample((len(ground.rest),), torch.Generator().manual_seed(1000 * seed + draw))
        latent = encoder.decoder.surface(latent)
        sets.append((latent, encoder.decoder(latent)))
    figures = {key: interval([value]) for key, value in fixed.items()}
    return Sampled(name, encoder.name, law, *sets[0], {**figures, **_over_sets([x for _, x in sets], ground)})


def _decoded(encoder: Encoded, ground: Ground) -> Sampled:
    """Other held-out images that went through encoder and decoder: embeddings that no law had to find."""
    latent = encoder.held_out[ground.rest]
    images = encoder.decoder(latent)
    name = f"{encoder.name}, {DECODED}"
    return Sampled(name, encoder.name, None, latent, images, _over_sets([images], ground))


def _real(data: Data, ground: Ground, seed: int) -> Sampled:
    """Training images in the place of samples; they are not their own nearest training images."""
    images = data.train.read(_some(len(data.train), len(ground.rest), seed + 1))
    figures = _over_sets([images], ground) | {"memorisation": None}
    return Sampled(REAL, "", None, torch.empty(0), images, figures)


def _over_sets(sets: list[Tensor], ground: Ground) -> dict[str, Interval | None]:
    found = [_judge(images, ground) for images in sets]
    return {key: interval([figures[key] for figures in found]) for key in found[0]}


def _judge(images: Tensor, ground: Ground) -> dict[str, float]:
    """Figures of one set of images: overlap with real ones, imbalance and memorisation."""
    features, label = ground.classifier.read(images)
    return {
        **overlap(ground.features, features)._asdict(),
        "imbalance": imbalance(label, ground.share),
        "memorisation": memorisation(_pixels(images), ground.train, ground.held_out),
    }


def _pixels(images: Tensor) -> Tensor:
    return images.flatten(1).float() / 255


def _some(count: int, most: int, seed: int) -> Tensor:
    """Positions of ``most`` samples, or of all: a random choice in ascending order."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:most].sort().values

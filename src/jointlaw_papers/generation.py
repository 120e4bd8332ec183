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
from typing import NamedTuple

import torch
from torch import Tensor

from jointlaw.data import Data
from jointlaw.densities import fit_gaussian
from jointlaw.densities.em import ConvergenceWarning, ExpectationMaximization
from jointlaw.evaluation import Which
from jointlaw.generation import TrainedDecoder, imbalance, latent_geometry, memorisation, overlap
from jointlaw.laws import JointGaussian, JointMixture
from jointlaw.objectives import GMJE, Objective
from jointlaw_papers.classifier import Classifier, train_classifier
from jointlaw_papers.experiment import Bench
from jointlaw_papers.generation_plans import GenerationPlan, trials
from jointlaw_papers.seeds import Interval, interval
from jointlaw_papers.trials import BACKBONE, Done, carry_out

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
        features: its features ``[J, F]`` of J real held-out images: as many as are judged, or half of what there are.
        rest: positions of as many other held-out images.
        share: how frequent each class is among the training images.
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
        name: what the method is called on the page.
        objective: the method's objective, trained.
        decoder: turns its embeddings back into images.
        train: clean embeddings of the training images.
        held_out: clean embeddings of the held-out images.
        figures: ``probe`` (linear, of the backbone) and ``mse`` of the decoder on held-out images.
    """

    name: str
    objective: Objective
    decoder: TrainedDecoder
    train: Tensor
    held_out: Tensor
    figures: dict[str, float | None]


class Sampled(NamedTuple):
    """A law, its samples and their figures.

    Attributes:
        name: what method and law are called on the page.
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


class GenerationResult(NamedTuple):
    """All that was found.

    Attributes:
        plan: what was done.
        seed: determines trainings, fits and draws.
        encoded: the encoders.
        sampled: their laws, after the real images.
        accuracy: how many held-out images the classifier names rightly, as a share.
    """

    plan: GenerationPlan
    seed: int
    encoded: list[Encoded]
    sampled: list[Sampled]
    accuracy: float


def solve(plan: GenerationPlan, bench: Bench) -> GenerationResult:
    """Train what is not trained yet, fit the laws, draw and judge; decoders and the classifier are kept, too."""
    seed, planned = bench.seed, trials(plan, bench.seed)
    data = planned[0].setup.load_data()
    done = carry_out(planned, data, bench)
    bench.say("classifier")
    classifier = train_classifier(data.train, bench.folder / "classifier.safetensors", plan.classifier_epochs, seed)
    ground = _ground(classifier, data, plan, seed)
    sampled, encoded = [_real(data, ground, seed)], []
    for one in done:
        bench.say(f"{one.trial.name}: decoder")
        encoder = _encoded(one, data, plan, seed)
        encoded.append(encoder)
        sampled.append(_decoded(encoder, ground))
        for name, law in laws(encoder, plan, seed).items():
            bench.say(f"{name}: samples")
            sampled.append(_sampled(name, encoder, law, ground, (plan.draws, seed)))
    return GenerationResult(plan, seed, encoded, sampled, classifier.accuracy(data.held_out))


def laws(encoder: Encoded, plan: GenerationPlan, seed: int) -> dict[str, Latent]:
    """The laws over an encoder's embeddings that are drawn from, by name."""
    chosen = torch.randperm(len(encoder.train), generator=torch.Generator().manual_seed(seed))[: plan.fitted]
    z = encoder.train[chosen]
    found: dict[str, Latent] = {}
    if isinstance(encoder.objective, GMJE):
        found[f"{encoder.name}, its prototypes"] = encoder.objective.density().marginal(plan.width)
    if encoder.name == "GJE":
        found["GJE, one Gaussian"] = fit_gaussian(encoder.train)
    em = ExpectationMaximization(plan.components, iterations=ITERATIONS, floor=1e-5, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the source stops after as many
        found[f"{encoder.name}, mixture afterwards"] = em.fit(z).law
    return found


def _ground(classifier: Classifier, data: Data, plan: GenerationPlan, seed: int) -> Ground:
    order = torch.randperm(len(data.held_out), generator=torch.Generator().manual_seed(seed))
    count = min(plan.judged, len(order) // 2)
    real, rest = data.held_out.read(order[:count].sort().values), order[count : 2 * count].sort().values
    train = data.train.read(_some(len(data.train), REFERENCE, seed))
    share = torch.bincount(data.train.label).double() / len(data.train)
    return Ground(classifier, classifier.read(real)[0], rest, share, _pixels(train), _pixels(real))


def _encoded(done: Done, data: Data, plan: GenerationPlan, seed: int) -> Encoded:
    run = done.run(data)
    train, held_out = (run.embedder.clean(source).embeddings for source in (data.train, data.held_out))
    if "decoder.mse" not in done.figures:
        run.decode(which=Which.embeddings, epochs=plan.decoder_epochs, seed=seed)
    decoder, mse = run.decoder, run.workspace.read_results()["decoder.mse"]
    if (decoder.settings.epochs, decoder.settings.seed) != (plan.decoder_epochs, seed):
        raise ValueError(f"{done.folder}: expected a decoder of this plan, found {decoder.settings}. Choose another.")
    figures = {"probe": done.figures[BACKBONE], "mse": mse}
    return Encoded(done.trial.name, run.learner.objective, decoder, train, held_out, figures)


def _sampled(name: str, encoder: Encoded, law: Latent, ground: Ground, draws: tuple[int, int]) -> Sampled:
    """Several sets of samples of a law; ``draws`` are their number and seed."""
    count, seed = draws
    size = latent_geometry(law)
    fixed = {"log_det": size.log_det, "variance": size.variance, "spread": size.spread}
    fixed["nll"] = -law.log_prob(encoder.held_out).double().mean().item()
    sets = []
    for draw in range(count):
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

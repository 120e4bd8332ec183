"""After training: make the network ready for evaluation mode, in which it is used."""

from collections.abc import Iterator
from itertools import count

import torch
from torch import Tensor

from jointlaw.data._samples import Source
from jointlaw.training._datamodule import drawn_views, step_seed
from jointlaw.training._learner import Learner
from jointlaw.training._moments import averaging, evaluating, followers
from jointlaw.types import Views
from jointlaw.views._makers import ViewMaker

MOMENT_ROWS = 1024
"""Samples that running moments are averaged over, or one batch where that is more."""

ROWS = 20_000
"""Outputs that thresholds are set by: a unit that fires once in a thousand samples still does so 20 times."""


@torch.no_grad()
def settle(learner: Learner, source: Source, views: ViewMaker, batch: int, seed: int) -> None:
    """Make a trained learner ready for evaluation mode: moments of batch normalisation first, then thresholds.

    In training, batch normalisation takes its moments from the batch, and its running averages lag behind the weights:
    after a few dozen steps they are those of another network. They are measured anew on up to 1,024 samples, or on one
    batch where that is more; each batch counts alike, and all else (such as dropout) is in evaluation mode. Layers that
    are in evaluation mode already, those of a frozen encoder, stay as they are.

    Then the objective is shown 20,000 outputs in evaluation mode, which are less noisy than those of training.
    Thresholds followed the noisy ones, with a lag; both matter where units fire once in a hundred samples or less.

    Args:
        learner: a trained learner, in the mode it was trained in; each module's mode is put back afterwards.
        source: training samples. Random ones are taken, in views drawn as in training.
        views: the maker of views that trained the learner.
        batch: number of samples that batch normalisation saw in one pass.
        seed: determines which samples are taken, and their views.

    >>> from jointlaw import RectifiedGeneralizedGaussian, RectifiedLpJEPA, data, views
    >>> objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.1))
    >>> learner, x = Learner(torch.nn.Identity(), torch.nn.Identity(), objective), torch.linspace(0, 9, 900)[:, None]
    >>> settle(learner, data.as_source(x), views.view_maker(views.tensor()), batch=100, seed=0)
    >>> round((learner.project(x) != 0).float().mean().item(), 1)
    0.1
    """
    layers = followers(learner.encoder, learner.projector)
    if layers:
        with averaging(learner, layers):
            for drawn in _batches(source, views, batch, seed):
                images = [image.to(learner.device) for image in drawn.images]
                learner._through(learner.encoder, learner.projector, images)  # pools over views as training does
    if learner.objective.settles:
        with evaluating(learner):
            passes = (learner(images.to(learner.device)) for images in _images(source, views, batch, seed))
            outputs = [learner.projector(features).float() for features in passes]
        learner.objective.settle(torch.cat(outputs))


def _batches(source: Source, views: ViewMaker, batch: int, seed: int) -> Iterator[Views]:
    """As many full batches of random samples as there are within the rows, one at least."""
    size = min(batch, len(source))
    samples = max(1, min(MOMENT_ROWS, len(source)) // size) * size
    chosen = _order(source, step_seed(seed, 4))[:samples]  # left in random order: a sorted batch has one class
    return drawn_views(source.take(chosen), views, size, step_seed(seed, 4))


def _images(source: Source, views: ViewMaker, batch: int, seed: int) -> Iterator[Tensor]:
    """Views of random samples, which are gone through again until the rows are filled, and not further."""
    order = _order(source, step_seed(seed, 3))
    each = len(views(source.read(order[:1]), torch.Generator().manual_seed(0)))
    left = -(-ROWS // each)  # samples
    for turn in count():
        chosen = order[:left].sort().values
        for drawn in drawn_views(source.take(chosen), views, batch, step_seed(seed, 3, turn)):
            yield from drawn.images
        left -= len(chosen)
        if left == 0:
            return


def _order(source: Source, seed: int) -> Tensor:
    return torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))

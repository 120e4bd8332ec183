"""After training: make the network ready for evaluation mode, in which it is used."""

from collections.abc import Iterator

import torch

from jointlaw.data._samples import Source
from jointlaw.training._datamodule import drawn_views, step_seed
from jointlaw.training._learner import Learner
from jointlaw.training._moments import averaging, evaluating, followers, random_batches
from jointlaw.training._tracking import Track, untracked
from jointlaw.types import Views
from jointlaw.views._makers import ViewMaker

ROWS = 20_000
"""Outputs that thresholds are set by: a unit that fires once in a thousand samples still does so 20 times."""


@torch.no_grad()
def settle(learner: Learner, source: Source, views: ViewMaker, batch: int, seed: int, track: Track = untracked) -> None:
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
        track: shows how far it is: is given items, what is done with them and their number, and hands them on.

    >>> from jointlaw import RectifiedGeneralizedGaussian, RectifiedLpJEPA, data, views
    >>> objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.1))
    >>> learner, x = Learner(torch.nn.Identity(), torch.nn.Identity(), objective), torch.linspace(0, 9, 900)[:, None]
    >>> settle(learner, data.as_source(x), views.view_maker(views.tensor()), batch=100, seed=0)
    >>> round((learner.project(x) != 0).float().mean().item(), 1)
    0.1
    """
    layers = followers(learner.encoder, learner.projector)
    if layers:
        generator = torch.Generator().manual_seed(step_seed(seed, 4))
        with averaging(learner, layers):
            some = random_batches(len(source), batch, generator)
            for rows in track(some, "measuring moments of batch normalisation", len(some)):
                images = [image.to(learner.device) for image in views(source.read(rows), generator)]
                learner._through(learner.encoder, learner.projector, images)  # pools over views as training does
    if learner.objective.settles:
        batches, total = _rows(source, views, batch, seed)
        with evaluating(learner):
            outputs = [
                learner.projector(learner(images.to(learner.device))).float()
                for drawn in track(batches, "setting thresholds", total)
                for images in drawn.images
            ]
        learner.objective.settle(torch.cat(outputs))


def _rows(source: Source, views: ViewMaker, batch: int, seed: int) -> tuple[Iterator[Views], int]:
    """Batches of views that fill the rows and no more, and their number; few samples are gone through again."""
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(step_seed(seed, 3)))
    each = len(views(source.read(order[:1]), torch.Generator().manual_seed(0)))
    turns = [order[: len(rows)].sort().values for rows in torch.split(torch.arange(-(-ROWS // each)), len(source))]
    batches = (
        drawn
        for turn, chosen in enumerate(turns)
        for drawn in drawn_views(source.take(chosen), views, batch, step_seed(seed, 3, turn))
    )
    return batches, sum(-(-len(chosen) // batch) for chosen in turns)

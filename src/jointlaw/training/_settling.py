"""After training: set thresholds by the outputs of the network in evaluation mode, in which it is used."""

from itertools import count

import torch

from jointlaw.data._samples import Source
from jointlaw.training._datamodule import drawn_views, step_seed
from jointlaw.training._learner import Learner
from jointlaw.views._makers import ViewMaker

ROWS = 20_000
"""Outputs that thresholds are set by: a unit that fires once in a thousand samples still does so 20 times."""


@torch.no_grad()
def settle(learner: Learner, source: Source, views: ViewMaker, batch: int, seed: int) -> None:
    """Show the objective the outputs of the trained network in evaluation mode.

    In training, batch normalisation takes its moments from the batch, which makes outputs noisier than in evaluation.
    Thresholds follow these noisy outputs, and follow them with a lag. Both matter where units fire once in a hundred
    samples or less.

    Args:
        learner: a trained learner; its mode (training or evaluation) is put back afterwards.
        source: training samples. Random ones are taken, in views drawn as in training, until there are 20,000 views.
        views: the maker of views that trained the learner.
        batch: number of samples in one pass.
        seed: determines which samples are taken, and their views.

    >>> from jointlaw import RectifiedGeneralizedGaussian, RectifiedLpJEPA, data, views
    >>> objective = RectifiedLpJEPA(RectifiedGeneralizedGaussian.with_activity(0.1))
    >>> learner, x = Learner(torch.nn.Identity(), torch.nn.Identity(), objective), torch.linspace(0, 9, 900)[:, None]
    >>> settle(learner, data.as_source(x), views.view_maker(views.tensor()), batch=100, seed=0)
    >>> round((learner.project(x) != 0).float().mean().item(), 1)
    0.1
    """
    if not learner.objective.settles:
        return
    was_training = learner.training
    learner.eval()
    generator = torch.Generator().manual_seed(step_seed(seed, 3))
    chosen = source.take(torch.randperm(len(source), generator=generator)[: ROWS // 2].sort().values)
    outputs, rows = [], 0
    for turn in count():
        for drawn in drawn_views(chosen, views, batch, step_seed(seed, 3, turn)):
            for images in drawn.images:
                outputs.append(learner.projector(learner(images.to(learner.device))).float())
                rows += len(images)
        if rows >= ROWS:
            break
    learner.objective.settle(torch.cat(outputs))
    learner.train(was_training)

"""After training: thresholds are set to what the network's outputs are when it is used, not when it is trained."""

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

    In training, batch normalisation takes its moments from the batch, and thresholds follow outputs that this makes
    noisier than those of evaluation; and they follow with a lag. Both matter where units fire once in a hundred samples
    or less.

    Args:
        learner: trained; its mode is put back afterwards.
        source: training samples. Random ones are taken, in views drawn as in training, until there are 20,000 views.
        views: their maker.
        batch: samples at a time.
        seed: of the choice and the views.
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

"""The probe that learns beside a run, made to fit a learner and its data."""

import torch

from jointlaw.data._samples import Data
from jointlaw.evaluation._embed import embed
from jointlaw.training._learner import Learner
from jointlaw.training._online import OnlineProbe
from jointlaw.types import Views
from jointlaw.views._makers import ViewMaker


def probe_beside(learner: Learner, data: Data, views: ViewMaker) -> OnlineProbe | None:
    """A fresh online probe; None where training or held-out samples have no labels."""
    if not (data.train.labelled and data.held_out.labelled):
        return None
    table = embed(learner, [Views([views.clean(data.train.read(torch.arange(1)))], *[data.train.label[:1]] * 2)])
    classes = int(max(data.train.label.max(), data.held_out.label.max())) + 1
    return OnlineProbe(table.features.shape[1], table.embeddings.shape[1], classes)

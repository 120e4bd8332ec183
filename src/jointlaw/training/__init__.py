"""Training: one learner for every method, its encoders and optimisers, and a recipe per paper.

A `Learner` is an encoder, a projector and an objective: ``views -> encoder -> projector -> objective -> loss``. It is a
``LightningModule``, and as good in a loop of your own:

>>> import torch
>>> from jointlaw import ConvEncoder, Projector, RectifiedGeneralizedGaussian, RectifiedLpJEPA, Views
>>> from jointlaw.training import Learner
>>> law = RectifiedGeneralizedGaussian.with_activity(0.1)
>>> learner = Learner(ConvEncoder(channels=1), Projector(256, width=128, bias=False), RectifiedLpJEPA(law))
>>> images = torch.rand(32, 1, 28, 28)
>>> z = learner.embed(Views([images, images.flip(-1)], torch.full((32,), -1), torch.arange(32)))
>>> outcome = learner.objective(z)
>>> outcome.loss.backward()
>>> learner.objective.update(z)     # once per batch: thresholds, slices, banks move on

`build_encoder` finds encoders by name (timm's among them). An `Optimizer` (`AdamW`, `SGD` or `LARS`) is chosen together
with its schedule. `ViewedData` feeds a Lightning Trainer with views, `OnlineProbe` and `CollapseAlarm` watch it (what
counts as collapse are its `Limits`), and `settle` makes a trained network ready for evaluation mode: running statistics
of batch normalisation, then thresholds. A loss that is not finite raises a `NonFiniteError`.
`jointlaw.training.recipes` has one function per paper.
`jointlaw.Run` does all of this, in a folder.
"""

from typing import TYPE_CHECKING

from jointlaw._lazy import attach

if TYPE_CHECKING:
    from jointlaw.training._collapse import CollapseAlarm
    from jointlaw.training._datamodule import ViewedData
    from jointlaw.training._encoders import build_encoder
    from jointlaw.training._health import Limits
    from jointlaw.training._learner import Learner, NonFiniteError
    from jointlaw.training._online import OnlineProbe
    from jointlaw.training._optimizers import LARS, SGD, AdamW, Optimizer
    from jointlaw.training._settling import settle

__all__ = [
    "LARS",
    "SGD",
    "AdamW",
    "CollapseAlarm",
    "Learner",
    "Limits",
    "NonFiniteError",
    "OnlineProbe",
    "Optimizer",
    "ViewedData",
    "build_encoder",
    "settle",
]

__getattr__, __dir__ = attach(  # Lightning takes seconds to import
    __name__,
    _collapse="CollapseAlarm",
    _datamodule="ViewedData",
    _encoders="build_encoder",
    _health="Limits",
    _learner="Learner NonFiniteError",
    _online="OnlineProbe",
    _optimizers="LARS SGD AdamW Optimizer",
    _settling="settle",
)

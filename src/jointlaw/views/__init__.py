"""Views: batches of raw samples in, augmented and normalised float32 batches out, each sample with its own draw.

>>> import torch
>>> from jointlaw.views import colour, view_maker
>>> images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
>>> maker = view_maker(colour())
>>> [list(view.shape) for view in maker(images, torch.Generator().manual_seed(0))]
[[4, 3, 32, 32], [4, 3, 32, 32]]

Every draw of a `ViewMaker` comes from the generator, so equal seeds give equal views on a CPU. ``maker.clean(images)``
is the one view for evaluation, without chance. `ViewSettings` lists every knob of image views, `TensorSettings` those
of vectors; `colour`, `greyscale`, `digits` and `tensor` are the usual settings. `per_sample` makes views by functions
of your own.
"""

from jointlaw.views._makers import ViewMaker, per_sample, view_maker
from jointlaw.views._settings import TensorSettings, ViewSettings, colour, digits, greyscale, tensor

__all__ = [
    "TensorSettings",
    "ViewMaker",
    "ViewSettings",
    "colour",
    "digits",
    "greyscale",
    "per_sample",
    "tensor",
    "view_maker",
]

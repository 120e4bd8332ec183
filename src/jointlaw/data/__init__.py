"""Data: what ``--data`` stands for, and batches of it in an order that survives an interruption.

``load`` turns a specification into `Data`: a source to train on, one to hold out, and one for probes to learn from.

>>> from jointlaw.data import load
>>> digits = load("digits")
>>> len(digits.train), len(digits.held_out), digits.train.shape, digits.train.labelled
(1438, 359, (1, 8, 8), True)

A `Source` holds samples: uint8 images ``[C, H, W]`` with one or three channels, or float32 vectors ``[F]``. Tensors of
your own become one by `Stored`, arrays and lists by `as_source`; a label of -1 means that the class is unknown:

>>> import torch
>>> from jointlaw.data import Stored
>>> images = torch.zeros(10, 3, 32, 32, dtype=torch.uint8)
>>> source = Stored(values=images, label=torch.full((10,), -1))
>>> source.read(torch.tensor([4, 2])).shape
torch.Size([2, 3, 32, 32])

`Batches` iterates over a source: the order is a function of seed and epoch, its position can be saved and restored
within an epoch, and several processes share the batches that one would see.
"""

from jointlaw.data._batches import Batches
from jointlaw.data._samples import Data, Source, Stored, as_source
from jointlaw.data._sources import load

__all__ = ["Batches", "Data", "Source", "Stored", "as_source", "load"]

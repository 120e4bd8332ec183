"""Random slices of a step: the same on every process, and again after a restart."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from jointlaw.distributed import rank, world_size
from jointlaw.functional._slicing import Block


def seeded(device: torch.device, *seeds: int) -> torch.Generator:
    """A generator that several small numbers determine."""
    state = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state) >> 1)


def shared_out(blocks: Iterable[tuple[float, Block]]) -> Iterator[tuple[float, Block]]:
    """This process's share: every ``world``-th block, its weight times ``world``.

    Every process draws all blocks, so that all agree on them; drawing is cheap beside projecting and sorting. The
    mean over processes of what they make of their shares is what one process makes of all blocks.
    """
    world, own = world_size(), rank()
    for index, (weight, block) in enumerate(blocks):
        if index % world == own:
            yield weight * world, block

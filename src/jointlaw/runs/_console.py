"""What a run says while it works, once, whatever the number of processes."""

import os
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

console = Console(highlight=False, force_jupyter=False)  # a notebook shows plain text, and needs no widgets

T = TypeVar("T")


def first_process() -> bool:
    """Whether this process writes and speaks; the launcher's variables tell before the processes are joined."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"))
    return int(next((rank for rank in ranks if rank), "0")) == 0


def say(*lines: str) -> None:
    """Print lines."""
    if first_process():
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


def track(items: Iterable[T], doing: str, total: int) -> Iterable[T]:
    """Go through items with a progress bar."""
    return rich_track(items, description=doing, total=total, console=console, transient=True)

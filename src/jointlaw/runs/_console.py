"""What a run says while it works, once, whatever the number of processes."""

import math
import os
import time
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

from jointlaw.training._tracking import about

console = Console(highlight=False, force_jupyter=False)  # a notebook shows plain text, and needs no widgets

T = TypeVar("T")

_spoke = -math.inf  # when the last line was said


def first_process() -> bool:
    """Whether this process writes and speaks; the launcher's variables tell before the processes are joined."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"))
    return int(next((rank for rank in ranks if rank), "0")) == 0


def say(*lines: str) -> None:
    """Print lines."""
    global _spoke
    if first_process():
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)
        _spoke = time.perf_counter()


def track(items: Iterable[T], doing: str, total: int) -> Iterable[T]:
    """Go through items with a progress bar; where there is no terminal, with few lines.

    There a line names what begins, unless the last one is less than a second old, and others follow with the time to
    go: the first after four seconds, each next one when four times as many have passed.
    """
    if console.is_terminal:
        yield from rich_track(items, description=doing, total=total, console=console, transient=True)
        return
    began, due = time.perf_counter(), 4.0
    first = began  # when the first item was done, which may take longer than those that follow
    if began - _spoke >= 1:
        say(doing)
    for done, item in enumerate(items, 1):
        yield item
        now = time.perf_counter()
        first = now if done == 1 else first
        if now - began >= due and 1 < done < total:
            say(f"{doing}: {done:,} of {total:,}, {about((now - first) / (done - 1) * (total - done))} to go")
            due = 4 * (now - began)

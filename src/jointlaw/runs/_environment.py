"""Versions and machine that a result depends on."""

import importlib.metadata
import platform
import subprocess
from functools import cache
from pathlib import Path

import torch

from jointlaw import __version__

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pytorch-lightning", "torchvision", "timm")


def environment() -> str:
    """Versions that a result depends on, the commit of the source among them where it is a checkout.

    >>> environment().splitlines()[0].partition(" ")[0]
    'python'
    """
    lines = [f"python {platform.python_version()}", f"platform {platform.system()} {platform.machine()}"]
    lines += [f"commit {_commit()}", f"jointlaw {__version__}"]
    for package in PACKAGES:
        try:
            lines.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{package} not installed")
    lines.append(f"cpu threads {torch.get_num_threads()}, capability {torch.backends.cpu.get_cpu_capability()}")
    lines.append(f"gpu {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}")
    return "\n".join(lines) + "\n"


@cache
def _commit() -> str:
    """The commit of the source when it was first asked for, marked "dirty" where files differ from it."""
    if not _git("ls-files", Path(__file__).name):
        return "unknown: not a checkout"
    return _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


def _git(*words: str) -> str:
    """What git says in the folder of the source; nothing if it cannot be asked."""
    command = ["git", "-C", str(Path(__file__).parent), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 (fixed words)
    except OSError:
        return ""

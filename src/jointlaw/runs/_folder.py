"""The run folder: what it holds, and when it may be written to."""

import importlib.metadata
import json
import os
import pickle
import platform
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file

from jointlaw.training._learner import Learner

_FREE = (
    "run.folder",
    "run.resume",
    "run.threads",
    "run.report",
    "run.checkpoint_steps",
    "run.loggers",
    "config",
)
"""Settings in which a resumed run may differ: none of them changes what is learned."""

PARTS = ("encoder", "projector", "objective")
"""What of a learner makes embeddings of samples: an objective may rectify above thresholds that it has learned."""


class Workspace:
    """Paths and files of one run.

    Args:
        folder: created when the run starts; a folder that holds anything else than this run is refused.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.checkpoints = folder / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.weights = folder / "encoder.safetensors"
        self.results = folder / "results.json"
        self.report = folder / "report.html"

    def start(self, config: str) -> None:
        """Make a new folder and write down configuration and environment; refuse one that is in use."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(
                f"run folder {self.folder}: expected a new or empty folder, found files in it. "
                "Go on with its run by --run.resume=true, or choose another --run.folder."
            )
        self.checkpoints.mkdir(parents=True)
        write_text(self.config, config)
        write_text(self.folder / "environment.txt", environment())

    def resume(self, config: str) -> None:
        """Check that the folder holds the same run, with a checkpoint to go on from that can be read."""
        self.check_same(config)
        if not self.last.exists():
            raise ValueError(
                f"run folder {self.folder}: expected checkpoints/last.ckpt, found none: the run was stopped before "
                "its first checkpoint. Delete the folder and start anew."
            )
        self.reached()

    def check_same(self, config: str) -> None:
        """Refuse a folder that holds a run of another configuration, naming the differing keys."""
        if not self.config.exists():
            raise ValueError(
                f"run folder {self.folder}: expected the config.yaml of an earlier run, found none. "
                "Check --run.folder, or start without --run.resume."
            )
        differing = differing_keys(yaml.safe_load(self.config.read_text(encoding="utf-8")), yaml.safe_load(config))
        if differing:
            raise ValueError(
                f"run folder {self.folder}: expected the configuration the run was started with, found other values "
                f"of {'; '.join(differing)}. Resume with the same settings, or start anew in another --run.folder."
            )

    def reached(self) -> int:
        """The optimiser step of the last checkpoint.

        Raises:
            ValueError: if the file cannot be read.
        """
        try:
            return int(torch.load(self.last, map_location="cpu", weights_only=True)["global_step"])
        except (RuntimeError, EOFError, OSError, LookupError, TypeError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"{self.last}: expected a checkpoint of this run, found a file that cannot be read "
                f"({type(error).__name__}). Delete the run folder and start anew."
            ) from error

    def abandon(self) -> bool:
        """Remove a folder that ``start`` made, if nothing in it can be gone on with; say whether it was removed."""
        if self.last.exists():
            return False
        shutil.rmtree(self.folder)
        return True

    def save_weights(self, learner: Learner) -> None:
        """Write encoder, projector and objective (thresholds, predictors) to ``encoder.safetensors``, in one go."""
        state = {
            f"{name}.{key}": value.contiguous()
            for name in PARTS
            for key, value in learner.get_submodule(name).state_dict().items()
        }
        part = self.weights.with_suffix(".part")
        save_file(state, part)
        os.replace(part, self.weights)

    def load_weights(self, learner: Learner) -> None:
        """Read encoder, projector and objective; missing, unexpected or misshapen weights are errors."""
        if not self.weights.exists():
            raise ValueError(
                f"run folder {self.folder}: expected encoder.safetensors, found none: the run has not ended. "
                "Finish it with --run.resume=true."
            )
        load_weights(self.weights, learner)

    def save_results(self, figures: Mapping[str, object]) -> None:
        """Write ``results.json`` in one go."""
        write_text(self.results, json.dumps(figures, indent=2) + "\n")


def load_weights(path: Path, learner: Learner) -> None:
    """Load ``encoder.safetensors`` into a learner's encoder, projector and objective, strictly."""
    try:
        state = load_file(path)
    except Exception as error:
        raise ValueError(f"{path}: expected a safetensors file, found one that cannot be read ({error}).") from error
    for name in PARTS:
        module = learner.get_submodule(name)
        part = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        try:
            module.load_state_dict(part, strict=True)
        except RuntimeError as error:
            raise ValueError(
                f"{path}: expected the weights of this {name}, found others. Use the configuration that the weights "
                f"were trained with. ({' '.join(str(error).split())})"
            ) from error


def differing_keys(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Settings that differ between two configurations, as ``key (before -> now)``."""
    flat_before, flat_now = _flatten(before), _flatten(now)
    names = [name for name in sorted(flat_before.keys() | flat_now.keys()) if not name.endswith(_FREE)]
    return [
        f"{name} ({flat_before.get(name)} -> {flat_now.get(name)})"
        for name in names
        if flat_before.get(name) != flat_now.get(name)
    ]


def environment() -> str:
    """Versions that a result depends on, the commit of the source among them where it is a checkout."""
    packages = ("jointlaw", "torch", "numpy", "scipy", "scikit-learn", "pytorch-lightning", "torchvision", "timm")
    lines = [f"python {platform.python_version()}", f"platform {platform.system()} {platform.machine()}"]
    lines.append(f"commit {_commit()}")
    for package in packages:
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


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat

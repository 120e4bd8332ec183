"""The run folder: what it holds, and when it may be written to."""

import hashlib
import json
import math
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from jointlaw import __version__
from jointlaw._files import write_bytes, write_text
from jointlaw.runs._environment import environment

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


class Workspace:
    """Paths and files of one run.

    Args:
        folder: created when the run starts; a folder that holds anything else than this run is refused.

    >>> Workspace(Path("runs/mine")).results.as_posix()
    'runs/mine/results.json'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.checkpoints = folder / "checkpoints"
        self.last = self.checkpoints / "last.ckpt"
        self.results = folder / "results.json"
        self.report = folder / "report.html"
        self.facts = folder / "run.json"

    def start(self, config: Mapping[str, Any]) -> None:
        """Make a new folder and write down configuration and environment; refuse one that is in use."""
        import yaml

        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(
                f"run folder {self.folder}: expected a new or empty folder, found files in it. "
                "Go on with its run by --run.resume=true, or choose another --run.folder."
            )
        self.checkpoints.mkdir(parents=True)
        write_text(self.config, yaml.safe_dump(dict(config), sort_keys=False))
        write_text(self.folder / "environment.txt", environment())

    def resume(self, config: Mapping[str, Any]) -> None:
        """Check that the folder holds the same run, with a checkpoint to go on from that can be read."""
        self.check_same(config)
        if not self.last.exists():
            raise ValueError(
                f"run folder {self.folder}: expected checkpoints/last.ckpt, found none: the run was stopped before "
                "its first checkpoint. Delete the folder and start anew."
            )
        self.reached()

    def check_same(self, config: Mapping[str, Any]) -> None:
        """Refuse a folder that holds a run of another configuration, naming the differing keys."""
        if not self.config.exists():
            raise ValueError(
                f"run folder {self.folder}: expected the config.yaml of an earlier run, found none. "
                "Check --run.folder, or start without --run.resume."
            )
        differing = differing_keys(read_yaml(self.config), config)
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

    def write_weights(self, name: str, content: bytes) -> None:
        """Write a file of weights into the folder, and its digest into ``run.json``."""
        write_bytes(self.folder / name, content)
        facts = self.read_facts()
        facts["weights"] = {**facts.get("weights", {}), name: _digest(content)}
        self._write_facts(facts)

    def read_weights(self, name: str, remedy: str) -> bytes:
        """Read a file of weights.

        Args:
            name: of the file.
            remedy: what makes it, for the error where there is none.

        Raises:
            ValueError: if there is none, or one byte of it has changed.
        """
        path = self.folder / name
        if not path.is_file():
            raise ValueError(f"{path}: expected a file of weights, found none. {remedy}")
        content = path.read_bytes()
        noted = self.read_facts().get("weights", {}).get(name)
        if noted != _digest(content):
            raise ValueError(
                f"{path}: expected the weights that were written here, found a file that has changed since (its digest "
                "differs from the one in run.json). Restore it from where the run was trained."
            )
        return content

    def read_facts(self) -> dict[str, Any]:
        """What ``run.json`` holds: the version that wrote it, shape of a sample, class names, digests of weights.

        Raises:
            ValueError: if there is no such file, or another one.
        """
        try:
            facts = json.loads(self.facts.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(
                f"{self.folder}: expected a run folder with run.json, found none. Check the path; a run that an "
                "earlier version trained gets one by jointlaw train RECIPE --config FOLDER/config.yaml --run.resume."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.facts}: expected JSON, found something unreadable ({error}).") from error
        if not isinstance(facts, dict) or not _sound(facts):
            raise ValueError(f"{self.facts}: expected the facts of a run, found others. Restore the file.")
        return facts

    def note(self, shape: tuple[int, ...], classes: tuple[str, ...]) -> None:
        """Write down what opening the folder needs to know of the data: the shape of a sample, names of classes."""
        earlier = self.read_facts() if self.facts.exists() else {}
        known = {"jointlaw": __version__, "sample": list(shape), "classes": list(classes)}
        self._write_facts({**earlier, **known})

    def _write_facts(self, facts: Mapping[str, Any]) -> None:
        write_text(self.facts, json.dumps(facts, indent=1) + "\n")

    def read_config(self) -> dict[str, Any]:
        """The configuration of the run.

        Raises:
            ValueError: if the folder holds none, or something else than YAML.
        """
        if not self.config.is_file():
            raise ValueError(f"{self.folder}: expected a run folder with config.yaml, found none. Check the path.")
        return read_yaml(self.config)

    def read_results(self) -> dict[str, float | None]:
        """The figures in ``results.json``; none before the run was judged."""
        if not self.results.exists():
            return {}
        try:
            figures = json.loads(self.results.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{self.results}: expected figures as JSON, found something unreadable ({error})."
            ) from error
        numbers = isinstance(figures, dict) and all(isinstance(x, float | int | None) for x in figures.values())
        if not numbers:
            raise ValueError(f"{self.results}: expected numbers by name, found something else. Restore or delete it.")
        return dict(figures)

    def save_results(self, figures: Mapping[str, object]) -> None:
        """Write ``results.json`` in one go."""
        write_text(self.results, json.dumps(figures, indent=2) + "\n")

    def add_results(self, figures: Mapping[str, float | None], *stale: str) -> None:
        """Add figures to those in ``results.json``.

        Args:
            figures: dotted name -> value.
            *stale: figures whose names begin so are dropped first: what they described is there no more.
        """
        kept = {name: value for name, value in self.read_results().items() if not name.startswith(stale)}
        self.save_results({**kept, **figures})


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file.

    Raises:
        ValueError: if the file holds something else.
    """
    import yaml

    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the YAML of a run, found something unreadable ({error}).") from error
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise ValueError(f"{path}: expected the options of a run, found {type(tree).__name__}. Is it a run's?")
    return tree


def differing_keys(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Settings that differ between two configurations, as ``key (before -> now)``."""
    flat_before, flat_now = _flatten(before), _flatten(now)
    names = [name for name in sorted(flat_before.keys() | flat_now.keys()) if not name.endswith(_FREE)]
    return [
        f"{name} ({flat_before.get(name)} -> {flat_now.get(name)})"
        for name in names
        if flat_before.get(name) != flat_now.get(name)
    ]


def _flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of reading a file that may come from somebody else, as one sentence that names it."""
    try:
        yield
    except (TypeError, AttributeError, LookupError, RecursionError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{path}: expected what a run writes, found something else ({error}).") from error
    except ValueError as error:
        raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from error


def _sound(facts: Mapping[str, Any]) -> bool:
    """Whether facts have the form of those that a run writes."""
    shape, classes, weights = facts.get("sample"), facts.get("classes", []), facts.get("weights", {})
    sizes = isinstance(shape, list) and len(shape) in (1, 3) and all(type(n) is int and 0 < n < 2**20 for n in shape)
    named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    return sizes and math.prod(shape or []) < 2**31 and named and isinstance(weights, dict)


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()

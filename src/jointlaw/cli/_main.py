"""The command line: every recipe's signature is its command."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Literal

import yaml
from jsonargparse import ArgumentParser, Namespace

from jointlaw import __version__
from jointlaw import _check as check
from jointlaw.evaluation._fitting import CovarianceName, Kind, Recipe
from jointlaw.evaluation._joint import Part, Target
from jointlaw.evaluation._table import Which
from jointlaw.generation._latents import Half
from jointlaw.runs import _commands as commands
from jointlaw.runs._commands import Project
from jointlaw.runs._decode import decode_run
from jointlaw.runs._fit import fit_run
from jointlaw.runs._generate import complete_run, sample_run
from jointlaw.runs._setup import Setup, preset
from jointlaw.training._learner import NonFiniteError
from jointlaw.training.recipes import GROUPS, RECIPES, Method
from jointlaw_papers.commands import EXPERIMENTS, Name

MISTAKES = (ValueError, OSError, ImportError, NonFiniteError)
"""Errors whose text tells the user what to do: one line and exit code 2. JOINTLAW_DEBUG=1 shows the traceback."""

FLAGS = ("--run.resume", "--run.compile", "--download", "--overwrite")
"""Options that may stand without a value, which means true."""


_Parser = partial(ArgumentParser, allow_abbrev=False)  # an abbreviation would change its meaning with a new option


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``jointlaw`` with command-line arguments; the exit code is 0, or 2 for bad input."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    parser, recipes = build_parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _run(parser, recipes, _spelled_out(words))
    except MISTAKES as error:
        if os.environ.get("JOINTLAW_DEBUG"):
            raise
        print(f"jointlaw: error: {_words(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"jointlaw: stopped. {_words(stop)}", file=sys.stderr)
        return 130
    return 0


def build_parser() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """The parser of everything, and the parser of each recipe."""
    parser = _Parser(prog="jointlaw", description="Joint-embedding learning with the law as an object.")
    parser.add_argument("--version", action="version", version=f"jointlaw {__version__}")
    commands_of = parser.add_subcommands()
    training = _Parser(description=f"Train by a recipe into a run folder, and report. To {_groups()}.")
    commands_of.add_subcommand("train", training, help="train by a recipe, judge the result and write a report")
    recipes = {name: recipe_parser(name) for name in RECIPES}
    recipe_commands = training.add_subcommands(dest="recipe")
    for name, recipe in recipes.items():
        recipe_commands.add_subcommand(name, recipe, help=_summary(RECIPES[name]))
    for name, function in _COMMANDS.items():
        command = _Parser(description=_summary(function))
        command.add_function_arguments(function, as_positional=True)
        commands_of.add_subcommand(name, command, help=_summary(function))
    return parser, recipes


def recipe_parser(name: str) -> ArgumentParser:
    """The parser of one recipe: its own signature, then what all recipes share."""
    parser = _Parser(usage=f"jointlaw train {name} [options]", description=_summary(RECIPES[name]))
    parser.add_argument("--config", action="config", help="read options from a YAML file, such as a run's config.yaml")
    parser.add_argument("--method", type=Literal[name], default=name, help="this recipe; a config.yaml names it")
    own = parser.add_function_arguments(RECIPES[name], as_group=True)
    parser.add_class_arguments(Setup, as_group=True)
    if "seed" in own:
        parser.link_arguments("run.seed", "seed")
    return parser


def probe(folder: Path, probe_data: str | None = None) -> None:
    """Fit the linear, nearest-neighbour and few-shot probes of a run anew.

    Args:
        folder: the run folder.
        probe_data: labelled data to probe on, in place of the run's own.
    """
    project = open_run(folder)
    commands.probe_run(project, project.setup.load_data(), probe_data)


def embed(
    folder: Path,
    output: Path,
    data: str | None = None,
    part: Literal["train", "held_out", "all"] = "held_out",
    which: Which = "embeddings",
    overwrite: bool = False,
) -> None:
    """Write the embeddings of a run to a file.

    Args:
        folder: the run folder.
        output: .parquet, .npz, or .csr.npz for a SciPy sparse matrix.
        data: other data than the run's own.
        part: which samples.
        which: embeddings of the projector, features of the backbone, or both.
        overwrite: replace an existing file.
    """
    project = open_run(folder)
    samples = project.setup.load_data()
    if data is not None:
        samples = project.setup.load_other(data, samples)
    commands.embed_run(project, samples, output, part, which, overwrite)


def report(folder: Path) -> None:
    """Judge a run anew and write its results.json and report.html.

    Args:
        folder: the run folder.
    """
    project = open_run(folder)
    commands.report_run(project, project.setup.load_data())


def fit(  # noqa: PLR0913 (a signature is a command line)
    folder: Path,
    *,
    density: Kind = "mixture",
    components: int = 50,
    covariance: CovarianceName = "full",
    dim: int = 32,
    part: Part = "features",
    epochs: int = 20,
    seed: int = 0,
    target: Target = "view",
    ood: str | None = None,
) -> None:
    """Fit a density to the representations of a run: likelihoods, uncertainty, what is new.

    Args:
        folder: the run folder.
        density: gaussian, mixture (by expectation-maximisation), gas (growing neural gas) or network (mixture density
            network).
        components: of a mixture or a network, nodes of a gas.
        covariance: of a mixture's components.
        dim: principal components of the representations that the density sees.
        part: features of the backbone or embeddings of the projector.
        epochs: of a network, passes of a gas.
        seed: of views, starts and orders.
        target: what a drawn view predicts: another view, or the clean sample (so that free samples look like whole
            images).
        ood: other data, to be told from the run's own by likelihood.
    """
    recipe = Recipe(density, components, covariance, dim, part, epochs, seed, target)
    project = open_run(folder)
    fit_run(project, project.setup.load_data(), recipe, ood)


def decode(folder: Path, *, part: Part = "features", epochs: int | None = None, seed: int = 0) -> None:
    """Train a decoder that turns a run's representations back into images.

    Args:
        folder: the run folder.
        part: features of the backbone or embeddings of the projector; the same as the density's, to sample it.
        epochs: passes over the training samples (default: as many as see about 600,000 of them, at least 10).
        seed: of initial weights and order.
    """
    decode_run(open_run(folder), part, epochs, seed)


def sample(folder: Path, *, count: int = 64, given: Half | None = None, seed: int = 0) -> None:
    """Draw images from a run's density through its decoder, or complete half-seen images.

    Args:
        folder: the run folder, in which jointlaw fit and jointlaw decode have been.
        count: images to draw; completions, eight to an image.
        given: the half of held-out images that is seen, left or top; without it images are drawn freely.
        seed: of the draws.
    """
    check.at_least("sample", 1, count=count)
    check.at_least("sample", 0, seed=seed)
    if given is None:
        sample_run(open_run(folder), count, seed)
    else:
        complete_run(open_run(folder), given, count, seed)


def reproduce(
    name: Name,
    scale: Literal["smoke", "cpu", "paper"] = "cpu",
    folder: Path | None = None,
    seed: int = 111,
) -> None:
    """Run an experiment of the papers and write its table, its pictures and its page.

    Args:
        name: which experiment.
        scale: smoke (half a minute to a few minutes), cpu (two cores) or paper (the paper's own constants).
        folder: where results.json and report.html go (default: runs/reproduce-NAME-SCALE).
        seed: of data and fits.
    """
    place = Path("runs") / f"reproduce-{name}-{scale}" if folder is None else folder
    EXPERIMENTS[name](scale, place, seed)


_COMMANDS: dict[str, Callable[..., None]] = {
    "probe": probe,
    "embed": embed,
    "report": report,
    "fit": fit,
    "decode": decode,
    "sample": sample,
    "reproduce": reproduce,
}


def open_run(folder: Path | str) -> Project:
    """The project of a run folder: its settings, its data, its trained learner.

    Raises:
        ValueError: if it holds no run.
    """
    folder = Path(folder)
    path = folder / "config.yaml"
    if not path.is_file():
        raise ValueError(f"{folder}: expected a run folder with config.yaml, found none. Check the path.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: expected the YAML of a run, found something unreadable ({error}).") from error
    name = config.get("method") if isinstance(config, dict) else None
    if name not in RECIPES:
        raise ValueError(f"{path}: expected method to be one of {', '.join(RECIPES)}, found {name!r}. Is it a run's?")
    parser = recipe_parser(name)
    return _project(name, parser, parser.parse_path(path), folder)


def _run(parser: ArgumentParser, recipes: dict[str, ArgumentParser], words: list[str]) -> None:
    config = parser.parse_args([word for word in words if not word.startswith("--print_config")])
    if config.subcommand != "train":
        _COMMANDS[config.subcommand](**vars(config[config.subcommand]))
        return
    name = config.train.recipe
    data = _setup(recipes[name].instantiate(config.train[name])).load_data()  # they decide how views are drawn
    if not isinstance(config.train[name].views, str):
        recipes[name].set_defaults({"views": preset(data)})
    config = parser.parse_args(words)
    commands.train(_project(name, recipes[name], config.train[name]), data)


def _project(name: str, parser: ArgumentParser, config: Namespace, folder: Path | None = None) -> Project:
    """Objects out of a configuration; without a folder in it, a new one is named."""
    if folder is not None:
        config.run.folder = folder
    elif config.run.folder is None:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        data = "".join(letter if letter.isalnum() else "-" for letter in config.data).strip("-")
        config.run.folder = Path("runs") / f"{name}-{data}-{stamp}"
    parser.instantiate(config)  # bad values are found before anything is written

    def method() -> Method:
        own = parser.instantiate(config)
        return RECIPES[name](**{key: own[key] for key in signature(RECIPES[name]).parameters})

    return Project(name, method, _setup(parser.instantiate(config)), parser.dump(config))


def _setup(config: Namespace) -> Setup:
    return Setup(**{field.name: config[field.name] for field in fields(Setup)})


def _words(error: BaseException) -> str:
    """The message on one line, with what was added to it on the way up."""
    return " ".join(" ".join([str(error), *getattr(error, "__notes__", [])]).split())


def _summary(function: Callable[..., object]) -> str:
    """The first sentence of a docstring."""
    return (function.__doc__ or "").split("\n")[0]


def _groups() -> str:
    """The recipes by what they do."""
    return "; to ".join(f"{purpose}: {', '.join(recipes)}" for purpose, recipes in GROUPS.items())


def _spelled_out(words: Sequence[str]) -> list[str]:
    """Dashes in option names become underscores, and a bare flag gets its value: ``--run.resume`` is ``=true``."""
    spelled = []
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        option, equals, value = word.partition("=")
        if option.startswith("--"):
            option = "--" + option[2:].replace("-", "_")
        if option in FLAGS and not equals and following not in ("true", "false"):
            equals, value = "=", "true"
        spelled.append(option + equals + value)
    return spelled


if __name__ == "__main__":
    sys.exit(main())

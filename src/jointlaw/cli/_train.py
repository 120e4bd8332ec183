"""``jointlaw train RECIPE``: each recipe's signature is its command."""

from difflib import get_close_matches
from typing import Any, Literal

from jointlaw.cli._parsing import parse, parser
from jointlaw.runs._configuration import Configuration
from jointlaw.runs._setup import Setup
from jointlaw.training.recipes import GROUPS, RECIPES
from jointlaw.views._options import ViewOptions


def carry_out(_: str, words: list[str]) -> None:
    """Train by the recipe that the first word names, with the options that follow."""
    name = words[0] if words else None
    if name in ("-h", "--help"):
        print(_help())
        return
    if name not in RECIPES:
        near = get_close_matches(str(name), RECIPES, n=1)
        hint = f" Did you mean {near[0]}?" if near else " See jointlaw train --help."
        raise ValueError(f"train: expected a recipe, one of {', '.join(RECIPES)}, found {name!r}.{hint}")
    tree = parse(recipe_parser(name), words[1:])
    tree.pop("config", None)
    _train(Configuration.from_tree(tree, f"jointlaw train {name}"))


def _train(configuration: Configuration) -> None:
    from jointlaw.cli._commands import summary
    from jointlaw.runs._console import first_process, say
    from jointlaw.runs._run import Run, in_new_folder

    trained = Run(in_new_folder(configuration)).train()
    if configuration.setup.run.report and first_process():
        say(*summary(trained))


def recipe_parser(name: str) -> Any:
    """The parser of one recipe: its own signature, then what all recipes share."""
    recipe = RECIPES[name]
    known = parser(
        prog=f"jointlaw train {name}", usage=f"jointlaw train {name} [options]", description=_summary(recipe)
    )
    known.add_argument("--config", action="config", help="read options from a YAML file, such as a run's config.yaml")
    known.add_argument("--method", type=Literal[name], default=name, help="this recipe; a config.yaml names it")
    known.add_function_arguments(recipe, as_group=True, skip={"seed"})  # the run's seed is the recipe's
    known.add_class_arguments(Setup, as_group=True, skip={"views"})
    views = (
        "settings of the views, such as --views.flip=0.25 (the others are as the data want them), or module:function"
    )
    known.add_argument("--views", type=str | ViewOptions | None, default=None, help=views)
    return known


def _summary(function: Any) -> str:
    """The first sentence of a docstring."""
    return (function.__doc__ or "").split("\n")[0]


def _help() -> str:
    lines = ["usage: jointlaw train RECIPE [options]", "", "Train by a recipe into a run folder, and report."]
    for purpose, recipes in GROUPS.items():
        lines += ["", f"to {purpose}:", *(f"  {name:22} {_summary(recipe)}" for name, recipe in recipes.items())]
    return "\n".join([*lines, "", "jointlaw train RECIPE --help explains its options."])

"""What is trained and how, as one tree of plain values: what ``config.yaml`` holds."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from jointlaw._own import own_function, refuse_stranger
from jointlaw.runs._building import build, class_paths, describe, known_class
from jointlaw.runs._setup import RunSettings, Setup
from jointlaw.training.recipes import RECIPES, Method
from jointlaw.views import TensorSettings, ViewSettings
from jointlaw.views._options import complete

Recipe = Callable[..., Method]


@dataclass(frozen=True, eq=False)
class Configuration:
    """A recipe with its options, and the setup.

    Attributes:
        recipe: its name, or ``module:function`` for one of the user's own.
        options: of the recipe, as plain values.
        setup: everything else.
        trust: whether code from elsewhere may be imported.

    >>> from jointlaw.training.recipes import vicreg
    >>> configuration = Configuration.of(partial(vicreg, width=64), Setup(data="digits"))
    >>> configuration.recipe, configuration.tree()["width"], type(configuration.method().objective).__name__
    ('vicreg', 64, 'VICReg')
    """

    recipe: str
    options: Mapping[str, Any]
    setup: Setup
    trust: bool = True

    @classmethod
    def of(cls, recipe: str | Recipe, setup: Setup) -> "Configuration":
        """The configuration of a recipe, whose options are bound by ``functools.partial``.

        Raises:
            ValueError: if the recipe cannot be found by name again, or an option cannot be written down.
        """
        if isinstance(recipe, str):
            if recipe not in RECIPES and ":" not in recipe:
                raise ValueError(f"Run.new: expected a recipe, one of {', '.join(RECIPES)}, found {recipe!r}.")
            return cls(recipe, {}, setup)
        function, options = (recipe.func, recipe.keywords) if isinstance(recipe, partial) else (recipe, {})
        if isinstance(recipe, partial) and recipe.args:
            raise ValueError(
                "Run.new: expected options by name, found some by position. Write partial(recipe, name=...)."
            )
        names = {known: name for name, known in RECIPES.items()}
        own = f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
        if function not in names and ("<" in own or own.startswith(("__main__", ":"))):
            raise ValueError(
                f"Run.new: expected a recipe, or a function in a module that can be imported again, found {function!r}."
            )
        return cls(names.get(function, own), describe(options), setup)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], where: str, trust: bool = True) -> "Configuration":
        """Read a configuration from plain values.

        Args:
            tree: as ``tree`` gives it.
            where: what holds it, for errors.
            trust: whether code from elsewhere may be imported.

        Raises:
            ValueError: if a key is unknown or a value unfit, naming it.
        """
        name = tree.get("method")
        if not isinstance(name, str) or (name not in RECIPES and ":" not in name):
            raise ValueError(f"{where}: expected method to be one of {', '.join(RECIPES)}, found {name!r}.")
        shared = {one.name for one in fields(Setup)}
        options = {key: value for key, value in tree.items() if key not in shared and key != "method"}
        unknown = sorted(set(options) - set(inspect.signature(_function(name, trust)).parameters))
        if unknown:
            raise ValueError(f"{where}: expected options of {name}, found also {', '.join(unknown)}. Remove them.")
        chosen = {key: value for key, value in tree.items() if key in shared and value is not None}
        try:
            run = {key: value for key, value in dict(chosen.pop("run", {})).items() if value is not None}
            folder = run.pop("folder", None)
            settings = RunSettings(folder=None if folder is None else Path(folder), **run)
            optimizer = build(chosen.pop("optimizer", None), trust)
            setup = Setup(run=settings, optimizer=optimizer, **chosen)
        except TypeError as error:
            raise ValueError(f"{where}: expected the options of a run, found others ({error}).") from error
        made = cls(name, {}, setup, trust)
        return replace(made, options={key: value for key, value in options.items() if made._says(key, value)})

    def tree(self) -> dict[str, Any]:
        """Plain values; what was left to a default that depends on the data is left out."""
        views = self.setup.views
        if isinstance(views, ViewSettings | TensorSettings):
            views = {one.name: getattr(views, one.name) for one in fields(views)}
        shared = {one.name: getattr(self.setup, one.name) for one in fields(Setup) if one.name not in ("views", "run")}
        run = {one.name: getattr(self.setup.run, one.name) for one in fields(RunSettings)}
        named = {name: value for name, value in self._defaults().items() if name not in ("seed", "objective")}
        whole = {"method": self.recipe, **named, **self.options, **shared, "views": views, "run": run}
        tree: dict[str, Any] = _given(describe(whole))
        return tree | {name: None for name, value in self.options.items() if value is None and self._says(name, None)}

    def method(self) -> Method:
        """Objective and projector, made anew.

        Raises:
            ValueError: if an option is out of range.
        """
        options = {name: build(value, self.trust) for name, value in self.options.items()}
        if "seed" in self._defaults():
            options["seed"] = self.setup.run.seed
        try:
            return _function(self.recipe, self.trust)(**options)
        except TypeError as error:
            raise ValueError(f"{self.recipe}: expected its own options, found {sorted(options)} ({error}).") from error

    def refuse_strangers(self) -> None:
        """Raise a ``ValueError`` if code is named that is neither ours nor torch.optim's nor trusted; run nothing."""
        for option in ("encoder", "views"):
            path = getattr(self.setup, option)
            if isinstance(path, str) and ":" in path:
                refuse_stranger(option, path, self.trust)
        for path in class_paths(self.options):
            known_class(path, self.trust)

    def settled(self, setup: Setup) -> "Configuration":
        """The same with another setup."""
        return replace(self, setup=setup)

    def with_views(self) -> "Configuration":
        """The same with view settings as objects, where they were written down in full."""
        views = self.setup.views
        return self.settled(replace(self.setup, views=complete(views))) if isinstance(views, Mapping) else self

    def _says(self, option: str, value: Any) -> bool:
        """Whether an option of the recipe says anything: None does where something else is the default."""
        return value is not None or self._defaults().get(option) is not None

    def _defaults(self) -> dict[str, Any]:
        parameters = inspect.signature(_function(self.recipe, self.trust)).parameters
        return {name: None if one.default is one.empty else one.default for name, one in parameters.items()}


def _function(name: str, trust: bool) -> Recipe:
    return RECIPES[name] if name in RECIPES else own_function("method", name, trust)


def _given(tree: Any) -> Any:
    """The tree without what is None."""
    if not isinstance(tree, Mapping):
        return tree
    whole = "class_path" in tree  # the arguments of an object say what they are, None too
    return {name: part if whole else _given(part) for name, part in tree.items() if part is not None}

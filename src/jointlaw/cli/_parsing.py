"""Parsers of the command line, which also accept dashes in names and bare switches."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from jsonargparse import ArgumentParser, Namespace

TRUE_OR_FALSE = frozenset(("true", "false", "yes", "no", "on", "off", "null"))


def parser(**options: Any) -> ArgumentParser:
    """An empty parser. Abbreviations are off, since a new option could change what they mean."""
    return ArgumentParser(allow_abbrev=False, **options)


def parse(known: ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """The options that the words choose, as plain values; classes are ``class_path`` with ``init_args``."""
    found: dict[str, Any] = _plain(known.parse_args(spelled_out(words, switches(known))))
    return found


def _plain(value: Any) -> Any:
    """Namespaces as mappings, inside lists too."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def switches(known: ArgumentParser) -> dict[str, bool]:
    """Every option, and whether it is true or false."""
    return {
        option: "bool" in str(getattr(action, "_typehint", ""))
        for action in known._actions
        for option in action.option_strings
    }


def spelled_out(words: Sequence[str], options: dict[str, bool]) -> list[str]:
    """Dashes in option names become underscores, and a bare switch gets its value: ``--run.resume`` is ``=true``.

    Args:
        words: the words of a command line.
        options: known option -> whether it is a switch. An option that is not known, such as one of an optimiser,
            counts as a switch if no value follows.

    >>> known = {"--run.resume": True, "--on_bad_file": False}
    >>> spelled_out(["--run.resume", "runs/NAME", "--on-bad-file", "skip"], known)
    ['--run.resume=true', 'runs/NAME', '--on_bad_file', 'skip']
    """
    spelled = []
    for word, following in zip_longest(words, words[1:], fillvalue="--"):
        option, equals, value = word.partition("=")
        if option.startswith("--"):
            option = "--" + option[2:].replace("-", "_")
            bare = following.startswith("--") or (options.get(option, False) and following.lower() not in TRUE_OR_FALSE)
            if not equals and bare and options.get(option, True) and not option.endswith(("help", "config")):
                equals, value = "=", "true"
        spelled.append(option + equals + value)
    return spelled

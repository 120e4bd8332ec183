"""From the words of a command line to an exit code; a command is imported when it is asked for."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from jointlaw import __version__
from jointlaw._extras import missing

COMMANDS = {
    "train": "Train by a recipe into a run folder, judge the result and write a report.",
    "probe": "Fit the linear, nearest-neighbour and few-shot probes of a run anew.",
    "embed": "Write the embeddings of a run's samples, or of other data, to a file.",
    "report": "Judge a run and write its results.json and report.html.",
    "fit": "Fit a density to the representations of a run: likelihoods, uncertainty, what is new.",
    "decode": "Train a decoder that turns a run's representations back into images.",
    "sample": "Draw images from a run's density through its decoder, or complete half-seen images.",
    "law": "Print the numbers of a rectified law and write a page on which its dial is turned.",
    "mixture": "Fit a joint mixture to two columns and write a page on which it is conditioned.",
    "reproduce": "Run an experiment of the papers and write its table, its pictures and its page.",
}
"""Name -> what it does."""

MODULES = {"train": "_train", "law": "_law", "mixture": "_mixture"}
"""Name -> the module that carries it out; all others are commands on a run."""

MISTAKES = (ValueError, OSError, ImportError, FloatingPointError)
"""Errors whose text tells the user what to do: one line and exit code 2. JOINTLAW_DEBUG=1 shows the traceback."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``jointlaw`` with command-line arguments; the exit code is 0, or 2 for bad input, or 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            return _dispatch(words)
        except ModuleNotFoundError as error:
            raise missing(error.name) from error
    except MISTAKES as error:
        if os.environ.get("JOINTLAW_DEBUG"):
            raise
        print(f"jointlaw: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"jointlaw: stopped. {_one_line(stop)}", file=sys.stderr)
        return 130


def _dispatch(words: list[str]) -> int:
    name = words[0] if words else None
    if name in ("-h", "--help"):
        print(_help())
    elif name == "--version":
        print(f"jointlaw {__version__}")
    elif name in COMMANDS:
        import_module(f"jointlaw.cli.{MODULES.get(name, '_commands')}").carry_out(name, words[1:])
    else:
        found = "none" if name is None else repr(name)
        raise ValueError(f"expected a command, one of {', '.join(COMMANDS)}, found {found}. See jointlaw --help.")
    return 0


def _help() -> str:
    lines = [
        "usage: jointlaw COMMAND [options]",
        "",
        "Joint-embedding learning with the law as an object.",
        "",
        "commands:",
    ]
    lines += [f"  {name:10} {summary}" for name, summary in COMMANDS.items()]
    lines += ["", "jointlaw COMMAND --help explains a command, jointlaw --version tells the version."]
    return "\n".join(lines)


def _one_line(error: BaseException) -> str:
    """The message on one line, with the notes that were added to the error."""
    return " ".join(" ".join([str(error), *getattr(error, "__notes__", [])]).split())

#!/usr/bin/env bash
# What Namespace.as_dict makes of classes that stand inside a list.
#
# Version: jsonargparse 4.53.0.
# Guess: `parser.parse_object(...).as_dict()` is made of plain dictionaries all the way down, as its name and its result
# for a class given directly suggest.
# Seen: a class given directly becomes a dictionary; the same class inside a list or a list of pairs stays a Namespace,
# so the result cannot be written as JSON, and code that looks for dictionaries with class_path misses it.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
python3 -m venv v
v/bin/python -m pip install --quiet 'jsonargparse[signatures]==4.53.0'
cat > shapes.py <<'PY'
from abc import ABC
from collections.abc import Sequence


class Shape(ABC):
    """Something to draw."""


class Circle(Shape):
    def __init__(self, radius: float = 1.0) -> None:
        self.radius = radius


def draw(one: Shape, many: Sequence[tuple[float, Shape]]) -> None:
    """Draw."""
PY
v/bin/python - <<'PY'
from jsonargparse import ArgumentParser, Namespace

import shapes

parser = ArgumentParser(exit_on_error=False)
parser.add_function_arguments(shapes.draw)
circle = {"class_path": "shapes.Circle", "init_args": {"radius": 2.0}}
found = parser.parse_object({"one": circle, "many": [[0.5, circle]]}).as_dict()
print("seen:", type(found["one"]).__name__, "directly,", type(found["many"][0][1]).__name__, "inside a list")
assert type(found["one"]) is dict, "changed: a class given directly is no dictionary"
assert type(found["many"][0][1]) is Namespace, "changed: a class inside a list is no Namespace any more"
PY

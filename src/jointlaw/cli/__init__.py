"""The command line: commands are methods of `jointlaw.Run`, and each recipe's signature is a command of ``train``.

`main` takes the words of a command line and returns the exit code:

>>> from jointlaw.cli import main
>>> main(["--version"])  # doctest: +ELLIPSIS
jointlaw ...
0
"""

from jointlaw.cli._main import main

__all__ = ["main"]

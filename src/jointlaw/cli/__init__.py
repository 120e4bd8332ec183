"""The command line."""

from jointlaw.cli._main import main

__all__ = ["main"]

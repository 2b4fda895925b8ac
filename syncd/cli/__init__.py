"""The command line: errors become exit codes here, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from typer.main import get_command

from syncd.cli.errors import exit_code, explain
from syncd.cli.program import app
from syncd.core.errors import UsageError

__all__ = ["main"]

COMMANDS = (
    "demo",
    "init",
    "run",
    "look",
    "upcoming",
    "usermappings",
    "cases",
    "dead_letters",
    "environment",
    "admin",
    "service",
    "serve",
)
"""Modules that put their commands on `app`, in the order in which the help lists them."""


def main() -> None:
    """Run the command that was typed and leave with its exit code."""
    code: object
    try:
        _legible(sys.argv[1:])
        code = _program()(prog_name="syncd", standalone_mode=False)
    except SystemExit as error:
        # Typer turns a pipe that nobody reads any more into this.
        code = 0 if isinstance(error.__context__, BrokenPipeError) else error.code
    except BrokenPipeError:
        code = 0
    except BaseException as error:  # noqa: BLE001  # the one place that turns errors into exit codes
        with contextlib.suppress(BrokenPipeError):
            explain(error)
        code = exit_code(error)
    _flush()
    sys.exit(code if isinstance(code, int) else os.EX_OK)


def _legible(words: Sequence[str]) -> None:
    """Refuse what is no text: no database stores it, and no name is made of it."""
    for place, word in enumerate(words, 1):
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UsageError(f"word {place} of the command is not UTF-8; type it again")


def _program() -> Callable[..., object]:

    for name in COMMANDS:
        if find_spec(f"syncd.cli.{name}") is not None:
            import_module(f"syncd.cli.{name}")
    return get_command(app)


def _flush() -> None:
    """Write what is left; a reader that went away (`| head`) is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""The one table from what is raised to how the process ends (behaviour.md section 9)."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import typer

from syncd.cli.render import printable
from syncd.core.errors import (
    ConfigError,
    LeaseHeld,
    LeaseLost,
    PlanError,
    StateBroken,
    StateError,
    StateLocked,
    Stopped,
    SyncdError,
    TargetError,
    UsageError,
)
from syncd.core.exits import ExitCode

__all__ = ["INTERRUPTED", "exit_code", "explain", "say", "sentence"]

INTERRUPTED = 130
"""What shells use for a process that was asked to stop: 128 and the number of SIGINT."""

TABLE: tuple[tuple[type[BaseException], int], ...] = (
    (ConfigError, ExitCode.CONFIGURATION),
    (UsageError, ExitCode.CONFIGURATION),
    (PlanError, ExitCode.CONFIGURATION),
    (StateLocked, ExitCode.LEASE),
    (LeaseHeld, ExitCode.LEASE),
    (LeaseLost, ExitCode.LEASE),
    (StateBroken, ExitCode.INTERNAL),
    (StateError, ExitCode.CONFIGURATION),
    (TargetError, ExitCode.TARGET),
    (typer.TyperException, ExitCode.CONFIGURATION),
    (Stopped, INTERRUPTED),
    (typer.Abort, INTERRUPTED),
    (KeyboardInterrupt, INTERRUPTED),
)
"""The first that fits decides."""


def exit_code(error: BaseException) -> int:
    """Return the exit code that an error ends the process with."""
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if _of_the_sandbox(error):
        return ExitCode.CONFIGURATION
    return next((int(code) for kind, code in TABLE if isinstance(error, kind)), ExitCode.INTERNAL)


def explain(error: BaseException) -> None:
    """Say on standard error what went wrong, and where it happened if SYNCD_DEBUG is set."""
    if isinstance(error, typer.Exit):
        return
    if os.environ.get("SYNCD_DEBUG"):
        traceback.print_exception(error)
    for line in sentence(error).splitlines():
        say(line)


def say(line: str) -> None:
    """Write one sentence to standard error; what it names may come from other systems."""
    sys.stderr.write(f"syncd: {printable(line)}\n")


def sentence(error: BaseException) -> str:
    """Put an error into words: what, where, and what to do. Several problems are several lines."""
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return (
            "interrupted; what was in flight stays in the journal, and the next run settles it "
            "by reading the target"
        )
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, SyncdError) or _of_the_sandbox(error):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(where[0].filename).name}:{where[0].lineno}" if where else ""
    # The text of a foreign error may quote data, so that only its kind and place are shown.
    return (
        f"internal error{place}: {type(error).__name__}; what was sent is in the journal, and the "
        "next run settles it. Run the command again with SYNCD_DEBUG=1 to see where it happened"
    )


def _usage(error: typer.TyperException) -> str:
    said = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        said = "a command is missing"
    path = context.command_path if context is not None else "syncd"
    return f"{said[:1].lower()}{said[1:]}; see: {path} --help"


def _of_the_sandbox(error: BaseException) -> bool:
    """Tell a SandboxError without importing the sandbox for it: whoever raised it has done so."""
    module = sys.modules.get("syncd.sandbox.errors")
    return module is not None and isinstance(error, module.SandboxError)

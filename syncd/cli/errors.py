"""The one table from what is raised to how the process ends (behaviour.md section 9)."""

from __future__ import annotations

import sys
import traceback

import click
from click.exceptions import Abort, Exit

from syncd.core.errors import (
    ConfigError,
    LeaseHeld,
    PlanError,
    StateBroken,
    StateError,
    StateLocked,
    Stopped,
    SyncdError,
    TargetError,
    UsageError,
)
from syncd.engine.parts import ExitCode
from syncd.sandbox import SandboxError

__all__ = ["INTERRUPTED", "exit_code", "explain"]

INTERRUPTED = 130
"""What shells use for a process that was asked to stop."""

TABLE: tuple[tuple[type[BaseException], int], ...] = (
    (ConfigError, ExitCode.CONFIGURATION),
    (UsageError, ExitCode.CONFIGURATION),
    (PlanError, ExitCode.CONFIGURATION),
    (StateLocked, ExitCode.LEASE),
    (LeaseHeld, ExitCode.LEASE),
    (StateBroken, ExitCode.INTERNAL),
    (StateError, ExitCode.CONFIGURATION),
    (TargetError, ExitCode.TARGET),
    (SandboxError, ExitCode.CONFIGURATION),
    (click.UsageError, ExitCode.CONFIGURATION),
    (Stopped, INTERRUPTED),
    (Abort, INTERRUPTED),
    (KeyboardInterrupt, INTERRUPTED),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code that an error ends the process with."""
    if isinstance(error, Exit):
        return int(error.exit_code)
    return next((int(code) for kind, code in TABLE if isinstance(error, kind)), ExitCode.INTERNAL)


def explain(error: BaseException) -> None:
    """Say on standard error what went wrong; only a mistake of ours shows where it happened."""
    if isinstance(error, Exit):
        return
    if isinstance(error, (Abort, KeyboardInterrupt)):
        print("syncd: interrupted; nothing is half done: run the command again", file=sys.stderr)
    elif isinstance(error, click.UsageError):
        error.show()
    elif isinstance(error, (SyncdError, SandboxError)):
        for line in str(error).splitlines():
            print(f"syncd: {line}", file=sys.stderr)
    else:
        where = traceback.extract_tb(error.__traceback__)[-1:]
        place = f" at {where[0].filename.rsplit('/', 1)[-1]}:{where[0].lineno}" if where else ""
        print(
            f"syncd: internal error{place}: {type(error).__name__}: {error}. "
            "The journal is kept; run the command again, and report this with SYNCD_DEBUG=1",
            file=sys.stderr,
        )

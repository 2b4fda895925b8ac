"""One environment after the other: one failing does not stop the rest (behaviour.md section 11)."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from syncd.cli.errors import exit_code, say, sentence
from syncd.cli.program import Context
from syncd.cli.render import unread
from syncd.core.errors import Stopped
from syncd.core.exits import gravest

if TYPE_CHECKING:
    from syncd.engine.parts import RunReport

__all__ = ["Work", "close", "code_of", "turns", "write"]

Work = Callable[[str], int]
"""Does one environment's part, says how it went, and returns its exit code."""


def turns(shared: Context, names: Iterable[str], work: Work, *, as_json: bool) -> int:
    """
    Let every environment have its turn, and return the exit code of the whole.

    Who is asked to stop begins no further environment.
    """
    codes = []
    for name in names:
        if shared.stop.is_set():
            say(f"{name}: not begun, since syncd was asked to stop")
            continue
        try:
            codes.append(work(name))
        except Stopped:
            say(f"{name}: stopped while reading; nothing was sent and nothing was changed")
        except Exception as error:  # noqa: BLE001  # the others have their turn, whatever this was
            codes.append(_failed(shared, name, error, as_json=as_json))
    if shared.stop.is_set():
        return _stop_code(shared)
    return gravest(codes)


def code_of(shared: Context, report: RunReport) -> int:
    """Return the exit code of a run, or of the signal that stopped it."""
    return _stop_code(shared) if report.stopped else int(report.exit_code)


def _stop_code(shared: Context) -> int:
    """Return what shells expect of a process that a signal stopped."""
    return 128 + (shared.signal or signal.SIGINT)


def _failed(shared: Context, name: str, error: Exception, *, as_json: bool) -> int:
    code, said = exit_code(error), sentence(error)
    for line in said.splitlines():
        say(line if line.startswith(name) else f"{name}: {line}")
    _trace(error)
    if as_json:
        failure: dict[str, object] = {
            "environment": name,
            "plan": None,
            "outcomes": {},
            "exit_code": code,
        }
        write([json.dumps({**failure, "problem": said}, ensure_ascii=False)])
    _log(shared, "run finished", environment=name, exit_code=code, problem=said)
    return code


def _trace(error: Exception) -> None:
    import os
    import traceback

    if os.environ.get("SYNCD_DEBUG"):
        traceback.print_exception(error)


def write(pieces: Iterable[str]) -> None:
    """Write one JSON document, given in pieces, on a line of its own."""
    with unread():
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.write("\n")


def close(shared: Context, report: RunReport, *, as_json: bool) -> int:
    """
    Write the closing line of a run and return its exit code.

    Its problem stands in the text already, where a person reads both streams.
    """
    if report.stopped:
        say(f"{report.environment}: {_stopped(report)}")
    elif report.problem and (as_json or not sys.stderr.isatty()):
        say(f"{report.environment}: {report.problem}")
    code = code_of(shared, report)
    event = "run finished" if report.run is not None else "plan finished"
    _log(shared, event, **report.facts(code))
    return code


def _stopped(report: RunReport) -> str:
    if report.outcomes is None:
        return "stopped before anything was sent; nothing was changed"
    failed = sum(number for result, number in report.outcomes.items() if result == "failed")
    return (
        f"stopped: {report.planned - failed:,} of {report.planned:,} changes are settled, what was "
        "in flight is in the journal, and nothing more was sent; the next run goes on from there"
    )


def _log(shared: Context, event: str, **facts: object) -> None:
    """Write one line to the log, unless a person reads standard error: the text says it all."""
    if sys.stderr.isatty():
        return
    from structlog import get_logger

    from syncd.telemetry import configure

    settings = shared.app.config.log
    configure(style=settings.format, level=settings.level, personal_data=settings.personal_data)
    get_logger().info(event, **facts)

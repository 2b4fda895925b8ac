"""What a run is given, and what it gives back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Protocol
from uuid import UUID

from syncd.core.blackouts import Calendar
from syncd.core.certificate import Certificate
from syncd.core.errors import Stopped
from syncd.core.exits import ExitCode
from syncd.core.gates import Gate
from syncd.core.ids import environment_space
from syncd.core.plan import Fault, Result
from syncd.core.ports import Halt, Source
from syncd.core.rules import Rule
from syncd.core.settings import Policy, SourceLimits

__all__ = [
    "Clock",
    "Environment",
    "ExitCode",
    "Progress",
    "Ranked",
    "RunReport",
    "Silent",
    "Stop",
    "Watchful",
    "utc_now",
]

Clock = Callable[[], datetime]
"""Tells the time, in UTC."""


@dataclass(frozen=True, slots=True)
class Environment:
    """
    One environment as a run sees it. `rules_digest` changes whenever an answer might.

    `calendar` says when some actions wait.
    """

    name: str
    url: str
    policy: Policy
    rules: Sequence[Rule]
    rules_digest: str
    config_digest: str
    calendar: Calendar = field(default_factory=Calendar)

    @property
    def space(self) -> UUID:
        """The namespace of the ids of its rows."""
        return environment_space(self.url)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A source, its rank, and what its reads are compared with."""

    source: Source
    rank: int
    limits: SourceLimits = field(default_factory=SourceLimits)


class Progress(Protocol):
    """Is told how far a run has come."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a phase; *total* if it is known how much there is to do."""
        ...

    def advance(self, number: int) -> None:
        """Note that so much more is done."""
        ...


class Silent:
    """Says nothing."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Say nothing."""

    def advance(self, number: int) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Watchful:
    """Passes progress on, and raises Stopped when asked to stop; *so_far* says what was done."""

    progress: Progress
    stop: Halt
    so_far: str = "nothing was changed"

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a phase, unless asked to stop."""
        self._look()
        self.progress.phase(name, total)

    def advance(self, number: int) -> None:
        """Note that so much more is done, unless asked to stop."""
        self._look()
        self.progress.advance(number)

    def _look(self) -> None:
        if self.stop.is_set():
            raise Stopped(f"asked to stop; {self.so_far}")


class Stop:
    """
    Says when a run must stop: somebody asks the process to, or it may write no longer.

    `deadline` (monotonic seconds) is up to when it may: a process that was paused finds
    it passed before it sends again.
    """

    def __init__(self, process: Event | None = None) -> None:
        """Stop with *process*."""
        self._event = process or Event()
        self.deadline = math.inf

    def set(self) -> None:
        """Ask to stop."""
        self._event.set()

    def asked(self) -> bool:
        """Tell whether somebody asked."""
        return self._event.is_set()

    def lapsed(self) -> bool:
        """Tell whether the time up to which this process may write is over."""
        return time.monotonic() > self.deadline

    def is_set(self) -> bool:
        """Tell whether nothing more may be sent, for either reason."""
        return self._event.is_set() or self.lapsed()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody asks, or for *timeout* seconds."""
        self._event.wait(timeout)
        return self.is_set()


def utc_now() -> datetime:
    """Tell the real time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class RunReport:
    """
    What a run did. `plan` names the saved plan, None where nothing was saved.

    `outcomes` counts the planned changes by result, and is None where nothing was to be
    applied. `missed_by_delta` are ids of rows and users that changed without a read of
    changes telling. `faults` are the kinds of failures met; `problem` is the sentence of what
    stopped the run, if something did.
    """

    environment: str
    command: str
    run: int | None = None
    plan: str | None = None
    planned: int = 0
    situations: dict[str, int] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    outcomes: dict[Result, int] | None = None
    faults: set[Fault] = field(default_factory=set)
    problem: str | None = None
    stopped: bool = False
    recovered: int = 0
    missed_by_delta: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def certified(self) -> bool:
        """Whether every source was believed."""
        return all(certificate.certified for certificate in self.certificates)

    @property
    def tripped(self) -> bool:
        """Whether a gate stopped something."""
        return any(gate.tripped for gate in self.gates)

    def facts(self, code: int) -> dict[str, object]:
        """Return what the closing line in the log says: all counts, and nobody's name."""
        return {
            "environment": self.environment,
            "command": self.command,
            "run": self.run,
            "plan": self.plan,
            "planned": self.planned,
            **{str(result): number for result, number in (self.outcomes or {}).items()},
            "situations": self.situations,
            "gates_tripped": sum(gate.tripped for gate in self.gates),
            "certified": self.certified,
            "recovered": self.recovered,
            "missed_by_delta": len(self.missed_by_delta),
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "problem": self.problem,
            "exit_code": code,
        }

    @property
    def exit_code(self) -> ExitCode:
        """The gravest that applies."""
        if self.faults & {Fault.RIGHTS, Fault.THROTTLED, Fault.CONFIGURATION} or self.problem:
            return ExitCode.TARGET
        if not self.certified:
            return ExitCode.NOT_BELIEVED
        if self.tripped:
            return ExitCode.GATE
        failed = (self.outcomes or {}).get(Result.FAILED, 0)
        return ExitCode.FAILED if failed else ExitCode.DONE

"""What the web server is told of the daemon, and the one thing it may ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from syncd.config import Config
from syncd.engine.parts import Clock
from syncd.state.database import Database

__all__ = ["TASKS", "Board", "Check", "EnvironmentState"]

TASKS = ("delta", "full", "conflicts", "preflight", "housekeeping")
"""What may be asked for (behaviour.md section 1, `[daemon]`)."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must be well before work is given to this daemon."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """
    How the daemon stands to one environment.

    `keeper` names the replica that works for it, `running` and `queued` are tasks, `next`
    gives for each task the moment (ISO text with zone) of its next start, `quarantined`
    says why only a trickle of changes is sent.
    """

    name: str
    kept_here: bool
    keeper: str | None = None
    running: str | None = None
    queued: str | None = None
    next: Mapping[str, str] = field(default_factory=dict)
    quarantined: str | None = None


class Board(Protocol):
    """The daemon as the web server sees it. Everything may be called from any thread."""

    @property
    def database(self) -> Database:
        """The state database."""
        ...

    @property
    def config(self) -> Config:
        """The configuration in force."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells the time, in UTC."""
        ...

    def exposition(self) -> tuple[bytes, str]:
        """Return the metrics and their content type; from memory only."""
        ...

    def alive(self) -> bool:
        """Tell whether the daemon's own threads still do something. Never waits."""
        ...

    def checks(self) -> Sequence[Check]:
        """Look at what the daemon needs: state database, leases, last preflight."""
        ...

    def environments(self) -> Sequence[EnvironmentState]:
        """Say how each environment of the configuration stands."""
        ...

    def request(self, environment: str, task: str, who: str) -> str:
        """
        Ask for a task now. Returns "started", "queued" or "already waiting".

        Raises UsageError, a sentence, where it cannot be had.
        """
        ...

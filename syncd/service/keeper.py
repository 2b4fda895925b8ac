"""Keeps environments for this replica: all of a SQLite database, its share of a PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from syncd.core.errors import StateError
from syncd.state import keeping
from syncd.state.database import Database

__all__ = ["Keeper"]


@dataclass(slots=True)
class Keeper:
    """
    Says three times in the length of a lease that this replica lives, and what it keeps.

    `gained` is called with an environment that this replica works for from now on, and
    with whether somebody fell silent; `lost` with one that it no longer works for.
    """

    database: Database
    names: Callable[[], Sequence[str]]
    seconds: float
    gained: Callable[[str, bool], None]
    lost: Callable[[str], None]
    kept: set[str] = field(default_factory=set)
    problem: str | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _heard: float = field(default_factory=time.monotonic)
    _turning: threading.RLock = field(default_factory=threading.RLock)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Look once, and go on in a thread. Raises StateError if not even that goes."""
        self.beat()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Say that this replica lives, and take or give up what has changed."""
        names = self.names()
        if self.database.sqlite:
            now, taken = set(names), frozenset[str]()
        else:
            started = time.monotonic()
            with self.database.begin() as tx:
                found = keeping.beat(tx, self.database.owner, names, self.seconds)
            self._heard = started
            now, taken = set(found.names), found.taken
        self._turn(now, taken)

    def watch(self) -> None:
        """
        Give everything up if the database was not heard of for the length of a lease.

        Nobody knows then whether somebody else has taken over; a beat may even hang.
        """
        silent = time.monotonic() - self._heard > self.seconds
        if silent and self.kept and not self.database.sqlite:
            self._turn(set(), frozenset())

    def alive(self) -> bool:
        """Tell whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Give everything up, so that others can go on at once."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(self.seconds)
        if not self.database.sqlite:
            with self.database.begin() as tx:
                keeping.leave(tx, self.database.owner)
        self._turn(set(), frozenset())

    def keepers(self) -> dict[str, str]:
        """Return who works for each environment."""
        if self.database.sqlite:
            return dict.fromkeys(self.kept, self.database.owner.rpartition(" ")[0])
        with self.database.read() as tx:
            return keeping.keepers(tx)

    def _run(self) -> None:
        while not self._over.wait(self.seconds / 3):
            try:
                self.beat()
                self.problem = None
            except StateError as error:
                if self.problem is None:
                    structlog.get_logger().error("state database", problem=str(error))
                self.problem = str(error)

    def _turn(self, now: set[str], taken: frozenset[str]) -> None:
        with self._turning:
            for name in sorted(self.kept - now):
                self.kept.discard(name)
                self.lost(name)
            for name in sorted(now - self.kept):
                self.kept.add(name)
                self.gained(name, name in taken)

"""
One writer for each environment.

The lock belongs to the process: it ends with it, however it ends, so that after a crash
the next run need not wait. On SQLite it is a lock on a file beside the database. On
PostgreSQL it is an advisory lock of a session that stays open, and a row with a fencing
number and an end: whoever falls silent for longer than that loses the environment to the
next who asks, and finds the number changed before it could write again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from syncd.core.errors import LeaseHeld, LeaseLost, StateError, StateUnusable
from syncd.state.database import Database, one, run

__all__ = ["NOW", "Expiring", "Lease", "busy", "lapsed", "lease", "locked"]

NOW = "extract(epoch from clock_timestamp())"
"""Seconds since 1970, by the clock of the database server: all replicas see the same one."""
MARGIN = 0.1
"""This share before the end of a lease its holder sends nothing any more."""
PATIENCE = 3.0
"""Seconds that the sessions of somebody silent are given to end."""


class Expiring(Protocol):
    """What everything that sends looks at: past `deadline` (monotonic seconds) nothing leaves."""

    deadline: float


@dataclass(slots=True)
class _Unheard:
    """A deadline that nobody looks at."""

    deadline: float = math.inf


@dataclass(slots=True)
class Lease:
    """The right to write to an environment; on SQLite it cannot be lost."""

    environment: str
    fence: int | None = None

    def verify(self, tx: Connection) -> None:
        """Keep the lease for the length of this transaction. Raises LeaseLost."""
        if self.fence is None:
            return
        sql = "SELECT fence FROM leases WHERE name = :name FOR UPDATE"
        if one(tx, sql, name=f"run:{self.environment}") != self.fence:
            raise LeaseLost(lapsed(self.environment))


@contextlib.contextmanager
def lease(
    database: Database, environment: str, stop: Expiring | None = None, seconds: float = 60.0
) -> Iterator[Lease]:
    """
    Be the only writer to *environment* inside the block.

    *stop* is told up to when. Raises LeaseHeld if another is; LeaseLost if this process was
    silent for more than *seconds*, and another may have taken over.
    """
    if database.sqlite:
        with locked(database, environment, _held(environment)):
            yield Lease(environment)
        return
    stop = stop or _Unheard()
    with _session(database, environment, stop, seconds) as held:
        try:
            yield held
        except StateError as error:
            # A successor ends the connections of somebody silent.
            if time.monotonic() > stop.deadline:
                raise LeaseLost(lapsed(environment)) from error
            raise
        finally:
            stop.deadline = math.inf


def _held(environment: str, by: str = "another run") -> LeaseHeld:
    return LeaseHeld(
        f"{environment}: {by} is writing to this environment; nothing was done. "
        "Wait for it to end: syncd status"
    )


def lapsed(environment: str) -> str:
    """Say that this process has lost an environment."""
    return (
        f"{environment}: this process was silent for too long, and another may write to this "
        "environment by now; nothing more was sent. See: syncd status"
    )


@contextlib.contextmanager
def locked(database: Database, name: str, refusal: Exception) -> Iterator[None]:
    """Hold a lock on a file beside a SQLite database; raises *refusal* if another process does."""
    path = Path(f"{database.place}.{name}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateUnusable(
            f"state database {database.place}: its folder cannot be written ({error.strerror}); "
            "give syncd the right to write there"
        ) from error
    try:
        if not _flock(descriptor):
            raise refusal
        yield
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    """Lock a file; somebody who only looks has it for an instant."""
    for wait in (0.02, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            time.sleep(wait)
    return False


def busy(database: Database, environment: str) -> bool:
    """Tell whether somebody is writing to an environment, without being in their way."""
    if not database.sqlite:
        with database.session() as connection:
            sql = (
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND (classid::bigint << 32 | objid::bigint) = :key"
            )
            return one(connection, sql, key=_key(environment)) is not None
    try:
        descriptor = os.open(f"{database.place}.{environment}.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def _key(environment: str) -> int:
    """Return the number of an environment's advisory lock."""
    digest = hashlib.blake2b(f"syncd {environment}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextlib.contextmanager
def _session(
    database: Database, environment: str, stop: Expiring, seconds: float
) -> Iterator[Lease]:
    key = _key(environment)
    with database.session() as connection:
        if not _lock(connection, key):
            _oust(connection, environment)
            if not _lock(connection, key, PATIENCE):
                raise _held(environment, _holder(connection, environment))
        started = time.monotonic()
        held = Lease(environment, _take(connection, environment, database.owner, seconds))
        stop.deadline = started + seconds * (1 - MARGIN)
        renewal = _Renewal(database, held, stop, seconds)
        renewal.start()
        try:
            yield held
        finally:
            renewal.end()
            with contextlib.suppress(SQLAlchemyError, StateError):
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
                run(
                    connection,
                    f"UPDATE leases SET until = {NOW} WHERE name = :name AND fence = :fence",
                    name=f"run:{environment}",
                    fence=held.fence,
                )


def _lock(connection: Connection, key: int, patience: float = 0.0) -> bool:
    end = time.monotonic() + patience
    while True:
        if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)


def _oust(connection: Connection, environment: str) -> None:
    """End the connections of a holder whose time is over. Raises LeaseHeld if it is not."""
    name = f"run:{environment}"
    sql = f"SELECT owner FROM leases WHERE name = :name AND until < {NOW}"
    owner = one(connection, sql, name=name)
    if owner is None:
        raise _held(environment, _holder(connection, environment))
    run(
        connection,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = :token",
        token=str(owner).rpartition(" ")[2],
    )


def _holder(connection: Connection, environment: str) -> str:
    owner = one(connection, "SELECT owner FROM leases WHERE name = :n", n=f"run:{environment}")
    return str(owner).rpartition(" ")[0] if owner else "another run"


def _take(connection: Connection, environment: str, owner: str, seconds: float) -> int:
    return int(
        one(
            connection,
            "INSERT INTO leases (name, owner, fence, session, until) "
            f"VALUES (:name, :owner, 1, pg_backend_pid(), {NOW} + :seconds) "
            "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, fence = leases.fence + 1, "
            "session = excluded.session, until = excluded.until RETURNING fence",
            name=f"run:{environment}",
            owner=owner,
            seconds=seconds,
        )
    )


@dataclass(slots=True)
class _Renewal:
    """Keeps a lease while the process lives, three times in its length."""

    database: Database
    held: Lease
    stop: Expiring
    seconds: float
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(self.seconds)

    def _run(self) -> None:
        while not self._over.wait(self.seconds / 3):
            started = time.monotonic()
            # While the database is away the lease runs out by itself.
            with contextlib.suppress(SQLAlchemyError, StateError):
                if not self._renew():
                    self.stop.deadline = -math.inf
                    return
                self.stop.deadline = started + self.seconds * (1 - MARGIN)

    def _renew(self) -> bool:
        with self.database.session() as connection:
            return bool(
                run(
                    connection,
                    f"UPDATE leases SET until = {NOW} + :seconds "
                    "WHERE name = :name AND fence = :fence",
                    seconds=self.seconds,
                    name=f"run:{self.held.environment}",
                    fence=self.held.fence,
                )
            )

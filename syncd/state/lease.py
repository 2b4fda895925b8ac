"""
One writer for each environment.

The lock belongs to the process: it ends with it, however it ends, so that after a crash
the next run need not wait. On SQLite it is a lock on a file beside the database, on
PostgreSQL an advisory lock of a session that stays open.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from syncd.core.errors import LeaseHeld, StateUnusable
from syncd.state.database import Database

__all__ = ["lease"]


@contextlib.contextmanager
def lease(database: Database, environment: str) -> Iterator[None]:
    """Be the only writer to *environment* inside the block. Raises LeaseHeld."""
    taken = _file(database, environment) if database.sqlite else _session(database, environment)
    with taken:
        yield


def _held(environment: str) -> LeaseHeld:
    return LeaseHeld(
        f"{environment}: another run is writing to this environment; nothing was done. "
        "Wait for it to end: syncd status"
    )


@contextlib.contextmanager
def _file(database: Database, environment: str) -> Iterator[None]:
    path = Path(f"{database.place}.{environment}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateUnusable(
            f"state database {database.place}: its folder cannot be written ({error.strerror}); "
            "give syncd the right to write there"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _held(environment) from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _session(database: Database, environment: str) -> Iterator[None]:
    digest = hashlib.blake2b(f"syncd {environment}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest, "big", signed=True)
    with database.session() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
            raise _held(environment)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

"""
Backups: a whole state in one SQLite file, whichever database it lives in.

The file has the schema of the state that it was made of, so that an older one can be kept
before an upgrade; it is restored onto SQLite as well as onto PostgreSQL.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from syncd.core.errors import StateBroken, StateError, StateLocked, StateUnusable
from syncd.core.model import iso
from syncd.state.database import Database
from syncd.state.portable import interruptible, pour, snapshot, tables
from syncd.state.revisions import recall, remember
from syncd.state.upgrade import migrate, refuse_newer, version

__all__ = ["MADE", "Last", "growing", "last", "save", "single", "unwritten"]

MADE = "backup made"
"""Under this name a backup remembers when it was made."""
LAST = "last backup"
BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite may have beside a file while it is written."""
FULL = ("full", "disk I/O error", "No space", "too large")


@dataclass(frozen=True, slots=True)
class Last:
    """When a state was last backed up, and how many bytes the backup took."""

    at: str
    bytes: int


def last(tx: Connection) -> Last | None:
    """Return what a state remembers of its last backup."""
    kept = recall(tx, LAST)
    return None if kept is None else Last(**json.loads(kept))


def save(
    database: Database, file: Path, now: datetime, stop: Event, *, force: bool
) -> tuple[Last, bool]:
    """
    Write the whole state, as it is at one moment, to *file*; others go on working.

    Returns also whether that is on record in the state: not while another process writes.
    Raises StateError, Stopped; then *file* is not there, or as it was.
    """
    found = _worth_saving(database)
    _refuse(database, file, force=force)
    with growing(file) as part:
        if database.sqlite:
            _vacuum(database, file, part, stop)
        else:
            _gather(database, found, file, part, stop)
        _sign(part, now)
        made = Last(iso(now), part.stat().st_size)
    return made, _put_on_record(database, made)


def _worth_saving(database: Database) -> str:
    """Return the schema of a state. Raises StateUnusable if there is none, or a newer one."""
    there = not database.sqlite or Path(database.place).exists()
    found = version(database) if there else None
    if found is None:
        raise StateUnusable(
            f"state database {database.place} is empty, and there is nothing to back up; "
            "check state.url, or run first: syncd reconcile"
        )
    refuse_newer(database.place, found)
    return found


def _refuse(database: Database, file: Path, *, force: bool) -> None:
    """Raise StateUnusable for a file that must not be written to."""
    if file.is_dir():
        raise StateUnusable(f"backup {file}: that is a folder; name a file in it")
    if not file.exists():
        return
    if database.sqlite and file.samefile(database.place):
        raise StateUnusable(f"backup {file}: that is the state database itself; name another file")
    if not force:
        raise StateUnusable(
            f"backup {file}: there is such a file already; name another one, "
            "or write over it with --force"
        )


def _put_on_record(database: Database, made: Last) -> bool:
    """Let the state remember its backup; a run that is writing for long is not waited for."""
    with contextlib.suppress(StateError):
        with database.durable() as tx:
            remember(tx, LAST, json.dumps(asdict(made)))
        return True
    return False


# --- the file ---------------------------------------------------------------------------------


@contextlib.contextmanager
def growing(file: Path) -> Iterator[Path]:
    """
    Give an empty file that takes the name *file* at the end; what fails leaves nothing.

    Only its owner may read it. One whose process was killed keeps its own name, and the next
    of its kind takes it over. Raises StateUnusable, StateLocked.
    """
    part = file.with_name(f".{file.name}.syncd-part")
    descriptor = _opened(file, part)
    try:
        _alone(descriptor, file, part)
        try:
            os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, 0o600)
            yield part
            os.fsync(descriptor)
            part.replace(file)
        except BaseException:
            for each in (part, *_beside(part)):
                each.unlink(missing_ok=True)
            raise
        _settle(file.parent)
    except (OSError, sqlite3.Error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise unwritten(file, why) from error
    finally:
        os.close(descriptor)


def _opened(file: Path, part: Path) -> int:
    try:
        return os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateUnusable(
            f"{file}: nothing can be written there ({error.strerror}); "
            "name a folder that is there and may be written to"
        ) from error


def _alone(descriptor: int, file: Path, part: Path) -> None:
    """Raise StateLocked if another process writes to the file, or has just finished it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = part.exists() and part.stat().st_ino == os.fstat(descriptor).st_ino
    except OSError:
        mine = False
    if not mine:
        raise StateLocked(f"{file}: another process is writing this file; wait for it to end")


def _beside(part: Path) -> list[Path]:
    return [Path(f"{part}{suffix}") for suffix in BESIDE]


def _settle(folder: Path) -> None:
    """Let the new name reach the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritten(file: Path, why: str) -> StateBroken:
    """Say that the disk did not take a whole file."""
    return StateBroken(
        f"{file}: could not be written whole ({why}), and nothing of it was kept; "
        "free some disk space, or name another folder"
    )


# --- what goes into it ------------------------------------------------------------------------


def _vacuum(database: Database, file: Path, part: Path, stop: Event) -> None:
    """Copy a SQLite file as it is at this moment; who writes to it need not wait."""
    with database.session() as tx, interruptible(_driver(tx), stop):
        try:
            tx.exec_driver_sql("VACUUM INTO ?", (str(part),))
        except DBAPIError as error:
            said = str(error.orig)
            if not stop.is_set() and any(word in said for word in FULL):
                raise unwritten(file, said) from error
            raise


def _driver(tx: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", tx.connection.driver_connection)


def _gather(database: Database, found: str, file: Path, part: Path, stop: Event) -> None:
    """Copy what PostgreSQL has, table by table, in one transaction that sees one moment."""
    with snapshot(database) as source:
        into = Database(f"sqlite:///{part}")
        try:
            single(into)
            with into.begin() as tx:
                migrate(tx, into.place, found)
                pour(source, tx, tables(tx), stop)
        except StateBroken as error:
            raise unwritten(file, "the disk is full, or the file too large") from error
        finally:
            into.close()


def single(database: Database) -> None:
    """Let a SQLite database be one file, as long as this object is the only one to use it."""
    with database.session() as tx:
        tx.exec_driver_sql("PRAGMA journal_mode=DELETE").fetchall()


def _sign(part: Path, now: datetime) -> None:
    """Write into a backup when it was made."""
    with contextlib.closing(sqlite3.connect(part)) as made:
        made.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (MADE, iso(now)))
        made.commit()

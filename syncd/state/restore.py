"""
Put a backup in the place of a state.

Between the backup and today things have happened that it does not know of. Whatever would
let the next run act on yesterday's knowledge is forgotten here: it reads everything, nobody
passes a gate by a pass that may be used up, and a grace counts only if hardly any time is missing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import quote

from syncd.core.errors import LeaseHeld, StateBroken, StateError, StateUnusable
from syncd.core.model import iso
from syncd.state.backup import MADE, growing, save, single, unwritten
from syncd.state.checkup import lacking
from syncd.state.database import Database, Tx, column, know, one, run
from syncd.state.journal import note
from syncd.state.lease import NOW, lease, locked
from syncd.state.portable import interruptible, number_on, pour, snapshot, tables
from syncd.state.revisions import recall, touch
from syncd.state.upgrade import ensure, migrate, refuse_newer

__all__ = ["Order", "Restored", "restore"]

FRESH = timedelta(days=2)
"""A backup that is older says too little of who was there meanwhile: graces begin anew."""
CORE = frozenset({"environments", "sources", "records", "runs", "links", "audit", "meta"})
"""Tables that every schema had; without them a file is no state."""
STAYING = ("leases", "replicas")
"""Tables that belong to the database, not to the state: fencing numbers only ever grow."""
WAIT = "5s"


@dataclass(frozen=True, slots=True)
class Restored:
    """
    What was put in place: when the backup was made if it says so, and the last run it knows.

    `kept` is the file with what was there before, if anything was. `graces` says whether
    those go on, `passes` how many passes and accepted reads were ended.
    """

    made: str | None
    schema: str
    run: int | None
    kept: Path | None
    graces: bool
    passes: int


@dataclass(frozen=True, slots=True)
class Order:
    """What is restored, by whom, when, and whether what is there may be replaced."""

    file: Path
    who: str
    now: datetime
    force: bool
    stop: Event


def restore(database: Database, order: Order, names: Sequence[str], seconds: float) -> Restored:
    """
    Put a backup in the place of the state, brought up to today's schema.

    *names* are the environments that nobody may be writing to, *seconds* how long a silent
    replica counts as alive. Raises StateError, LeaseHeld, Stopped; then nothing has changed.
    """
    schema = _examined(order.file, database)
    if database.sqlite:
        with _deserted(database, names):
            return _onto_file(database, order, schema)
    ensure(database, allowed=True)
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(lease(database, name))
        return _onto_server(database, order, schema, seconds)


# --- the backup -------------------------------------------------------------------------------


def _examined(file: Path, database: Database) -> str:
    """Return the schema of a backup. Raises StateUnusable if it is none that can be restored."""
    if not file.is_file():
        raise StateUnusable(f"backup {file}: there is no such file; check its name")
    if database.sqlite and Path(database.place).exists() and file.samefile(database.place):
        raise StateUnusable(f"backup {file}: that is the state database itself; name a backup")
    found, damage = "", "ok"
    try:
        with contextlib.closing(_opened(file)) as backup:
            found = _schema(backup, file)
            damage = backup.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        damage = str(error)
    if damage != "ok":
        raise StateUnusable(
            f"backup {file}: that is no state of syncd, or a damaged one ({damage}); "
            "nothing was changed; name another file"
        )
    return found


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def _schema(backup: sqlite3.Connection, file: Path) -> str:
    there = {row[0] for row in backup.execute("SELECT name FROM sqlite_master")}
    if there >= {*CORE, "alembic_version"}:
        for (found,) in backup.execute("SELECT version_num FROM alembic_version"):
            refuse_newer(str(file), found)
            return str(found)
    raise StateUnusable(f"backup {file}: that is no state of syncd; name another file")


def _prepared(order: Order, part: Path, schema: str, kept: Path | None) -> Restored:
    """Make of a backup what is put in place; *part* is an empty file."""
    with contextlib.closing(_opened(order.file)) as backup, interruptible(backup, order.stop):
        try:
            backup.execute("VACUUM INTO ?", (str(part),))
        except sqlite3.Error as error:
            if order.stop.is_set():
                raise
            raise unwritten(part, str(error)) from error
    copy = Database(f"sqlite:///{part}")
    try:
        single(copy)
        with copy.begin() as tx:
            migrate(tx, str(order.file))
            if lost := lacking(tx):
                raise StateUnusable(
                    f"backup {order.file}: {', '.join(lost)} is missing in it; "
                    "nothing was changed; name another file"
                )
            return _forget(tx, order, schema, kept)
    except StateBroken as error:
        raise unwritten(part, "the disk is full") from error
    finally:
        copy.close()


def _forget(tx: Tx, order: Order, schema: str, kept: Path | None) -> Restored:
    """Forget what must not count after a gap, and put on record that there is one."""
    now = iso(order.now)
    made = recall(tx, MADE)
    known = made or one(tx, "SELECT max(started) FROM runs")
    graces = known is not None and order.now - datetime.fromisoformat(known) <= FRESH
    for table in STAYING if graces else (*STAYING, "sightings", "pendings"):
        run(tx, f"DELETE FROM {table}")
    run(tx, "DELETE FROM meta WHERE name LIKE 'token:%' OR name = :made", made=MADE)
    run(tx, "UPDATE sources SET token = NULL, content = NULL")
    # A daemon begins with a full run where it does not know of one.
    run(tx, "UPDATE jobs SET started = NULL WHERE job = 'full'")
    how = "a backup was restored, and this may have been used since"
    passes = run(
        tx,
        "UPDATE decisions SET ended = :now, how = :how "
        "WHERE ended IS NULL AND kind IN ('pass', 'accept')",
        now=now, how=how,
    )  # fmt: skip
    touch(tx, "decisions")
    last = one(tx, "SELECT max(id) FROM runs")
    note(tx, now, order.who, "state restored", f"backup of {known or 'unknown age'}: {order.file}")
    return Restored(made, schema, last, kept, graces, passes)


# --- in its place -----------------------------------------------------------------------------


def _occupied(database: Database, order: Order) -> bool:
    """Tell whether something would be lost. Raises StateUnusable if it must not be."""
    if database.sqlite and not Path(database.place).exists():
        return False
    try:
        with database.read() as tx:
            names = [name for name in tables(tx) if name not in STAYING]
            found = any(one(tx, f"SELECT 1 FROM {name} LIMIT 1") for name in names)
    except StateBroken:
        found = True
    if found and not order.force:
        raise StateUnusable(
            f"state database {database.place} is not empty; nothing was changed. To put the "
            "backup in its place and keep what is there in a file, restore with --force"
        )
    return found


def _aside(file: Path, now: datetime) -> Path:
    """Return the name under which what was there is kept; never one that is taken."""
    name = f"{file.name}.replaced-{now:%Y%m%dT%H%M%S}"
    found, number = file.with_name(name), 1
    while found.exists():
        number += 1
        found = file.with_name(f"{name}-{number}")
    return found


@contextlib.contextmanager
def _deserted(database: Database, names: Sequence[str]) -> Iterator[None]:
    """Be alone with a SQLite database. Raises LeaseHeld, StateLocked."""
    daemon = LeaseHeld(
        f"a syncd daemon works with the state database {database.place}; nothing was changed. "
        "Stop it first, and start it again afterwards"
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(database, "daemon", daemon))
        for name in names:
            stack.enter_context(lease(database, name))
        if Path(database.place).exists():
            # Whoever is just deciding something would write into what is set aside.
            with contextlib.suppress(StateBroken), database.durable():
                pass
        yield


def _onto_file(database: Database, order: Order, schema: str) -> Restored:
    place = Path(database.place)
    kept = _aside(place, order.now) if _occupied(database, order) else None
    with growing(place) as part:
        found = _prepared(order, part, schema, kept)
        _set_aside(database, place, kept)
    return found


def _set_aside(database: Database, place: Path, kept: Path | None) -> None:
    """
    Give what is there a second name, if it is to be kept.

    The log beside it must go before the new file comes: SQLite would write it into that one.
    """
    if place.exists():
        with contextlib.suppress(StateError), database.session() as tx:
            tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    database.close()
    for suffix in ("-wal", "-shm"):
        beside = Path(f"{place}{suffix}")
        if beside.exists() and kept is not None:
            beside.replace(f"{kept}{suffix}")
        beside.unlink(missing_ok=True)
    if kept is not None:
        try:
            os.link(place, kept)
        except OSError:  # a file system that knows no second names
            place.replace(kept)


def _onto_server(database: Database, order: Order, schema: str, seconds: float) -> Restored:
    with database.read() as tx:
        _refuse_daemons(tx, database, seconds)
    kept = _aside(order.file, order.now) if _occupied(database, order) else None
    with tempfile.TemporaryDirectory(prefix="syncd-") as folder:
        part = Path(folder, "state.db")
        found = _prepared(order, part, schema, kept)
        if kept is not None:
            save(database, kept, order.now, order.stop, force=False)
        copy = Database(f"sqlite:///{part}")
        try:
            with snapshot(copy) as source, database.durable() as tx:
                _fill(tx, source, database, order, seconds)
        finally:
            copy.close()
    return found


def _fill(tx: Tx, source: Tx, database: Database, order: Order, seconds: float) -> None:
    run(tx, f"SET LOCAL lock_timeout = '{WAIT}'")
    run(tx, "LOCK TABLE replicas IN EXCLUSIVE MODE")
    _refuse_daemons(tx, database, seconds)
    names = [name for name in tables(source) if name not in STAYING]
    run(tx, f"TRUNCATE {', '.join(names)}")
    pour(source, tx, names, order.stop)
    number_on(tx, names)
    know(tx, *names)


def _refuse_daemons(tx: Tx, database: Database, seconds: float) -> None:
    """Raise LeaseHeld if a daemon was heard of lately."""
    sql = f"SELECT name FROM replicas WHERE seen > {NOW} - :seconds ORDER BY name"
    alive = [str(name).rpartition(" ")[0] for name in column(tx, sql, seconds=seconds)]
    if alive:
        raise LeaseHeld(
            f"{', '.join(alive)}: works with the state database {database.place}, or did "
            f"{seconds:.0f} seconds ago; nothing was changed. Stop all daemons, and try again"
        )

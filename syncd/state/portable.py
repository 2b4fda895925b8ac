"""Copy a state from one database to another, whichever kind either is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from threading import Event

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from syncd.core.errors import Stopped
from syncd.state.database import Database, bulk, one

__all__ = ["asked_to_stop", "interruptible", "number_on", "pour", "snapshot", "tables"]

STEPS = 20_000
"""After so many steps of SQLite's machine it looks whether somebody asked to stop."""
LOOK = 5_000
"""Rows between two such looks."""
OWN = ("alembic_", "sqlite_")


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Open a transaction for reading that sees one moment, however long it takes."""
    with database.read() as tx:
        if database.sqlite:  # whose transactions always see one moment
            yield tx
        else:
            yield tx.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def tables(tx: Connection) -> list[str]:
    """Return the names of the tables that are there, without those of migrations."""
    return sorted(name for name in inspect(tx).get_table_names() if not name.startswith(OWN))


def pour(
    source: Connection, into: Connection, names: Iterable[str], stop: Event | None = None
) -> None:
    """
    Copy all rows of some tables, which both sides have and which are empty in *into*.

    Columns are those that *into* has. Raises Stopped.
    """
    for name in names:
        columns = [each["name"] for each in inspect(into).get_columns(name)]
        sql = text(f"SELECT {', '.join(columns)} FROM {name}")
        with closing(source.execute(sql.execution_options(yield_per=LOOK))) as found:
            bulk(into, name, columns, _copied(found, stop))


def _copied(rows: Iterable[Sequence[object]], stop: Event | None) -> Iterator[tuple[object, ...]]:
    """Pass rows on as the drivers take them. Raises Stopped."""
    for number, row in enumerate(rows):
        if number % LOOK == 0 and stop is not None and stop.is_set():
            raise asked_to_stop()
        yield tuple(row)


def number_on(tx: Connection, names: Iterable[str]) -> None:
    """Let PostgreSQL number new rows above those that were copied, and above all before them."""
    for name in names:
        sql = "SELECT pg_get_serial_sequence(:name, 'id')"
        keys = inspect(tx).get_pk_constraint(name)["constrained_columns"]
        sequence = one(tx, sql, name=name) if keys == ["id"] else None
        if sequence is not None:
            last = f"greatest((SELECT max(id) FROM {name}), (SELECT last_value FROM {sequence}))"
            one(tx, f"SELECT setval('{sequence}', {last})")


@contextmanager
def interruptible(driver: sqlite3.Connection, stop: Event) -> Iterator[None]:
    """Let SQLite give up a long statement when somebody asks to stop. Raises Stopped."""
    if stop.is_set():
        raise asked_to_stop()
    driver.set_progress_handler(lambda: int(stop.is_set()), STEPS)
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        if stop.is_set():
            raise asked_to_stop() from error
        raise
    finally:
        driver.set_progress_handler(None, 0)


def asked_to_stop() -> Stopped:
    """Say that a copy was given up."""
    return Stopped("asked to stop while copying; nothing was changed, and no half copy is left")

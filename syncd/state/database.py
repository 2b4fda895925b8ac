"""
Open the state database and move many rows at once.

SQLAlchemy gives schema, dialects, transactions and small statements; the driver's
own cursor inside its transaction carries the big ones (performance.md, "Bulk paths").
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree

from syncd.core.errors import (
    StateAway,
    StateBroken,
    StateError,
    StateLocked,
    StateUnusable,
)

__all__ = [
    "Database",
    "Tx",
    "bulk",
    "column",
    "compact",
    "know",
    "many",
    "one",
    "rows",
    "run",
    "scratch",
    "stream",
    "upsert",
]

Tx = Connection
"""An open transaction, which the functions of this package take first."""

BUSY_SECONDS = 5
BROKEN = re.compile(
    r"disk is full|malformed|not a database|disk I/O|No space left|corrupt", re.IGNORECASE
)
READ_ONLY = re.compile(
    r"readonly|read-only|unable to open|permission denied|is not writable", re.IGNORECASE
)


class Database:
    """
    The state database, opened but not yet touched.

    `begin()` is for work that can be done again from the sources; `durable()` for the
    journal and the audit log: what it commits has reached the disk.
    """

    def __init__(self, url: str) -> None:
        """Prepare engines for *url*. Raises StateUnusable for one that cannot work."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StateUnusable("state.url is not a database URL") from error
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.place = _place(url)
        token = f"syncd-{secrets.token_hex(6)}"
        self.owner = f"{socket.gethostname()} (process {os.getpid()}) {token}"
        if self.sqlite and parsed.database not in (None, "", ":memory:"):
            _check_file(Path(str(parsed.database)))
        try:
            self._quick = _engine(url, sqlite=self.sqlite, synchronous="NORMAL", token=token)
            self._safe = _engine(url, sqlite=self.sqlite, synchronous="FULL", token=token)
        except (SQLAlchemyError, ImportError) as error:
            raise StateUnusable(
                f"state.url: no driver for {parsed.drivername}; "
                "use sqlite:///… or postgresql+psycopg://…"
            ) from error

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction; it commits at the end, or not at all."""
        with self.mishaps(), self._quick.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def rehearse(self) -> Iterator[Connection]:
        """Open a transaction that leaves nothing behind."""
        with self.mishaps(), self._quick.connect() as connection:
            transaction = connection.begin()
            try:
                yield connection
            finally:
                transaction.rollback()

    @contextlib.contextmanager
    def durable(self) -> Iterator[Connection]:
        """Open a transaction that has reached the disk when it is committed."""
        with self.mishaps(), self._safe.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for reading; it never waits for a writer."""
        with self.mishaps(), self._quick.connect() as connection:
            connection.info["reading"] = True
            try:
                yield connection
            finally:
                connection.info.pop("reading", None)

    @contextlib.contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a connection of its own on which every statement stands for itself."""
        with self.mishaps(), self._quick.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Let go of every connection."""
        self._quick.dispose()
        self._safe.dispose()

    @contextlib.contextmanager
    def mishaps(self) -> Iterator[None]:
        """Turn what a driver raises into one sentence of ours."""
        try:
            yield
        except (DBAPIError, OperationalError) as error:
            raise self.explain(error) from error
        except NoneFree as error:
            raise StateAway(
                f"state database {self.place} does not answer: no connection came free in time; "
                "see that the server is well"
            ) from error

    def explain(self, error: DBAPIError) -> StateError:
        """Say what went wrong with the database, and what to do."""
        said = str(error.orig)
        if "locked" in said or "lock timeout" in said:
            return StateLocked(
                f"state database {self.place} is in use by another process; "
                "wait for it to end, or give this one a state.url of its own"
            )
        if BROKEN.search(said):
            return StateBroken(
                f"state database {self.place} cannot be trusted or written: {_first(said)}; "
                "free some disk space or restore a backup (without one, syncd adopts anew)"
            )
        if READ_ONLY.search(said):
            return StateUnusable(
                f"state database {self.place} cannot be opened for writing: {_first(said)}; "
                "check the path in state.url and its permissions"
            )
        if isinstance(error, OperationalError) and not self.sqlite:
            return StateAway(
                f"state database {self.place} does not answer: {_first(said)}; "
                "check state.url and that the server runs"
            )
        return StateBroken(f"state database {self.place}: {_first(said)}")


def _place(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(parsed.database or ":memory:")
    return f"{parsed.database} on {parsed.host or 'the local server'}"


def _first(said: str) -> str:
    return said.strip().splitlines()[0] if said.strip() else "no reason given"


def _check_file(path: Path) -> None:
    folder = path.parent
    if path.is_dir():
        raise StateUnusable(f"state database {path} is a folder; name a file in state.url")
    if not folder.is_dir():
        raise StateUnusable(f"state database {path}: there is no folder {folder}; create it first")


def _patience(url: str, token: str) -> dict[str, object]:
    """Return how a connection is made; what the URL says of it itself goes first."""
    # By its name a successor finds the connections of a process that fell silent.
    wanted: dict[str, object] = {
        "connect_timeout": 10,
        "keepalives_idle": 20,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    said = make_url(url).query
    own = {name: value for name, value in wanted.items() if name not in said}
    return own | {"application_name": token}


def _engine(url: str, *, sqlite: bool, synchronous: str, token: str) -> Engine:
    if not sqlite:
        return create_engine(url, pool_pre_ping=True, connect_args=_patience(url, token))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _settle_in(connection: Any, _record: Any) -> None:  # a driver's own type
        # The driver must not begin by itself: it would begin too late to hold the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "cache_size=-49152",
            "temp.cache_size=-16384",
            "foreign_keys=OFF",
            "wal_autocheckpoint=8000",  # pages; by thousands, those written often are copied often
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return
        connection.exec_driver_sql("BEGIN" if connection.info.get("reading") else "BEGIN IMMEDIATE")

    return engine


def compact(database: Database) -> None:
    """Give back what a SQLite file no longer needs; PostgreSQL sees to itself."""
    if not database.sqlite:
        return
    with database.session() as tx:
        free, pages = (int(one(tx, f"PRAGMA {name}")) for name in ("freelist_count", "page_count"))
        if free * 4 > pages:
            tx.exec_driver_sql("VACUUM")
        tx.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


# --- statements -----------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _clause(sql: str) -> TextClause:
    """Keep what SQLAlchemy makes of a statement; most are executed again and again."""
    return text(sql)


def run(tx: Connection, sql: str, **values: object) -> int:
    """Execute one statement and return how many rows it touched."""
    return tx.execute(_clause(sql), values).rowcount


def rows(tx: Connection, sql: str, **values: object) -> Sequence[Any]:
    """Return every row that a statement finds."""
    return tx.execute(_clause(sql), values).fetchall()


def one(tx: Connection, sql: str, **values: object) -> Any:  # whatever the statement selects
    """Return the first value of the first row, or None."""
    found = tx.execute(_clause(sql), values).first()
    return None if found is None else found[0]


def stream(tx: Connection, sql: str, **values: object) -> Iterator[Any]:
    """Give the rows that a statement finds, a few thousand at a time."""
    found = tx.execute(_clause(sql).execution_options(yield_per=5000), values)
    yield from found


def know(tx: Connection, *tables: str) -> None:
    """Let PostgreSQL look at tables that were just filled; SQLite was told what to expect."""
    if tx.dialect.name == "postgresql":
        for table in tables:
            tx.exec_driver_sql(f"ANALYZE {table}")


def column(tx: Connection, sql: str, **values: object) -> Iterator[Any]:
    """Give the first value of every row that a statement finds, as fast as the driver can."""
    if tx.dialect.name != "sqlite":
        yield from (row[0] for row in stream(tx, sql, **values))
        return
    cursor: Any = tx.connection.cursor()
    try:
        yield from map(itemgetter(0), cursor.execute(sql, values))
    finally:
        cursor.close()


def scratch(tx: Connection, name: str, columns: str) -> None:
    """
    Make an empty temporary table; *columns* is its definition as SQLite has it.

    One with a key that is no number is stored in the order of that key, and only once.
    """
    keyed = "PRIMARY KEY" in columns and "INTEGER PRIMARY KEY" not in columns
    order = " WITHOUT ROWID" if keyed and tx.dialect.name == "sqlite" else ""
    if tx.dialect.name == "postgresql":
        # Compared with columns of the real tables, which all sort by bytes.
        columns = columns.replace(" TEXT", ' TEXT COLLATE "C"').replace(" BLOB", " bytea")
    tx.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    tx.exec_driver_sql(f"CREATE TEMP TABLE {name} ({columns}){order}")


def bulk(
    tx: Connection,
    table: str,
    columns: Sequence[str],
    values: Iterable[Sequence[object]],
    *,
    replace: bool = False,
    marks: Sequence[str] = (),
) -> None:
    """
    Insert many rows by the fastest way the driver has; *values* are tuples, and may stream.

    On SQLite only, *replace* overwrites rows with the same key, and *marks* are expressions
    of one bound value each, where it is not taken as it is.
    """
    word = "INSERT OR REPLACE" if replace else "INSERT"
    names = ", ".join(columns)
    cursor: Any = tx.connection.cursor()
    try:
        if tx.dialect.name == "sqlite":
            listed = ", ".join(marks or "?" * len(columns))
            cursor.executemany(f"{word} INTO {table} ({names}) VALUES ({listed})", values)
        else:
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
    except Exception as error:
        raise _as_sqlalchemy(tx, error) from error
    finally:
        cursor.close()


def many(tx: Connection, sql: str, values: Sequence[Sequence[object]]) -> None:
    """Execute one statement, its values marked by `?`, for each of some rows."""
    if not values:
        return
    cursor: Any = tx.connection.cursor()
    try:
        cursor.executemany(sql if tx.dialect.name == "sqlite" else sql.replace("?", "%s"), values)
    except Exception as error:
        raise _as_sqlalchemy(tx, error) from error
    finally:
        cursor.close()


def upsert(
    tx: Connection,
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    values: Iterable[Sequence[object]],
) -> None:
    """Insert many rows, each in place of the one with its key; of two alike the last stays."""
    if tx.dialect.name == "sqlite":
        bulk(tx, table, columns, values, replace=True)
        return
    names = ", ".join(columns)
    tx.exec_driver_sql("DROP TABLE IF EXISTS aside")
    tx.exec_driver_sql(f"CREATE TEMP TABLE aside AS SELECT {names} FROM {table} LIMIT 0")
    tx.exec_driver_sql("ALTER TABLE aside ADD COLUMN place bigserial")
    bulk(tx, "aside", columns, values)
    rest = [column for column in columns if column not in key]
    taken = ", ".join(f"{column} = excluded.{column}" for column in rest)
    tx.exec_driver_sql(
        f"INSERT INTO {table} ({names}) SELECT DISTINCT ON ({', '.join(key)}) {names} "
        f"FROM aside ORDER BY {', '.join(key)}, place DESC "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {taken}"
    )
    tx.exec_driver_sql("DROP TABLE aside")


def _as_sqlalchemy(tx: Connection, error: Exception) -> Exception:
    """Give a driver's own error the class that SQLAlchemy would have given it."""
    dbapi: Any = tx.dialect.dbapi
    if isinstance(error, dbapi.OperationalError):
        return OperationalError("bulk insert", None, error)
    if isinstance(error, dbapi.Error):
        return DBAPIError("bulk insert", None, error)
    return error

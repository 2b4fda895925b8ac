"""A database opened for one read: it cannot write, and it ends in time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from syncd.connectors.records import Unread

__all__ = ["Deadline", "opened"]

STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
CONNECTING = 30
"""Seconds that connecting may take where the driver can be told."""
PATIENT = ("psycopg", "psycopg2", "pymysql", "mysqldb")
"""Drivers that take `connect_timeout` in seconds."""
READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
"""What forbids to write where neither SQLAlchemy nor a pragma does; it begins the transaction."""
SHOWN = 200
"""Characters of a database's own words that are passed on."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a read must be over."""

    limit: timedelta
    end: float

    @classmethod
    def after(cls, limit: timedelta) -> Deadline:
        """Begin to count now."""
        return cls(limit, time.monotonic() + limit.total_seconds())

    @property
    def past(self) -> bool:
        """Whether it is over."""
        return time.monotonic() >= self.end

    def check(self, what: str) -> None:
        """Raise Unread when the time is over."""
        if self.past:
            raise Unread(f"{what}: {_late(self)}")


@contextmanager
def opened(what: str, address: str, deadline: Deadline) -> Iterator[Connection]:
    """
    Open a transaction that sees one state of the database, cannot write, and is rolled back.

    Raises Unread, also for what fails within it.
    """
    url = _url(what, address)
    engine = _engine(what, url)
    with _connected(what, engine, url) as connection:
        try:
            yield _begun(connection, deadline)
            connection.rollback()
        except SQLAlchemyError as error:
            raise Unread(f"{what}: {_sentence(error, url, deadline)}") from None
        except (ArithmeticError, ValueError, OSError) as error:
            raise Unread(
                f"{what}: the driver of the database cannot read a value "
                f"({type(error).__name__}); cast its column to text in the query"
            ) from None


def _url(what: str, address: str) -> URL:
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise Unread(f"{what}: the url cannot be read as that of a database") from None
    file = url.database or ""
    plain = url.get_backend_name() == "sqlite" and not file.startswith("file:")
    # Opening a file that is not there would make an empty database of that name.
    if plain and not Path(file).is_file():
        raise Unread(f"{what}: {file}: there is no such file")
    return url


def _engine(what: str, url: URL) -> Engine:
    given = {}
    if url.drivername.partition("+")[2] in PATIENT and "connect_timeout" not in url.query:
        given["connect_timeout"] = CONNECTING
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=given)
    except ModuleNotFoundError as missing:
        raise Unread(
            f"{what}: the driver for {url.drivername} is not installed; "
            f"install the Python package of the module {missing.name}"
        ) from None
    except NoSuchModuleError:
        raise Unread(
            f"{what}: no kind of database is called {url.drivername}; "
            "install the package that brings it, or correct the url"
        ) from None


@contextmanager
def _connected(what: str, engine: Engine, url: URL) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except (SQLAlchemyError, OSError, ValueError) as error:
        said = _words(getattr(error, "orig", None) or error, url)
        raise Unread(f"{what}: cannot connect to {_server(url)}: {said}") from None
    try:
        yield connection
    finally:
        # What is left of a lost connection cannot be closed any better.
        with suppress(SQLAlchemyError):
            connection.close()
        engine.dispose()


def _begun(connection: Connection, deadline: Deadline) -> Connection:
    """Forbid to write, ask for one state, and set the time limit, as the database wants it."""
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )  # fmt: skip
        milliseconds = max(1, int(deadline.limit.total_seconds() * 1000))
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
    elif kind == "sqlite":
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: deadline.past, STEPS)
        connection.exec_driver_sql("PRAGMA query_only = ON")
        # Otherwise each statement would see a state of its own.
        connection.exec_driver_sql("BEGIN")
    elif kind in READ_ONLY:
        connection.exec_driver_sql(READ_ONLY[kind])
    return connection


def _sentence(error: SQLAlchemyError, url: URL, deadline: Deadline) -> str:
    """
    Say what went wrong without a word of the data.

    A database quotes values that it cannot convert, so its own words are passed on only
    where they are about the query.
    """
    if not isinstance(error, DBAPIError):
        return f"the query could not be read ({type(error).__name__})"
    orig: Any = error.orig
    code = getattr(orig, "sqlstate", None) or getattr(orig, "sqlite_errorname", None) or ""
    if code in {"57014", "SQLITE_INTERRUPT"} or deadline.past:
        return _late(deadline)
    if code in {"25006", "SQLITE_READONLY"}:
        return "the query writes, and a source is only read; make it a SELECT that changes nothing"
    if error.connection_invalidated or code.startswith(("08", "57P")):
        return f"the connection to {_server(url)} was lost; nothing after that was read"
    if code.startswith("42") or code == "SQLITE_ERROR":
        return f"the database refuses the query: {_words(orig)}"
    name = type(orig).__name__
    return f"the query failed with {name}{f' ({code})' if code else ''}; try it by hand to see more"


def _late(deadline: Deadline) -> str:
    seconds = f"{deadline.limit.total_seconds():g}"
    return f"the query took longer than timeout allows ({seconds} s); nothing more was read"


def _server(url: URL) -> str:
    return url.host or str(url.query.get("host") or url.database or "the database")


def _words(orig: object, url: URL | None = None) -> str:
    """Return the first line of what the database said, without the password if it is in it."""
    diagnosis = getattr(getattr(orig, "diag", None), "message_primary", None)
    said = re.sub(r"\s+", " ", str(diagnosis or orig).strip())
    if url is not None and url.password:
        said = said.replace(str(url.password), "***")
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"

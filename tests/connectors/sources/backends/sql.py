"""A table of people in SQLite and in PostgreSQL, shown by a view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from syncd.connectors.sources.sql import SqlSource
from syncd.core.ports import Source
from tests import postgres
from tests.connectors.sources.backends import MAPPING, Cells

TABLE = "CREATE TABLE people (key TEXT, employee_id TEXT, mail TEXT, department TEXT)"
VIEW = "CREATE VIEW shown AS SELECT {key} AS key, employee_id, mail, department FROM people"
BROKEN = {
    "sqlite": "CASE WHEN key = 'K4' THEN json(key) ELSE key END",
    "postgresql": "CASE WHEN key = 'K4' THEN (1 / (length(key) - 2))::text ELSE key END",
}
"""A column that cannot be computed for one of the people."""


@dataclass(slots=True)
class Table:
    """People in a table."""

    url: str
    engine: Engine

    def put(self, key: str, cells: Cells) -> None:
        self.delete(key)
        self._run(
            "INSERT INTO people VALUES (:key, :employee_id, :mail, :department)",
            key=key,
            **cells,
        )

    def delete(self, key: str) -> None:
        self._run("DELETE FROM people WHERE key = :key", key=key)

    def source(self) -> Source:
        return SqlSource("hr", self.url, "SELECT * FROM shown", MAPPING)

    def break_off(self) -> None:
        self._run("DROP VIEW shown")
        self._run(VIEW.format(key=BROKEN[self.engine.dialect.name]).replace(":", "\\:"))

    def _run(self, statement: str, **values: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)


@contextmanager
def _table(url: str) -> Iterator[Table]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(TABLE))
        connection.execute(text(VIEW.format(key="key")))
    yield Table(url, engine)
    engine.dispose()


@contextmanager
def open_sqlite(folder: Path) -> Iterator[Table]:
    """Open a SQLite database."""
    with _table(f"sqlite:///{folder / 'hr.db'}") as table:
        yield table


@contextmanager
def open_postgresql(_: Path, server: postgres.Server) -> Iterator[Table]:
    """Open a PostgreSQL database."""
    with server.database() as url, _table(url) as table:
        yield table

"""A sandbox's rows in a SQLite file, so that they outlive its process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from syncd.sandbox.columns import Table
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.store import Change, Row, Rows, Store
from syncd.sandbox.world import fill_set

__all__ = ["Keeper"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS sandbox_rows (
    name TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sandbox_gone (
    name TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sandbox_version (version INTEGER NOT NULL);
"""


class Keeper:
    """
    The file. A change is in it before the request that made it is answered.

    Raises SandboxError if the file cannot be opened or is not one of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise SandboxError(f"The file {path} cannot hold a sandbox: {error}.") from error

    def read(self, store: Store, now: str) -> bool:
        """Fill an empty store from the file; say whether there was anything."""
        found = self._db.execute("SELECT version FROM sandbox_version").fetchone()
        if found is None:
            return False
        for rows in _kept(store):
            fill_set(store, rows.table, self._rows(rows.table), now)
        store.version = max(store.version, found[0])
        gone = "SELECT name, key, version FROM sandbox_gone ORDER BY version"
        for name, key, version in self._db.execute(gone):
            store.gone[name][key] = version
        return True

    def _rows(self, table: Table) -> Iterator[dict[str, object]]:
        cursor = self._db.execute("SELECT body FROM sandbox_rows WHERE name = ?", (table.name,))
        for (body,) in cursor:
            yield msgspec.json.decode(body, type=dict[str, object])

    def write(self, store: Store) -> None:
        """Put all rows of a store into the file."""
        with self._db:
            for rows in _kept(store):
                name = rows.table.name
                self._db.executemany(
                    "INSERT OR REPLACE INTO sandbox_rows VALUES (?, ?, ?)",
                    ((name, key, _body(rows.table, row)) for key, row in rows.by_key.items()),
                )
            self._set_version(store.version)

    def keep(self, changes: Sequence[Change], version: int) -> None:
        """Put the changes of one request into the file, all or none."""
        last = {(change.rows.table.name, change.key): change for change in changes}
        gone = [at for at, change in last.items() if change.after is None]
        when = [(*at, last[at].version) for at in gone]
        there = [
            (*at, _body(change.rows.table, change.after))
            for at, change in last.items()
            if change.after is not None
        ]
        with self._db:
            self._db.executemany("DELETE FROM sandbox_rows WHERE name = ? AND key = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO sandbox_rows VALUES (?, ?, ?)", there)
            self._db.executemany(
                "DELETE FROM sandbox_gone WHERE name = ? AND key = ?", (each[:2] for each in there)
            )
            self._db.executemany("INSERT OR REPLACE INTO sandbox_gone VALUES (?, ?, ?)", when)
            self._set_version(version)

    def _set_version(self, version: int) -> None:
        self._db.execute("DELETE FROM sandbox_version")
        self._db.execute("INSERT INTO sandbox_version VALUES (?)", (version,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _kept(store: Store) -> list[Rows]:
    return [rows for rows in store.tables.values() if not rows.table.derived]


def _body(table: Table, row: Row) -> bytes:
    """Return what of a row differs from the table's defaults."""
    return msgspec.json.encode(
        {
            column.read: value
            for column, value in zip(table.columns, row, strict=True)
            if value != column.default
        }
    )

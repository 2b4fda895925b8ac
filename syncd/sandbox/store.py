"""
The rows of all tables: versions, relations, cascades, and a way back.

Rows are tuples and are never changed, only replaced, so a reader may keep one. The store does
no validation; `writes` does. It is not thread safe; the sandbox holds a lock around each request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from syncd.sandbox.columns import Column, OnDelete, Table
from syncd.sandbox.index import Index, Row
from syncd.sandbox.registrations import standing_rows
from syncd.sandbox.tables import TABLES

__all__ = ["Change", "Row", "Rows", "Store"]


class Change(msgspec.Struct, frozen=True):
    """What was done to one row; None where it was not there."""

    rows: Rows
    key: str
    before: Row | None
    after: Row | None
    version: int = 0
    """Of a deletion, for the row has none any more."""


class Rows:
    """The rows of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.by_key: dict[str, Row] = {}
        self.index = Index()
        self.generation = 0
        """Grows with each write: what was computed from older rows is out of date."""
        self._referring: dict[int, dict[str, str | set[str]]] = {
            at: {} for at, column in enumerate(table.columns) if _followed(column)
        }

    def fill(self, rows: dict[str, Row]) -> None:
        """Take these rows, by key, instead of what there was."""
        self.by_key = by_key = rows
        keys = sorted(by_key)
        self.index = Index(keys, [by_key[key] for key in keys])
        for at in self._referring:
            self._referring[at] = {}
            for key, row in by_key.items():
                if row[at] is not None:
                    self._refer(at, row[at], key)
        self.generation += 1

    def put(self, key: str, row: Row) -> None:
        """Put in a row or replace it."""
        old = self.by_key.get(key)
        self.index.put(key, row)
        self.by_key[key] = row
        for at in self._referring:
            before, after = old[at] if old else None, row[at]
            if before != after:
                self._forget(at, before, key)
                self._refer(at, after, key)
        self.generation += 1

    def drop(self, key: str) -> None:
        """Take out a row."""
        old = self.by_key.pop(key)
        self.index.remove(key)
        for at in self._referring:
            self._forget(at, old[at], key)
        self.generation += 1

    def referring(self, at: int, target: str) -> Iterable[str] | None:
        """Return the keys of rows whose lookup names this target; None if nobody keeps track."""
        index = self._referring.get(at)
        if index is None:
            return None
        found = index.get(target, ())
        return (found,) if isinstance(found, str) else found

    def referred(self, at: int) -> bool:
        """Say whether any row's lookup here names a row at all."""
        return bool(self._referring.get(at))

    def _refer(self, at: int, target: object, key: str) -> None:
        if not isinstance(target, str):
            return
        index = self._referring[at]
        found = index.get(target)
        # Most users have one row; a set for each of a million costs 200 bytes apiece.
        if found is None:
            index[target] = key
        elif isinstance(found, str):
            index[target] = {found, key}
        else:
            found.add(key)

    def _forget(self, at: int, target: object, key: str) -> None:
        if not isinstance(target, str):
            return
        index = self._referring[at]
        found = index[target]
        if isinstance(found, set):
            found.discard(key)
            if found:
                return
        del index[target]


class Store:
    """All tables, one version counter, and the changes since somebody last asked."""

    def __init__(self) -> None:
        self.tables = {name: Rows(table) for name, table in TABLES.items()}
        for name, standing in standing_rows().items():
            self.tables[name].fill(standing)
        self.lacking: set[str] = set()
        """Names of privileges that the caller does not have, in lower case."""
        self.version = 0
        self.changes: list[Change] = []
        self.gone: dict[str, dict[str, int]] = {name: {} for name in self.tables}
        """By table, the keys of rows that were deleted and when, in the order of versions."""
        self._children = {
            name: [
                (rows, at)
                for rows in self.tables.values()
                for at, column in enumerate(rows.table.columns)
                if name in {column.target, *column.targets} and _followed(column)
            ]
            for name in self.tables
        }

    def next_version(self) -> int:
        """Return a version that is greater than every one before, in the whole database."""
        self.version += 1
        return self.version

    def put(self, rows: Rows, key: str, row: Row) -> None:
        """Write a row and remember what was there."""
        self.changes.append(Change(rows, key, rows.by_key.get(key), row))
        rows.put(key, row)

    def drop(self, rows: Rows, key: str) -> None:
        """Remove a row, nothing else, and remember it."""
        self.changes.append(Change(rows, key, rows.by_key[key], None, self.next_version()))
        rows.drop(key)

    def rollback(self, mark: int) -> None:
        """Undo the changes after the first *mark* ones. Versions that were used stay used."""
        while len(self.changes) > mark:
            change = self.changes.pop()
            if change.before is None:
                change.rows.drop(change.key)
            else:
                change.rows.put(change.key, change.before)

    def children(self, table: Table, key: str) -> Iterator[tuple[Rows, int, str]]:
        """Yield the rows that a deletion of this row concerns: table, lookup's position, key."""
        for rows, at in self._children[table.name]:
            if rows.referred(at):
                for child in tuple(rows.referring(at, key) or ()):
                    yield rows, at, child


def _followed(column: Column) -> bool:
    pointing = bool(column.targets) or column.target in TABLES
    return pointing and column.on_delete is not OnDelete.NO_CASCADE

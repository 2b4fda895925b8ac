"""Rows that are at hand column by column, on their way into a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import lt
from typing import cast

from sqlalchemy import Connection

from syncd.state.database import bulk, scratch, upsert

__all__ = ["Columns", "ascending", "filled", "insert", "lay", "octets"]

Columns = Sequence[Sequence[object]]
"""A page of rows: all values of the first column, of the second, and so on."""
STAND_INS: dict[type, tuple[object, str]] = {str: ("", "NULLIF(?, '')"), int: (-1, "NULLIF(?, -1)")}
"""What is bound where there is nothing, by the type of the column, and how to write it."""


def filled(names: Sequence[str], columns: Columns) -> tuple[list[str], Iterable[Sequence[object]]]:
    """
    Return what to give `bulk` of rows that are at hand column by column.

    A column without any value is left out.
    """
    used = _used(names, columns)
    return [name for name, _ in used], zip(*(column for _, column in used), strict=True)


def _used(names: Sequence[str], columns: Columns) -> list[tuple[str, Sequence[object]]]:
    return [
        (name, column)
        for name, column in zip(names, columns, strict=True)
        if column[0] is not None or column.count(None) < len(column)
    ]


def insert(
    tx: Connection, table: str, names: Sequence[str], columns: Columns, *, replace: bool = False
) -> None:
    """
    Insert rows that are at hand column by column; *replace* is as with `bulk`.

    A column without any value is left out.
    """
    used = _used(names, columns)
    plain = tx.dialect.name != "sqlite"
    values, marks = zip(*(_bound(column, plain=plain) for _, column in used), strict=True)
    known = [name for name, _ in used]
    bulk(tx, table, known, zip(*values, strict=True), replace=replace, marks=marks)


def _bound(column: Sequence[object], *, plain: bool) -> tuple[Sequence[object], str]:
    """
    Return what to bind of a column that has some values, and the expression for one of them.

    Unless *plain*: SQLite's driver looks for an adapter for nothing as for any object; a word
    that the column does not have takes its place in less time.
    """
    if plain or None not in column:
        return column, "?"
    kind = type(next(value for value in column if value is not None))
    word, mark = STAND_INS.get(kind, (None, "?"))
    if word is None or word in column:
        return column, "?"
    return [word if value is None else value for value in column], mark


def octets(tx: Connection, values: Sequence[bytes | None]) -> Sequence[bytes | bytearray | None]:
    """Return bytes as what a driver binds without looking for an adapter first."""
    if tx.dialect.name != "sqlite":
        return values
    if None not in values:
        return list(map(bytearray, cast("Sequence[bytes]", values)))
    return [None if value is None else bytearray(value) for value in values]


def ascending(keys: Sequence[str]) -> bool:
    """
    Tell whether keys come in the order in which a clustered table keeps them.

    Then SQLite fills that table at once as quickly as any. Otherwise it is quicker to set
    the rows aside and to write them in order: a large table is not searched for each place.
    """
    return all(map(lt, keys, islice(keys, 1, None)))


def lay(
    tx: Connection,
    table: str,
    names: Sequence[str],
    key: Sequence[str],
    pages: Iterable[Columns],
) -> None:
    """
    Insert pages of rows, each row in place of the one with its key; of two the last stays.

    The last part of the key is a text, and the only one in which rows differ.
    """
    coming = iter(pages)
    first = next(coming, None)
    if first is None:
        return
    every = chain([first], coming)
    if tx.dialect.name != "sqlite":
        rows = chain.from_iterable(zip(*page, strict=True) for page in every)
        upsert(tx, table, names, key, rows)
        return
    listed, place = ", ".join(names), names.index(key[-1])
    ordered = ascending([str(each) for each in first[place]])
    if not ordered:
        scratch(tx, "aside", listed)
    for page in every:
        insert(tx, table if ordered else "aside", names, page, replace=True)
    if not ordered:
        tx.exec_driver_sql(
            f"INSERT OR REPLACE INTO {table} ({listed}) SELECT {listed} FROM aside "
            f"ORDER BY {', '.join(key)}, rowid"
        )
        tx.exec_driver_sql("DROP TABLE aside")

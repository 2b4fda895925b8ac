"""Rows that are at hand column by column, on their way into a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import lt

from sqlalchemy import Connection

from syncd.state.database import bulk, scratch, upsert

__all__ = ["Columns", "ascending", "filled", "lay", "octets"]

Columns = Sequence[Sequence[object]]
"""A page of rows: all values of the first column, of the second, and so on."""


def filled(names: Sequence[str], columns: Columns) -> tuple[list[str], Iterable[Sequence[object]]]:
    """
    Return what to give `bulk` of rows that are at hand column by column.

    A column without any value is left out: SQLite's driver takes longer to bind nothing
    than a number, because it looks for an adapter first.
    """
    used = [
        (name, column)
        for name, column in zip(names, columns, strict=True)
        if column[0] is not None or column.count(None) < len(column)
    ]
    return [name for name, _ in used], zip(*(column for _, column in used), strict=True)


def octets(tx: Connection, values: Sequence[bytes | None]) -> Sequence[bytes | bytearray | None]:
    """Return bytes as what a driver binds without looking for an adapter first."""
    if tx.dialect.name != "sqlite":
        return values
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
        bulk(tx, table if ordered else "aside", *filled(names, page), replace=True)
    if not ordered:
        tx.exec_driver_sql(
            f"INSERT OR REPLACE INTO {table} ({listed}) SELECT {listed} FROM aside "
            f"ORDER BY {', '.join(key)}, rowid"
        )
        tx.exec_driver_sql("DROP TABLE aside")

"""Rows as JSON, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.index import Row, Span
from syncd.sandbox.store import Store
from syncd.sandbox.tables import SETS, TABLES

__all__ = ["annotated", "encode", "encode_spans", "etag"]

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAV = "Microsoft.Dynamics.CRM.associatednavigationproperty"


def etag(table: Table, row: Row) -> str:
    """Return the ETag of a row: its version, as a weak one."""
    return f'W/"{row[table.version]}"'


@lru_cache(maxsize=64)
def _shape(
    set_name: str, select: tuple[int, ...] | None
) -> tuple[Callable[[Row], tuple[Any, ...]], Callable[..., Any], int]:
    """
    Return how to take the selected values out of a row and what to pour them into.

    A class that msgspec makes for the selection encodes several times as fast as dictionaries.
    """
    table = SETS[set_name]
    at = tuple(range(len(table.columns))) if select is None else select
    names = ["@odata.etag", *(table.columns[each].read for each in at)]
    fields = [(f"f{number}", object) for number in range(len(names))]
    made = msgspec.defstruct(
        "Shape",
        fields,
        rename=dict(zip((name for name, _ in fields), names, strict=True)),
        gc=False,
    )
    take = itemgetter(*at) if len(at) > 1 else lambda row: (row[0],)
    return take, made, table.version


def encode(table: Table, select: tuple[int, ...] | None, rows: Sequence[Row]) -> bytes:
    """Return a JSON array of rows, each with its ETag and the selected columns."""
    take, shape, version = _shape(table.set_name, select)
    return msgspec.json.encode([shape(f'W/"{row[version]}"', *take(row)) for row in rows])


def encode_spans(table: Table, select: tuple[int, ...] | None, spans: Sequence[Span]) -> bytes:
    """Return the same for consecutive rows, and keep the JSON of each for the next reader."""
    take, shape, version = _shape(table.set_name, select)
    encoder = msgspec.json.Encoder().encode
    parts: list[bytes] = []
    for span in spans:
        bucket, start, stop = span.bucket, span.start, span.stop
        if bucket.select != select:
            bucket.forget(select)
        shown = bucket.shown
        for at in range(start, stop):
            if shown[at] is None:
                row = bucket.rows[at]
                shown[at] = encoder(shape(f'W/"{row[version]}"', *take(row)))
        parts += shown[start:stop]  # type: ignore[arg-type]  # all of them are there by now
    return b"[" + b",".join(parts) + b"]"


def annotated(
    store: Store,
    table: Table,
    select: tuple[int, ...] | None,
    row: Row,
    wants: Callable[[str], bool],
) -> dict[str, object]:
    """Return a row with the annotations that are wanted (dataverse-web-api.md section 1.2)."""
    shown: dict[str, object] = {"@odata.etag": etag(table, row)}
    for at in range(len(table.columns)) if select is None else select:
        column, value = table.columns[at], row[at]
        shown[column.read] = value
        if value is None:
            continue
        for name, text in _annotations(store, column, value):
            if text is not None and wants(name):
                shown[f"{column.read}@{name}"] = text
    return shown


def _annotations(store: Store, column: Column, value: object) -> list[tuple[str, str | None]]:
    match column.kind:
        case Kind.LOOKUP:
            return [
                (FORMATTED, _label(store, column, value)),
                (LOOKUP_NAV, column.nav),
                (LOOKUP_TABLE, column.target),
            ]
        case Kind.CHOICE | Kind.STATE | Kind.STATUS:
            return [(FORMATTED, column.options.get(value))]  # type: ignore[call-overload]  # an option
        case Kind.BOOLEAN:
            return [(FORMATTED, "Yes" if value else "No")]
        case Kind.INTEGER | Kind.VERSION | Kind.DATETIME | Kind.DATE:
            return [(FORMATTED, str(value))]
        case _:
            return []


def _label(store: Store, column: Column, key: object) -> str | None:
    """Return what a lookup's row is called."""
    target = TABLES.get(column.target or "")
    row = store.tables[target.name].by_key.get(str(key)) if target else None
    if target is None or row is None:
        return None
    name = row[target.positions["fullname" if target.name == "systemuser" else "name"]]
    return name if isinstance(name, str) else None

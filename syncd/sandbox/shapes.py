"""Rows as JSON, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from syncd.sandbox.columns import Table
from syncd.sandbox.index import Row, Span
from syncd.sandbox.tables import SETS

__all__ = ["encode", "encode_spans", "etag"]


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

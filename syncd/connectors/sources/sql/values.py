"""From the values that database drivers return to cells as a mapping reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from syncd.core.identity import text
from syncd.core.mapping import Field, PersonMapping, Type

__all__ = ["Taker", "take"]

PLAIN = frozenset({int, float, bool, type(None)})
ISO = "%Y-%m-%d"

Taker = Callable[[Sequence[object]], dict[str, object]]
"""From a row to the cells of the mapped columns, by name."""


def take(mapping: PersonMapping, columns: Sequence[str]) -> Taker:
    """
    Return what takes the mapped cells out of rows with these columns.

    Days are written as their column's format says, so that a typed column reads like a
    text; a moment with a zone is taken in UTC.
    """
    wanted = set(mapping.columns())
    formats = _formats(mapping)
    places = [
        (index, name, formats.get(text(name)))
        for index, name in enumerate(columns)
        if text(name) in wanted
    ]

    def cells(row: Sequence[object]) -> dict[str, object]:
        return {
            name: row[index] if type(row[index]) in PLAIN else _cell(row[index], form)
            for index, name, form in places
        }

    return cells


def _formats(mapping: PersonMapping) -> dict[str, str]:
    """Return how days are written in each column that is mapped as one."""
    days = [mapping.starts_on, mapping.leaves_on]
    days += [each for each in mapping.attributes.values() if each.type is Type.DATE]
    return {text(each.column): each.format or ISO for each in days if isinstance(each, Field)}


def _cell(value: object, form: str | None) -> object:
    match value:
        case str():
            # No text of PostgreSQL holds a NUL; as bytes it fits no column and is held.
            return value.encode() if "\0" in value else value
        case datetime():
            return _moment(value, form)
        case date():
            return value.strftime(form or ISO)
        case Decimal():
            return _number(value)
        case list() | tuple():
            return [each if type(each) in PLAIN else _cell(each, form) for each in value]
        case dict() | bytes() | memoryview() | bytearray():
            return bytes(value) if not isinstance(value, dict) else value
        case UUID():
            return str(value)
    return str(value)


def _moment(value: datetime, form: str | None) -> str:
    zoned = value.astimezone(UTC) if value.tzinfo is not None else value
    return zoned.isoformat() if form is None else zoned.strftime(form)


def _number(value: Decimal) -> object:
    whole = value.is_finite() and value == value.to_integral_value()
    return int(value) if whole and value.adjusted() < 19 else str(value)

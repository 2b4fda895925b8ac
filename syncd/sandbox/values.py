"""From the JSON value of a column to what a row holds, or the refusal Dataverse would give."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from syncd.sandbox import errors
from syncd.sandbox.columns import Column, Kind, Table

__all__ = ["accept", "guid", "moment"]

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def guid(given: object) -> str | None:
    """Return the id in lower case, or None if it is not a GUID."""
    if not isinstance(given, str):
        return None
    lower = given.lower()
    return lower if GUID.fullmatch(lower) else None


@lru_cache(maxsize=4096)
def moment(given: str) -> str | None:
    """Return a date with time as Dataverse writes it (UTC, whole seconds), or None."""
    try:
        parsed = datetime.fromisoformat(given)
    except ValueError:
        return None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def _day(given: str) -> str | None:
    try:
        return date.fromisoformat(given[:10]).isoformat()
    except ValueError:
        return None


def accept(table: Table, column: Column, given: object) -> object:
    """
    Return what a row of this table holds for a JSON value.

    Raises Refused where the type, the length, the range or the option is wrong. Whether the
    column may be null or written at all, and whether a lookup's row exists, is asked elsewhere.
    """
    if given is None:
        return None
    match column.kind:
        case Kind.TEXT:
            return _text(table, column, given)
        case Kind.GUID | Kind.LOOKUP:
            value: object = guid(given)
        case Kind.BOOLEAN:
            value = given if isinstance(given, bool) else None
        case Kind.INTEGER | Kind.VERSION | Kind.DECIMAL:
            return _number(table, column, given)
        case Kind.CHOICE | Kind.STATE | Kind.STATUS:
            return _option(table, column, given)
        case Kind.DATETIME:
            value = moment(given) if isinstance(given, str) else None
        case Kind.DATE:
            value = _day(given) if isinstance(given, str) else None
    if value is None:
        raise _mistyped(table, column)
    return value


def _mistyped(table: Table, column: Column) -> errors.Refused:
    return errors.payload(
        f"Error identified in Payload provided by the user for Entity :'{table.set_name}': "
        f"the value of '{column.name}' cannot be read as {column.kind.value}."
    )


def _text(table: Table, column: Column, given: object) -> str:
    if not isinstance(given, str):
        raise _mistyped(table, column)
    if len(given) > column.max_length:
        raise errors.Refused(
            400,
            "0x80044331",
            f"A validation error occurred. The length of the '{column.name}' attribute of the "
            f"'{table.name}' entity exceeded the maximum allowed length of "
            f"'{column.max_length}'.",
        )
    return given


def _number(table: Table, column: Column, given: object) -> int | float:
    whole = isinstance(given, int) and not isinstance(given, bool)
    if column.kind is Kind.DECIMAL:
        if not whole and not isinstance(given, float):
            raise _mistyped(table, column)
        return given  # type: ignore[return-value]  # an int or a float, by the test above
    if not isinstance(given, int) or isinstance(given, bool):
        raise _mistyped(table, column)
    if not column.low <= given <= column.high:
        raise errors.argument(
            f"A validation error occurred. The value of '{column.name}' on record of type "
            f"'{table.name}' is outside the valid range."
        )
    return given


def _option(table: Table, column: Column, given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise _mistyped(table, column)
    if given not in column.options:
        raise errors.argument(
            f"A validation error occurred. The value {given} of '{column.name}' on record of "
            f"type '{table.name}' is outside the valid range. "
            f"Accepted Values: {', '.join(map(str, column.options))}"
        )
    return given

"""From the JSON value of a column to what a row holds, or the refusal Dataverse would give."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache, lru_cache

from syncd.sandbox import errors
from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.tables import SETS

__all__ = ["acceptor", "acceptors", "guid"]

Accept = Callable[[object], object]
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def guid(given: object) -> str | None:
    """Return the id in lower case, or None if it is not a GUID."""
    if not isinstance(given, str):
        return None
    lower = given.lower()
    return lower if GUID(lower) else None


ANYWHERE = SETS["systemusers"]


@cache
def acceptors(set_name: str) -> tuple[Accept, ...]:
    """
    Return for each column of a table what turns a JSON value into what a row holds.

    They raise Refused where the type, the length, the range or the option is wrong. Whether the
    column may be null or written at all, and whether a lookup's row exists, is asked elsewhere.
    """
    table = SETS[set_name]
    return tuple(_acceptor(table, column) for column in table.columns)


def acceptor(column: Column) -> Accept:
    """Return what turns a JSON value into what a row holds, whatever the table is."""
    return _acceptor(ANYWHERE, column)


def _acceptor(table: Table, column: Column) -> Accept:
    match column.kind:
        case Kind.TEXT | Kind.MEMO | Kind.TABLE:
            return _text(table, column)
        case Kind.GUID | Kind.LOOKUP:
            return _parsed(table, column, guid)
        case Kind.BOOLEAN:
            return _parsed(table, column, lambda given: given if isinstance(given, bool) else None)
        case Kind.INTEGER | Kind.VERSION | Kind.DECIMAL:
            return _number(table, column)
        case Kind.CHOICE | Kind.STATE | Kind.STATUS:
            return _option(table, column)
        case Kind.DATETIME:
            return _parsed(table, column, lambda given: _moment(str(given)))
        case Kind.DATE:
            return _parsed(table, column, lambda given: _day(str(given)))


@lru_cache(maxsize=4096)
def _moment(given: str) -> str | None:
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


def _mistyped(table: Table, column: Column) -> errors.Refused:
    return errors.payload(
        f"Error identified in Payload provided by the user for Entity :'{table.set_name}': "
        f"the value of '{column.name}' cannot be read as {column.kind.value}."
    )


def _outside(table: Table, column: Column, accepted: str = "") -> errors.Refused:
    return errors.argument(
        f"A validation error occurred. The value of '{column.name}' on record of type "
        f"'{table.name}' is outside the valid range.{accepted}"
    )


def _parsed(table: Table, column: Column, parse: Callable[[object], object]) -> Accept:
    def accept(given: object) -> object:
        if given is None:
            return None
        value = parse(given)
        if value is None:
            raise _mistyped(table, column)
        return value

    return accept


def _text(table: Table, column: Column) -> Accept:
    longest = column.max_length

    def accept(given: object) -> object:
        if given is None:
            return None
        if not isinstance(given, str):
            raise _mistyped(table, column)
        if len(given) > longest:
            raise errors.Refused(
                400,
                "0x80044331",
                f"A validation error occurred. The length of the '{column.name}' attribute of "
                f"the '{table.name}' entity exceeded the maximum allowed length of '{longest}'.",
            )
        return given

    return accept


def _number(table: Table, column: Column) -> Accept:
    def accept(given: object) -> object:
        if given is None:
            return None
        fraction = isinstance(given, float) and column.kind is Kind.DECIMAL
        if isinstance(given, bool) or not (isinstance(given, int) or fraction):
            raise _mistyped(table, column)
        if isinstance(given, int) and not column.low <= given <= column.high:
            raise _outside(table, column)
        return given

    return accept


def _option(table: Table, column: Column) -> Accept:
    options = frozenset(column.options)

    def accept(given: object) -> object:
        if given is None:
            return None
        if not isinstance(given, int) or isinstance(given, bool):
            raise _mistyped(table, column)
        if given not in options:
            accepted = ", ".join(map(str, sorted(options)))
            raise _outside(table, column, f" Accepted Values: {accepted}")
        return given

    return accept

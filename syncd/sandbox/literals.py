"""The words and values of `$filter`: tokens, constants, and what a column makes of them."""

from __future__ import annotations

import re

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import TEXTUAL, Column, Kind, Table
from syncd.sandbox.values import acceptor

__all__ = ["checked", "constant", "folded", "position", "tokens", "unknown", "values"]

TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<text>'(?:[^']|'')*')"
    r"|(?P<list>\[[^\]]*\])"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<alias>@\w+)"
    r"|(?P<name>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)*)"
    r"|(?P<sign>[(),=:])"
    r")"
)
QUOTABLE = frozenset({Kind.GUID, Kind.LOOKUP, Kind.DATETIME, Kind.DATE})
"""Kinds whose values some clients put in quotes, Microsoft's own among them."""


def tokens(text: str) -> list[tuple[str, str]]:
    """Split a filter into kinds and texts. Raises Refused where that is not possible."""
    found, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None:
            raise errors.query(f"Syntax error at position {at} in $filter.")
        assert match.lastgroup is not None  # noqa: S101  # every alternative is named
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def constant(kind: str, text: str, column: Column) -> object:
    """Return the value that a token stands for. Raises Refused if the column takes no such one."""
    textual = column.kind in TEXTUAL
    if kind == "text" and textual:
        return text[1:-1].replace("''", "'")
    if kind == "text" and column.kind in QUOTABLE:
        return text[1:-1]
    if kind == "number" and not textual:
        return float(text) if "." in text else int(text)
    if kind in {"guid", "moment"} and not textual:
        return text
    if kind == "name" and text in {"null", "true", "false"}:
        return {"null": None, "true": True, "false": False}[text]
    raise errors.query(
        f"'{column.read}' ({column.kind.value}) cannot be compared with {text} in $filter."
    )


def checked(column: Column, value: object) -> object:
    """Return a value as rows hold it. Raises Refused if the column takes no such value."""
    if isinstance(value, str) and column.kind in TEXTUAL:
        return value
    if isinstance(value, int) and column.kind in {Kind.CHOICE, Kind.STATE, Kind.STATUS}:
        return value
    try:
        return acceptor(column)(value)
    except errors.Refused as refused:
        raise errors.query(f"'{value}' does not fit '{column.read}' in $filter.") from refused


def values(text: str, column: Column) -> list[object]:
    """Return the values of a list, for a column. Raises Refused if it is none."""
    try:
        found = msgspec.json.decode(text.replace("'", '"'), type=list[object])
    except msgspec.DecodeError:
        raise errors.query("PropertyValues must be a list of values.") from None
    if column.kind in TEXTUAL | {Kind.GUID, Kind.LOOKUP, Kind.DATETIME, Kind.DATE}:
        return found
    return [int(each) if isinstance(each, str) and each.isdigit() else each for each in found]


def position(table: Table, name: str) -> int:
    """Return where a column stands. Raises Refused if there is none of this name."""
    at = table.positions.get(name)
    if at is None:
        raise unknown(table, name)
    return at


def unknown(table: Table, name: str) -> errors.Refused:
    """Refuse a name that the table does not have."""
    return errors.query(
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table.name}'."
    )


def folded(value: object) -> object:
    """Return a value as it is compared: texts without regard to case."""
    return value.casefold() if isinstance(value, str) else value

"""What FetchXML and SQL ask of a column: operators, values, and the test they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from syncd.sandbox import errors
from syncd.sandbox.columns import TEXTUAL, Column, Kind, Table
from syncd.sandbox.literals import checked, folded
from syncd.sandbox.shorthand import BUSINESS_UNIT, CALLER
from syncd.sandbox.tables import TABLES

__all__ = ["OPERATORS", "column_at", "condition"]

Test = Callable[[object], bool]

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "ne": lambda value, wanted: bool(value != wanted),
    "gt": lambda value, wanted: value is not None and bool(value > wanted),
    "ge": lambda value, wanted: value is not None and bool(value >= wanted),
    "lt": lambda value, wanted: value is not None and bool(value < wanted),
    "le": lambda value, wanted: value is not None and bool(value <= wanted),
}
SAME = {"neq": "ne", "begins-with": "like", "not-begin-with": "not-like"}
LIKES = frozenset({"like", "not-like", "begins-with", "not-begin-with", "ends-with"})
CALLERS = {"eq-userid": CALLER, "eq-businessunitid": BUSINESS_UNIT}
OPERATORS = frozenset({
    *COMPARISONS, *LIKES, *CALLERS, "neq", "null", "not-null", "in", "not-in", "between",
    "not-between", "ne-userid",
})  # fmt: skip


def column_at(table: Table, name: str) -> int:
    """Return where the column of a logical name stands. Raises Refused if there is none."""
    at = _names(table.name).get(name.lower())
    if at is None:
        raise errors.Refused(
            400,
            "0x80041103",
            f"'{table.name}' entity doesn't contain attribute with Name = '{name}' and "
            "NameMapping = 'Logical'.",
        )
    return at


@cache
def _names(table: str) -> Mapping[str, int]:
    return {column.name: at for at, column in enumerate(TABLES[table].columns)}


def condition(column: Column, operator: str, given: Sequence[str]) -> Test:
    """Return the test of a condition. Raises Refused: no operator, values that do not fit."""
    if operator not in OPERATORS:
        raise errors.argument(f"'{operator[:40]}' is no operator that is offered here.")
    match operator:
        case "null":
            return lambda value: value is None
        case "not-null":
            return lambda value: value is not None
        case "eq-userid" | "eq-businessunitid":
            return lambda value: value == CALLERS[operator]
        case "ne-userid":
            return lambda value: value != CALLER
        case "in" | "not-in":
            chosen = frozenset(_value(column, each) for each in given)
            inside = operator == "in"
            return lambda value: (folded(value) in chosen) is inside
        case "between" | "not-between":
            return _between(column, given, inside=operator == "between")
    if len(given) != 1:
        raise errors.argument(f"The operator '{operator}' takes one value.")
    if operator in LIKES:
        return _like(operator, given[0])
    compare = COMPARISONS[SAME.get(operator, operator)]
    wanted = _value(column, given[0])
    return lambda value: compare(folded(value), wanted)


def _between(column: Column, given: Sequence[str], *, inside: bool) -> Test:
    low_and_high = 2
    if len(given) != low_and_high:
        raise errors.argument("between takes two values.")
    low, high = (_value(column, each) for each in given)

    def test(value: object) -> bool:
        here: Any = folded(value)
        return here is not None and bool(low <= here <= high) is inside

    return test


def _like(operator: str, pattern: str) -> Test:
    pattern = pattern.casefold()
    if operator in {"begins-with", "not-begin-with"}:
        pattern += "%"
    elif operator == "ends-with":
        pattern = f"%{pattern}"
    parts = (".*" if each == "%" else "." if each == "_" else re.escape(each) for each in pattern)
    matches = re.compile("".join(parts), re.DOTALL).fullmatch
    wanted = not operator.startswith("not-")

    def test(value: object) -> bool:
        found = isinstance(value, str) and matches(value.casefold()) is not None
        return found is wanted

    return test


def _value(column: Column, text: str) -> object:
    """Return a text as the column holds it: texts folded, numbers as such."""
    given: object = text
    if column.kind is Kind.BOOLEAN:
        given = {"1": True, "true": True, "0": False, "false": False}.get(text.lower())
    elif column.kind in {Kind.GUID, Kind.LOOKUP}:
        given = text.strip("{}")
    elif column.kind not in TEXTUAL | {Kind.DATE, Kind.DATETIME}:
        given = int(text) if re.fullmatch(r"-?\d+", text) else None
    if given is None:
        raise errors.argument(f"'{text[:80]}' does not fit the attribute '{column.name}'.")
    return folded(checked(column, given))

"""`$filter`: from its text to a test of a row, and to the few rows worth testing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import TEXTUAL, Column, Kind, Table
from syncd.sandbox.store import Row, Rows, Store
from syncd.sandbox.values import acceptors

__all__ = ["Filter", "everything", "parse", "position"]

Test = Callable[[Row], bool]
Getter = Callable[[Row], object]

TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<text>'(?:[^']|'')*')"
    r"|(?P<list>\[[^\]]*\])"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<moment>\d{4}-\d\d-\d\d(?:T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<alias>@\w+)"
    r"|(?P<name>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)*)"
    r"|(?P<sign>[(),=])"
    r")"
)
FEW = 5000
"""More candidates than these are not worth collecting: the table is walked instead."""
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
IN = "Microsoft.Dynamics.CRM.In"
TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, part: part in value,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A test, and the keys outside of which no row passes it (None: anywhere)."""

    test: Test
    within: frozenset[str] | None = None


def everything(_row: Row) -> bool:
    """Take every row."""
    return True


def parse(store: Store, rows: Rows, text: str, aliases: Mapping[str, str]) -> Filter:
    """Read a filter of this table. Raises Refused for syntax, unknown columns and wrong types."""
    reader = _Reader(store, rows, _tokens(text), aliases)
    found = reader.any_of()
    if reader.ahead() is not None:
        raise errors.query(f"Syntax error in $filter near '{reader.ahead()}'.")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None:
            raise errors.query(f"Syntax error at position {at} in $filter.")
        assert match.lastgroup is not None  # noqa: S101  # every alternative is named
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Reader:
    """Recursive descent: or, and, not, parentheses, comparisons, functions."""

    def __init__(
        self,
        store: Store,
        rows: Rows,
        tokens: list[tuple[str, str]],
        aliases: Mapping[str, str],
    ) -> None:
        self._store = store
        self._rows = rows
        self._tokens = tokens
        self._aliases = aliases
        self._at = 0

    def ahead(self) -> str | None:
        """Return the text of the next token, or None at the end."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise errors.query("Expression expected at the end of $filter.")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, sign: str) -> None:
        found = self._next()[1]
        if found != sign:
            raise errors.query(f"'{sign}' expected in $filter, found '{found}'.")

    def any_of(self) -> Filter:
        """Read terms joined by `or`."""
        found = self._all_of()
        while self.ahead() == "or":
            self._next()
            found = _either(found, self._all_of())
        return found

    def _all_of(self) -> Filter:
        found = self._single()
        while self.ahead() == "and":
            self._next()
            found = _both(found, self._single())
        return found

    def _single(self) -> Filter:
        kind, text = self._next()
        if text == "not":
            inner = self._single().test
            return Filter(lambda row: not inner(row))
        if text == "(":
            inner_filter = self.any_of()
            self._expect(")")
            return inner_filter
        if kind != "name":
            raise errors.query(f"A property or function is expected in $filter, not '{text}'.")
        if self.ahead() == "(":
            return self._function(text)
        return self._comparison(text)

    def _comparison(self, name: str) -> Filter:
        at, column, getter = _property(self._store, self._rows.table, name)
        operator = self._next()[1]
        if operator not in COMPARISONS:
            raise errors.query(f"'{operator}' is no comparison that $filter offers.")
        value = self._literal(column)
        found = Filter(_compare(getter, operator, value))
        if operator == "eq" and at is not None and isinstance(value, str):
            return Filter(found.test, _within(self._rows, at, (value,)))
        return found

    def _function(self, name: str) -> Filter:
        self._expect("(")
        if name == IN:
            return self._in()
        if name not in TEXT_TESTS:
            raise errors.query(f"The function '{name}' is not supported in $filter.")
        _, column, getter = _property(self._store, self._rows.table, self._next()[1])
        if column.kind not in TEXTUAL:
            raise errors.query(f"'{name}' needs a text; '{column.read}' is none.")
        self._expect(",")
        part = self._literal(column)
        self._expect(")")
        test = TEXT_TESTS[name]
        return Filter(lambda row: _has(test, getter(row), part))

    def _in(self) -> Filter:
        named: dict[str, str] = {}
        for sign in (",", ")"):
            name = self._next()[1]
            self._expect("=")
            kind, text = self._next()
            named[name] = self._aliases.get(text, "") if kind == "alias" else text
            self._expect(sign)
        if named.keys() != {"PropertyName", "PropertyValues"}:
            raise errors.query(f"{IN} takes PropertyName and PropertyValues.")
        at, column, getter = _property(
            self._store, self._rows.table, named["PropertyName"].strip("'")
        )
        wanted = frozenset(
            _folded(_checked(self._rows.table, column, each))
            for each in _values(named["PropertyValues"], column)
        )
        test = Filter(lambda row: _folded(getter(row)) in wanted)
        if at is None:
            return test
        return Filter(test.test, _within(self._rows, at, (str(each) for each in wanted)))

    def _literal(self, column: Column) -> object:
        kind, text = self._next()
        if kind == "alias":
            if text not in self._aliases:
                raise errors.query(f"The parameter alias '{text}' has no value.")
            kind, text = _tokens(self._aliases[text])[0]
        return _folded(_checked(self._rows.table, column, _constant(kind, text, column)))


def _constant(kind: str, text: str, column: Column) -> object:
    textual = column.kind in TEXTUAL
    if kind == "text" and textual:
        return text[1:-1].replace("''", "'")
    if kind == "number" and not textual:
        return float(text) if "." in text else int(text)
    if kind in {"guid", "moment"} and not textual:
        return text
    if kind == "name" and text in {"null", "true", "false"}:
        return {"null": None, "true": True, "false": False}[text]
    raise errors.query(
        f"'{column.read}' ({column.kind.value}) cannot be compared with {text} in $filter."
    )


def _checked(table: Table, column: Column, value: object) -> object:
    if isinstance(value, str) and column.kind in TEXTUAL:
        return value
    if isinstance(value, int) and column.kind in {Kind.CHOICE, Kind.STATE, Kind.STATUS}:
        return value
    try:
        return acceptors(table.set_name)[table.positions[column.read]](value)
    except errors.Refused as refused:
        raise errors.query(f"'{value}' does not fit '{column.read}' in $filter.") from refused


def _values(text: str, column: Column) -> list[object]:
    try:
        found = msgspec.json.decode(text.replace("'", '"'), type=list[object])
    except msgspec.DecodeError:
        raise errors.query("PropertyValues must be a list of values.") from None
    if column.kind in TEXTUAL | {Kind.GUID, Kind.LOOKUP, Kind.DATETIME, Kind.DATE}:
        return found
    return [int(each) if isinstance(each, str) and each.isdigit() else each for each in found]


def _property(store: Store, table: Table, name: str) -> tuple[int | None, Column, Getter]:
    """Find a column of the table, or of a row that one of its lookups names."""
    nav, slash, rest = name.partition("/")
    if not slash:
        at = position(table, name)
        return at, table.columns[at], lambda row: row[at]
    through = table.navs.get(nav)
    target = store.tables.get(table.columns[through].target or "") if through is not None else None
    if target is None or through is None:
        raise unknown(table, nav)
    inner = position(target.table, rest)
    by_key = target.by_key

    def follow(row: Row) -> object:
        other = by_key.get(row[through])  # type: ignore[call-overload]  # a key or None
        return other[inner] if other else None

    return None, target.table.columns[inner], follow


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


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _compare(getter: Getter, operator: str, value: object) -> Test:
    match operator:
        case "eq":
            return lambda row: _folded(getter(row)) == value
        case "ne":  # as the platform does it: an empty column differs from every value
            return lambda row: _folded(getter(row)) != value
        case _:
            return lambda row: _ordered(operator, _folded(getter(row)), value)


def _ordered(operator: str, left: object, right: object) -> bool:
    if left is None or right is None:
        return False
    above: bool = left > right  # type: ignore[operator]  # both of one column's type
    match operator:
        case "gt":
            return above
        case "ge":
            return above or left == right
        case "lt":
            return not above and left != right
        case _:
            return not above


def _has(test: Callable[[str, str], bool], value: object, part: object) -> bool:
    return isinstance(value, str) and isinstance(part, str) and test(value.casefold(), part)


def _within(rows: Rows, at: int, values: Iterable[str]) -> frozenset[str] | None:
    if at == 0:
        return frozenset(value for value in values if value in rows.by_key)
    keys: set[str] = set()
    for value in values:
        found = rows.referring(at, value)
        if found is None:
            return None
        keys.update(found)
        if len(keys) > FEW:
            return None
    return frozenset(keys)


def _both(left: Filter, right: Filter) -> Filter:
    known = [each.within for each in (left, right) if each.within is not None]
    one, other = left.test, right.test
    return Filter(lambda row: one(row) and other(row), min(known, key=len) if known else None)


def _either(left: Filter, right: Filter) -> Filter:
    one, other = left.test, right.test
    within = None
    if left.within is not None and right.within is not None:
        within = left.within | right.within
    return Filter(lambda row: one(row) or other(row), within)

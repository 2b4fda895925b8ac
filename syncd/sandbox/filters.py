"""`$filter`: from its text to a test of a row, and to the few rows worth testing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from syncd.sandbox import errors
from syncd.sandbox.columns import TEXTUAL, Column
from syncd.sandbox.literals import checked, constant, folded, position, tokens, unknown, values
from syncd.sandbox.relationships import Pairing, children, partners, target, to_many, to_one
from syncd.sandbox.store import Row, Rows, Store

__all__ = ["Filter", "everything", "parse", "position"]

Test = Callable[[Row], bool]
Getter = Callable[[Row], object]

FEW = 5000
"""More candidates than these are not worth collecting: the table is walked instead."""
COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
NAMESPACE = "Microsoft.Dynamics.CRM."
SETS = frozenset({"In", "NotIn"})
RANGES = frozenset({"Between", "NotBetween"})
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
    reader = _Reader(store, rows, _Words(tokens(text), aliases))
    found = reader.any_of()
    if reader.ahead() is not None:
        raise errors.query(f"Syntax error in $filter near '{reader.ahead()}'.")
    return found


class _Words:
    """The tokens of a filter, where reading stands, and what the aliases stand for."""

    def __init__(self, words: list[tuple[str, str]], aliases: Mapping[str, str]) -> None:
        self.words = words
        self.aliases = aliases
        self.at = 0

    def ahead(self) -> str | None:
        return self.words[self.at][1] if self.at < len(self.words) else None

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.words):
            raise errors.query("Expression expected at the end of $filter.")
        self.at += 1
        return self.words[self.at - 1]

    def expect(self, sign: str) -> None:
        found = self.next()[1]
        if found != sign:
            raise errors.query(f"'{sign}' expected in $filter, found '{found}'.")


class _Reader:
    """
    Recursive descent: or, and, not, parentheses, comparisons, functions, any and all.

    Inside of `any(o:…)` the properties belong to `o`, which is `variable` then.
    """

    def __init__(self, store: Store, rows: Rows, words: _Words, variable: str = "") -> None:
        self._store = store
        self._rows = rows
        self._words = words
        self._variable = variable

    def ahead(self) -> str | None:
        """Return the text of the next token, or None at the end."""
        return self._words.ahead()

    def any_of(self) -> Filter:
        """Read terms joined by `or`."""
        found = self._all_of()
        while self.ahead() == "or":
            self._words.next()
            found = _either(found, self._all_of())
        return found

    def _all_of(self) -> Filter:
        found = self._single()
        while self.ahead() == "and":
            self._words.next()
            found = _both(found, self._single())
        return found

    def _single(self) -> Filter:
        kind, text = self._words.next()
        if text == "not":
            inner = self._single().test
            return Filter(lambda row: not inner(row))
        if text == "(":
            inner_filter = self.any_of()
            self._words.expect(")")
            return inner_filter
        if kind != "name":
            raise errors.query(f"A property or function is expected in $filter, not '{text}'.")
        if self.ahead() == "(":
            nav, slash, word = text.rpartition("/")
            if slash and word in {"any", "all"}:
                return self._lambda(nav, word)
            return self._function(text)
        return self._comparison(text)

    def _comparison(self, name: str) -> Filter:
        at, column, getter = self._property(name)
        operator = self._words.next()[1]
        if operator not in COMPARISONS:
            raise errors.query(f"'{operator}' is no comparison that $filter offers.")
        other = self._column()
        if other is not None:
            return Filter(lambda row: _compare(getter, operator, folded(other(row)))(row))
        value = self._literal(column)
        found = Filter(_compare(getter, operator, value))
        if operator == "eq" and at is not None and isinstance(value, str):
            return Filter(found.test, _within(self._rows, at, (value,)))
        return found

    def _column(self) -> Getter | None:
        """Read a column at the right side of a comparison, if that is what stands there."""
        name = self._words.ahead()
        if name is None or self._words.words[self._words.at][0] != "name":
            return None
        if name in {"null", "true", "false"}:
            return None
        self._words.next()
        return self._property(name)[2]

    def _lambda(self, nav: str, word: str) -> Filter:
        """Read `nav/any(o:…)`, `nav/all(o:…)` or `nav/any()`."""
        many = to_many(self._rows.table.name, self._without_variable(nav))
        if many is None:
            raise unknown(self._rows.table, nav)
        table, store = self._rows.table.name, self._store
        there = many.tables[many.other(table)] if isinstance(many, Pairing) else many.child
        self._words.expect("(")
        test: Test = everything
        if self.ahead() != ")":
            variable = self._words.next()[1]
            self._words.expect(":")
            test = _Reader(store, store.tables[there], self._words, variable).any_of().test
        self._words.expect(")")

        def related(row: Row) -> Iterable[Row]:
            if isinstance(many, Pairing):
                return partners(store, many, table, str(row[0]))
            return children(store, many, str(row[0]))

        if word == "any":
            if not isinstance(many, Pairing):
                within = _parents(store, many.child, many.at, test)
                return Filter(lambda row: row[0] in within, within)
            return Filter(lambda row: any(test(other) for other in related(row)))
        return Filter(lambda row: all(test(other) for other in related(row)))

    def _function(self, name: str) -> Filter:
        self._words.expect("(")
        short = name.removeprefix(NAMESPACE)
        if short != name and short in SETS | RANGES:
            return self._several(short)
        if name not in TEXT_TESTS:
            raise errors.query(f"The function '{name}' is not supported in $filter.")
        _, column, getter = self._property(self._words.next()[1])
        if column.kind not in TEXTUAL:
            raise errors.query(f"'{name}' needs a text; '{column.read}' is none.")
        self._words.expect(",")
        part = self._literal(column)
        self._words.expect(")")
        test = TEXT_TESTS[name]
        return Filter(lambda row: _has(test, getter(row), part))

    def _several(self, name: str) -> Filter:
        """Read a query function of a property and a list of values."""
        named: dict[str, str] = {}
        for sign in (",", ")"):
            parameter = self._words.next()[1]
            self._words.expect("=")
            kind, text = self._words.next()
            named[parameter] = self._words.aliases.get(text, "") if kind == "alias" else text
            self._words.expect(sign)
        if named.keys() != {"PropertyName", "PropertyValues"}:
            raise errors.query(f"{NAMESPACE}{name} takes PropertyName and PropertyValues.")
        at, column, getter = self._property(named["PropertyName"].strip("'"))
        wanted = [folded(checked(column, each)) for each in values(named["PropertyValues"], column)]
        if name in RANGES:
            return _between(getter, wanted, inside=name == "Between")
        chosen = frozenset(wanted)
        if name == "NotIn":
            return Filter(lambda row: folded(getter(row)) not in chosen)
        found = Filter(lambda row: folded(getter(row)) in chosen)
        if at is None:
            return found
        return Filter(found.test, _within(self._rows, at, (str(each) for each in chosen)))

    def _literal(self, column: Column) -> object:
        kind, text = self._words.next()
        if kind == "alias":
            if text not in self._words.aliases:
                raise errors.query(f"The parameter alias '{text}' has no value.")
            found = tokens(self._words.aliases[text])
            kind, text = found[0] if found else ("", "")
        return folded(checked(column, constant(kind, text, column)))

    def _without_variable(self, name: str) -> str:
        if not self._variable:
            return name
        variable, slash, rest = name.partition("/")
        if variable != self._variable or not slash:
            raise errors.query(f"'{name}' does not belong to '{self._variable}' in $filter.")
        return rest

    def _property(self, name: str) -> tuple[int | None, Column, Getter]:
        """Find a column of the table, or of a row that its lookups lead to."""
        *path, last = self._without_variable(name).split("/")
        table = self._rows.table
        if not path:
            at = position(table, last)
            return at, table.columns[at], lambda row: row[at]
        steps = []
        for nav in path:
            link = to_one(table.name, nav)
            if link is None:
                raise unknown(table, nav)
            steps.append(link)
            table = self._store.tables[link.parent].table
        inner, store = position(table, last), self._store

        def follow(row: Row) -> object:
            found: Row | None = row
            for link in steps:
                found = None if found is None else target(store, link, found)
            return None if found is None else found[inner]

        return None, table.columns[inner], follow


def _parents(store: Store, child: str, at: int, test: Test) -> frozenset[str]:
    """Return the keys that children which pass a test point at."""
    found = (row[at] for row in store.tables[child].by_key.values() if test(row))
    return frozenset(key for key in found if isinstance(key, str))


def _between(getter: Getter, wanted: list[object], *, inside: bool) -> Filter:
    low_and_high = 2
    if len(wanted) != low_and_high:
        raise errors.query("Between takes two values.")
    low, high = wanted

    def test(row: Row) -> bool:
        value = folded(getter(row))
        return _ordered("ge", value, low) and _ordered("le", value, high)

    if inside:
        return Filter(test)
    return Filter(lambda row: getter(row) is not None and not test(row))


def _compare(getter: Getter, operator: str, value: object) -> Test:
    match operator:
        case "eq":
            return lambda row: folded(getter(row)) == value
        case "ne":  # as the platform does it: an empty column differs from every value
            return lambda row: folded(getter(row)) != value
        case _:
            return lambda row: _ordered(operator, folded(getter(row)), value)


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

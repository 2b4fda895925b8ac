"""`?sql=`: one SELECT of one table, as the preview takes it (dataverse-web-api.md section 1.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.columns import Table
from syncd.sandbox.conditions import column_at, condition
from syncd.sandbox.ordering import sort_rows, start
from syncd.sandbox.query import PAGE, Cookie, Order, read_cookie, write_cookie
from syncd.sandbox.shapes import encode
from syncd.sandbox.store import Row, Rows

__all__ = ["select"]

Test = Callable[[Row], bool]

TOKEN = re.compile(
    r"\s*(?:N?'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+(?:\.\d+)?)"
    r"|\[(?P<quoted>\w+)\]|(?P<name>[A-Za-z_]\w*)|(?P<sign><>|!=|<=|>=|[=<>(),.*;]))"
)
SIGNS = {"=": "eq", "<>": "ne", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
WORDS = frozenset({
    "select", "top", "distinct", "from", "as", "where", "order", "by", "and", "or", "not",
    "like", "in", "is", "null", "between", "asc", "desc", "count",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statement:
    """What a SELECT asks for; `count` is the name of COUNT(*), if that is all it wants."""

    columns: tuple[int, ...] | None
    count: str | None
    top: int | None
    test: Test
    order: tuple[Order, ...]


def select(rows: Rows, text: str, token: str | None, base: str, link: str) -> bytes:
    """
    Return the JSON of what a statement finds, a page of it, and the link to the next.

    `token` is the `$skiptoken` of a later page, and `link` what its address repeats. Raises
    Refused for any statement but a SELECT of this table, and for columns that it does not have.
    """
    asked = _Reader(rows.table, text).statement()
    found = [row for row in rows.index.after(None) if asked.test(row)]
    context = f"{base}/$metadata#{rows.table.set_name}"
    if asked.count is not None:
        value = [{asked.count: len(found)}]
        return msgspec.json.encode({"@odata.context": context, "value": value})
    sort_rows(found, asked.order)
    found = found[: asked.top]
    cookie = read_cookie(token)
    if cookie is not None:
        keys = [str(row[0]) for row in found]
        found = found[start(keys, rows, asked.order, cookie) :]
    shown = found[:PAGE]
    parts = [b'{"@odata.context":', msgspec.json.encode(context), b',"value":']
    parts.append(encode(rows.table, asked.columns, shown))
    if len(found) > PAGE:
        last, page = shown[-1], cookie.page + 1 if cookie else 2
        onward = write_cookie(Cookie(page, str(last[0]), [last[each.at] for each in asked.order]))
        address = f"{base}/{rows.table.set_name}?{link}&$skiptoken={onward}"
        parts += [b',"@odata.nextLink":', msgspec.json.encode(address)]
    return b"".join((*parts, b"}"))


class _Reader:
    """Recursive descent over one statement."""

    def __init__(self, table: Table, text: str) -> None:
        self._table = table
        self._tokens = _tokens(text)
        self._at = 0
        self._alias = table.name

    def statement(self) -> Statement:
        """Read the statement to its end."""
        self._word("select")
        top = None
        self._skips("distinct")
        if self._skips("top"):
            top = int(self._next("number"))
        begin = self._at
        self._pass_columns()
        self._word("from")
        name = self._name()
        if name.lower() != self._table.name:
            raise _wrong(f"The table '{name}' is not the one of '{self._table.set_name}'.")
        if self._skips("as") or self._ahead()[0] == "name":
            self._alias = self._name()
        end, self._at = self._at, begin
        columns, count = self._columns()
        self._at = end
        test: Test = lambda _row: True  # noqa: E731  # the statement may narrow it
        if self._skips("where"):
            test = self._any_of()
        order = self._order() if self._skips("order") else ()
        self._skips(";")
        if self._ahead()[0]:
            raise _wrong(f"'{self._ahead()[1]}' is not understood.")
        return Statement(columns, count, top, test, order)

    def _pass_columns(self) -> None:
        """Go to FROM: what a column's prefix means is known behind it."""
        while self._ahead() != ("word", "from"):
            if not self._ahead()[0]:
                raise _wrong("FROM is expected.")
            self._at += 1

    def _columns(self) -> tuple[tuple[int, ...] | None, str | None]:
        if self._skips("*"):
            return None, None
        if self._skips("count"):
            for sign in "(*)":
                self._word(sign)
            named = self._skips("as") or self._ahead()[0] == "name"
            return (0,), self._name() if named else "count"
        found = [self._column()]
        while self._skips(","):
            found.append(self._column())
        self._word("from")
        return tuple(dict.fromkeys([*found, 0])), None

    def _column(self) -> int:
        name = self._name()
        if self._skips("."):
            if name.lower() not in {self._alias.lower(), self._table.name}:
                raise _wrong(f"There is no table '{name}'.")
            name = self._name()
        return column_at(self._table, name)

    def _order(self) -> tuple[Order, ...]:
        self._word("by")
        found = []
        while True:
            at = self._column()
            descending = self._skips("desc")
            if not descending:
                self._skips("asc")
            found.append(Order(at, descending))
            if not self._skips(","):
                return tuple(found)

    def _any_of(self) -> Test:
        tests = [self._all_of()]
        while self._skips("or"):
            tests.append(self._all_of())
        return lambda row: any(test(row) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._single()]
        while self._skips("and"):
            tests.append(self._single())
        return lambda row: all(test(row) for test in tests)

    def _single(self) -> Test:
        if self._skips("not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._skips("("):
            test = self._any_of()
            self._word(")")
            return test
        at = self._column()
        operator, values = self._comparison()
        holds = condition(self._table.columns[at], operator, values)
        return lambda row: holds(row[at])

    def _comparison(self) -> tuple[str, list[str]]:
        if self._skips("is"):
            operator = "not-null" if self._skips("not") else "null"
            self._word("null")
            return operator, []
        prefix = "not-" if self._skips("not") else ""
        if self._skips("like"):
            return f"{prefix}like", [self._value()]
        if self._skips("between"):
            low = self._value()
            self._word("and")
            return f"{prefix}between", [low, self._value()]
        if self._skips("in"):
            self._word("(")
            values = [self._value()]
            while self._skips(","):
                values.append(self._value())
            self._word(")")
            return f"{prefix}in", values
        kind, sign = self._ahead()
        if kind != "word" or sign not in SIGNS:
            raise _wrong(f"A comparison is expected, not '{sign}'.")
        self._at += 1
        return SIGNS[sign], [self._value()]

    def _ahead(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "the end")

    def _skips(self, word: str) -> bool:
        """Go past a word or sign if it stands here, and say whether it did."""
        found = self._ahead() == ("word", word)
        self._at += found
        return found

    def _word(self, word: str) -> None:
        if not self._skips(word):
            raise _wrong(f"{word.upper()} is expected, not '{self._ahead()[1]}'.")

    def _next(self, *kinds: str) -> str:
        kind, text = self._ahead()
        if kind not in kinds:
            raise _wrong(f"'{text}' is not expected there.")
        self._at += 1
        return text

    def _name(self) -> str:
        return self._next("name")

    def _value(self) -> str:
        return self._next("text", "number")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, stripped = [], 0, text.rstrip()
    while at < len(stripped):
        match = TOKEN.match(stripped, at)
        if match is None or match.lastgroup is None:
            raise _wrong(f"Nothing is understood at position {at}.")
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "text":
            value = value.replace("''", "'")
        elif kind == "quoted":
            kind = "name"
        elif kind == "sign" or value.lower() in WORDS:
            kind, value = "word", value.lower()
        found.append((kind, value))
        at = match.end()
    return found


def _wrong(message: str) -> errors.Refused:
    return errors.argument(f"The SQL statement cannot be read: {message}")

"""What a read finds behind a row: a column, another row, a collection, references to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from syncd.sandbox import errors, shapes
from syncd.sandbox.answers import JSON, Answer, Call
from syncd.sandbox.columns import Kind
from syncd.sandbox.query import read_preferences
from syncd.sandbox.reads import Reader, Scope
from syncd.sandbox.registrations import application_user
from syncd.sandbox.relationships import Link, Pairing, target, to_many, to_one
from syncd.sandbox.shorthand import CALLER
from syncd.sandbox.showing import related
from syncd.sandbox.store import Rows, Store
from syncd.sandbox.values import guid

__all__ = ["Retrieval"]

STEP = re.compile(r"(?P<name>\$?\w+)(?:\((?P<key>[^()]*)\))?(?:/(?P<rest>.+))?")
FOUND = {"OData-Version": "4.0", "Content-Type": JSON}
TEXT = {"OData-Version": "4.0", "Content-Type": "text/plain"}
EMPTY = Answer(204, {"OData-Version": "4.0"})


class Retrieval:
    """Answers reads that go on behind a set or a row. Whoever calls holds the lock."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self._application_user = Rows(store.tables["systemuser"].table)
        self._application_user.fill({CALLER: application_user()})

    def rows_with(self, rows: Rows, key: str) -> Rows:
        """Return rows that hold a key: these, or the application user's. Raises Refused if none."""
        if key in rows.by_key:
            return rows
        if key == CALLER and rows.table is self._application_user.table:
            return self._application_user
        raise errors.absent(rows.table.name, key)

    def of_set(self, call: Call, rows: Rows, rest: str) -> Answer:
        """Answer `set/$ref`, the references to its rows. Raises Refused for anything else."""
        if rest != "$ref":
            raise errors.segment(rest)
        return self._references(call, rows, sorted(rows.by_key))

    def of_row(self, call: Call, rows: Rows, key: str, rest: str) -> Answer:
        """Answer what follows the address of a row that is there. Raises Refused as reads do."""
        match = STEP.fullmatch(rest)
        if match is None:
            raise errors.segment(rest)
        name, onward = match["name"], match["rest"]
        if name == "$ref" and onward is None:
            return self._reference(call, rows, key)
        single, many = to_one(rows.table.name, name), to_many(rows.table.name, name)
        if single is not None and match["key"] is None:
            return self._single(call, rows, key, single, onward)
        if many is not None:
            return self._many(call, rows, key, many, match)
        if match["key"] is None and onward in {None, "$value"}:
            return self._value(call, rows, key, name, raw=onward is not None)
        raise errors.segment(name)

    def row(self, call: Call, rows: Rows, key: str) -> Answer:
        """Answer a row that is there; 304 if the caller has it as it is."""
        wanted = read_preferences(call.headers).get("odata.include-annotations")
        tag = shapes.etag(rows.table, rows.by_key[key])
        if call.headers.get("if-none-match") == tag and not wanted and "$expand" not in call.query:
            return Answer(304, {"OData-Version": "4.0", "ETag": tag})
        content = self._reader.one(rows, key, call.query, call.base, wanted)
        applied = {"Preference-Applied": f'odata.include-annotations="{wanted}"'} if wanted else {}
        return Answer(200, FOUND | {"ETag": tag} | applied, content)

    def _single(self, call: Call, rows: Rows, key: str, link: Link, onward: str | None) -> Answer:
        other = target(self._store, link, rows.by_key[key])
        if other is None:
            if onward in {None, "$ref"}:
                return EMPTY
            raise errors.absent(link.parent, str(rows.by_key[key][link.at]))
        there = self._store.tables[link.parent]
        if onward is None:
            return self.row(call, there, str(other[0]))
        return self.of_row(call, there, str(other[0]), onward)

    def _many(
        self, call: Call, rows: Rows, key: str, relation: Link | Pairing, match: re.Match[str]
    ) -> Answer:
        table = rows.table
        name = (
            relation.tables[relation.other(table.name)]
            if isinstance(relation, Pairing)
            else relation.child
        )
        there = self._store.tables[name]
        found = related(self._store, table, relation, key)
        keys = [str(row[0]) for row in found]
        if match["key"] is not None:
            one = guid(match["key"])
            if one not in keys:
                raise errors.absent(name, match["key"])
            onward = match["rest"]
            return self.of_row(call, there, one, onward) if onward else self.row(call, there, one)
        scope = Scope(f"{table.set_name}({key})/{match['name']}", frozenset(keys))
        match match["rest"]:
            case None:
                preferences = read_preferences(call.headers)
                content = self._reader.page(there, call.query, call.base, preferences, scope)
                return Answer(200, FOUND, content)
            case "$count":
                text = f"\ufeff{self._reader.count(there, call.query, scope)}"
                return Answer(200, TEXT, text.encode())
            case "$ref":
                return self._references(call, there, keys)
        raise errors.segment(str(match["rest"]))

    def _reference(self, call: Call, rows: Rows, key: str) -> Answer:
        address = f"{call.base}/{rows.table.set_name}({key})"
        return _json({"@odata.context": f"{call.base}/$metadata#$ref", "@odata.id": address})

    def _references(self, call: Call, rows: Rows, keys: Iterable[str]) -> Answer:
        address = f"{call.base}/{rows.table.set_name}"
        value = [{"@odata.id": f"{address}({key})"} for key in keys]
        return _json({"@odata.context": f"{call.base}/$metadata#Collection($ref)", "value": value})

    def _value(self, call: Call, rows: Rows, key: str, name: str, *, raw: bool) -> Answer:
        table = rows.table
        at = table.positions.get(name)
        if at is None:
            raise errors.segment(name)
        value = rows.by_key[key][at]
        if value is None:
            return EMPTY
        if raw:
            text = str(value).lower() if table.columns[at].kind is Kind.BOOLEAN else str(value)
            return Answer(200, TEXT, text.encode())
        context = f"{call.base}/$metadata#{table.set_name}({key})/{name}"
        return _json({"@odata.context": context, "value": value})


def _json(content: Mapping[str, object]) -> Answer:
    return Answer(200, FOUND, msgspec.json.encode(content))

"""`?fetchXml=`: the older query language, as the Web API takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import quoteattr

import msgspec

from syncd.sandbox import errors
from syncd.sandbox.aggregate import MOST
from syncd.sandbox.columns import Table
from syncd.sandbox.conditions import column_at, condition
from syncd.sandbox.ordering import rank
from syncd.sandbox.query import PAGE, page_size
from syncd.sandbox.shapes import etag
from syncd.sandbox.showing import Wants, annotated, wishes
from syncd.sandbox.store import Row, Rows, Store
from syncd.sandbox.tables import TABLES

__all__ = ["fetch"]

COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "Microsoft.Dynamics.CRM.morerecords"
TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"
EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"

Joined = Mapping[str, Row | None]
"""A row of the result: by the alias of each entity its row; the main entity's alias is empty."""
Test = Callable[[Joined], bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """One attribute of the result: whose, which column, its name, and what is computed of it."""

    entity: str
    at: int
    name: str
    aggregate: str | None
    group: bool
    distinct: bool


class _Fetch:
    """Reads one query and finds what it asks for."""

    def __init__(self, store: Store, rows: Rows, root: Element) -> None:
        self._store = store
        self._root = root
        entity = root.find("entity")
        if root.tag != "fetch" or entity is None:
            raise errors.argument("FetchXML is a fetch element with an entity in it.")
        if entity.get("name") != rows.table.name:
            raise errors.argument(
                f"The entity '{entity.get('name')}' is not the one of '{rows.table.set_name}'."
            )
        self._entity = entity
        self.ordered = entity.find("order") is not None
        self.rows = rows
        self.tables: dict[str, Table] = {"": rows.table}
        self._name_tables(entity)
        self.shown = list(self._attributes(entity, ""))
        self.aggregate = root.get("aggregate") == "true"
        self.distinct = root.get("distinct") == "true"

    def _name_tables(self, parent: Element) -> None:
        for link in parent.findall("link-entity"):
            table = TABLES.get(link.get("name", ""))
            if table is None:
                raise errors.Refused(
                    400, "0x80041102", f"The entity with a name = '{link.get('name')}' is unknown."
                )
            link.set("alias", link.get("alias") or f"{table.name}{len(self.tables)}")
            self.tables[link.get("alias", "")] = table
            self._name_tables(link)

    def _attributes(self, parent: Element, alias: str) -> Iterator[Shown]:
        table = self.tables[alias]
        if parent.find("all-attributes") is not None:
            for at in range(len(table.columns)):
                yield self._attribute(Element("attribute", name=table.columns[at].name), alias)
        for element in parent.findall("attribute"):
            yield self._attribute(element, alias)
        for link in parent.findall("link-entity"):
            yield from self._attributes(link, link.get("alias", ""))

    def _attribute(self, element: Element, alias: str) -> Shown:
        table = self.tables[alias]
        at = column_at(table, element.get("name", ""))
        usual = f"{alias}.{table.columns[at].name}" if alias else table.columns[at].read
        return Shown(
            alias, at, element.get("alias") or usual, element.get("aggregate"),
            element.get("groupby") == "true", element.get("distinct") == "true",
        )  # fmt: skip

    def found(self) -> list[Joined]:
        """Return all joined rows that pass, in order."""
        test = self._filter(self._entity, "")
        joined: Iterator[Joined] = ({"": row} for row in self.rows.index.after(None))
        for link in self._entity.findall("link-entity"):
            joined = self._link(joined, link, "")
        found = [each for each in joined if test(each)]
        if not self.aggregate:
            for order in reversed(self._entity.findall("order")):
                self._sort(found, order)
        return found

    def _sort(self, found: list[Joined], order: Element) -> None:
        alias = order.get("entityname", "")
        at = column_at(self._table(alias), order.get("attribute", ""))

        def by(joined: Joined) -> tuple[bool, str]:
            row = joined[alias]
            return rank(None if row is None else row[at])

        found.sort(key=by, reverse=order.get("descending") in {"true", "1"})

    def _table(self, alias: str) -> Table:
        if alias not in self.tables:
            raise errors.argument(f"There is no link-entity with the alias '{alias[:40]}'.")
        return self.tables[alias]

    def _link(self, joined: Iterator[Joined], link: Element, parent: str) -> Iterator[Joined]:
        """Join one more table, inner or outer, and those that are linked to it."""
        alias = link.get("alias", "")
        table = self.tables[alias]
        here = column_at(table, link.get("from") or table.key)
        there = column_at(self.tables[parent], link.get("to") or self.tables[parent].key)
        outer = link.get("link-type", "inner") == "outer"
        test = self._filter(link, alias)
        partners: dict[object, list[Row]] = {}
        for row in self._store.tables[table.name].index.after(None):
            if row[here] is not None and test({alias: row}):
                partners.setdefault(row[here], []).append(row)

        def join() -> Iterator[Joined]:
            for each in joined:
                parent_row = each[parent]
                value = None if parent_row is None else parent_row[there]
                matching: Sequence[Row | None] = partners.get(value, ())
                for row in matching or ((None,) if outer else ()):
                    yield {**each, alias: row}

        found = join()
        for inner in link.findall("link-entity"):
            found = self._link(found, inner, alias)
        return found

    def _filter(self, parent: Element, alias: str) -> Test:
        tests = [self._group(each, alias) for each in parent.findall("filter")]
        return lambda joined: all(test(joined) for test in tests)

    def _group(self, group: Element, alias: str) -> Test:
        tests = [self._condition(each, alias) for each in group.findall("condition")]
        tests += [self._group(each, alias) for each in group.findall("filter")]
        if group.get("type", "and") == "or":
            return lambda joined: any(test(joined) for test in tests)
        return lambda joined: all(test(joined) for test in tests)

    def _condition(self, element: Element, alias: str) -> Test:
        whose = element.get("entityname", alias)
        table = self._table(whose)
        at = column_at(table, element.get("attribute", ""))
        values = [each.text or "" for each in element.findall("value")]
        if "value" in element.attrib:
            values.append(element.attrib["value"])
        test = condition(table.columns[at], element.get("operator", ""), values)

        def passes(joined: Joined) -> bool:
            row = joined.get(whose)
            return test(None if row is None else row[at])

        return passes


def fetch(store: Store, rows: Rows, text: str, base: str, preferences: Mapping[str, str]) -> bytes:
    """
    Return the JSON of what a query finds.

    Raises Refused: XML that cannot be read, entities, attributes, operators and values that are
    not there, `top` together with a page, an aggregate over more than 50,000 rows.
    """
    if "<!" in text:
        raise errors.argument("FetchXML takes no declarations.")
    try:
        root = fromstring(text)  # noqa: S314  # it has no declarations
    except ParseError as error:
        raise errors.argument(f"The FetchXML cannot be read: {error}.") from None
    query = _Fetch(store, rows, root)
    wants = wishes(preferences.get("odata.include-annotations"))
    found = query.found()
    context = f"{base}/$metadata#{rows.table.set_name}"
    answer: dict[str, Any] = {"@odata.context": context}
    if query.aggregate:
        return msgspec.json.encode({**answer, "value": _aggregated(query, found, root)})
    shown, last, more = _page(query, found, root, preferences)
    if root.get("returntotalrecordcount") == "true":
        answer[f"@{TOTAL}"] = min(len(found), PAGE)
        answer[f"@{EXCEEDED}"] = len(found) > PAGE
    if more and wants(COOKIE):
        answer[f"@{COOKIE}"] = _cookie(rows.table, shown, last)
    if wants(MORE):
        answer[f"@{MORE}"] = more
    value = [_row(store, query, joined, wants) for joined in shown]
    if query.distinct:
        value = [each for at, each in enumerate(value) if each not in value[:at]]
    return msgspec.json.encode({**answer, "value": value})


def _page(
    query: _Fetch, found: list[Joined], root: Element, preferences: Mapping[str, str]
) -> tuple[list[Joined], int, bool]:
    """Return the rows of a page, its number, and whether there are more."""
    top, page = root.get("top"), _number(root, "page", 1)
    if top is not None:
        if "page" in root.attrib or "count" in root.attrib:
            raise errors.argument("The top attribute can't be specified with paging attributes.")
        return found[: _number(root, "top", PAGE)], 1, False
    size = min(PAGE, _number(root, "count", page_size(preferences) or PAGE))
    begin = (page - 1) * size
    after = _last_key(root.get("paging-cookie"))
    if after is not None and len(query.tables) == 1 and not query.ordered:
        found = [each for each in found if str((each[""] or ("",))[0]) > after]
        begin = 0
    return found[begin : begin + size], page, len(found) > begin + size


def _number(root: Element, name: str, default: int) -> int:
    text = root.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise errors.argument(f"'{text[:40]}' is no value for {name}: a whole number from 1 is.")
    return int(text)


def _cookie(table: Table, shown: Sequence[Joined], page: int) -> str:
    keys = [str((joined[""] or ("",))[0]).upper() for joined in (shown[-1], shown[0])]
    inner = (
        f'<cookie page="{page}"><{table.key} last={quoteattr(f"{{{keys[0]}}}")} '
        f"first={quoteattr(f'{{{keys[1]}}}')} /></cookie>"
    )
    encoded = quote(quote(inner, safe=""), safe="")
    return f'<cookie pagenumber="{page + 1}" pagingcookie="{encoded}" istracking="False" />'


def _last_key(cookie: str | None) -> str | None:
    """Return the key that a paging cookie ends with, decoded or not. Raises Refused for others."""
    if not cookie:
        return None
    text = unquote(unquote(cookie))
    try:
        inner = fromstring(text)  # noqa: S314  # an attribute of what was checked
        return inner[0].attrib["last"].strip("{}").lower()
    except (ParseError, IndexError, KeyError):
        raise errors.argument("The paging cookie is malformed.") from None


def _row(store: Store, query: _Fetch, joined: Joined, wants: Wants) -> dict[str, Any]:
    main = joined[""]
    assert main is not None  # noqa: S101  # only linked rows may be missing
    table = query.rows.table
    own = [each for each in query.shown if not each.entity]
    select = tuple(dict.fromkeys([*(each.at for each in own), 0]))
    shown = annotated(store, table, select if query.shown else None, main, wants)
    for each in own:
        read = table.columns[each.at].read
        if each.name != read:
            shown[each.name] = main[each.at]
    for each in query.shown:
        row = joined.get(each.entity) if each.entity else None
        if row is None:
            continue
        there = query.tables[each.entity]
        read = there.columns[each.at].read
        for name, value in annotated(store, there, (each.at,), row, wants).items():
            if name.startswith(read) and value is not None:
                shown[each.name + name.removeprefix(read)] = value
    return shown | {"@odata.etag": etag(table, main)}


def _aggregated(query: _Fetch, found: Sequence[Joined], root: Element) -> list[dict[str, Any]]:
    if len(found) > MOST:
        raise errors.Refused(
            400, "0x8004e023", "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
        )
    groups = [each for each in query.shown if each.group]
    members: dict[tuple[object, ...], list[Joined]] = {} if groups else {(): list(found)}
    for joined in found if groups else ():
        key = tuple(_of(joined, each) for each in groups)
        members.setdefault(key, []).append(joined)
    value = [
        dict(zip((each.name for each in groups), key, strict=True))
        | {each.name: _computed(each, inside) for each in query.shown if not each.group}
        for key, inside in members.items()
    ]
    for order in reversed(root.findall("entity/order")):
        name = order.get("alias", "")
        if value and name not in value[0]:
            raise errors.argument(f"'{name[:40]}' is no alias of the result.")
        value.sort(key=_by(name), reverse=order.get("descending") in {"true", "1"})
    return list(islice(value, _number(root, "top", PAGE)))


def _by(name: str) -> Callable[[dict[str, Any]], tuple[bool, str]]:
    return lambda row: rank(row[name])


def _of(joined: Joined, shown: Shown) -> object:
    row = joined[shown.entity]
    return None if row is None else row[shown.at]


def _computed(shown: Shown, inside: Sequence[Joined]) -> object:
    values: list[Any] = [_of(joined, shown) for joined in inside]
    known = [each for each in values if each is not None]
    if shown.distinct:
        known = list(dict.fromkeys(known))
    match shown.aggregate:
        case "count":
            return len(values)
        case "countcolumn":
            return len(known)
        case "sum":
            return sum(known)
        case "avg":
            return sum(known) / len(known) if known else None
        case "min":
            return min(known, key=rank, default=None)
        case "max":
            return max(known, key=rank, default=None)
    raise errors.argument("An attribute of an aggregate needs aggregate or groupby.")

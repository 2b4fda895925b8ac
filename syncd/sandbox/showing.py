"""Rows with what is shown beside their values: annotations, and rows that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from syncd.sandbox import errors
from syncd.sandbox.catalog import FACTS
from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.expansion import Expansion
from syncd.sandbox.filters import Filter, everything, parse
from syncd.sandbox.literals import unknown
from syncd.sandbox.ordering import sort_rows
from syncd.sandbox.query import PAGE, Cookie, Query, nested_options, write_cookie
from syncd.sandbox.relationships import Link, Pairing, children, partners, target, to_many, to_one
from syncd.sandbox.shapes import etag
from syncd.sandbox.store import Row, Store
from syncd.sandbox.tables import TABLES

__all__ = ["Branch", "Wants", "annotated", "branches", "related", "rendered", "wishes"]

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAV = "Microsoft.Dynamics.CRM.associatednavigationproperty"

NOON = 12

Wants = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Branch:
    """An expanded property, ready for many rows: where it leads, and what is shown there."""

    nav: str
    relation: Link | Pairing
    single: bool
    there: Table
    asked: Query
    chosen: Filter
    inner: tuple[Branch, ...]
    reference: bool


def wishes(patterns: str | None) -> Wants:
    """Return what says whether an annotation is wanted: names or patterns, comma between them."""
    wanted = [each.strip() for each in (patterns or "").split(",") if each.strip()]
    return lambda name: any(fnmatchcase(name, pattern) for pattern in wanted)


def branches(store: Store, table: Table, expansions: Sequence[Expansion]) -> tuple[Branch, ...]:
    """Prepare what is expanded. Raises Refused for a property that leads nowhere."""
    return tuple(_branch(store, table, each) for each in expansions)


def _branch(store: Store, table: Table, expansion: Expansion) -> Branch:
    single = to_one(table.name, expansion.nav)
    relation = single or to_many(table.name, expansion.nav)
    if relation is None or expansion.cast is not None:
        raise unknown(table, expansion.nav)
    there = TABLES[single.parent] if single is not None else TABLES[_far(table.name, relation)]
    if single is not None and expansion.options.keys() - {"$select", "$expand"}:
        raise errors.query(f"'{expansion.nav}' is one row: it takes $select and $expand only.")
    asked = nested_options(there, expansion.options)
    chosen = Filter(everything)
    if asked.filter_text is not None:
        chosen = parse(store, store.tables[there.name], asked.filter_text, {})
    inner = branches(store, there, asked.expand)
    return Branch(
        expansion.nav, relation, single is not None, there, asked, chosen, inner,
        expansion.reference,
    )  # fmt: skip


def _far(table: str, relation: Link | Pairing) -> str:
    if isinstance(relation, Pairing):
        return relation.tables[relation.other(table)]
    return relation.child


def related(store: Store, table: Table, relation: Link | Pairing, key: str) -> Iterable[Row]:
    """Return the rows that a collection of a row holds, in the order of their keys."""
    if isinstance(relation, Pairing):
        return partners(store, relation, table.name, key)
    return children(store, relation, key)


def rendered(
    store: Store, table: Table, asked: Query, row: Row, within: Sequence[Branch], wants: Wants,
    base: str,
) -> dict[str, object]:  # fmt: skip
    """Return a row with the annotations wanted and the branches expanded."""
    shown = annotated(store, table, asked.select, row, wants)
    for branch in within:
        shown |= _shown(store, table, branch, row, wants, base)
    return shown


def _shown(
    store: Store, table: Table, branch: Branch, row: Row, wants: Wants, base: str
) -> Mapping[str, object]:
    def one(other: Row) -> dict[str, object]:
        if branch.reference:
            return {"@odata.id": f"{base}/{branch.there.set_name}({other[0]})"}
        return rendered(store, branch.there, branch.asked, other, branch.inner, wants, base)

    if branch.single and isinstance(branch.relation, Link):
        other = target(store, branch.relation, row)
        return {branch.nav: None if other is None else one(other)}
    found = [
        other
        for other in related(store, table, branch.relation, str(row[0]))
        if branch.chosen.test(other)
    ]
    sort_rows(found, branch.asked.order)
    limit = PAGE if branch.asked.top is None else min(PAGE, branch.asked.top)
    shown: dict[str, object] = {}
    if branch.asked.count:
        shown[f"{branch.nav}@odata.count"] = min(len(found), PAGE)
    shown[branch.nav] = [one(other) for other in found[:limit]]
    if len(found) > limit and branch.asked.top is None:
        last = found[limit - 1]
        token = write_cookie(Cookie(2, str(last[0]), [last[o.at] for o in branch.asked.order]))
        address = f"{base}/{table.set_name}({row[0]})/{branch.nav}"
        rest = f"{branch.asked.rest}&" if branch.asked.rest else ""
        shown[f"{branch.nav}@odata.nextLink"] = f"{address}?{rest}$skiptoken={token}"
    return shown


def annotated(
    store: Store, table: Table, select: tuple[int, ...] | None, row: Row, wants: Wants
) -> dict[str, object]:
    """Return a row with the annotations that are wanted (dataverse-web-api.md section 1.2)."""
    shown: dict[str, object] = {"@odata.etag": etag(table, row)}
    for at in range(len(table.columns)) if select is None else select:
        column, value = table.columns[at], row[at]
        shown[column.read] = value
        if value is None:
            continue
        for name, text in _annotations(store, column, value):
            if text is not None and wants(name):
                shown[f"{column.read}@{name}"] = text
    return shown


def _annotations(store: Store, column: Column, value: object) -> Iterator[tuple[str, str | None]]:
    match column.kind:
        case Kind.LOOKUP:
            there = _target(store, column, str(value))
            yield FORMATTED, _label(store, there, str(value))
            yield LOOKUP_NAV, f"{column.name}_{there}" if column.targets else column.nav
            yield LOOKUP_TABLE, there
        case Kind.CHOICE | Kind.STATE | Kind.STATUS | Kind.BOOLEAN:
            yield FORMATTED, column.options.get(value)  # type: ignore[call-overload]  # an option
        case Kind.INTEGER | Kind.VERSION | Kind.DECIMAL:
            yield FORMATTED, f"{value:,}"
        case Kind.DATETIME | Kind.DATE:
            yield FORMATTED, _moment(str(value))
        case _:
            return


def _moment(value: str) -> str:
    """Return a date as the language of the sandbox writes it: 3/2/2026 6:00 AM."""
    year, month, day = value[:10].split("-")
    shown = f"{int(month)}/{int(day)}/{year}"
    if "T" not in value:
        return shown
    hour, minute = int(value[11:13]), value[14:16]
    half = "AM" if hour < NOON else "PM"
    return f"{shown} {hour % NOON or NOON}:{minute} {half}"


def _target(store: Store, column: Column, key: str) -> str | None:
    """Return the table of the row that a lookup names; of several the one that has it."""
    for name in column.targets:
        if key in store.tables[name].by_key:
            return name
    return column.targets[0] if column.targets else column.target


def _label(store: Store, name: str | None, key: str) -> str | None:
    """Return what a lookup's row is called."""
    target_table = TABLES.get(name or "")
    row = store.tables[target_table.name].by_key.get(key) if target_table else None
    if target_table is None or row is None:
        return None
    primary = FACTS[target_table.name].primary_name
    text = None if primary is None else row[target_table.positions[primary]]
    return text if isinstance(text, str) else None

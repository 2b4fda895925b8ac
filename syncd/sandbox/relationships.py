"""Which table refers to which: the relationships, as the lookups and intersections make them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from syncd.sandbox.catalog import RESTRICTED
from syncd.sandbox.columns import Column, Kind, Table
from syncd.sandbox.index import Row
from syncd.sandbox.store import Store
from syncd.sandbox.tables import TABLES

__all__ = [
    "Link",
    "Pairing",
    "children",
    "links",
    "pairings",
    "partners",
    "target",
    "to_many",
    "to_one",
]


@dataclass(frozen=True, slots=True)
class Link:
    """A 1:N relationship. `nav` leads from a child to its parent, `collection` back."""

    schema: str
    parent: str
    child: str
    at: int
    nav: str
    collection: str
    on_delete: str

    @property
    def column(self) -> Column:
        """The lookup that makes it."""
        return TABLES[self.child].columns[self.at]


@dataclass(frozen=True, slots=True)
class Pairing:
    """An N:N relationship: its intersection, and for both sides table, column and navigation."""

    schema: str
    intersect: str
    tables: tuple[str, str]
    at: tuple[int, int]
    navs: tuple[str, str]

    def other(self, table: str) -> int:
        """Return 0 or 1: the side that is not this table."""
        return 1 - self.tables.index(table)


PAIRINGS: Mapping[str, str] = {
    "teammembership": "teammembership_association",
    "systemuserroles": "systemuserroles_association",
}
"""The N:N relationship that an intersection stands for; both sides call it so."""


@cache
def links() -> Sequence[Link]:
    """Return all 1:N relationships between tables that are here."""
    return tuple(
        link
        for table in TABLES.values()
        for at, column in enumerate(table.columns)
        if column.kind is Kind.LOOKUP
        for link in _links(table, at, column)
    )


def _links(table: Table, at: int, column: Column) -> Iterator[Link]:
    on_delete = "Restrict" if (table.name, column.name) in RESTRICTED else column.on_delete.value
    for parent in column.targets:
        name = f"{parent}_{column.collection}"
        nav = f"{column.name}_{parent}"
        yield Link(name, parent, table.name, at, nav, name, on_delete)
    if column.target in TABLES and column.nav is not None:
        assert column.target is not None  # noqa: S101  # for the type checker: it is in TABLES
        name = column.collection or f"{column.target}_{table.name}_{column.name}"
        yield Link(name, column.target, table.name, at, column.nav, name, on_delete)


@cache
def pairings() -> Sequence[Pairing]:
    """Return all N:N relationships."""
    return tuple(
        Pairing(
            name,
            table,
            (str(TABLES[table].columns[1].target), str(TABLES[table].columns[2].target)),
            (1, 2),
            (name, name),
        )
        for table, name in PAIRINGS.items()
    )


@cache
def _to_one() -> Mapping[tuple[str, str], Link]:
    return {(link.child, link.nav): link for link in links()}


@cache
def _to_many() -> Mapping[tuple[str, str], Link | Pairing]:
    found: dict[tuple[str, str], Link | Pairing] = {
        (link.parent, link.collection): link for link in links()
    }
    for pairing in pairings():
        found |= {(table, pairing.schema): pairing for table in pairing.tables}
    return found


def to_one(table: str, nav: str) -> Link | None:
    """Return the relationship behind a single-valued navigation property of a table."""
    return _to_one().get((table, nav))


def to_many(table: str, nav: str) -> Link | Pairing | None:
    """Return the relationship behind a collection-valued navigation property of a table."""
    return _to_many().get((table, nav))


def target(store: Store, link: Link, row: Row) -> Row | None:
    """Return the row that a row points at through this relationship, if it is there."""
    key = row[link.at]
    return store.tables[link.parent].by_key.get(key) if isinstance(key, str) else None


def children(store: Store, link: Link, key: str) -> Iterable[Row]:
    """Return the rows that point at a row, in the order of their keys."""
    rows = store.tables[link.child]
    known = rows.referring(link.at, key)
    if known is not None:
        return [rows.by_key[each] for each in sorted(known)]
    at = link.at
    return [row for row in rows.index.after(None) if row[at] == key]


def partners(store: Store, pairing: Pairing, table: str, key: str) -> Iterable[Row]:
    """Return the rows at the other side of an intersection, in the order of their keys."""
    far = pairing.other(table)
    pairs, there = store.tables[pairing.intersect], store.tables[pairing.tables[far]]
    found = pairs.referring(pairing.at[1 - far], key) or ()
    keys = sorted(str(pairs.by_key[pair][pairing.at[far]]) for pair in found)
    return [there.by_key[each] for each in keys if each in there.by_key]

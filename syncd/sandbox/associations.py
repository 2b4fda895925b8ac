"""
`$ref` on a collection: associate and disassociate from the parent's side, or either of two.

A 1:N relationship sets or empties the child's lookup; an N:N one has a row of its own for each
pair (dataverse-web-api.md section 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from syncd.sandbox import errors, writes
from syncd.sandbox.columns import Column, Table
from syncd.sandbox.relationships import Link, Pairing, to_many
from syncd.sandbox.store import Rows, Store
from syncd.sandbox.tables import TABLES
from syncd.sandbox.values import guid
from syncd.sandbox.writes import Stamp

__all__ = ["Associations"]

CHILD = re.compile(r"(?P<nav>\w+)(?:\((?P<key>[^()]*)\))?/\$ref")
NAMED = re.compile(r"\(([^()]*)\)$")

Admit = Callable[[Rows, str], None]


@dataclass(frozen=True, slots=True)
class Associations:
    """
    Joins and parts rows of one store.

    `admit` raises Refused where a table does not take the message.
    """

    store: Store
    admit: Admit

    def associate(self, rows: Rows, key: str, rest: str, given: object, stamp: Stamp) -> None:
        """
        Join a row that is there with the one that a reference names.

        Raises Refused: no such relationship, a reference to another table or to no row, a pair
        that is joined already.
        """
        match = CHILD.fullmatch(rest)
        if match is None or match["key"] is not None:
            raise errors.segment(rest)
        found = self._found(rows.table, match["nav"])
        if isinstance(found, Pairing):
            other = found.other(rows.table.name)
            which = self._named(TABLES[found.tables[other]], given)
            self.admit(rows, "Associate")
            columns = TABLES[found.intersect].columns
            pair: dict[str, object] = {
                columns[found.at[other]].name: which,
                columns[found.at[1 - other]].name: key,
            }
            writes.create(self.store, TABLES[found.intersect], pair, stamp)
            return
        children = self.store.tables[found.child]
        self.admit(children, "Associate")
        which = self._named(children.table, given)
        change = {f"{found.nav}@odata.bind": f"/{rows.table.set_name}({key})"}
        writes.update(self.store, children, which, change, stamp)

    def disassociate(self, rows: Rows, key: str, rest: str, query: str, stamp: Stamp) -> None:
        """
        Part a row from the one that the path or `$id` names. Rows that are not joined stay so.

        Raises Refused: no such relationship, no row named, a child that is not there.
        """
        match = CHILD.fullmatch(rest)
        if match is None:
            raise errors.segment(rest)
        found = self._found(rows.table, match["nav"])
        which = _which(query, match["key"])
        if isinstance(found, Pairing):
            self.admit(rows, "Disassociate")
            self._part(found, found.other(rows.table.name), key, which, stamp)
            return
        children = self.store.tables[found.child]
        self.admit(children, "Disassociate")
        child = children.by_key.get(which)
        if child is None:
            raise errors.absent(found.child, which)
        if child[found.at] == key:
            writes.update(self.store, children, which, {f"{found.nav}@odata.bind": None}, stamp)

    def _part(self, pairing: Pairing, other: int, key: str, which: str, stamp: Stamp) -> None:
        members = self.store.tables[pairing.intersect]
        for member in tuple(members.referring(pairing.at[other], which) or ()):
            if members.by_key[member][pairing.at[1 - other]] == key:
                writes.delete(self.store, members, member, stamp)

    def _found(self, table: Table, nav: str) -> Link | Pairing:
        found = to_many(table.name, nav)
        if found is None:
            raise errors.segment(nav)
        return found

    def _named(self, table: Table, given: object) -> str:
        """Return the key of the row that a reference names, which must be of this table."""
        column = Column(table.key, table.key_column.kind, table.key, target=table.name)
        return writes.link_target(self.store, column, given)


def _which(query: str, key: str | None) -> str:
    """Return the key of the row to part from, from the path or from `$id`, an address."""
    if key is None:
        options = (part.partition("=") for part in query.split("&"))
        addresses = [
            unquote_plus(value) for name, _, value in options if unquote_plus(name) == "$id"
        ]
        match = NAMED.search(addresses[0]) if addresses else None
        key = match[1] if match else ""
    found = guid(key)
    if found is None:
        raise errors.query("The row to disassociate is not named.")
    return found

"""Who is in which groups, also through other groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from ldap import DECODING_ERROR
from ldap.dn import dn2str, str2dn
from ldap.filter import escape_filter_chars

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.connecting import Connection
from syncd.connectors.sources.ldap.decoding import Values, sid
from syncd.connectors.sources.ldap.searching import pages
from syncd.connectors.sources.ldap.settings import Directory, Groups, Search
from syncd.connectors.sources.ldap.standing import Standing

__all__ = ["MEMBERS", "PERSON", "Graph", "graph", "narrowed"]

MEMBERS = ("member", "uniquemember")
"""Attributes that name members by their distinguished names (RFC 4519)."""
PERSON = ("objectSid", "primaryGroupID")
"""What of a person tells the primary group, which no list of members shows ([MS-ADTS])."""
IN_CHAIN = "1.2.840.113556.1.4.1941"
"""The matching rule that walks through nested groups ([MS-ADTS])."""


@dataclass(slots=True)
class Graph:
    """
    Groups by number, and who stands in them.

    Members are kept as eight bytes of their names, because a group may have a hundred
    thousand of them.
    """

    names: list[str] = field(default_factory=list)
    at: list[bytes] = field(default_factory=list)
    keys: dict[bytes, int] = field(default_factory=dict)
    inside: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_sid: dict[str, int] = field(default_factory=dict)
    over: dict[int, frozenset[int]] = field(default_factory=dict)
    only: frozenset[str] = frozenset()

    def add(self, dn: str, name: str, members: Iterable[bytes]) -> int:
        """Add a group."""
        number = len(self.names)
        self.names.append(name)
        self.keys[_key(dn)] = number
        self.at.append(_key(dn))
        for member in members:
            self.inside[_key(member.decode(errors="replace"))].append(number)
        return number

    def of(self, dn: str, values: Values) -> list[str]:
        """Return the names of all groups that somebody is in, in order."""
        found: set[int] = set()
        for number in (*self.inside.get(_key(dn), ()), *self._primary(values)):
            found |= self._above(number)
        names = {self.names[number] for number in found}
        return sorted(names & self.only if self.only else names)

    def _above(self, number: int) -> frozenset[int]:
        """Return a group and all groups around it; groups may stand in each other."""
        found = self.over.get(number)
        if found is None:
            reached, ahead = {number}, [number]
            while ahead:
                for outer in self.inside.get(self.at[ahead.pop()], ()):
                    if outer not in reached:
                        reached.add(outer)
                        ahead.append(outer)
            found = self.over[number] = frozenset(reached)
        return found

    def _primary(self, values: Values) -> Sequence[int]:
        own, rid = values.get("objectsid"), values.get("primarygroupid")
        if not own or not rid:
            return ()
        domain = sid(own[0]).rpartition("-")[0]
        number = self.by_sid.get(f"{domain}-{rid[0].decode()}")
        return () if number is None else (number,)


def graph(connection: Connection, directory: Directory, standing: Standing) -> Graph | None:
    """Read the groups; None where none are wanted. Raises Unread."""
    groups = directory.groups
    if groups is None:
        return None
    found = Graph(only=groups.only)
    if groups.nested == "expand":
        _expand(connection, groups, directory.page_size, found)
        return found
    if not standing.active_directory:
        raise Unread(
            f'{connection.what}: groups.nested = "in-chain" needs Active Directory, and other '
            'servers silently find nobody by it; use "expand"'
        )
    _ask(connection, directory, groups, found)
    return found


def _expand(connection: Connection, groups: Groups, size: int, found: Graph) -> None:
    asked = [*MEMBERS, groups.name, "objectSid"]
    for search in groups.searches:
        for page in pages(connection, search, asked, size):
            for dn, values in page:
                members = [each for name in MEMBERS for each in values.get(name, ())]
                _enter(found, dn, _named(values, groups), values, members)


def _ask(connection: Connection, directory: Directory, groups: Groups, found: Graph) -> None:
    """Ask for everybody below each group that is told; only when all groups are known."""
    size = directory.page_size
    told = [
        (dn, name, values)
        for search in groups.searches
        for page in pages(connection, search, [groups.name, "objectSid"], size)
        for dn, values in page
        if (name := _named(values, groups)) in groups.only or not groups.only
    ]
    for dn, name, values in told:
        below = f"(memberOf:{IN_CHAIN}:={escape_filter_chars(dn)})"
        members = [
            who.encode()
            for search in directory.searches
            for page in pages(connection, narrowed(search, below), ["1.1"], size)
            for who, _ in page
        ]
        _enter(found, dn, name, values, members)


def _enter(found: Graph, dn: str, name: str, values: Values, members: list[bytes]) -> None:
    """Add a group; searches may overlap."""
    if _key(dn) in found.keys:
        return
    number = found.add(dn, name, members)
    if values.get("objectsid"):
        found.by_sid[sid(values["objectsid"][0])] = number


def _named(values: Values, groups: Groups) -> str:
    found = values.get(groups.name.lower())
    return found[0].decode(errors="replace") if found else ""


def narrowed(search: Search, condition: str) -> Search:
    """Return the search with one more condition."""
    given = search.filter.strip()
    whole = given if given.startswith("(") else f"({given})"
    return replace(search, filter=f"(&{whole}{condition})")


def _key(dn: str) -> bytes:
    """Return what is the same for all ways to write a name."""
    if "\\" in dn or '"' in dn or ", " in dn:
        with suppress(DECODING_ERROR):
            dn = dn2str(str2dn(dn))
    return blake2b(dn.casefold().encode(), digest_size=8).digest()

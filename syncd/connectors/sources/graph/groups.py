"""Who is in which of some groups, directly or through other groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import UUID

from syncd.connectors.records import Unread
from syncd.connectors.sources.graph.arrivals import Round, objects
from syncd.connectors.sources.graph.way import BATCH, Ask, Document, Expired, Way

__all__ = [
    "Groups",
    "Members",
    "Moves",
    "ask_memberships",
    "find_groups",
    "latest",
    "moves",
    "read_members",
]

USER, GROUP = "#microsoft.graph.user", "#microsoft.graph.group"
PAGE = "$select=id&$top=999"
MEMBERS = "members@delta"
_guid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch

Groups = Mapping[str, str]
"""Ids of groups, and what the configuration calls each."""


@dataclass(slots=True)
class Members:
    """Which users are in which groups, and which groups stand between."""

    groups: Groups
    nested: set[str] = field(default_factory=set)
    _of: dict[bytes, int] = field(default_factory=dict)
    _bits: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._bits = {group: 1 << place for place, group in enumerate(self.groups)}

    def note(self, group: str, user: str) -> None:
        """Take down that a user is in a group."""
        key = _key(user)
        self._of[key] = self._of.get(key, 0) | self._bits[group]

    def names(self, user: str) -> list[str]:
        """Return the groups that a user is in, as the configuration calls them."""
        bits = self._of.get(_key(user), 0)
        return [name for place, name in enumerate(self.groups.values()) if bits >> place & 1]


def _key(ident: str) -> bytes:
    """Return an id as 16 bytes: there may be a million of them."""
    try:
        return UUID(ident).bytes
    except ValueError:
        return ident.encode()


def find_groups(way: Way, written: Sequence[str]) -> Groups:
    """Return the ids of groups that are written as ids or names. Raises Unread for any other."""
    replies = way.batch([Ask(_question(each)) for each in written])
    found: dict[str, str] = {}
    for name, reply in zip(written, replies, strict=True):
        several = [reply.document] if _guid(name) else reply.document.get("value")
        ids = [each.get("id") for each in several or () if isinstance(each, dict)]
        if reply.status == 404 or not ids:
            raise Unread(
                f'{way.host}: there is no group "{name}", or syncd may not see it; check groups '
                "and the permission GroupMember.Read.All"
            )
        if len(ids) > 1:
            raise Unread(
                f'{way.host}: more than one group is called "{name}"; write its id in groups'
            )
        first = found.setdefault(str(ids[0]), name)
        if first != name:
            raise Unread(
                f'{way.host}: "{first}" and "{name}" are the same group; keep one of them in groups'
            )
    return found


def _question(name: str) -> str:
    if _guid(name):
        return f"groups/{name}?$select=id"
    literal = name.replace("'", "''")
    condition = f"displayName eq '{literal}'"
    return f"groups?$filter={quote(condition)}&$select=id"


def read_members(way: Way, groups: Groups) -> Members:
    """Read all members of some groups. Raises Unread unless that is complete."""
    members = Members(groups)
    for group, kind, ident in _members(way, list(groups)):
        if kind == USER:
            members.note(group, ident)
        elif kind == GROUP:
            members.nested.add(ident)
    return members


def _members(way: Way, groups: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """
    Give group, kind and id of each member, also of those in groups within it.

    A cast to users would be answered from an index that lags behind (section 2.3), and a
    token that is given meanwhile would then hide what the index does not know yet.
    """
    for first in range(0, len(groups), BATCH):
        some = groups[first : first + BATCH]
        replies = way.batch([Ask(f"groups/{each}/transitiveMembers?{PAGE}") for each in some])
        for group, reply in zip(some, replies, strict=True):
            if reply.status == 404:
                raise Expired
            page: Document | None = reply.document
            while page is not None:
                for each in objects(page, way):
                    yield group, str(each.get("@odata.type")), str(each["id"])
                link = page.get("@odata.nextLink")
                page = way.get(link) if isinstance(link, str) else None


def ask_memberships(way: Way, users: Sequence[str], groups: Groups) -> dict[str, list[str]]:
    """Return which of the groups each user is in; users who are not there are left out."""
    ids = list(groups)
    chunks = [ids[first : first + BATCH] for first in range(0, len(ids), BATCH)]
    asked = [(user, chunk) for user in users for chunk in chunks]
    path = "users/{}/checkMemberGroups"
    replies = way.batch([Ask(path.format(user), {"groupIds": chunk}) for user, chunk in asked])
    found: dict[str, set[str]] = {}
    for (user, _), reply in zip(asked, replies, strict=True):
        value = reply.document.get("value")
        if reply.status != 404 and isinstance(value, list):
            found.setdefault(user, set()).update(map(str, value))
    return {
        user: [name for ident, name in groups.items() if ident in mine]
        for user, mine in found.items()
    }


def latest(way: Way) -> str | None:
    """Return the link from which changes of memberships can be read later."""
    page = Round(way, f"{way.root}groups/delta?$select=members&$deltatoken=latest")
    for _ in page:
        pass
    return page.link


@dataclass(slots=True)
class Moves:
    """Whose memberships may have changed, which further groups matter, and where it goes on."""

    users: set[str] = field(default_factory=set)
    nested: set[str] = field(default_factory=set)
    link: str | None = None


def moves(way: Way, link: str, relevant: Iterable[str]) -> Moves:
    """
    Read what changed in the groups that matter since *link* was given.

    Raises Expired where that cannot be told: the token is too old, or a group is gone and
    nobody knows any more who was in it.
    """
    known = set(relevant)
    found = Moves()
    page = Round(way, link)
    within: set[str] = set()
    for changed in page:
        for group in changed:
            if group["id"] not in known:
                continue
            if "@removed" in group:
                raise Expired
            for member in _slice(group):
                ident = str(member.get("id"))
                (within if member.get("@odata.type") == GROUP else found.users).add(ident)
    for _, kind, ident in _members(way, sorted(within)):
        (found.nested if kind == GROUP else found.users).add(ident)
    found.nested |= within
    found.link = page.link
    return found


def _slice(group: Document) -> list[Document]:
    """Return the part of a group's changes that a page shows; a big group has several."""
    part = group.get(MEMBERS)
    return [each for each in part if isinstance(each, dict)] if isinstance(part, list) else []

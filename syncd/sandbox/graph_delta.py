"""
Delta queries: everything once, and later only what changed.

The facts are in identity-and-sources.md sections 2.1 and 2.2. A first round shows the objects in
the order in which they were created, as they are when their page is read; its delta link begins
before it, so what changed meanwhile is told again. A later round goes along the versions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

import msgspec

from syncd.sandbox.answers import Answer, Call
from syncd.sandbox.directory import Directory, Entry
from syncd.sandbox.errors import Refused, error_content
from syncd.sandbox.graph_catalog import Kind
from syncd.sandbox.graph_query import link, read_query, read_token, shown, unsupported

__all__ = ["Deltas", "Habits"]

REFUSED = ("$expand", "$top", "$orderby", "$count")
LATEST = "latest"
Place = tuple[int, int]
"""An index or a version, and how many slices of that object were shown."""
Item = dict[str, object]


class Habits(msgspec.Struct, forbid_unknown_fields=True):
    """
    How deltas behave. All of it happens in the real world.

    With `empty` an empty page comes before each further one, with `twice` each further page
    shows the last object of the one before it again. `lost` says how a token that is too old
    is refused: with 410, or with 400.
    """

    page_size: int = 200
    empty: bool = False
    twice: bool = False
    lost: int = 410


class Token(msgspec.Struct, omit_defaults=True):
    """Where somebody stands. `since` is None in a first round, `start` where its link begins."""

    kind: Kind
    select: tuple[str, ...] | None
    ids: tuple[str, ...] = ()
    since: int | None = None
    start: int = 0
    place: Place = (0, 0)
    last: str = ""
    blank: bool = False


class Deltas:
    """Answers delta queries over a directory. Whoever calls holds the lock."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.habits = Habits()

    def answer(self, call: Call, kind: Kind) -> Answer | Item:
        """Answer one. Raises Refused; a token that is too old has an answer of its own."""
        query = read_query(call, kind, members=kind is Kind.GROUP)
        if query.skip is not None:
            return self._page(call, read_token(query.skip, Token))
        for name in REFUSED:
            if name in query.given:
                raise unsupported(f"The query option '{name}' does not go with a delta query.")
        if query.delta and query.delta != LATEST:
            return self._changes(call, read_token(query.delta, Token))
        if any(name != "id" for name, _ in query.conditions):
            raise unsupported("A delta query can be filtered by ids only.")
        version = self._directory.version
        ids = tuple(str(value).lower() for _, value in query.conditions)
        token = Token(kind, query.select, ids, start=version)
        if query.delta == LATEST:
            token.since = version
            return _enveloped(call, [], "@odata.deltaLink", "$deltatoken", token)
        return self._page(call, token)

    def _changes(self, call: Call, token: Token) -> Answer | Item:
        since = token.since or 0
        if since < self._directory.oldest:
            return self._too_old(call)
        token.place = (since + 1, 0)
        return self._page(call, token)

    def _too_old(self, call: Call) -> Answer:
        if self.habits.lost == 400:
            raise Refused(400, "syncStateNotFound", "The delta token is expired: synchronize anew.")
        where = {"Location": f"{call.base}{call.path}?$deltatoken="}
        content = error_content("resyncRequired", "Resynchronization is required.")
        return Answer(410, {"Content-Type": "application/json", **where}, content)

    def _page(self, call: Call, token: Token) -> Item:
        if token.blank:
            token.blank = False
            return _enveloped(call, [], "@odata.nextLink", "$skiptoken", token)
        size = self.habits.page_size
        minimal = "return=minimal" in call.headers.get("prefer", "")
        found = list(islice(self._items(token, minimal=minimal), size + 1))
        items = [item for _, item in found[:size]]
        if self.habits.twice and token.last:
            again = self._directory.entries[token.last]
            items[:0] = [item for _, item in self._slices(again, token, minimal=minimal)][:1]
        if len(found) > size:
            token.place, token.blank = found[size - 1][0], self.habits.empty
            token.last = str(items[-1]["id"])
            return _enveloped(call, items, "@odata.nextLink", "$skiptoken", token)
        version = self._directory.version if token.since is not None else token.start
        after = Token(token.kind, token.select, token.ids, since=version)
        return _enveloped(call, items, "@odata.deltaLink", "$deltatoken", after)

    def _items(self, token: Token, *, minimal: bool) -> Iterator[tuple[Place, Item]]:
        """Give what comes from the token's place on, each with the place after it."""
        at, slices = token.place
        for number, entry in self._entries(token, at):
            if token.ids and entry.id not in token.ids:
                continue
            for slice_number, item in self._slices(entry, token, minimal=minimal):
                if number > at or slice_number > slices:
                    yield (number, slice_number), item

    def _entries(self, token: Token, at: int) -> Iterator[tuple[int, Entry]]:
        entries = self._directory.entries
        if token.since is None:
            order = self._directory.order[token.kind]
            for index in range(at, len(order)):
                if not entries[order[index]].deleted:
                    yield index, entries[order[index]]
            return
        log = self._directory.log[token.kind]
        for version, ident in log[bisect_left(log, (at, "")) :]:
            entry = entries[ident]
            if entry.version == version and _concerned(entry, token):
                yield version, entry

    def _slices(self, entry: Entry, token: Token, *, minimal: bool) -> Iterator[tuple[int, Item]]:
        """Show an object, a group in as many parts as its members need; they count from 1."""
        if entry.deleted:
            yield 1, {"id": entry.id, "@removed": {"reason": entry.deleted}}
            return
        item = shown(entry, token.select, sparse=True)
        since = token.since
        if minimal and since is not None and entry.created <= since:
            item = {k: v for k, v in item.items() if k == "id" or entry.touched.get(k, 0) > since}
        moves = self._moves(entry, token)
        if not moves:
            yield 1, item
            return
        size = self.habits.page_size
        for number, first in enumerate(range(0, len(moves), size), 1):
            yield number, {**item, "members@delta": moves[first : first + size]}

    def _moves(self, entry: Entry, token: Token) -> list[Item]:
        if entry.kind is not Kind.GROUP or "members" not in (token.select or ("members",)):
            return []
        since = -1 if token.since is None else token.since
        found: list[Item] = []
        for ident, version in entry.moves.items():
            there = ident in entry.members
            if version <= since or (since < 0 and not there):
                continue
            member: Item = {"@odata.type": self._directory.entries[ident].kind.type, "id": ident}
            found.append(member if there else {**member, "@removed": {"reason": "deleted"}})
        return found


def _concerned(entry: Entry, token: Token) -> bool:
    """Say whether anything changed that the token tracks."""
    since = token.since or 0
    if entry.deleted:
        return entry.removed > since
    if token.select is None or entry.created > since:
        return True
    return any(entry.touched.get(name, 0) > since for name in token.select)


def _enveloped(call: Call, items: list[Item], what: str, name: str, token: Token) -> Item:
    """Return a page with the link that leads on."""
    context = f"{call.base}$metadata#{token.kind}"
    return {"@odata.context": context, what: link(call, name, token), "value": items}

"""
Change tracking: a first read of everything, and later only what changed.

The facts are in dataverse-web-api.md section 1.5. A token is a version of the database and the
time it was given. A delta is what was written after that version, new and changed rows first, then
deletions; what is written while it is paged through comes with the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from syncd.sandbox import errors, shapes
from syncd.sandbox.answers import Call
from syncd.sandbox.columns import Table
from syncd.sandbox.query import PAGE, page_size, read_options
from syncd.sandbox.showing import annotated
from syncd.sandbox.store import Change, Row, Rows, Store

__all__ = ["PREFERENCE", "Tracker"]

PREFERENCE = "odata.track-changes"
TRACKED = re.compile(r"deltatoken=|istracking(?:=|%3D)(?:\"|%22)True", re.IGNORECASE).search
TOKEN = re.compile(r"(\d{1,18})!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
COOKIE = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="True" />')
FIRST = re.compile(r'istracking="True" since="([^"]*)" />')
WRITTEN = "%m/%d/%Y %H:%M:%S"
NEXT = b',"@odata.nextLink":'
LIVE, GONE = 0, 1
PARTS = 3
UNTRACKED = 'istracking="False" />'
REFUSED = ("$filter", "$orderby", "$expand", "$top", "$apply")


@dataclass(frozen=True, slots=True)
class Token:
    """Up to where somebody has seen the changes, and when that was."""

    version: int
    given: datetime

    def __str__(self) -> str:
        return f"{self.version}!{self.given.strftime(WRITTEN)}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of a delta up to a version comes next, and after which kind and version."""

    page: int
    until: int
    after: tuple[int, int]


class Tracker:
    """Knows what changed when. Whoever calls holds the lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._start = store.version
        self._oldest = 0
        self._touched: dict[str, dict[str, int]] = {name: {} for name in store.tables}

    def note(self, changes: Sequence[Change]) -> None:
        """Remember what a request did, in order; the last word on a row counts."""
        for change in changes:
            table, key = change.rows.table, change.key
            touched, gone = self._touched[table.name], self._store.gone[table.name]
            if key in touched:
                del touched[key]  # put in again, it is the newest
            if change.after is None:
                gone[key] = change.version
            else:
                touched[key] = change.after[table.version]  # type: ignore[assignment]  # a version
                if gone:
                    gone.pop(key, None)

    def expire(self) -> None:
        """Let all tokens that were given so far be too old."""
        self._oldest = self._store.next_version()

    def concerns(self, call: Call, preferences: Mapping[str, str]) -> bool:
        """Say whether a read of a set is about changes."""
        return PREFERENCE in preferences or TRACKED(call.query) is not None

    def page(
        self,
        rows: Rows,
        call: Call,
        preferences: Mapping[str, str],
        read: Callable[[str], bytes],
    ) -> bytes:
        """
        Return a page of a first read or of a delta.

        *read* returns the page of a query without tracking. Raises Refused for a token that is
        malformed or too old, and for an option that does not go with tracking.
        """
        options = _options(call.query)
        for name in REFUSED:
            if name in options:
                raise errors.query(f"The query option '{name}' does not go with change tracking.")
        if "$deltatoken" in options:
            return self._delta(rows, call, options, preferences)
        return self._first(rows.table, call, options, read)

    def count(self, rows: Rows, call: Call) -> int:
        """Return how many changes a token has not seen. Raises Refused as `page`."""
        token = self._token(unquote_plus(_options(call.query)["$deltatoken"]), call.now)
        return len(self._pending(rows, token, self._store.version))

    def _first(
        self, table: Table, call: Call, options: dict[str, str], read: Callable[[str], bytes]
    ) -> bytes:
        """Put the delta link at the end of the last page, and a token into other next links."""
        cookie = unquote(options.pop("$skiptoken", ""))
        seen = FIRST.search(cookie)
        token = self._token(seen[1], call.now) if seen else self._now(call.now)
        plain = {"$skiptoken": quote(FIRST.sub(UNTRACKED, cookie), safe="")} if cookie else {}
        content = read(_query(options | plain))
        page, more, link = content.rpartition(NEXT)
        if more:
            return page + more + msgspec.json.encode(_marked(link, token)) + b"}"
        return content[:-1] + b"," + _delta_link(call.base, table, options, token) + b"}"

    def _delta(
        self, rows: Rows, call: Call, options: dict[str, str], preferences: Mapping[str, str]
    ) -> bytes:
        table = rows.table
        token = self._token(unquote_plus(options.pop("$deltatoken")), call.now)
        place = _place(options.pop("$skiptoken", None), self._store.version)
        size = page_size(preferences) or PAGE
        pending = [
            each for each in self._pending(rows, token, place.until) if each[:2] > place.after
        ]
        shown = pending[:size]
        if len(pending) > size:
            after = Place(place.page + 1, place.until, shown[-1][:2])
            link = _next_link(call.base, table, options, token, after)
        else:
            link = _delta_link(call.base, table, options, Token(place.until, _moment(call.now)))
        select = read_options(table, _query(options)).select
        found = [rows.by_key[key] for kind, _, key in shown if kind == LIVE]
        context = f"{call.base}/$metadata#{_named(table, select)}/$delta"
        return b"".join(
            (
                b'{"@odata.context":',
                msgspec.json.encode(context),
                b"," + link + b',"value":',
                _with_deleted(
                    call.base,
                    table,
                    _rows(self._store, table, select, found, preferences),
                    [key for kind, _, key in shown if kind == GONE],
                ),
                b"}",
            )
        )

    def _pending(self, rows: Rows, token: Token, until: int) -> list[tuple[int, int, str]]:
        """Return what a token has not seen: rows by version, then deletions."""
        changed = self._changed(rows, token.version, until)
        deleted = _since(self._store.gone[rows.table.name], token.version, until)
        return [
            *((LIVE, version, key) for version, key in changed),
            *((GONE, version, key) for version, key in deleted),
        ]

    def _changed(self, rows: Rows, after: int, until: int) -> list[tuple[int, str]]:
        """Return rows that were written after one version and up to another, in that order."""
        if after < self._start:
            at = rows.table.version
            versions = ((int(str(row[at])), key) for key, row in rows.by_key.items())
            return sorted(each for each in versions if after < each[0] <= until)
        return _since(self._touched[rows.table.name], after, until)

    def _now(self, now: str) -> Token:
        return Token(self._store.version, _moment(now))

    def _token(self, text: str, now: str) -> Token:
        match = TOKEN.fullmatch(text)
        if match is None:
            raise errors.query(f"The delta token '{text[:40]}' is malformed.")
        try:
            token = Token(int(match[1]), datetime.strptime(f"{match[2]}Z", f"{WRITTEN}%z"))
        except ValueError:
            raise errors.query(f"The delta token '{text[:40]}' is malformed.") from None
        strange = token.version > self._store.version
        if strange or token.version < self._oldest or _moment(now) - token.given > self._kept():
            raise errors.Refused(
                400,
                "0x80044352",
                "Version stamp associated with the client has expired. Please perform a full sync.",
            )
        return token

    def _kept(self) -> timedelta:
        """Return how long tokens are good for: what the organization says, in days."""
        organizations = self._store.tables["organization"]
        at = organizations.table.positions["expirechangetrackingindays"]
        days = [row[at] for row in organizations.by_key.values() if isinstance(row[at], int)]
        return timedelta(days=int(str(days[0])) if days else 7)


def _since(log: dict[str, int], after: int, until: int) -> list[tuple[int, str]]:
    """Return the newest entries of a log that is in the order of versions, oldest first."""
    found = []
    for key in reversed(log):
        version = log[key]
        if version <= after:
            break
        if version <= until:
            found.append((version, key))
    found.reverse()
    return found


def _options(query: str) -> dict[str, str]:
    """Return the options of a query by name, their values as they were sent."""
    parts = (part.partition("=") for part in query.split("&") if part)
    return {unquote_plus(name): value for name, _, value in parts}


def _query(options: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in options.items())


def _moment(now: str) -> datetime:
    return datetime.fromisoformat(now)


def _marked(link: bytes, token: Token) -> str:
    """Return a next link that remembers since when changes are asked for."""
    address: str = msgspec.json.decode(link[:-1])
    start, name, cookie = address.partition("$skiptoken=")
    tracked = unquote(cookie).replace(UNTRACKED, f'istracking="True" since="{token}" />')
    return start + name + quote(tracked, safe="")


def _delta_link(base: str, table: Table, options: Mapping[str, str], token: Token) -> bytes:
    query = _query({**options, "$deltatoken": quote(str(token), safe="")})
    return b'"@odata.deltaLink":' + msgspec.json.encode(f"{base}/{table.set_name}?{query}")


def _next_link(
    base: str, table: Table, options: Mapping[str, str], token: Token, place: Place
) -> bytes:
    inner = quote(f"{place.until}!{place.after[0]}!{place.after[1]}", safe="")
    xml = f'<cookie pagenumber="{place.page}" pagingcookie="{inner}" istracking="True" />'
    query = _query(
        {
            **options,
            "$deltatoken": quote(str(token), safe=""),
            "$skiptoken": quote(xml, safe=""),
        }
    )
    return b'"@odata.nextLink":' + msgspec.json.encode(f"{base}/{table.set_name}?{query}")


def _place(text: str | None, version: int) -> Place:
    if text is None:
        return Place(1, version, (LIVE, 0))
    match = COOKIE.fullmatch(unquote_plus(text))
    parts = unquote(match[2]).split("!") if match else []
    if match is None or len(parts) != PARTS or not all(part.isdigit() for part in parts):
        raise errors.query("The $skiptoken is malformed: follow @odata.nextLink byte for byte.")
    until, kind, after = map(int, parts)
    return Place(int(match[1]), until, (kind, after))


def _named(table: Table, select: tuple[int, ...] | None) -> str:
    if select is None:
        return table.set_name
    return f"{table.set_name}({','.join(table.columns[at].read for at in select)})"


def _rows(
    store: Store,
    table: Table,
    select: tuple[int, ...] | None,
    found: Sequence[Row],
    preferences: Mapping[str, str],
) -> bytes:
    wanted = preferences.get("odata.include-annotations")
    if not wanted:
        return shapes.encode(table, select, found)
    patterns = wanted.split(",")

    def wants(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return msgspec.json.encode([annotated(store, table, select, row, wants) for row in found])


def _with_deleted(base: str, table: Table, content: bytes, gone: Sequence[str]) -> bytes:
    """Add the deletions: of each the id, which is all that is known of it."""
    if not gone:
        return content
    context = f"{base}/$metadata#{table.set_name}/$deletedEntity"
    entries = [{"@odata.context": context, "id": key, "reason": "deleted"} for key in gone]
    return content[:-1] + (b"," if content != b"[]" else b"") + msgspec.json.encode(entries)[1:]

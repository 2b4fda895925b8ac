"""People in Entra ID."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from syncd.config import GraphSource as Settings
from syncd.connectors.auth import open_auth
from syncd.connectors.records import Batch, Course, RowReading, Unread, shape
from syncd.connectors.sources.graph.arrivals import HELD, Arrivals, Round
from syncd.connectors.sources.graph.columns import Columns, columns_of
from syncd.connectors.sources.graph.groups import (
    Groups,
    Members,
    Moves,
    ask_memberships,
    find_groups,
    latest,
    moves,
    read_members,
)
from syncd.connectors.sources.graph.way import Ask, Document, Expired, Site, Way
from syncd.connectors.throttle import Throttle
from syncd.core.mapping import PersonMapping
from syncd.core.ports import Halt, Known

__all__ = ["GraphSource", "open_graph"]

MOST = 5000
"""Users or groups that a token may name, or that are asked for one by one; beyond all is read."""
GUEST = "guest"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Where a read of changes goes on.

    `groups` is the link of memberships, `nested` are the groups that matter beside those of
    the configuration, and `late` the users who must be asked for by their id.
    """

    users: str
    groups: str | None = None
    nested: tuple[str, ...] = ()
    late: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphSource:
    """
    The users of a directory, and in which of some groups each of them is.

    A column is a property of a user; of one that is an object its part, as in
    `employeeOrgData.costCenter`. `groups` are ids or names: the column of that name lists
    those that somebody is in, as they are written here. Guests are left out unless wanted.
    *held* is how many objects wait for a later word on them.
    """

    name: str
    site: Site
    mapping: PersonMapping
    groups: tuple[str, ...] = ()
    guests: bool = False
    held: int = HELD

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a user becomes a record."""
        return shape("graph", self.mapping, self.site.url, self.groups, self.guests)

    def read(self, known: Known) -> RowReading:
        """Read everything, or with a token what changed."""
        return RowReading(self.site.host, known, self.mapping, self._read)

    def _read(self, token: str | None, course: Course) -> Iterator[Batch]:
        columns = columns_of(self.mapping, groups=bool(self.groups))
        with self.site.opened() as way:
            try:
                groups = find_groups(way, self.groups) if columns.groups else {}
                reader = _Reader(way, columns, groups, course, self)
                mark = _mark(token, way)
                if mark is not None:
                    try:
                        yield from reader.changes(mark)
                    except Expired:
                        if course.partial:  # rows are out: it cannot begin anew
                            raise
                    else:
                        return
                yield from reader.everything()
            except Expired:
                raise Unread(
                    f"{way.host} lost what had been read so far; run again: all is read anew"
                ) from None


def open_graph(settings: Settings, stop: Halt) -> GraphSource:
    """
    Return a source as it is configured; nothing is sent yet, and *stop* ends waiting.

    Raises ConfigError for a certificate that cannot be used.
    """
    http = settings.http
    timeout = http.timeout.total_seconds()
    ca_file = None if http.ca_file is None else str(http.ca_file)
    proxy = None if http.proxy is None else http.proxy.get_secret_value()
    auth = open_auth(
        settings.url,
        settings.auth,
        timeout=timeout,
        ca_file=ca_file,
        proxy=proxy,
        pause=stop.wait,
        advice="see that url is the Graph of the cloud of the directory auth.tenant_id",
    )
    throttle = partial(Throttle, stop=stop)
    site = Site(settings.url, auth, timeout, ca_file, proxy, throttle)
    mapping = settings.mapping()
    return GraphSource(settings.name, site, mapping, settings.groups, settings.guests)


def _mark(token: str | None, way: Way) -> Mark | None:
    """Read a token; None where it is none of this host."""
    if token is None:
        return None
    try:
        mark = msgspec.json.decode(token, type=Mark)
    except msgspec.MsgspecError:
        return None
    return mark if all(map(way.leads_here, (mark.users, mark.groups or mark.users))) else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """One read, over an open way."""

    way: Way
    columns: Columns
    wanted: Groups
    course: Course
    source: GraphSource

    def everything(self) -> Iterator[Batch]:
        """Read all users. Memberships come first: what changes meanwhile is told again."""
        link = latest(self.way) if self.columns.groups else None
        members = read_members(self.way, self.wanted) if self.columns.groups else Members({})
        page = Round(self.way, f"{self.way.root}users/delta?$select={self._selected()}")
        arrivals = Arrivals(self.source.held)
        for users in page:
            self.course.columns = self.columns.present()
            arrivals.take(users)
            if arrivals.many:
                yield self._batch(arrivals.given(), members)
        yield self._batch(arrivals.given(), members)
        self._keep(page.link, link, members.nested, arrivals.late)

    def changes(self, mark: Mark) -> Iterator[Batch]:
        """Read what changed. Raises Expired, before the first row unless it is told too late."""
        moved = Moves()
        if self.columns.groups:
            if mark.groups is None:
                raise Expired
            moved = moves(self.way, mark.groups, [*self.wanted, *mark.nested])
        affected = {*mark.late, *moved.users}
        if len(affected) > MOST:
            raise Expired
        page = Round(self.way, mark.users)
        arrivals = Arrivals(self.source.held)
        for users in page:
            arrivals.take(users)
            affected -= arrivals.waiting.keys()
            if arrivals.many:
                self._begin()
                yield self._changed(arrivals.given())
        self._begin()
        yield self._changed(arrivals.given() + self._fetched(sorted(affected)))
        self._keep(page.link, moved.link, {*mark.nested, *moved.nested}, arrivals.late)

    def _begin(self) -> None:
        self.course.partial = True
        self.course.columns = self.columns.present()

    def _selected(self) -> str:
        return ",".join(self.columns.select)

    def _fetched(self, users: Sequence[str]) -> list[Document]:
        """Ask for users by their ids; one who is not there counts as removed."""
        asks = [Ask(f"users/{user}?$select={self._selected()}") for user in users]
        return [
            {"id": user, "@removed": {}} if reply.status == 404 else {**reply.document, "id": user}
            for user, reply in zip(users, self.way.batch(asks), strict=True)
        ]

    def _changed(self, users: Sequence[Document]) -> Batch:
        """Return changed users with their memberships as they are now."""
        if not self.columns.groups:
            return self._batch(users, Members({}))
        here = [str(user["id"]) for user in users if not self._is_gone(user)]
        names = ask_memberships(self.way, here, self.wanted)
        return self._batch(
            [user if user["id"] in names else {**user, "@removed": {}} for user in users], names
        )

    def _batch(
        self, users: Sequence[Document], members: Members | Mapping[str, list[str]]
    ) -> Batch:
        rows: list[tuple[str, Mapping[str, object]]] = []
        gone: list[str] = []
        for user in users:
            ident = str(user["id"])
            if self._is_gone(user):
                gone.append(ident)
                continue
            groups = members.names(ident) if isinstance(members, Members) else members[ident]
            rows.append((ident, self.columns.row(user, groups)))
        return Batch(rows, gone)

    def _is_gone(self, user: Document) -> bool:
        """Whether a user is deleted, softly too, or a guest whom nobody wants."""
        if "@removed" in user:
            return True
        return not self.source.guests and str(user.get("userType")).lower() == GUEST

    def _keep(
        self, users: str | None, groups: str | None, nested: set[str], late: set[str]
    ) -> None:
        """Say where a read of changes goes on, unless it would have to remember too much."""
        if users is not None and max(len(nested), len(late)) <= MOST:
            mark = Mark(users, groups, tuple(sorted(nested)), tuple(sorted(late)))
            self.course.token = msgspec.json.encode(mark).decode()

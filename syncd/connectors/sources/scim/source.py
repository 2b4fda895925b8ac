"""People on a SCIM server: all of them, or those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from syncd.config.web import ScimSource as Settings
from syncd.connectors.records import Batch, Course, RowReading, Unread, shape
from syncd.connectors.sources.scim.listing import Listing, Resource
from syncd.connectors.sources.scim.membership import Membership, read_membership
from syncd.connectors.web import Site, Way, open_site
from syncd.core.mapping import PersonMapping
from syncd.core.paths import MISSING, Path, compile_path
from syncd.core.ports import Halt, Known

__all__ = ["ScimSource", "open_scim"]

GROUPS = "groups"
"""The column that no user has: the names of groups, from the groups themselves."""
GROUP_PAGE = 50
"""The most groups in one page: each may have very many members."""
UNFILTERED = frozenset({400, 403, 501})
"""How servers turn down a filter that they cannot do (RFC 7644 section 3.4.2.2)."""
ACCEPT = "application/scim+json, application/json"
MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class ScimSource:
    """
    The users of a SCIM 2.0 server.

    A read of changes asks for what `meta.lastModified` says is newer. No server tells what
    was deleted, so only whole reads take anybody out; and when any group has changed, it
    becomes a whole read. *paging* is "auto", "index" or "cursor".
    """

    name: str
    site: Site
    mapping: PersonMapping
    filter: str | None = None
    group_filter: str | None = None
    page_size: int = 200
    paging: str = "auto"
    incremental: bool = True
    overlap: timedelta = timedelta(minutes=5)

    @property
    def shape(self) -> str:
        """A digest of everything that decides how a user becomes a record."""
        return shape("scim", self.mapping, self.site.url, self.filter, self.group_filter)

    def read(self, known: Known) -> RowReading:
        """Read the users; who is known and has not changed is not given again."""
        return RowReading(f"source {self.name}", known, self.mapping, self._rows)

    def _rows(self, token: str | None, course: Course) -> Iterator[Batch]:
        columns = _Columns(self.mapping)
        with self.site.opened(f"source {self.name}") as way:
            able = _able(way, self.paging)
            groups = self._groups(way, able) if columns.groups else None
            since = self._since(token, groups)
            users = self._users(way, able, columns, since)
            pages = users.pages()
            first = next(pages, [])
            if users.refused:
                since = None
                users = self._users(way, able, columns, None)
                pages = users.pages()
                first = next(pages, [])
            course.partial = since is not None
            yield columns.batch(first, groups)
            for page in pages:
                yield columns.batch(page, groups)
            if self.incremental and able.filter and users.began is not None:
                course.token = _token(users.began, groups)

    def _groups(self, way: Way, able: _Able) -> Membership:
        query = {"attributes": "displayName,members"}
        if self.group_filter:
            query["filter"] = self.group_filter
        size = min(self.page_size, GROUP_PAGE)
        return read_membership(Listing(way, "groups", query, size, able.cursor))

    def _users(self, way: Way, able: _Able, columns: _Columns, since: datetime | None) -> Listing:
        query = {"attributes": columns.attributes}
        newer = f'meta.lastModified gt "{since.strftime(MOMENT)}"' if since else None
        if newer and self.filter:
            query["filter"] = f"({self.filter}) and {newer}"
        elif newer or self.filter:
            query["filter"] = newer or self.filter or ""
        bear = UNFILTERED if newer else frozenset()
        return Listing(way, "users", query, self.page_size, able.cursor, bear)

    def _since(self, token: str | None, groups: Membership | None) -> datetime | None:
        """Return from when on changes are wanted; None where all is."""
        if token is None or not self.incremental:
            return None
        moment, _, digest = token.partition(" ")
        if digest != (groups.digest if groups else ""):
            return None
        try:
            then = datetime.strptime(moment, MOMENT).replace(tzinfo=UTC)
        except ValueError:
            return None
        return then - self.overlap


def open_scim(settings: Settings, stop: Halt) -> ScimSource:
    """Return what reads this source; *stop* ends waiting. Raises ConfigError."""
    site = open_site(settings.url, settings.auth, settings.http, stop, ACCEPT)
    return ScimSource(
        settings.name,
        site,
        settings.mapping(),
        filter=settings.filter,
        group_filter=settings.group_filter,
        page_size=settings.page_size,
        paging=settings.paging,
        incremental=settings.incremental,
        overlap=settings.overlap,
    )


def _token(began: datetime, groups: Membership | None) -> str:
    return f"{began.strftime(MOMENT)} {groups.digest if groups else ''}".rstrip()


@dataclass(frozen=True, slots=True)
class _Able:
    """What a server can do."""

    cursor: bool
    filter: bool


def _able(way: Way, paging: str) -> _Able:
    """Ask what the server can do, if that matters; where it does not say it is the usual."""
    if paging != "auto":
        return _Able(paging == "cursor", filter=True)
    url = way.base.copy_with(path=f"{way.base.path.rstrip('/')}/ServiceProviderConfig")
    answer = way.get(url, bear=frozenset({400, 403, 404, 405, 501}))
    said = answer.document if isinstance(answer.document, dict) and answer.status == 200 else {}
    pagination, filters = said.get("pagination"), said.get("filter")
    cursor = isinstance(pagination, dict) and pagination.get("cursor") is True
    unable = isinstance(filters, dict) and filters.get("supported") is False
    return _Able(cursor, not unable)


@dataclass(slots=True)
class _Columns:
    """Takes the mapped columns out of users."""

    mapping: PersonMapping
    paths: Mapping[str, Path] = field(init=False)
    groups: bool = field(init=False)

    def __post_init__(self) -> None:
        names = self.mapping.columns()
        self.groups = GROUPS in names
        try:
            self.paths = {name: compile_path(name) for name in names if name != GROUPS}
        except ValueError as exc:
            raise Unread(f"a mapped column {exc}") from exc

    @property
    def attributes(self) -> str:
        """What is asked for of each user; ids always come."""
        first = dict.fromkeys(_asked(path) for path in self.paths.values())
        return ",".join(first or ["id"])

    def batch(self, page: list[tuple[str, Resource]], groups: Membership | None) -> Batch:
        """Return the rows of a page."""
        return Batch([(own, self._row(own, each, groups)) for own, each in page])

    def _row(self, own: str, user: Resource, groups: Membership | None) -> dict[str, object]:
        row: dict[str, object] = {} if groups is None else {GROUPS: groups.of(own)}
        for name, path in self.paths.items():
            value = path.value(user)
            if value is not MISSING:
                row[name] = value
        return row


def _asked(path: Path) -> str:
    """Name an attribute as the query wants it: one of an extension with its schema."""
    schema = path.first.lower().startswith("urn:") and len(path.steps) > 1
    return f"{path.first}:{path.steps[1].name}" if schema else path.first

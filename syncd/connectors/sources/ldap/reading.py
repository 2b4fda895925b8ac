"""One read of a directory, from the bind to the last page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from syncd.connectors.records import Batch, Course
from syncd.connectors.sources.ldap.changes import begin, changed
from syncd.connectors.sources.ldap.connecting import Connection, connected
from syncd.connectors.sources.ldap.decoding import Columns, Values, own_id
from syncd.connectors.sources.ldap.groups import PERSON, Graph, graph
from syncd.connectors.sources.ldap.searching import pages
from syncd.connectors.sources.ldap.settings import Directory, Search
from syncd.connectors.sources.ldap.standing import Standing, stand
from syncd.connectors.sources.ldap.tokens import dumped, loaded

__all__ = ["batches"]


def batches(directory: Directory, token: str | None, course: Course) -> Iterator[Batch]:
    """Read everybody, or with a token what changed where that can be told. Raises Unread."""
    columns = Columns.of(directory.mapping)
    with connected(f"source {directory.name}", directory.server) as connection:
        standing = stand(connection)
        known = standing.attributes
        if known:
            there = columns.present(known, groups=directory.groups is not None)
            course.columns = there + sorted(known)
        table = _Table(connection, directory, standing, columns)
        since = None if token is None else loaded(token)
        news = since and changed(connection, directory, standing, since, columns.attributes())
        # Before anything is read: what changes meanwhile is told the next time.
        ahead = news.token if news else begin(connection, directory, standing)
        if news:
            course.partial = True
            yield Batch([], gone=news.gone)
        else:
            # Some servers keep one paged search for a connection, so groups are read to the end.
            table.groups = graph(connection, directory, standing)
        for search in news.searches if news else directory.searches:
            yield from table.batches(search)
        course.token = None if ahead is None else dumped(ahead)


@dataclass(slots=True)
class _Table:
    """Makes rows of entries, each entry once."""

    connection: Connection
    directory: Directory
    standing: Standing
    columns: Columns
    groups: Graph | None = None
    # Searches may overlap, and a tree that changes under the pages shows somebody twice.
    seen: set[str] = field(default_factory=set)

    def batches(self, search: Search) -> Iterator[Batch]:
        """Give everybody whom a search finds."""
        asked = [*self.columns.attributes(), *(PERSON if self.directory.groups else ())]
        for page in pages(self.connection, search, asked, self.directory.page_size):
            if page and self.groups is None:  # changes: read only when somebody is there
                self.groups = graph(self.connection, self.directory, self.standing)
            yield Batch([row for dn, values in page if (row := self._row(dn, values))])

    def _row(self, dn: str, values: Values) -> tuple[str, dict[str, object]] | None:
        own = own_id(dn, values)
        if own in self.seen:
            return None
        self.seen.add(own)
        names = self.groups.of(dn, values) if self.groups else None
        return own, self.columns.row(dn, values, names)

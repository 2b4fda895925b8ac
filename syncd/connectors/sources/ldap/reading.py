"""One read of a directory, from the bind to the last page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from syncd.connectors.records import Batch, Course
from syncd.connectors.sources.ldap.connecting import Connection, connected
from syncd.connectors.sources.ldap.decoding import Columns, own_id
from syncd.connectors.sources.ldap.groups import PERSON, Graph, graph
from syncd.connectors.sources.ldap.searching import pages
from syncd.connectors.sources.ldap.settings import Directory, Search
from syncd.connectors.sources.ldap.standing import stand

__all__ = ["batches"]


def batches(directory: Directory, token: str | None, course: Course) -> Iterator[Batch]:
    """Read everybody. Raises Unread."""
    del token  # nothing here can tell what changed
    columns = Columns.of(directory.mapping)
    with connected(f"source {directory.name}", directory.server) as connection:
        standing = stand(connection)
        known = standing.attributes
        if known:
            there = columns.present(known, groups=directory.groups is not None)
            course.columns = there + sorted(known)
        table = _Table(connection, directory, columns, graph(connection, directory, standing))
        for search in directory.searches:
            yield from table.batches(search)


@dataclass(slots=True)
class _Table:
    """Makes rows of entries, each entry once."""

    connection: Connection
    directory: Directory
    columns: Columns
    groups: Graph | None
    # Searches may overlap, and a tree that changes under the pages shows somebody twice.
    seen: set[str] = field(default_factory=set)

    def batches(self, search: Search) -> Iterator[Batch]:
        """Give everybody whom a search finds."""
        asked = [*self.columns.attributes(), *(PERSON if self.groups else ())]
        for page in pages(self.connection, search, asked, self.directory.page_size):
            rows = []
            for dn, values in page:
                own = own_id(dn, values)
                if own not in self.seen:
                    self.seen.add(own)
                    names = self.groups.of(dn, values) if self.groups else None
                    rows.append((own, self.columns.row(dn, values, names)))
            yield Batch(rows)

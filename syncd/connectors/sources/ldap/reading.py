"""One read of a directory, from the bind to the last page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from syncd.connectors.records import Batch, Course
from syncd.connectors.sources.ldap.connecting import Connection, connected
from syncd.connectors.sources.ldap.decoding import Columns, own_id
from syncd.connectors.sources.ldap.searching import entry, pages
from syncd.connectors.sources.ldap.settings import Directory

__all__ = ["batches"]

ATTRIBUTE = re.compile(rb"\sNAME\s+(?:'([^']+)'|\(\s*((?:'[^']+'\s*)+)\))")
"""The names in the description of an attribute's type (RFC 4512 section 4.1.2)."""


def batches(directory: Directory, token: str | None, course: Course) -> Iterator[Batch]:
    """Read everybody. Raises Unread."""
    del token  # nothing here can tell what changed
    columns = Columns.of(directory.mapping)
    with connected(f"source {directory.name}", directory.server) as connection:
        known = _attributes(connection)
        course.columns = columns.present(known) + sorted(known) if known else None
        yield from _everybody(directory, connection, columns)


def _everybody(directory: Directory, connection: Connection, columns: Columns) -> Iterator[Batch]:
    # Searches may overlap, and a search that changes under the pages shows somebody twice.
    seen: set[str] = set()
    for search in directory.searches:
        for page in pages(connection, search, columns.attributes(), directory.page_size):
            rows = []
            for dn, values in page:
                own = own_id(dn, values)
                if own not in seen:
                    seen.add(own)
                    rows.append((own, columns.row(dn, values)))
            yield Batch(rows)


def _attributes(connection: Connection) -> set[str]:
    """Return the attributes that the directory knows, in lower case; nothing if it hides them."""
    root = entry(connection, "", ["subschemaSubentry"])
    where = root.get("subschemasubentry")
    if not where:
        return set()
    found = entry(connection, where[0].decode(), ["attributeTypes"]).get("attributetypes", ())
    names: set[str] = set()
    for each in found:
        match = ATTRIBUTE.search(each)
        if match:
            names.update(re.findall(r"[\w.;-]+", (match[1] or match[2]).decode().lower()))
    return names

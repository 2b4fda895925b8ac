"""Search a directory: always in pages, and with all values of an attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import ldap
from ldap.controls.libldap import SimplePagedResultsControl

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.connecting import Connection
from syncd.connectors.sources.ldap.refusals import telling
from syncd.connectors.sources.ldap.settings import Search

__all__ = ["Entry", "entry", "pages"]

Entry = tuple[str, dict[str, list[bytes]]]
"""A distinguished name, and the values by the attributes' names in lower case."""

SCOPES = {"subtree": ldap.SCOPE_SUBTREE, "one": ldap.SCOPE_ONELEVEL}
PART = re.compile(r"(?P<name>[^;]+);range=[0-9]+-(?P<last>[0-9]+|\*)", re.IGNORECASE)
"""A part of a long list of values: `member;range=0-1499` ([MS-ADTS], range retrieval)."""


def entry(connection: Connection, dn: str, attributes: Sequence[str]) -> dict[str, list[bytes]]:
    """Read one entry; empty where there is none or nothing of it may be seen. Raises Unread."""
    with telling(connection.what):
        try:
            found = connection.link.search_ext_s(
                dn, ldap.SCOPE_BASE, "(objectClass=*)", list(attributes), timeout=connection.timeout
            )
        except ldap.NO_SUCH_OBJECT:
            return {}
    one = next(_entries(connection, found), None)
    return one[1] if one else {}


def pages(
    connection: Connection,
    search: Search,
    attributes: Sequence[str],
    size: int,
    controls: Sequence[Any] = (),
) -> Iterator[list[Entry]]:
    """
    Give the entries that a search finds, at most *size* at a time. Raises Unread.

    References to other servers are not followed (identity-and-sources.md section 3.1).
    """
    page = SimplePagedResultsControl(True, size=size, cookie=b"")
    number = 0
    while True:
        number += 1
        with telling(f"{connection.what}, base {search.base}, page {number}"):
            asked = connection.link.search_ext(
                search.base,
                SCOPES[search.scope],
                search.filter,
                list(attributes),
                serverctrls=[page, *controls],
            )
            _, found, _, answers = connection.link.result3(asked, timeout=connection.timeout)
        yield list(_entries(connection, found))
        answer = next((each for each in answers if each.controlType == page.controlType), None)
        if answer is None:
            raise Unread(
                f"{connection.what}, base {search.base}, page {number}: the server does not say "
                "whether this was all; it must support paged results"
            )
        page.cookie = answer.cookie
        if not page.cookie:
            return


def _entries(connection: Connection, found: Sequence[Any]) -> Iterator[Entry]:
    """Give entries with all their values; what has no name is a reference."""
    for dn, values in found:
        if dn is not None:
            yield dn, _whole(connection, dn, values)


def _whole(
    connection: Connection, dn: str, values: dict[str, list[bytes]]
) -> dict[str, list[bytes]]:
    """Return the values by lower-case names; reads on where only a part of them came."""
    whole: dict[str, list[bytes]] = {}
    for name, part in values.items():
        ranged = PART.fullmatch(name)
        if ranged is None:
            # An empty list stands beside the ranged one of the same name.
            whole.setdefault(name.lower(), part)
        else:
            whole[ranged["name"].lower()] = _rest(connection, dn, ranged, part)
    return whole


def _rest(connection: Connection, dn: str, ranged: re.Match[str], part: list[bytes]) -> list[bytes]:
    """Read the values that did not come in the first part."""
    values, name = list(part), ranged["name"]
    while ranged["last"] != "*":
        asked = f"{name};range={int(ranged['last']) + 1}-*"
        with telling(f"{connection.what}, values of {name}"):
            found = connection.link.search_ext_s(
                dn, ldap.SCOPE_BASE, "(objectClass=*)", [asked], timeout=connection.timeout
            )
        parts = [
            (match, some)
            for entry_dn, each in found
            if entry_dn is not None
            for label, some in each.items()
            if (match := PART.fullmatch(label)) and match["name"].lower() == name.lower()
        ]
        if not parts or (not parts[0][1] and parts[0][0]["last"] != "*"):
            raise Unread(f"{connection.what}: a list of values of {name} broke off; read again")
        ranged, some = parts[0]
        values += some
    return values

"""The DirSync control of Active Directory: what changed in a naming context since a cookie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ldap
from ldap.controls import RequestControl, ResponseControl

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.connecting import Connection
from syncd.connectors.sources.ldap.refusals import telling
from syncd.connectors.sources.ldap.searching import Entry

__all__ = ["Expired", "Synced", "synced"]

DIRSYNC = "1.2.840.113556.1.4.841"
"""Of the control ([MS-ADTS])."""
FLAGS = 0x1 | 0x80000000
"""Only what the account may see, which needs no right to replicate; values one by one."""
MOST = 1_000_000
"""Bytes of attributes in one answer, about."""
INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30
"""Tags of BER (ITU-T X.690)."""


class Expired(Exception):
    """The server takes a cookie no longer."""


class Synced:
    """A walk through changes. Iterate to the end, then ask for the cookie."""

    __slots__ = ("_pages", "cookie")

    def __init__(self, pages: Iterator[tuple[list[Entry], bytes]]) -> None:
        """Prepare to walk."""
        self._pages = pages
        self.cookie = b""

    def __iter__(self) -> Iterator[list[Entry]]:
        """Give what changed, part by part."""
        for page, cookie in self._pages:
            self.cookie = cookie
            yield page


def synced(
    connection: Connection, context: str, condition: str, attributes: Sequence[str], cookie: bytes
) -> Synced:
    """Walk through the entries of which one of these attributes changed. Raises Expired, Unread."""
    return Synced(_walk(connection, context, condition, attributes, cookie))


def _walk(
    connection: Connection, context: str, condition: str, attributes: Sequence[str], cookie: bytes
) -> Iterator[tuple[list[Entry], bytes]]:
    more, link = True, connection.link
    while more:
        control = RequestControl(DIRSYNC, True, _question(cookie))
        with telling(f"{connection.what}, changes in {context}"):
            try:
                asked = link.search_ext(
                    context, ldap.SCOPE_SUBTREE, condition, list(attributes), serverctrls=[control]
                )
                _, found, _, answers = link.result4(
                    asked, 1, connection.timeout, 0, 0, 0, {DIRSYNC: ResponseControl}
                )[:4]
            except ldap.UNAVAILABLE_CRITICAL_EXTENSION:
                raise Expired from None
        more, cookie = _answer(connection, context, answers)
        yield [(dn, _named(values)) for dn, values in found if dn is not None], cookie


def _named(values: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Return values by lower-case names; parts of lists are only that here: what changed."""
    return {name.lower(): some for name, some in values.items()}


def _question(cookie: bytes) -> bytes:
    # Flags are 32 bits with a sign (identity-and-sources.md section 3.4).
    flags = FLAGS - (1 << 32)
    return _part(SEQUENCE, _number(flags) + _number(MOST) + _part(OCTETS, cookie))


def _answer(connection: Connection, context: str, answers: Sequence[Any]) -> tuple[bool, bytes]:
    try:
        [said] = [each.encodedControlValue for each in answers if each.controlType == DIRSYNC]
        [(_, inner)] = _parts(said)
        (_, more), _, (_, cookie) = _parts(inner)
    except (ValueError, IndexError):
        raise Unread(
            f"{connection.what}, changes in {context}: the server does not say where to go on; "
            'set changes = "usn" or "none"'
        ) from None
    return any(more), cookie


def _number(value: int) -> bytes:
    return _part(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _part(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Take apart what stands one after the other. Raises ValueError or IndexError."""
    parts, at = [], 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            length = size & 0x7F
            size = int.from_bytes(data[at : at + length], "big")
            at += length
        if at + size > len(data):
            raise ValueError("cut off")
        parts.append((tag, data[at : at + size]))
        at += size
    return parts

"""What a server says about itself before anything is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from syncd.connectors.records import Unread
from syncd.connectors.sources.ldap.connecting import Connection
from syncd.connectors.sources.ldap.searching import entry

__all__ = ["Standing", "stand"]

ATTRIBUTE = re.compile(rb"\sNAME\s+(?:'([^']+)'|\(\s*((?:'[^']+'\s*)+)\))")
"""The names in the description of an attribute's type (RFC 4512 section 4.1.2)."""
ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
"""What a domain controller has among its capabilities ([MS-ADTS], rootDSE)."""
ASKED = (
    "subschemaSubentry",
    "supportedCapabilities",
    "namingContexts",
    "highestCommittedUSN",
    "dsServiceName",
    "currentTime",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Which server this is and how far it has come.

    `attributes` are those of its schema, in lower case, empty where it hides them.
    `invocation` and `usn` are what a domain controller counts its changes by: another
    invocation means that it counts anew ([MS-ADTS]).
    """

    attributes: frozenset[str]
    contexts: tuple[str, ...]
    active_directory: bool
    service: str = ""
    invocation: str = ""
    usn: int = 0
    now: datetime | None = None

    def context(self, base: str) -> str:
        """Return the naming context that a base lies in; the base where none is known."""
        folded = base.casefold()
        around = [
            each
            for each in self.contexts
            if folded == each.casefold() or folded.endswith(f",{each.casefold()}")
        ]
        return max(around, key=len, default=base)


def stand(connection: Connection) -> Standing:
    """Ask a server who it is. Raises Unread."""
    root = entry(connection, "", ASKED)
    said = {
        name: [each.decode(errors="replace") for each in root.get(name.lower(), ())]
        for name in ASKED
    }
    schema, service = said["subschemaSubentry"], said["dsServiceName"]
    capable = ACTIVE_DIRECTORY in said["supportedCapabilities"]
    invocation = b""
    if capable and service:
        [invocation] = entry(connection, service[0], ["invocationId"]).get("invocationid") or [b""]
    return Standing(
        attributes=frozenset(_attributes(connection, schema[0])) if schema else frozenset(),
        contexts=tuple(said["namingContexts"]),
        active_directory=capable,
        service="".join(service),
        invocation=str(UUID(bytes_le=invocation)) if len(invocation) == 16 else "",
        usn=_number(connection, said["highestCommittedUSN"]),
        now=_moment(said["currentTime"]),
    )


def _attributes(connection: Connection, where: str) -> Iterable[str]:
    for each in entry(connection, where, ["attributeTypes"]).get("attributetypes", ()):
        match = ATTRIBUTE.search(each)
        if match:
            yield from re.findall(r"[\w.;-]+", (match[1] or match[2]).decode().lower())


def _number(connection: Connection, said: list[str]) -> int:
    try:
        return int(said[0]) if said else 0
    except ValueError:
        raise Unread(f"{connection.what}: highestCommittedUSN is not a number") from None


def _moment(said: list[str]) -> datetime | None:
    try:
        return datetime.strptime(said[0][:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC) if said else None
    except ValueError:
        return None

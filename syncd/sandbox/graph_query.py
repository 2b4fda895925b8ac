"""What a query asks of Microsoft Graph, and the links to its further pages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from syncd.sandbox.answers import Call
from syncd.sandbox.directory import Entry
from syncd.sandbox.errors import Refused
from syncd.sandbox.graph_catalog import DEFAULT, Kind, bad_request, known

__all__ = ["Query", "link", "read_query", "read_token", "shown", "unsupported"]

OPTIONS = frozenset(
    {"$select", "$top", "$filter", "$count", "$skiptoken", "$deltatoken", "$orderby", "$expand"}
)
PAGE, LARGEST = 100, 999
CONDITION = re.compile(r"\s*(\w+)\s+eq\s+(?:'((?:[^']|'')*)'|(true|false))\s*")
BETWEEN = re.compile(r"\s+or\s+", re.IGNORECASE)
EVENTUAL = "eventual"
IDS = 50
"""The most ids in the filter of a delta (section 2.1)."""


@dataclass(frozen=True, slots=True)
class Query:
    """
    The options of a request.

    `select` is None where nothing is selected. An object fits when one of the *conditions*,
    each a property and its value, does. An *advanced* query says that it may lag behind.
    """

    select: tuple[str, ...] | None
    top: int
    conditions: tuple[tuple[str, object], ...]
    advanced: bool
    skip: str | None
    delta: str | None
    given: frozenset[str]

    def fits(self, entry: Entry) -> bool:
        """Say whether an object is asked for."""
        return not self.conditions or any(
            _same(entry.id if name == "id" else entry.properties.get(name), value)
            for name, value in self.conditions
        )


def read_query(call: Call, kind: Kind, *, members: bool = False) -> Query:
    """Read the options of a call. Raises Refused; with *members* these may be selected."""
    given = dict(parse_qsl(call.query, keep_blank_values=True))
    for name in given:
        if name.startswith("$") and name not in OPTIONS:
            raise bad_request(f"The query parameter '{name}' is not recognized.")
    count = given.get("$count", "").lower() == "true"
    return Query(
        select=_selected(given.get("$select"), kind, members=members),
        top=_top(given.get("$top")),
        conditions=_conditions(given.get("$filter"), kind),
        advanced=count and call.headers.get("consistencylevel", "").lower() == EVENTUAL,
        skip=given.get("$skiptoken"),
        delta=given.get("$deltatoken"),
        given=frozenset(given),
    )


def _selected(text: str | None, kind: Kind, *, members: bool) -> tuple[str, ...] | None:
    if not text:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if not known(kind, name) and not (members and name == "members"):
            said = f"Could not find a property named '{name}' on type '{kind.type[1:]}'."
            raise Refused(400, "BadRequest", f"Parsing OData Select and Expand failed: {said}")
    return names


def _top(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isdecimal() or not 0 < int(text) <= LARGEST:
        raise bad_request(f"Invalid page size specified: '{text}'. Must be between 1 and 999.")
    return int(text)


def _conditions(text: str | None, kind: Kind) -> tuple[tuple[str, object], ...]:
    if not text:
        return ()
    found: list[tuple[str, object]] = []
    for part in BETWEEN.split(text):
        match = CONDITION.fullmatch(part)
        if match is None or not known(kind, match[1]):
            raise unsupported("Unsupported or invalid query filter clause.")
        value = match[3] == "true" if match[2] is None else match[2].replace("''", "'")
        found.append((match[1], value))
    if len(found) > IDS:
        raise unsupported(f"Too many child clauses in a filter: {len(found)}.")
    return tuple(found)


def _same(mine: object, wanted: object) -> bool:
    """Compare as the directory does: texts in any case."""
    if isinstance(mine, str) and isinstance(wanted, str):
        return mine.casefold() == wanted.casefold()
    return mine == wanted


def unsupported(message: str) -> Refused:
    """Refuse a query that the directory does not answer, or not in this way."""
    return Refused(400, "Request_UnsupportedQuery", message)


def shown(entry: Entry, select: Sequence[str] | None, *, sparse: bool = False) -> dict[str, object]:
    """
    Return an object as JSON shows it.

    A property without a value is null, or with *sparse* absent if it never had one: so it
    is in a delta (section 2.1).
    """
    names = DEFAULT[entry.kind] if select is None else select
    found: dict[str, object] = {"id": entry.id}
    for name in names:
        if name in {"id", "members"} or (sparse and name not in entry.properties):
            continue
        empty: object = [] if name in {"businessPhones", "otherMails"} else None
        found[name] = entry.properties.get(name, empty)
    return found


def link(call: Call, name: str, token: Any, keep: str = "") -> str:
    """Return the address of what comes next; nobody but us can read the token in it."""
    text = base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")
    return f"{call.base}{call.path}?{keep}{name}={quote(text)}"


def read_token(text: str, kind: Any) -> Any:
    """Read a token that `link` wrote. Raises Refused."""
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(content, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise bad_request("Badly formed token.") from None

"""
The tables that refer to a membership row: its one-to-many relationships (domain.md section 5).

All have a lookup without a table of its own to point to, which is why they are asked by the
row's id alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.connectors.dataverse.asking import NAMES, Asking, rows
from syncd.core.inspection import Entry, Neighbour
from syncd.core.preflight import Trouble

__all__ = ["NEIGHBOURS", "OUTLIVING", "Table", "around", "shown"]

_privilege = re.compile(r"\bprvRead[A-Za-z_]{1,80}\b").search
MOST = 50
"""Entries that are listed of one table."""
FORMATTED = "@OData.Community.Display.V1.FormattedValue"


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table that refers to memberships.

    `said` are the columns that tell what happened, in the order of the sentence; `at` is
    the one that tells when. `outlives` says that its rows stay when the membership is
    deleted.
    """

    name: str
    entity_set: str
    title: str
    key: str
    said: tuple[str, ...]
    at: str | None = None
    lookup: str = "_regardingobjectid_value"
    outlives: bool = False


NEIGHBOURS = (
    Table(
        "asyncoperation",
        "asyncoperations",
        "system jobs",
        "asyncoperationid",
        ("statuscode", "name", "messagename", "errorcode", "friendlymessage", "message"),
        "createdon",
        outlives=True,
    ),
    Table(
        "bulkdeletefailure",
        "bulkdeletefailures",
        "failures of bulk deletes",
        "bulkdeletefailureid",
        ("errornumber", "errordescription", "_asyncoperationid_value"),
    ),
    Table(
        "syncerror",
        "syncerrors",
        "sync errors of devices",
        "syncerrorid",
        ("errortype", "name", "action", "errorcode", "errormessage"),
        "errortime",
    ),
    Table(
        "processsession",
        "processsessions",
        "process sessions",
        "processsessionid",
        ("statuscode", "name"),
        "createdon",
        outlives=True,
    ),
    Table(
        "mailboxtrackingfolder",
        "mailboxtrackingfolders",
        "mailbox tracking folders",
        "mailboxtrackingfolderid",
        ("exchangefolderid",),
        "createdon",
    ),
    Table(
        "principalobjectattributeaccess",
        "principalobjectattributeaccessset",
        "shared columns",
        "principalobjectattributeaccessid",
        ("_principalid_value", "attributeid", "readaccess", "updateaccess"),
        lookup="_objectid_value",
    ),
)
OUTLIVING = tuple(table for table in NEIGHBOURS if table.outlives)
CODES = frozenset({"errorcode", "errornumber"})
LABELS: Mapping[str, str] = {
    "errorcode": "error",
    "errornumber": "error",
    "_asyncoperationid_value": "job",
    "attributeid": "column",
    "readaccess": "read",
    "updateaccess": "update",
}
"""What stands before a value that says nothing by itself."""


def around(asking: Asking, row: str, tables: Sequence[Table] = NEIGHBOURS) -> tuple[Neighbour, ...]:
    """Return what refers to the row of this id; it has been checked to be a GUID."""
    return tuple(_neighbour(asking, table, row) for table in tables)


def _neighbour(asking: Asking, table: Table, row: str) -> Neighbour:
    columns = ",".join([table.key, *table.said, *filter(None, [table.at])])
    # The latest first, and one more than is listed, to see whether there are more.
    order = f"&$orderby={table.at}%20desc" if table.at else ""
    query = (
        f"{table.entity_set}?$select={columns}&$filter={table.lookup}%20eq%20{row}"
        f"{order}&$top={MOST + 1}"
    )
    found = asking.ask(query, table.entity_set, rows, NAMES)
    if isinstance(found, Trouble):
        return Neighbour(table.name, table.title, trouble=_lacking(found.sentence))
    entries = tuple(_entry(table, each) for each in found[:MOST])
    return Neighbour(table.name, table.title, entries, more=len(found) > MOST)


def _lacking(sentence: str) -> str:
    """Name the privilege alone where that is what is missing: nothing but this look needs it."""
    found = _privilege(sentence)
    return f"the application user lacks the privilege {found[0]}" if found else sentence


def _entry(table: Table, found: Mapping[str, Any]) -> Entry:
    at = found.get(table.at) if table.at else None
    said: list[str] = []
    for name in table.said:
        value = shown(found, name)
        if value is not None and value not in said:
            said.append(f"{LABELS[name]} {value}" if name in LABELS else value)
    return Entry(str(found.get(table.key, "")), None if at is None else str(at), ", ".join(said))


def shown(found: Mapping[str, Any], name: str) -> str | None:
    """
    Return a value as people read it: its formatted form where the server gives one.

    Codes of errors are negative numbers there; documentation has them in hex.
    """
    value = found.get(name)
    if isinstance(value, int) and name in CODES and value < 0:
        return f"0x{value & 0xFFFFFFFF:08x}"
    value = found.get(f"{name}{FORMATTED}", value)
    return None if value is None or value == "" else " ".join(str(value).split())

"""
The rows that are there without a world: organization, business unit, messages and privileges.

Which message exists for which table is data in Dataverse (domain.md section 8); so it is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from uuid import NAMESPACE_URL, uuid5

from syncd.sandbox.catalog import FACTS, PRIVILEGE_TYPES
from syncd.sandbox.columns import Table
from syncd.sandbox.index import Row
from syncd.sandbox.neighbours import STANDING
from syncd.sandbox.shorthand import CALLER
from syncd.sandbox.switches import LISTED, MESSAGES, Switches
from syncd.sandbox.tables import TABLES

__all__ = ["application_user", "filters", "messages", "privilege_id", "registered", "standing_rows"]

SINGLE = ("Create", "Retrieve", "RetrieveMultiple", "Update", "Delete", "Upsert")
LINKS = ("Associate", "Disassociate")
MULTIPLE = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")
READ_ONLY = ("Retrieve", "RetrieveMultiple")
READ_ONLY_TABLES = frozenset(
    {"bulkdeletefailure", "sdkmessage", "sdkmessagefilter", "privilege", "systemuserroles"}
)
PROFILE_ONLY = ("CloneMobileOfflineProfile", "RetrieveUnpublished", "RetrieveUnpublishedMultiple")
UNBOUND = ("BulkDelete", "RetrieveMetadataChanges", "RetrieveTotalRecordCount", "WhoAmI")
CHANGES = "RetrieveEntityChanges"
RIGHTS = {"Create": 32, "Read": 1, "Write": 2, "Delete": 65536, "Append": 4, "AppendTo": 16}
"""The values of `accessright` by the type of a privilege; the others have their own."""


def messages(table: str) -> Sequence[str]:
    """Return the messages registered for a table, as long as nobody switches one off."""
    if table in READ_ONLY_TABLES:
        return READ_ONLY
    found = [*SINGLE, *LINKS]
    if FACTS[table].bulk:
        found += MULTIPLE
    found.append(CHANGES)
    if table == "mobileofflineprofile":
        found += PROFILE_ONLY
    return found


def standing_rows() -> Mapping[str, dict[str, Row]]:
    """Return these rows by table and key. They are older than all that is written later."""
    return {name: dict(rows) for name, rows in _standing().items()}


def filters(switches: Switches) -> dict[str, Row]:
    """Return the rows of sdkmessagefilter as the switches stand."""
    return _rows(
        TABLES["sdkmessagefilter"],
        [_filter(table, each) for table in TABLES for each in registered(table, switches)],
    )


def registered(table: str, switches: Switches) -> list[str]:
    """
    Return the messages of a table without those that it refuses at the moment.

    A table that takes what its reference page lists, and is read all the same, has what is listed.
    """
    taken, listed = switches.registered(table), LISTED.get(table)
    if listed is not None and taken == listed.union(READ_ONLY):
        return sorted(listed)
    return [
        message
        for message in messages(table)
        if (message in taken or message not in MESSAGES)
        and not (message == CHANGES and table in switches.untracked)
    ]


@cache
def _standing() -> Mapping[str, dict[str, Row]]:
    names = {message for table in TABLES for message in messages(table)}
    kinds = [
        _privilege(kind, facts.privilege(kind))
        for facts in FACTS.values()
        for kind in PRIVILEGE_TYPES
    ]
    return {
        **{name: _rows(TABLES[name], [row]) for name, row in STANDING.items()},
        "sdkmessage": _rows(
            TABLES["sdkmessage"], [_message(name) for name in sorted(names.union(UNBOUND))]
        ),
        "sdkmessagefilter": filters(Switches()),
        "privilege": _rows(TABLES["privilege"], kinds),
    }


def application_user() -> Row:
    """
    Return the row of the user behind the requests.

    No list shows it, so that a world is what it says; but who asks for it by id finds it.
    """
    given = {
        "systemuserid": CALLER,
        "fullname": "# syncd",
        "firstname": "#",
        "lastname": "syncd",
        "domainname": "syncd@contoso.onmicrosoft.com",
        "internalemailaddress": "syncd@contoso.onmicrosoft.com",
        "applicationid": "5a7d0c00-0000-4000-8000-000000000005",
        "azureactivedirectoryobjectid": "5a7d0c00-0000-4000-8000-000000000006",
        "accessmode": 4,
        "createdon": "2020-01-01T00:00:00Z",
        "modifiedon": "2020-01-01T00:00:00Z",
    }
    return _rows(TABLES["systemuser"], [given])[CALLER]


def _rows(table: Table, given: Sequence[Mapping[str, object]]) -> dict[str, Row]:
    found = {}
    for each in given:
        values = list(table.defaults)
        for name, value in each.items():
            values[table.positions[name]] = value
        values[table.version] = 0
        found[str(values[0])] = tuple(values)
    return found


def _id(*names: str) -> str:
    return str(uuid5(NAMESPACE_URL, ":".join(("sandbox", *names))))


def privilege_id(name: str) -> str:
    """Return the id of a privilege."""
    return _id("privilege", name)


def _message(name: str) -> Mapping[str, object]:
    return {"sdkmessageid": _id("message", name), "name": name, "isactive": True}


def _filter(table: str, message: str) -> Mapping[str, object]:
    return {
        "sdkmessagefilterid": _id("filter", table, message),
        "_sdkmessageid_value": _id("message", message),
        "primaryobjecttypecode": table,
        "secondaryobjecttypecode": "none",
        "availability": 0,
        "iscustomprocessingstepallowed": True,
        "isvisible": True,
    }


def _privilege(kind: str, name: str) -> Mapping[str, object]:
    return {
        "privilegeid": privilege_id(name),
        "name": name,
        "accessright": RIGHTS.get(kind, 0),
        "canbeglobal": True,
    }

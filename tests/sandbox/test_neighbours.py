"""The tables around a membership: what refers to it, who may what, whose it is."""

from __future__ import annotations

import pytest

from syncd.sandbox.shorthand import CALLER
from tests.sandbox.door import ADA, CREW, ROW, ROWS, SMALL, Door, sandbox_of

MEMBERSHIP = "usermobileofflineprofilemembership"
JOB = "60000000-0000-4000-8000-000000000001"
WORLD = {
    **SMALL,
    "asyncoperations": [
        {"asyncoperationid": JOB, "name": "Cascade", "statecode": 3, "statuscode": 31,
         "_regardingobjectid_value": ROW, "friendlymessage": "It failed."},
    ],
    "bulkdeletefailures": [
        {"_asyncoperationid_value": JOB, "errornumber": -5, "_regardingobjectid_value": ROW},
    ],
    "syncerrors": [{"name": "late", "errortype": 1, "_regardingobjectid_value": ROW}],
    "processsessions": [{"name": "dialog", "_regardingobjectid_value": ROW}],
    "mailboxtrackingfolders": [{"exchangefolderid": "x", "_regardingobjectid_value": ROW}],
    "principalobjectattributeaccessset": [
        {"_objectid_value": ROW, "_principalid_value": ADA, "readaccess": True},
    ],
    "roles": [{"roleid": CREW, "name": "Planner"}],
    "systemuserrolescollection": [{"systemuserid": ADA, "roleid": CREW}],
}  # fmt: skip
"""One row of everything that may refer to a membership."""
CHILDREN = (
    ("AsyncOperations", "asyncoperations", True),
    ("ProcessSession", "processsessions", True),
    ("BulkDeleteFailures", "bulkdeletefailures", False),
    ("SyncErrors", "syncerrors", False),
    ("MailboxTrackingFolders", "mailboxtrackingfolders", False),
    ("PrincipalObjectAttributeAccesses", "principalobjectattributeaccessset", False),
)


@pytest.mark.parametrize(("relation", "table", "_stays"), CHILDREN)
def test_what_refers_to_a_membership_is_found(relation: str, table: str, _stays: object) -> None:
    """Through the collection, by a filter, and by an expansion of the row."""
    door = Door(sandbox_of(WORLD))
    column = "_objectid_value" if table.endswith("set") else "_regardingobjectid_value"
    collection = f"{MEMBERSHIP}_{relation}"

    (found,) = door.get(f"{ROWS}({ROW})/{collection}")["value"]
    (filtered,) = door.get(f"{table}?$filter={column}%20eq%20{ROW}")["value"]
    expanded = door.get(f"{ROWS}({ROW})?$select=name&$expand={collection}")

    assert found == filtered
    assert expanded[collection] == [found]


@pytest.mark.parametrize(("_relation", "table", "stays"), CHILDREN)
def test_they_go_or_stay_with_the_membership(_relation: str, table: str, *, stays: bool) -> None:
    """As domain.md section 5 has it; jobs and sessions keep a reference that dangles."""
    door = Door(sandbox_of(WORLD))

    door.send("DELETE", f"{ROWS}({ROW})")

    assert len(door.get(table)["value"]) == int(stays)


def test_a_regarding_row_is_reached_and_named_by_its_table() -> None:
    """One lookup, a navigation property for each table that it may name."""
    door = Door(sandbox_of(WORLD))
    nav = f"regardingobjectid_{MEMBERSHIP}"
    wanted = 'odata.include-annotations="*"'

    row = door.get(f"asyncoperations({JOB})?$select=_regardingobjectid_value", wanted)
    there = door.get(f"asyncoperations({JOB})/{nav}?$select=name")
    found = door.get(f"asyncoperations?$filter={nav}/name%20eq%20'by%20hand'")["value"]

    value = "_regardingobjectid_value"
    assert row[f"{value}@Microsoft.Dynamics.CRM.lookuplogicalname"] == MEMBERSHIP
    assert row[f"{value}@Microsoft.Dynamics.CRM.associatednavigationproperty"] == nav
    assert row[f"{value}@OData.Community.Display.V1.FormattedValue"] == "by hand"
    assert there["name"] == "by hand"
    assert len(found) == 1


def test_neighbours_can_be_written_over_http() -> None:
    """So that a test can leave behind what the platform would."""
    door = Door(sandbox_of(SMALL))
    body = {
        "name": "conflict",
        "errortype": 0,
        f"regardingobjectid_{MEMBERSHIP}@odata.bind": f"/{ROWS}({ROW})",
    }

    made = door.send("POST", "syncerrors", body)
    (row,) = door.get("syncerrors", 'odata.include-annotations="OData*"')["value"]

    assert made.status == 204
    assert row["_regardingobjectid_value"] == ROW
    assert row["errortype@OData.Community.Display.V1.FormattedValue"] == "Conflict"


def test_roles_belong_to_users() -> None:
    """And a user with a role may read something."""
    door = Door(sandbox_of(WORLD))

    roles = door.get(f"systemusers({ADA})/systemuserroles_association?$select=name")["value"]
    held = door.get(f"systemusers({ADA})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()")

    assert [role["name"] for role in roles] == ["Planner"]
    assert {each["Depth"] for each in held["RolePrivileges"]} == {"Basic"}


def test_every_sandbox_has_an_organization_and_a_business_unit() -> None:
    """A world may bring others; a user is in the standing unit."""
    door = Door(sandbox_of(SMALL))
    other = {"organizationid": CREW, "name": "Fabrikam", "expirechangetrackingindays": 30}
    moved = Door(sandbox_of({"organizations": [other]}))

    unit = door.get(f"systemusers({ADA})/businessunitid?$select=name")
    who = moved.get("WhoAmI")

    assert unit["name"] == "Contoso"
    assert who["OrganizationId"] == CREW
    assert moved.get("organizations")["value"][0]["expirechangetrackingindays"] == 30


def test_the_application_user_is_found_by_id_but_in_no_list(door: Door) -> None:
    """A preflight may look at itself; a world stays what it says."""
    row = door.get(f"systemusers({CALLER})?$select=applicationid,accessmode,isdisabled")
    unit = door.get(f"systemusers({CALLER})/businessunitid?$select=name")
    listed = door.get(f"systemusers?$filter=systemuserid%20eq%20{CALLER}")["value"]

    assert (row["accessmode"], row["isdisabled"]) == (4, False)
    assert row["applicationid"] is not None
    assert unit["name"] == "Contoso"
    assert listed == []
    assert door.send("DELETE", f"systemusers({CALLER})").status == 404

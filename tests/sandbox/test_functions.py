"""Functions, privileges, the service document and `$metadata`."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from syncd.sandbox import Sandbox, Store, world
from syncd.sandbox.shorthand import CALLER, ORGANIZATION
from tests.sandbox.door import (
    ADA,
    BO,
    CREW,
    ROW,
    ROWS,
    SMALL,
    Door,
    envelope,
    membership,
    part,
    refused,
)

MEMBERSHIP = "usermobileofflineprofilemembership"
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
FORBIDDEN = (403, "0x80040220")


def lack(door: Door, *names: str) -> None:
    """Take privileges from the caller."""
    body = json.dumps({"privileges": names}).encode()
    assert door.sandbox.answer("POST", "/_sandbox/lacking", "", {}, body).status == 204


def held(door: Door, user: str = CALLER) -> dict[str, dict[str, Any]]:
    """Return a user's privileges by name."""
    path = f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    return {each["PrivilegeName"]: each for each in door.get(path)["RolePrivileges"]}


@pytest.mark.parametrize("path", ["WhoAmI", "WhoAmI()", "Microsoft.Dynamics.CRM.WhoAmI()"])
def test_who_am_i_is_understood_in_every_form(door: Door, path: str) -> None:
    """With and without parentheses, with its namespace, and inside a batch."""
    found = door.get(path)
    batch = door.batch(envelope(part("GET", path)))

    assert (found["UserId"], found["OrganizationId"]) == (CALLER, ORGANIZATION)
    assert found["@odata.context"].endswith("$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse")
    assert CALLER.encode() in batch.content


@pytest.mark.parametrize(
    "path",
    [
        f"RetrieveTotalRecordCount(EntityNames=['systemuser','{MEMBERSHIP}'])",
        f"RetrieveTotalRecordCount(EntityNames=@p)?@p=['systemuser','{MEMBERSHIP}']",
        f'RetrieveTotalRecordCount(EntityNames=@p1)?@p1=["systemuser","{MEMBERSHIP}"]',
    ],
)
def test_rows_are_counted_inline_and_by_alias(door: Door, path: str) -> None:
    """Keys and values are two lists of equal length."""
    found = door.get(path)["EntityRecordCountCollection"]

    assert dict(zip(found["Keys"], found["Values"], strict=True)) == {
        "systemuser": 2,
        MEMBERSHIP: 1,
    }
    assert found["Count"] == 2


def test_the_organization_says_who_it_is_and_where(door: Door) -> None:
    """The same id as WhoAmI's, and addresses at the host that the caller used."""
    kind = quote("Microsoft.Dynamics.CRM.EndpointAccessType'Default'")
    detail = door.get(f"RetrieveCurrentOrganization(AccessType=@p1)?@p1={kind}")["Detail"]
    inline = door.get(
        "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')"
    )["Detail"]
    row = door.get("organizations?$select=name,expirechangetrackingindays,organizationid")["value"]

    assert detail == inline
    assert detail["OrganizationId"] == row[0]["organizationid"] == ORGANIZATION
    assert detail["State"] == "Enabled"
    assert detail["Endpoints"]["Values"][0] == "http://contoso.example/"
    assert row[0]["expirechangetrackingindays"] == 7


def test_small_functions_answer(door: Door) -> None:
    """Languages and version."""
    assert door.get("RetrieveAvailableLanguages()")["LocaleIds"] == [1033]
    assert door.get("RetrieveVersion()")["Version"].startswith("9.2.")
    assert refused(door.send("POST", "WhoAmI", {})) == (405, "0x8006088a")
    assert refused(door.send("GET", "WhoAreYou()")) == (404, "0x8006088a")


def test_the_caller_has_all_privileges_but_those_it_lacks(door: Door) -> None:
    """By the names that the table's definition gives, everywhere."""
    before = held(door)
    name = "prvReadUserMobileOfflineProfileMembership"
    entity = door.get(f"EntityDefinitions(LogicalName='{MEMBERSHIP}')?$select=Privileges")
    lack(door, name)

    after = held(door)

    assert {each["Name"] for each in entity["Privileges"]} <= {*before}
    assert before[name]["Depth"] == "Global"
    assert {*before} - {*after} == {name}
    assert held(door, ADA) == {}


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("Read", "GET", ROWS, None),
        ("Read", "GET", f"{ROWS}({ROW})", None),
        ("Read", "GET", f"{ROWS}/$count", None),
        ("Read", "GET", f"systemusers?$expand=systemuser_{MEMBERSHIP}_SystemUserId", None),
        (
            "Read",
            "GET",
            "systemusers?fetchXml="
            + quote(
                f'<fetch><entity name="systemuser"><link-entity from="systemuserid" '
                f'name="{MEMBERSHIP}" to="systemuserid"/></entity></fetch>'
            ),
            None,
        ),
        ("Create", "POST", ROWS, membership()),
        ("Append", "POST", ROWS, membership()),
        ("Write", "PATCH", f"{ROWS}({ROW})", {"name": "x"}),
        ("Create", "PATCH", f"{ROWS}({BO})", {"name": "x"}),
        ("Delete", "DELETE", f"{ROWS}({ROW})", None),
        ("Write", "DELETE", f"{ROWS}({ROW})/name", None),
        ("Append", "DELETE", f"{ROWS}({ROW})/SystemUserId/$ref", None),
        (
            "Create",
            "POST",
            f"{ROWS}/Microsoft.Dynamics.CRM.CreateMultiple",
            {"Targets": [{"@odata.type": f"Microsoft.Dynamics.CRM.{MEMBERSHIP}"}]},
        ),
    ],
)
def test_an_operation_without_its_privilege_is_forbidden(
    door: Door, name: str, method: str, path: str, body: object
) -> None:
    """403 names the privilege; with all others it is done."""
    privilege = f"prv{name}UserMobileOfflineProfileMembership"
    lack(door, privilege)
    denied = door.send(method, path, body)
    lack(door)

    allowed = door.send(method, path, body)

    assert refused(denied) == FORBIDDEN
    assert privilege in denied.content.decode()
    assert allowed.status < 300


def test_a_bind_needs_append_to_on_what_it_names(door: Door) -> None:
    """As setting a lookup does from either end (domain.md section 11)."""
    lack(door, "prvAppendToUser")
    nav = f"mobileofflineprofile_{MEMBERSHIP}_MobileOfflineProfileId"

    assert refused(door.send("POST", ROWS, membership())) == FORBIDDEN
    assert refused(door.send("DELETE", f"{ROWS}({ROW})/SystemUserId/$ref")) == FORBIDDEN
    body = {"@odata.id": f"{ROWS}({ROW})"}
    assert door.send("POST", f"mobileofflineprofiles({CREW})/{nav}/$ref", body).status == 204


def test_a_world_can_say_what_the_caller_lacks() -> None:
    """And one denied operation of a batch is one denied part."""
    store = Store()
    world.fill(store, {**SMALL, "_lacking": [{"name": "prvReadTeam"}]}, "2026-01-01T00:00:00Z")
    door = Door(Sandbox(store))

    answer = door.batch(envelope(part("GET", "teams"), part("GET", "systemusers")))

    assert refused(door.send("GET", "teams")) == FORBIDDEN
    assert answer.content.count(b"HTTP/1.1 403") == 1
    assert answer.content.count(b"HTTP/1.1 200") == 1


def test_rights_on_one_row_are_shown(door: Door) -> None:
    """As RetrievePrincipalAccess lists them."""
    lack(door, "prvDeleteUserMobileOfflineProfileMembership")
    target = quote(json.dumps({"@odata.id": f"{ROWS}({ROW})"}))
    path = f"systemusers({CALLER})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)"

    found = door.get(f"{path}?@t={target}")["AccessRights"].split(", ")

    assert "ReadAccess" in found
    assert "DeleteAccess" not in found


def test_an_order_for_a_privilege_that_is_none_is_refused(door: Door) -> None:
    """A misspelt name would lack nothing."""
    body = json.dumps({"privileges": ["prvReadNothing"]}).encode()

    assert door.sandbox.answer("POST", "/_sandbox/lacking", "", {}, body).status == 400


def test_the_root_lists_the_entity_sets(door: Door) -> None:
    """With and without a slash, at every version; the links stay with the version."""
    found = door.get("")
    old = door.sandbox.answer("GET", "/api/data/v9.1", "", {"Host": "other:81"}, b"")

    names = {each["name"] for each in found["value"]}
    assert {ROWS, "systemusers", "EntityDefinitions", "syncerrors"} <= names
    assert json.loads(old.content)["@odata.context"] == "http://other:81/api/data/v9.1/$metadata"


def test_metadata_is_a_consistent_schema(door: Door) -> None:
    """Every type, partner, binding and target that is named is there, and no name twice."""
    answer = door.send("GET", "$metadata", headers={"Accept": "application/xml"})
    schema = ET.fromstring(answer.content).find(f".//{EDM}Schema")  # noqa: S314  # our own
    assert schema is not None
    types = {
        each.get("Name"): each
        for kind in ("EntityType", "ComplexType")
        for each in schema.findall(f"{EDM}{kind}")
    }
    sets = {each.get("Name"): each for each in schema.iter(f"{EDM}EntitySet")}

    for used in schema.iter():
        for attribute in ("Type", "BaseType", "EntityType"):
            name = (used.get(attribute) or "Edm.").removeprefix("Collection(").rstrip(")")
            assert name.startswith("Edm.") or name.removeprefix("mscrm.") in types, name
    for kind in types.values():
        members = [each.get("Name") for each in kind if each.tag != f"{EDM}Key"]
        assert len(members) == len(set(members)), kind.get("Name")
    for nav in schema.iter(f"{EDM}NavigationProperty"):
        if nav.get("Partner") is None:
            continue
        target = (nav.get("Type") or "").removeprefix("Collection(").rstrip(")")[6:]
        partners = types[target].findall(f"{EDM}NavigationProperty[@Name='{nav.get('Partner')}']")
        assert len(partners) == 1
        assert partners[0].get("Partner") == nav.get("Name")
    for entity_set in sets.values():
        for binding in entity_set.findall(f"{EDM}NavigationPropertyBinding"):
            assert binding.get("Target") in sets
    user = types[MEMBERSHIP].find(f"{EDM}NavigationProperty[@Name='SystemUserId']")
    assert user is not None
    assert user.get("Type") == "mscrm.systemuser"
    constraint = user.find(f"{EDM}ReferentialConstraint")
    assert constraint is not None
    assert constraint.get("Property") == "_systemuserid_value"


def test_metadata_tells_of_change_tracking_on_request(door: Door) -> None:
    """With `annotations=true`, and as the switch stands."""
    door.sandbox.switches.untracked.add("systemuser")

    plain = door.send("GET", "$metadata").content
    noted = ET.fromstring(door.send("GET", "$metadata?annotations=true").content)  # noqa: S314

    tracked = {
        each.get("Name"): each.find(f".//{EDM}PropertyValue[@Property='Supported']")
        for each in noted.iter(f"{EDM}EntitySet")
    }
    users, rows = tracked["systemusers"], tracked[ROWS]
    assert users is not None
    assert rows is not None
    assert (users.get("Bool"), rows.get("Bool")) == ("false", "true")
    assert b"Capabilities" not in plain

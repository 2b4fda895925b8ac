"""Definitions of tables, columns and relationships, and what is registered for them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from syncd.sandbox import Sandbox
from syncd.sandbox.switches import reference
from tests.sandbox.door import ROWS, Door, envelope, part, refused

MEMBERSHIP = "usermobileofflineprofilemembership"
ENTITY = f"EntityDefinitions(LogicalName='{MEMBERSHIP}')"


def by(items: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Return documents by one of their properties."""
    return {item[name]: item for item in items}


def order(door: Door, what: str, body: object) -> int:
    """Give an order to the sandbox and return the status."""
    path = f"/_sandbox/{what}"
    return door.sandbox.answer("POST", path, "", {}, json.dumps(body).encode()).status


def test_the_table_says_what_a_preflight_asks(door: Door) -> None:
    """Set name, keys, columns with their rights, in one request (section 7)."""
    found = door.get(
        f"{ENTITY}?$select=EntitySetName,PrimaryIdAttribute,TableType,ChangeTrackingEnabled,"
        "IsOptimisticConcurrencyEnabled,Privileges&$expand=Keys($select=LogicalName,KeyAttributes,"
        "EntityKeyIndexStatus),Attributes($select=LogicalName,AttributeType,IsValidForCreate,"
        "IsValidForUpdate,IsValidForRead)"
    )

    columns = by(found["Attributes"], "LogicalName")
    privileges = {each["PrivilegeType"]: each["Name"] for each in found["Privileges"]}
    assert found["EntitySetName"] == ROWS
    assert found["TableType"] == "Standard"
    assert found["ChangeTrackingEnabled"] is True
    assert found["Keys"] == []
    assert columns["systemuserid"]["AttributeType"] == "Lookup"
    assert columns["statecode"]["IsValidForCreate"] is False
    assert columns["importsequencenumber"]["IsValidForUpdate"] is False
    assert columns["name"].keys() == {
        "@odata.type", "MetadataId", "LogicalName", "AttributeType", "IsValidForCreate",
        "IsValidForUpdate", "IsValidForRead",
    }  # fmt: skip
    assert privileges["Read"] == "prvReadUserMobileOfflineProfileMembership"


def test_a_table_is_found_by_filter_by_name_and_by_id(door: Door) -> None:
    """All three show the same definition."""
    wanted = quote(f"LogicalName eq '{MEMBERSHIP}'")
    (listed,) = door.get(f"EntityDefinitions?$select=LogicalName,SchemaName&$filter={wanted}")[
        "value"
    ]
    named = door.get(f"{ENTITY}?$select=LogicalName,SchemaName")
    by_id = door.get(f"EntityDefinitions({listed['MetadataId']})?$select=LogicalName,SchemaName")

    assert listed["LogicalName"] == MEMBERSHIP
    assert {**named, "@odata.context": ""} == {**by_id, "@odata.context": ""}
    assert named["MetadataId"] == listed["MetadataId"]


def test_definitions_are_not_paged_and_show_labels(door: Door) -> None:
    """Every table of the sandbox is one of them; a label knows its language."""
    tables = by(door.get("EntityDefinitions")["value"], "LogicalName")

    assert {MEMBERSHIP, "systemuser", "usermapping", "asyncoperation", "syncerror"} <= {*tables}
    assert tables["systemuser"]["DisplayName"]["UserLocalizedLabel"]["LanguageCode"] == 1033
    assert tables["systemuser"]["ObjectTypeCode"] == 8
    assert tables["systemuser"]["PrimaryNameAttribute"] == "fullname"
    assert tables[MEMBERSHIP]["CanChangeTrackingBeEnabled"]["Value"] is True
    assert tables["principalobjectattributeaccess"]["EntitySetName"].endswith("accessset")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("StringAttributeMetadata", {"name"}),
        ("BooleanAttributeMetadata", {"hasmobileofflineprofileidconflict"}),
        ("StateAttributeMetadata", {"statecode"}),
        ("EnumAttributeMetadata", {"statecode", "statuscode"}),
        ("UniqueIdentifierAttributeMetadata", {f"{MEMBERSHIP}id"}),
        ("BigIntAttributeMetadata", {"versionnumber"}),
    ],
)
def test_a_cast_chooses_the_columns_of_a_type(door: Door, kind: str, names: set[str]) -> None:
    """And shows what only these have."""
    path = f"{ENTITY}/Attributes/Microsoft.Dynamics.CRM.{kind}"

    found = by(door.get(path)["value"], "LogicalName")

    assert {*found} == names


def test_columns_say_their_limits_and_targets(door: Door) -> None:
    """Length of a text, range of a number, tables of a lookup, required levels."""
    attributes = by(door.get(f"{ENTITY}/Attributes")["value"], "LogicalName")
    regarding = door.get(
        "EntityDefinitions(LogicalName='asyncoperation')/Attributes(LogicalName='regardingobjectid')"
    )

    assert attributes["name"]["MaxLength"] == 100
    assert attributes["name"]["RequiredLevel"]["Value"] == "ApplicationRequired"
    assert attributes["systemuserid"]["Targets"] == ["systemuser"]
    assert attributes["systemuserid"]["RequiredLevel"]["Value"] == "None"
    assert attributes["systemuserid"]["SchemaName"] == "SystemUserId"
    assert attributes["systemuserid"]["@odata.type"].endswith("LookupAttributeMetadata")
    assert attributes["timezoneruleversionnumber"]["MinValue"] == -1
    assert attributes["statecode"]["AttributeTypeName"] == {"Value": "StateType"}
    assert MEMBERSHIP in regarding["Targets"]


def test_options_are_shown_where_they_are_expanded(door: Door) -> None:
    """Of one column, of all with a cast, and as the path's last step."""
    kind = "Microsoft.Dynamics.CRM.StatusAttributeMetadata"
    states = f"{ENTITY}/Attributes(LogicalName='statuscode')/{kind}"
    one = door.get(f"{states}?$select=LogicalName&$expand=OptionSet($select=Options)")
    path = door.get(f"{states}/OptionSet")
    many = door.get(
        "EntityDefinitions(LogicalName='systemuser')/Attributes/Microsoft.Dynamics.CRM."
        "PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet,GlobalOptionSet"
    )["value"]

    options = {each["Value"]: each for each in one["OptionSet"]["Options"]}
    assert options[2]["State"] == 1
    assert options[1]["Label"]["UserLocalizedLabel"]["Label"] == "Active"
    assert path["Options"] == one["OptionSet"]["Options"]
    assert "accessmode" in by(many, "LogicalName")
    assert all(each["GlobalOptionSet"] is None for each in many)


def test_relationships_name_what_a_bind_needs(door: Door) -> None:
    """Both sides, with the cascades of domain.md section 5."""
    parents = by(door.get(f"{ENTITY}/ManyToOneRelationships")["value"], "ReferencingAttribute")
    children = by(door.get(f"{ENTITY}/OneToManyRelationships")["value"], "SchemaName")
    users = door.get("EntityDefinitions(LogicalName='systemuser')/ManyToManyRelationships")

    user, profile = parents["systemuserid"], parents["mobileofflineprofileid"]
    assert user["SchemaName"] == "systemuser_usermobileofflineprofilemembership_SystemUserId"
    assert user["ReferencingEntityNavigationPropertyName"] == "SystemUserId"
    assert user["CascadeConfiguration"]["Delete"] == "RemoveLink"
    assert profile["CascadeConfiguration"]["Delete"] == "Cascade"
    assert parents["organizationid"]["SchemaName"] == f"organization_{MEMBERSHIP}"
    assert {*children} == {
        f"{MEMBERSHIP}_{name}" for name in (
            "AsyncOperations", "BulkDeleteFailures", "MailboxTrackingFolders",
            "PrincipalObjectAttributeAccesses", "ProcessSession", "SyncErrors",
        )
    }  # fmt: skip
    assert (
        children[f"{MEMBERSHIP}_AsyncOperations"]["CascadeConfiguration"]["Delete"] == "NoCascade"
    )
    assert (
        by(users["value"], "SchemaName")["teammembership_association"]["IntersectEntityName"]
        == "teammembership"
    )


def test_relationships_can_be_asked_for_by_name(door: Door) -> None:
    """In their own set, with a cast and a filter."""
    name = "MobileOfflineProfile_SystemUser"
    one = door.get(f"RelationshipDefinitions(SchemaName='{name}')")
    cast = door.get(
        "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"
        f"?$select=SchemaName&$filter={quote(f'SchemaName eq {name!r}')}"
    )["value"]
    kind = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata"
    old = f"RelationshipDefinitions({one['MetadataId']})/{kind}"

    assert one["ReferencingEntityNavigationPropertyName"] == "mobileofflineprofileid"
    assert one["@odata.type"].endswith("OneToManyRelationshipMetadata")
    assert [each["SchemaName"] for each in cast] == [name]
    assert refused(door.send("GET", old)) == (404, "0x8006088a")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("EntityDefinitions(LogicalName='account')", (404, "0x80040217")),
        (f"{ENTITY}/Attributes(LogicalName='nope')", (404, "0x80040217")),
        (f"{ENTITY}/Nope", (404, "0x8006088a")),
        ("EntityDefinitions(5)", (400, "0x80060888")),
        ("EntityDefinitions?$select=Nope", (400, "0x80060888")),
        ("EntityDefinitions?$filter=Nope%20eq%201", (400, "0x80060888")),
        ("EntityDefinitions?$filter=LogicalName%20is%20'x'", (400, "0x80060888")),
        ("EntityDefinitions?$expand=Nope", (400, "0x80060888")),
        ("EntityDefinitions?$skip=1", (400, "0x80060888")),
    ],
)
def test_what_metadata_does_not_have_is_an_error(
    door: Door, path: str, error: tuple[int, str]
) -> None:
    """Unknown tables, columns, properties and options are never passed over."""
    assert refused(door.send("GET", path)) == error


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("IsCustomEntity eq true", {MEMBERSHIP, "teammobileofflineprofilemembership"}),
        ("OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'",
         {"asyncoperation", "syncerror", "processsession", "mailboxtrackingfolder"}),
        ("startswith(LogicalName,'team') and not (IsIntersect eq true)",
         {"team", "teammobileofflineprofilemembership"}),
        ("(ObjectTypeCode eq 8 or ObjectTypeCode eq 9) and CanCreateForms/Value eq true",
         {"systemuser", "team"}),
        ("LogicalName eq @n", {"role"}),
    ],
)  # fmt: skip
def test_definitions_can_be_filtered(door: Door, text: str, found: set[str]) -> None:
    """By texts, flags, numbers, enumerations, managed properties and parameter aliases."""
    page = door.get(f"EntityDefinitions?$select=LogicalName&$filter={quote(text)}&@n='role'")

    assert {each["LogicalName"] for each in page["value"]} == found


def test_registered_messages_are_rows_that_follow_the_switches(door: Door) -> None:
    """As `CreateMultiple` is looked for in section 4.3, and with the message expanded."""
    asked = (
        "sdkmessagefilters?$select=sdkmessagefilterid&$filter=sdkmessageid/name%20eq%20@m%20and%20"
        f"primaryobjecttypecode%20eq%20@t&@m='CreateMultiple'&@t='{MEMBERSHIP}'"
    )
    before = door.get(asked)["value"]
    assert order(door, "messages", {"refuse": ["CreateMultiple"]}) == 204

    after = door.get(asked)["value"]
    names = door.get(
        f"sdkmessagefilters?$select=sdkmessagefilterid&$filter=primaryobjecttypecode%20eq%20'{MEMBERSHIP}'"
        "&$expand=sdkmessageid($select=name,isprivate)"
    )["value"]

    assert (len(before), len(after)) == (1, 0)
    assert "Associate" in {each["sdkmessageid"]["name"] for each in names}
    assert "CreateMultiple" not in {each["sdkmessageid"]["name"] for each in names}


def test_an_environment_as_its_reference_says_lists_two_messages() -> None:
    """Associate and Disassociate, though rows can be read all the same (domain.md section 8)."""
    door = Door(Sandbox(switches=reference()))

    found = door.get(
        f"sdkmessagefilters?$filter=primaryobjecttypecode%20eq%20'{MEMBERSHIP}'"
        "&$expand=sdkmessageid($select=name)"
    )["value"]
    others = door.get("sdkmessagefilters?$filter=primaryobjecttypecode%20eq%20'systemuser'")

    assert {each["sdkmessageid"]["name"] for each in found} == {"Associate", "Disassociate"}
    assert len(others["value"]) > 2
    assert door.get(ROWS)["value"] == []


def test_metadata_says_what_the_switches_say(door: Door) -> None:
    """Where versions or tracking are off, the definition knows."""
    order(door, "tables", {"optimistic_concurrency": False, "change_tracking": False})

    found = door.get(f"{ENTITY}?$select=ChangeTrackingEnabled,IsOptimisticConcurrencyEnabled")

    assert (found["ChangeTrackingEnabled"], found["IsOptimisticConcurrencyEnabled"]) == (
        False,
        False,
    )


def test_a_schema_can_drift(door: Door) -> None:
    """A column that is gone or of another type is so in the metadata, for those who look."""
    order(door, "metadata", {"column": "name", "change": None})
    order(door, "metadata", {"column": "statecode", "change": {"AttributeType": "Integer"}})

    found = by(door.get(f"{ENTITY}/Attributes")["value"], "LogicalName")

    assert "name" not in found
    assert found["statecode"]["AttributeType"] == "Integer"
    assert order(door, "metadata", {"table": "nope", "column": "name", "change": None}) == 400


def test_changes_of_metadata_are_retrieved_by_expression(door: Door) -> None:
    """The properties asked for, of the tables that fit; with the stamp, nothing changed."""
    query = {
        "Criteria": {
            "FilterOperator": "And",
            "Conditions": [{
                "PropertyName": "LogicalName", "ConditionOperator": "Equals",
                "Value": {"Type": "System.String", "Value": MEMBERSHIP},
            }],
        },
        "Properties": {"AllProperties": False, "PropertyNames": ["SchemaName", "Attributes"]},
        "AttributeQuery": {
            "Properties": {"AllProperties": False, "PropertyNames": ["LogicalName"]},
        },
    }  # fmt: skip
    path = f"RetrieveMetadataChanges(Query=@q)?@q={quote(json.dumps(query))}"

    found = door.get(path)
    stamp = quote(f"'{found['ServerVersionStamp']}'")
    again = door.get(
        f"RetrieveMetadataChanges(Query=@q,ClientVersionStamp=@s)?@q={quote(json.dumps(query))}&@s={stamp}"
    )
    old = door.send("GET", "RetrieveMetadataChanges(ClientVersionStamp='1!08/22/2020')")

    (entity,) = found["EntityMetadata"]
    assert entity["SchemaName"] == MEMBERSHIP
    assert "systemuserid" in by(entity["Attributes"], "LogicalName")
    assert again["EntityMetadata"] == []
    assert refused(old) == (400, "0x80044352")


def test_definitions_are_read_in_batches_as_well(door: Door) -> None:
    """As any other read."""
    answer = door.batch(envelope(part("GET", f"{ENTITY}?$select=LogicalName")))

    assert MEMBERSHIP.encode() in answer.content
    assert b"HTTP/1.1 200 OK" in answer.content


def test_definitions_cannot_be_written(door: Door) -> None:
    """The schema of a sandbox is fixed."""
    assert door.send("POST", "EntityDefinitions", {"LogicalName": "x"}).status == 405

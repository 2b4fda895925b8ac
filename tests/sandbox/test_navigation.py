"""From row to row: navigation, references, expansion, lambdas."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.sandbox.door import (
    ADA,
    BO,
    CREW,
    DEPOT,
    NEW,
    ROOT,
    ROW,
    ROWS,
    TEAM,
    Door,
    membership,
    refused,
    sandbox_of,
)

MEMBERS = "systemuser_usermobileofflineprofilemembership_SystemUserId"
CREW_ROWS = "mobileofflineprofile_usermobileofflineprofilemembership_MobileOfflineProfileId"


def keys(page: dict[str, Any], name: str) -> list[str]:
    """Return the values of one column."""
    return [row[name] for row in page["value"]]


def test_a_lookup_leads_to_its_row(door: Door) -> None:
    """With a selection, on to the next one, to a column, and to its raw value."""
    path = f"{ROWS}({ROW})/SystemUserId"
    user = door.get(f"{path}?$select=fullname")

    assert (user["systemuserid"], user["fullname"]) == (ADA, "Ada Kuhn")
    assert user["@odata.context"].endswith("#systemusers(fullname,systemuserid)/$entity")
    assert door.get(f"{path}/mobileofflineprofileid")["name"] == "Depot"
    assert door.get(f"{path}/fullname")["value"] == "Ada Kuhn"
    assert door.send("GET", f"{path}/fullname/$value").content == b"Ada Kuhn"
    assert door.send("GET", f"{path}/isdisabled/$value").content == b"false"
    assert door.send("GET", f"systemusers({BO})/mobileofflineprofileid").status == 204


def test_a_collection_is_read_as_a_set_is(door: Door) -> None:
    """With filter, order, count and pages; the next link stays with the collection."""
    door.send("POST", ROWS, membership(**{"SystemUserId@odata.bind": f"/systemusers({ADA})"}))
    path = f"systemusers({ADA})/{MEMBERS}"

    found = door.get(f"{path}?$select=name&$orderby=name")
    pages = door.pages(f"{path}?$select=name", "odata.maxpagesize=1")
    some = door.get(f"{path}?$select=name&$filter=startswith(name,'by')&$count=true")

    assert keys(found, "name") == ["Bo | Field Crew", "by hand"]
    assert [len(page) for page in pages] == [1, 1]
    assert keys(some, "name") == ["by hand"]
    assert some["@odata.count"] == 1
    assert door.send("GET", f"{path}/$count").content.decode("utf-8-sig") == "2"
    assert door.get(f"systemusers({BO})/{MEMBERS}")["value"] == []


def test_one_row_of_a_collection_can_be_read(door: Door) -> None:
    """If it is in it."""
    path = f"mobileofflineprofiles({CREW})/{CREW_ROWS}"

    assert door.get(f"{path}({ROW})?$select=name")["name"] == "by hand"
    assert door.get(f"{path}({ROW})/SystemUserId")["systemuserid"] == ADA
    other = f"mobileofflineprofiles({DEPOT})/{CREW_ROWS}({ROW})"
    assert refused(door.send("GET", other)) == (404, "0x80040217")


def test_members_of_a_team_are_found_from_both_sides(door: Door) -> None:
    """Through the intersection."""
    users = door.get(f"teams({TEAM})/teammembership_association?$select=fullname")
    teams = door.get(f"systemusers({ADA})/teammembership_association?$select=name")

    assert keys(users, "systemuserid") == [ADA]
    assert keys(teams, "teamid") == [TEAM]


def test_references_are_addresses_at_the_host_of_the_caller(door: Door) -> None:
    """Of a lookup, of a collection, of a set; 204 where a lookup is empty."""
    base = "http://contoso.example/api/data/v9.2"

    one = door.get(f"{ROWS}({ROW})/SystemUserId/$ref")
    many = door.get(f"systemusers({ADA})/{MEMBERS}/$ref")
    whole = door.get("mobileofflineprofiles/$ref")

    assert one["@odata.id"] == f"{base}/systemusers({ADA})"
    assert [each["@odata.id"] for each in many["value"]] == [f"{base}/{ROWS}({ROW})"]
    assert len(whole["value"]) == 2
    assert door.send("GET", f"systemusers({BO})/mobileofflineprofileid/$ref").status == 204


def test_links_stay_with_the_version_that_was_called() -> None:
    """Next links, addresses of new rows and contexts, at every version and host."""
    door = Door()
    headers = {"Host": "contoso.example:8443", "Prefer": "odata.maxpagesize=1"}
    for version in ("v9.0", "v9.1", "v9.2"):
        root = f"/api/data/{version}"
        page = json.loads(
            door.sandbox.answer("GET", f"{root}/systemusers", "", headers, b"").content
        )
        body = {**headers, "Content-Type": "application/json"}
        made = door.sandbox.answer("POST", f"{root}/usermappings", "", body, b"{}")

        base = f"http://contoso.example:8443{root}/"
        assert page["@odata.nextLink"].startswith(f"{base}systemusers?")
        assert page["@odata.context"].startswith(f"{base}$metadata#")
        assert made.headers["OData-EntityId"].startswith(f"{base}usermappings(")
        assert made.headers["Location"] == made.headers["OData-EntityId"]


def test_expansion_goes_both_ways_and_nests(door: Door) -> None:
    """A lookup with a selection and a further one; a collection with filter, order and top."""
    door.send("POST", ROWS, membership(**{"SystemUserId@odata.bind": f"/systemusers({ADA})"}))
    (row, _) = door.get(
        f"{ROWS}?$select=name&$expand=SystemUserId($select=fullname;"
        "$expand=mobileofflineprofileid($select=name)),MobileOfflineProfileId($select=name)"
    )["value"]
    users = door.get(
        f"systemusers?$select=fullname&$expand={MEMBERS}($select=name;$orderby=name desc;$top=1;"
        "$filter=statecode eq 0),teammembership_association($select=name)".replace(" ", "%20")
    )["value"]

    assert row["SystemUserId"]["mobileofflineprofileid"]["name"] == "Depot"
    assert row["MobileOfflineProfileId"]["name"] == "Field Crew"
    ada, bo = users
    assert [each["name"] for each in ada[MEMBERS]] == ["by hand"]
    assert [each["name"] for each in ada["teammembership_association"]] == ["Storm"]
    assert (bo[MEMBERS], bo["teammembership_association"]) == ([], [])


def test_one_row_expands_too_and_annotations_reach_inside(door: Door) -> None:
    """What is asked for outside is asked for inside."""
    wanted = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
    row = door.get(f"systemusers({ADA})?$select=fullname&$expand={MEMBERS}", wanted)

    (inner,) = row[MEMBERS]
    assert inner["statecode@OData.Community.Display.V1.FormattedValue"] == "Active"
    assert not any("lookuplogicalname" in name for name in inner)
    assert inner["createdon@OData.Community.Display.V1.FormattedValue"] == "1/1/2026 12:00 AM"


def test_references_can_be_expanded(door: Door) -> None:
    """As `nav/$ref`."""
    (row,) = door.get(f"{ROWS}?$select=name&$expand=SystemUserId/$ref")["value"]

    assert row["SystemUserId"] == {"@odata.id": f"http://contoso.example{ROOT}systemusers({ADA})"}


@pytest.mark.parametrize(
    "text",
    [
        "systemuserid",
        "SystemUserID",
        "systemuserid_systemuser($select=domainname)",
        "SystemUserId($top=1)",
        "SystemUserId($select=nope)",
        "SystemUserId($skip=1)",
        "SystemUserId($select=fullname",
        "SystemUserId($filter=fullname eq 'x')",
        ",".join(["SystemUserId"] * 16),
    ],
)
def test_an_expansion_that_is_not_offered_is_an_error(door: Door, text: str) -> None:
    """Names are case-sensitive, one row takes no filter, and 15 are the most."""
    assert refused(door.send("GET", f"{ROWS}?$expand={quote(text)}")) == (400, "0x80060888")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"systemusers?$filter={MEMBERS}/any(o:o/name eq 'by hand')", [ADA]),
        (f"systemusers?$filter={MEMBERS}/any()", [ADA]),
        (f"systemusers?$filter=not {MEMBERS}/any()", [BO]),
        (f"systemusers?$filter={MEMBERS}/all(o:o/statecode eq 1)", [BO]),
        (f"systemusers?$filter={MEMBERS}/any(o:o/MobileOfflineProfileId/name eq 'depot')", []),
        ("systemusers?$filter=teammembership_association/any(t:t/name eq 'Storm')", [ADA]),
        (f"{ROWS}?$filter=SystemUserId/mobileofflineprofileid/name eq 'Depot'", [ROW]),
        ("systemusers?$filter=domainname eq internalemailaddress", [ADA, BO]),
        ("systemusers?$filter=domainname eq fullname", []),
        (
            "systemusers?$filter=Microsoft.Dynamics.CRM.NotIn(PropertyName='domainname',"
            "PropertyValues=['ada@contoso.com'])",
            [BO],
        ),
        (
            "systemusers?$filter=Microsoft.Dynamics.CRM.Between(PropertyName='accessmode',"
            "PropertyValues=['0','3'])",
            [ADA, BO],
        ),
    ],
)
def test_filters_look_behind_relationships(door: Door, query: str, found: list[str]) -> None:
    """Through lookups as deep as one likes, and into collections with any and all."""
    path, _, options = query.partition("=")
    page = door.get(f"{path}={quote(options)}")

    assert [next(value for name, value in row.items() if name.endswith("id") and name[0] != "_")
            for row in page["value"]] == found  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [f"{MEMBERS}/any(o:x/name eq 'a')", f"{MEMBERS}/any(o:o/nope eq 'a')", "nope/any()",
     f"{MEMBERS}/any(o name eq 'a')"],
)  # fmt: skip
def test_a_lambda_that_is_wrong_is_an_error(door: Door, text: str) -> None:
    """Its variable, its columns, its collection, its syntax."""
    assert refused(door.send("GET", f"systemusers?$filter={quote(text)}")) == (400, "0x80060888")


def test_an_order_of_a_filter_with_an_alias_is_not_taken_for_another(door: Door) -> None:
    """What was sorted for one value is not shown for the next."""
    query = "systemusers?$select=fullname&$orderby=fullname&$filter=fullname%20eq%20@n&@n="

    first = keys(door.get(f"{query}'Ada%20Kuhn'"), "fullname")
    second = keys(door.get(f"{query}'nobody'"), "fullname")

    assert (first, second) == (["Ada Kuhn"], [])


def test_an_order_follows_what_other_tables_say(door: Door) -> None:
    """A filter through a lookup is asked again when the row behind it changed."""
    query = f"{ROWS}?$select=name&$orderby=name&$filter=SystemUserId/fullname%20eq%20'Ada%20Kuhn'"
    before = keys(door.get(query), "name")
    door.send("PATCH", f"systemusers({ADA})", {"fullname": "Ada Lang"}, {"If-Match": "*"})

    after = keys(door.get(query), "name")

    assert (before, after) == (["by hand"], [])


def test_a_collection_longer_than_a_page_says_where_it_goes_on() -> None:
    """Five thousand rows are expanded, the link leads to the rest."""
    rows = [
        {"usermobileofflineprofilemembershipid": f"30000000-0000-4000-8000-{at:012}",
         "_systemuserid_value": ADA}
        for at in range(5003)
    ]  # fmt: skip
    user = {"systemuserid": ADA, "domainname": "ada@contoso.com"}
    door = Door(sandbox_of({"systemusers": [user], ROWS: rows}))

    shown = door.get(f"systemusers({ADA})?$select=fullname&$expand={MEMBERS}($select=name)")
    rest = door.get(shown[f"{MEMBERS}@odata.nextLink"].partition(ROOT)[2])

    assert len(shown[MEMBERS]) == 5000
    assert len(rest["value"]) == 3
    assert "name" in rest["value"][0]


def test_an_answer_says_which_annotations_it_heeded(door: Door) -> None:
    """For a page and for one row, beside the size of the page."""
    wanted = 'odata.include-annotations="*"'
    page = door.send("GET", ROWS, headers={"Prefer": f"{wanted},odata.maxpagesize=5"})
    row = door.send("GET", f"{ROWS}({ROW})", headers={"Prefer": wanted})
    plain = door.send("GET", f"{ROWS}({ROW})")

    assert page.headers["Preference-Applied"] == f"odata.maxpagesize=5,{wanted}"
    assert row.headers["Preference-Applied"] == wanted
    assert "Preference-Applied" not in plain.headers


def test_annotations_are_chosen_by_patterns(door: Door) -> None:
    """Several, with stars; the total says -1 where nobody counted (section 1.4)."""
    path = f"{ROWS}?$select=_systemuserid_value,statecode"
    both = 'odata.include-annotations="*.lookuplogicalname,Microsoft.Dynamics.CRM.total*"'
    uncounted = door.get(path, both)
    counted = door.get(f"{path}&$count=true", both)
    plain = door.get(f"{path}&$count=true")

    total, over = (
        f"@Microsoft.Dynamics.CRM.totalrecordcount{end}" for end in ("", "limitexceeded")
    )
    (row,) = uncounted["value"]
    assert (uncounted[total], uncounted[over]) == (-1, False)
    assert (counted[total], counted["@odata.count"]) == (1, 1)
    assert row["_systemuserid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
    assert not any("FormattedValue" in name for name in row)
    assert total not in plain
    assert door.get(path, 'odata.include-annotations="*"')[
        "@Microsoft.Dynamics.CRM.globalmetadataversion"
    ]
    assert NEW not in keys(plain, f"{ROWS[:-1]}id")

"""Writing: what is checked, what is kept, what happens to others."""

from __future__ import annotations

import json

import pytest

from syncd.sandbox import Answer
from tests.sandbox.door import (
    ADA,
    BO,
    CREW,
    DEPOT,
    NEW,
    NOW,
    ROW,
    ROWS,
    TEAM,
    Door,
    membership,
    refused,
)


def test_a_created_row_is_there_with_its_key(door: Door) -> None:
    """204 with the address of the row; the client chose the key."""
    answer = door.send("POST", ROWS, membership(importsequencenumber=7))

    row = door.get(f"{ROWS}({NEW})")
    assert answer.status == 204
    assert answer.headers["OData-EntityId"].endswith(f"/{ROWS}({NEW})")
    assert (row["_systemuserid_value"], row["_mobileofflineprofileid_value"]) == (BO, CREW)
    assert (row["statecode"], row["statuscode"], row["importsequencenumber"]) == (0, 1, 7)
    assert row["hasmobileofflineprofileidconflict"] is False
    assert row["createdon"] == row["modifiedon"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert row["_createdby_value"] == json.loads(door.send("GET", "WhoAmI").content)["UserId"]


def test_a_row_may_be_created_without_a_key_and_without_lookups(door: Door) -> None:
    """The server chooses a key; both lookups may be empty, so this makes a husk."""
    answer = door.send("POST", ROWS, {"name": "husk"}, {"Prefer": "return=representation"})

    row = json.loads(answer.content)
    assert answer.status == 201
    assert "OData-EntityId" not in answer.headers
    assert row["_systemuserid_value"] is None
    assert door.get(f"{ROWS}({row['usermobileofflineprofilemembershipid']})")["name"] == "husk"


def test_a_key_that_is_taken_is_a_duplicate(door: Door) -> None:
    """412 DuplicateRecord; nothing changes."""
    before = door.get(f"{ROWS}({ROW})")

    answer = door.send("POST", ROWS, membership(usermobileofflineprofilemembershipid=ROW))

    assert refused(answer) == (412, "0x80040237")
    assert door.get(f"{ROWS}({ROW})") == before


def test_two_rows_of_one_pair_are_allowed(door: Door) -> None:
    """No constraint on user and profile is documented: the second row is simply there."""
    answer = door.send(
        "POST", ROWS, membership(**{"SystemUserId@odata.bind": f"/systemusers({ADA})"})
    )

    assert answer.status == 204
    assert len(door.get(f"{ROWS}?$filter=_systemuserid_value%20eq%20{ADA}")["value"]) == 2


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "x" * 101}, 400, "0x80044331"),
        ({"name": 5}, 400, "0x80048d19"),
        ({"importsequencenumber": 2**31}, 400, "0x80040203"),
        ({"importsequencenumber": 1.5}, 400, "0x80048d19"),
        ({"importsequencenumber": True}, 400, "0x80048d19"),
        ({"timezoneruleversionnumber": -2}, 400, "0x80040203"),
        ({"hasmobileofflineprofileidconflict": "yes"}, 400, "0x80048d19"),
        ({"statuscode": 3}, 400, "0x80040203"),
        ({"statuscode": 2}, 400, "0x80048408"),
        ({"statecode": 0}, 400, "0x80040203"),
        ({"statecode": 1, "statuscode": 2}, 400, "0x80040203"),
        ({"createdon": "2020-01-01T00:00:00Z"}, 400, "0x80040203"),
        ({"versionnumber": 5}, 400, "0x80040203"),
        ({"overriddencreatedon": "yesterday"}, 400, "0x80048d19"),
        ({"usermobileofflineprofilemembershipid": "no guid"}, 400, "0x80048d19"),
        ({"nosuchcolumn": 1}, 400, "0x80048d19"),
        ({"systemuserid": BO}, 400, "0x80048d19"),
        ({"_systemuserid_value": BO}, 400, "0x80048d19"),
        ({"systemuserid@odata.bind": f"/systemusers({BO})"}, 400, "0x80048d19"),
        ({"SystemUserId@odata.bind": f"/systemusers({CREW})"}, 404, "0x80040217"),
        ({"SystemUserId@odata.bind": f"/teams({TEAM})"}, 400, "0x80048d19"),
        ({"SystemUserId@odata.bind": "somebody"}, 400, "0x80048d19"),
    ],
)
def test_what_a_column_does_not_take_is_refused(
    door: Door, change: dict[str, object], status: int, code: str
) -> None:
    """Types, lengths, ranges, options, read-only columns, names and rows that must exist."""
    answer = door.send("POST", ROWS, membership(**change))

    assert refused(answer) == (status, code)
    assert len(door.get(ROWS)["value"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"importsequencenumber": 1},
        {"overriddencreatedon": "2020-01-01"},
        {"createdon": "2020-01-01T00:00:00Z"},
        {"usermobileofflineprofilemembershipid": NEW},
    ],
)
def test_what_is_fixed_after_create_stays(door: Door, change: dict[str, object]) -> None:
    """Create-only and read-only columns are refused in an update."""
    answer = door.send("PATCH", f"{ROWS}({ROW})", change, {"If-Match": "*"})

    assert refused(answer) == (400, "0x80040203")


@pytest.mark.parametrize(
    ("change", "pair"),
    [
        ({"statecode": 1, "statuscode": 2}, (1, 2)),
        ({"statecode": 1}, (1, 2)),
        ({"statuscode": 1}, (0, 1)),
        ({"statecode": 1, "statuscode": 1}, None),
        ({"statuscode": 2}, None),
        ({"statecode": None}, None),
    ],
)
def test_state_and_status_are_a_pair(
    door: Door, change: dict[str, object], pair: tuple[int, int] | None
) -> None:
    """A status belongs to one state; a state alone brings its own."""
    answer = door.send("PATCH", f"{ROWS}({ROW})", change, {"If-Match": "*"})

    row = door.get(f"{ROWS}({ROW})")
    assert answer.status == (400 if pair is None else 204)
    assert (row["statecode"], row["statuscode"]) == (pair or (0, 1))


def test_a_required_column_must_be_given_and_stays(door: Door) -> None:
    """SystemRequired is enforced, ApplicationRequired is not."""
    missing = door.send("POST", "mobileofflineprofiles", {"description": "no name"})
    emptied = door.send("PATCH", f"systemusers({ADA})", {"domainname": None}, {"If-Match": "*"})
    nameless = door.send("PATCH", f"{ROWS}({ROW})", {"name": None}, {"If-Match": "*"})

    assert refused(missing) == (400, "0x80040203")
    assert refused(emptied) == (400, "0x80040203")
    assert nameless.status == 204


def test_every_change_makes_a_new_version(door: Door) -> None:
    """Versions grow in the whole database, also when nothing differs."""
    first = door.get(f"{ROWS}({ROW})")["versionnumber"]
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "by hand"}, {"If-Match": "*"})
    second = door.get(f"{ROWS}({ROW})")["versionnumber"]
    door.send("PATCH", f"systemusers({ADA})", {"isdisabled": True}, {"If-Match": "*"})

    assert first < second < door.get(f"systemusers({ADA})")["versionnumber"]


def test_a_version_that_moved_is_not_overwritten(door: Door) -> None:
    """412 ConcurrencyVersionMismatch for update and delete; the right version goes through."""
    stale = door.get(f"{ROWS}({ROW})")["@odata.etag"]
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"}, {"If-Match": stale})

    update = door.send("PATCH", f"{ROWS}({ROW})", {"name": "y"}, {"If-Match": stale})
    delete = door.send("DELETE", f"{ROWS}({ROW})", headers={"If-Match": stale})
    fresh = door.get(f"{ROWS}({ROW})")["@odata.etag"]

    assert refused(update) == refused(delete) == (412, "0x80060882")
    assert door.send("DELETE", f"{ROWS}({ROW})", headers={"If-Match": fresh}).status == 204
    assert refused(door.send("DELETE", f"{ROWS}({ROW})")) == (404, "0x80040217")


def test_a_patch_creates_unless_a_precondition_forbids(door: Door) -> None:
    """Upsert; `If-Match: *` updates only, `If-None-Match: *` creates only."""
    body = {"name": "upserted"}

    only_update = door.send("PATCH", f"{ROWS}({NEW})", body, {"If-Match": "*"})
    upsert = door.send("PATCH", f"{ROWS}({NEW})", body)
    only_create = door.send("PATCH", f"{ROWS}({NEW})", body, {"If-None-Match": "*"})

    assert refused(only_update) == (404, "0x80040217")
    assert upsert.status == 204
    assert door.get(f"{ROWS}({NEW})")["name"] == "upserted"
    assert refused(only_create) == (412, "0x80040237")


def test_a_row_can_be_pointed_elsewhere_and_emptied(door: Door) -> None:
    """By PATCH with a binding or null, and by the references of Associate and Disassociate."""
    reference = f"{ROWS}({ROW})/MobileOfflineProfileId/$ref"
    target = f"http://contoso.example/api/data/v9.2/mobileofflineprofiles({DEPOT})"

    def profile() -> object:
        return door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"]

    steps = [
        door.send("PUT", reference, {"@odata.id": target}),
        profile(),
        door.send("DELETE", reference),
        profile(),
        door.send(
            "PATCH",
            f"{ROWS}({ROW})",
            {"MobileOfflineProfileId@odata.bind": f"mobileofflineprofiles({CREW})"},
        ),
        profile(),
        door.send("PATCH", f"{ROWS}({ROW})", {"MobileOfflineProfileId@odata.bind": None}),
        profile(),
    ]

    assert [step.status for step in steps if isinstance(step, Answer)] == [204] * 4
    assert steps[1::2] == [DEPOT, None, CREW, None]


def test_the_parents_side_sets_and_empties_the_same_lookup(door: Door) -> None:
    """The collection's name is that of the relationship."""
    nav = "mobileofflineprofile_usermobileofflineprofilemembership_MobileOfflineProfileId"
    body = {"@odata.id": f"/{ROWS}({ROW})"}

    set_to = door.send("POST", f"mobileofflineprofiles({DEPOT})/{nav}/$ref", body)
    after = door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"]
    emptied = door.send("DELETE", f"mobileofflineprofiles({DEPOT})/{nav}({ROW})/$ref")

    assert (set_to.status, after, emptied.status) == (204, DEPOT, 204)
    assert door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"] is None


def test_a_team_takes_and_loses_a_member_by_reference(door: Door) -> None:
    """The intersection's row comes and goes; a second one of the same pair does not come."""
    nav = f"teams({TEAM})/teammembership_association"
    body = {"@odata.id": f"/systemusers({BO})"}

    first = door.send("POST", f"{nav}/$ref", body)
    twin = door.send("POST", "teammemberships", {"teamid": TEAM, "systemuserid": BO})
    gone = door.send("DELETE", f"{nav}({BO})/$ref")

    assert (first.status, gone.status) == (204, 204)
    assert refused(twin) == (412, "0x80040237")
    assert [row["systemuserid"] for row in door.get("teammemberships")["value"]] == [ADA]


def test_one_column_can_be_set_and_emptied(door: Door) -> None:
    """`PUT set(id)/column` with a value, `DELETE set(id)/column`."""
    put = door.send("PUT", f"systemusers({ADA})/jobtitle", {"value": "Fitter"})
    title = door.get(f"systemusers({ADA})")["jobtitle"]
    emptied = door.send("DELETE", f"systemusers({ADA})/jobtitle")

    assert (put.status, title, emptied.status) == (204, "Fitter", 204)
    assert door.get(f"systemusers({ADA})")["jobtitle"] is None


def test_a_deleted_user_leaves_husks(door: Door) -> None:
    """RemoveLink: the row stays, its lookup is empty, its version has moved."""
    before = door.get(f"{ROWS}({ROW})")["versionnumber"]

    door.send("DELETE", f"systemusers({ADA})")

    row = door.get(f"{ROWS}({ROW})")
    assert row["_systemuserid_value"] is None
    assert row["versionnumber"] > before
    assert door.get("teammemberships")["value"] == []


def test_a_deleted_profile_takes_its_rows_along(door: Door) -> None:
    """Cascade for users' and teams' rows; the legacy pointer is left dangling."""
    door.send("DELETE", f"mobileofflineprofiles({CREW})")
    door.send("DELETE", f"mobileofflineprofiles({DEPOT})")

    assert door.get(ROWS)["value"] == []
    assert door.get("teammobileofflineprofilememberships")["value"] == []
    assert door.get(f"systemusers({ADA})")["_mobileofflineprofileid_value"] == DEPOT


def test_a_deleted_team_leaves_its_profile_row_empty(door: Door) -> None:
    """RemoveLink on the team's side too; the members' rows go."""
    door.send("DELETE", f"teams({TEAM})")

    assert door.get("teammobileofflineprofilememberships")["value"][0]["_teamid_value"] is None
    assert door.get("teammemberships")["value"] == []


def test_the_directory_and_the_publisher_use_the_same_door(door: Door) -> None:
    """What only the platform writes in Dataverse can be written here, on its own tables."""
    user = {
        "systemuserid": NEW,
        "domainname": "cy@contoso.com",
        "internalemailaddress": "cy@contoso.com",
        "azureactivedirectoryobjectid": NEW,
        "firstname": "Cy",
        "lastname": "Ash",
    }
    profile = {"name": "Night", "componentstate": 0, "publishedon": "2026-01-01T10:00:00+01:00"}
    made = door.send("POST", "mobileofflineprofiles", profile, {"Prefer": "return=representation"})

    assert door.send("POST", "systemusers", user).status == 204
    assert door.get(f"systemusers({NEW})")["fullname"] == "Cy Ash"
    assert json.loads(made.content)["publishedon"] == "2026-01-01T09:00:00Z"


def test_who_acts_for_another_is_named_as_the_other(door: Door) -> None:
    """Either impersonation header."""
    door.send("PATCH", f"{ROWS}({ROW})", {"name": "x"}, {"If-Match": "*", "MSCRMCallerID": BO})

    assert door.get(f"{ROWS}({ROW})")["_modifiedby_value"] == BO


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b'{"name":'])
def test_a_body_that_is_no_object_is_refused(door: Door, content: bytes) -> None:
    """400 with the code of an unreadable payload."""
    headers = {"Content-Type": "application/json"}

    answer = door.sandbox.answer("POST", f"/api/data/v9.2/{ROWS}", "", headers, content)

    assert refused(answer) == (400, "0x80048d19")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", ROWS), ("DELETE", ROWS), ("PATCH", ROWS), ("GET", "$batch"), ("POST", "WhoAmI")],
)
def test_a_method_that_does_not_fit_is_refused(door: Door, method: str, path: str) -> None:
    """405, or 404 where there is nothing to write to."""
    assert refused(door.send(method, path, {})) in {(405, "0x8006088a"), (404, "0x8006088a")}

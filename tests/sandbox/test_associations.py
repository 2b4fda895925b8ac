"""`$ref` in every documented form, on every relationship of the seeds."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.sandbox.door import ADA, BO, CREW, DEPOT, NEW, ROOT, ROW, ROWS, TEAM, Door, refused

CREWS = f"mobileofflineprofiles({CREW})"
DEPOTS = f"mobileofflineprofiles({DEPOT})"
OF_PROFILE = "mobileofflineprofile_usermobileofflineprofilemembership_MobileOfflineProfileId"
OF_USER = "systemuser_usermobileofflineprofilemembership_SystemUserId"
FORMS = ("{}", "/{}", f"{ROOT}{{}}", f"https://contoso.example{ROOT}{{}}")
"""How the row of a reference may be written."""


def profile(door: Door) -> object:
    """Return the profile of the one row."""
    return door.get(f"{ROWS}({ROW})")["_mobileofflineprofileid_value"]


@pytest.mark.parametrize("form", FORMS)
def test_a_lookup_is_set_through_its_navigation_property(door: Door, form: str) -> None:
    """With PUT; the reference may be absolute or not."""
    reference = {"@odata.id": form.format(DEPOTS)}

    answer = door.send("PUT", f"{ROWS}({ROW})/MobileOfflineProfileId/$ref", reference)

    assert (answer.status, answer.content, profile(door)) == (204, b"", DEPOT)


@pytest.mark.parametrize("form", FORMS)
def test_a_lookup_is_set_from_the_parents_side(door: Door, form: str) -> None:
    """With POST to the collection of the other relation's end."""
    reference = {"@odata.id": form.format(f"{ROWS}({ROW})")}

    answer = door.send("POST", f"{DEPOTS}/{OF_PROFILE}/$ref", reference)

    assert (answer.status, answer.content, profile(door)) == (204, b"", DEPOT)


@pytest.mark.parametrize(
    "path",
    [
        f"{ROWS}({ROW})/MobileOfflineProfileId/$ref",
        f"{CREWS}/{OF_PROFILE}({ROW})/$ref",
        *(
            f"{CREWS}/{OF_PROFILE}/$ref?$id={quote(form.format(f'{ROWS}({ROW})'), safe='')}"
            for form in FORMS
        ),
        f"{CREWS}/{OF_PROFILE}/$ref?tag=syncd&%24id=/{ROWS}({ROW})",
    ],
)
def test_a_lookup_is_emptied(door: Door, path: str) -> None:
    """Through the property, or from the parent: in the path or as `$id`."""
    answer = door.send("DELETE", path)

    assert (answer.status, profile(door)) == (204, None)


def test_binding_to_nothing_empties_a_lookup_too(door: Door) -> None:
    """Both spellings."""
    nothing = {"MobileOfflineProfileId@odata.bind": None, "SystemUserId": None}

    answer = door.send("PATCH", f"{ROWS}({ROW})", nothing)

    row = door.get(f"{ROWS}({ROW})")
    assert answer.status == 204
    assert row["_mobileofflineprofileid_value"] is row["_systemuserid_value"] is None


def test_parting_from_another_parent_changes_nothing(door: Door) -> None:
    """The row is not one of its children, and that is what was wanted."""
    answer = door.send("DELETE", f"{DEPOTS}/{OF_PROFILE}({ROW})/$ref")

    assert (answer.status, profile(door)) == (204, CREW)


CHILDREN = {
    "AsyncOperations": ("asyncoperations", "asyncoperationid", "_regardingobjectid_value"),
    "BulkDeleteFailures": ("bulkdeletefailures", "bulkdeletefailureid", "_regardingobjectid_value"),
    "MailboxTrackingFolders": (
        "mailboxtrackingfolders",
        "mailboxtrackingfolderid",
        "_regardingobjectid_value",
    ),
    "PrincipalObjectAttributeAccesses": (
        "principalobjectattributeaccessset",
        "principalobjectattributeaccessid",
        "_objectid_value",
    ),
    "ProcessSession": ("processsessions", "processsessionid", "_regardingobjectid_value"),
    "SyncErrors": ("syncerrors", "syncerrorid", "_regardingobjectid_value"),
}


@pytest.mark.parametrize("relation", CHILDREN)
def test_the_children_of_a_membership_are_joined_by_name(door: Door, relation: str) -> None:
    """Each of the seed's one-to-many relationships."""
    table, key, column = CHILDREN[relation]
    made = door.send("POST", table, {key: NEW})
    collection = f"{ROWS}({ROW})/usermobileofflineprofilemembership_{relation}"

    joined = door.send("POST", f"{collection}/$ref", {"@odata.id": f"/{table}({NEW})"})
    pointing = door.get(f"{table}({NEW})")[column]
    parted = door.send("DELETE", f"{collection}({NEW})/$ref")

    assert (made.status, joined.status, parted.status) == (204, 204, 204)
    assert (pointing, door.get(f"{table}({NEW})")[column]) == (ROW, None)


def test_a_user_has_its_memberships_by_name_too(door: Door) -> None:
    """From the user's side."""
    reference = {"@odata.id": f"/{ROWS}({ROW})"}

    answer = door.send("POST", f"systemusers({BO})/{OF_USER}/$ref", reference)

    assert answer.status == 204
    assert door.get(f"{ROWS}({ROW})")["_systemuserid_value"] == BO


@pytest.mark.parametrize("side", ["team", "user"])
def test_many_to_many_is_joined_and_parted_from_either_side(door: Door, side: str) -> None:
    """A pair is a row of the intersection; joined twice it is refused."""
    team, user = f"teams({TEAM})", f"systemusers({BO})"
    one, other, key = (team, user, BO) if side == "team" else (user, team, TEAM)
    path = f"{one}/teammembership_association"
    reference = {"@odata.id": f"/{other}"}

    joined = door.send("POST", f"{path}/$ref", reference)
    pairs = {row["systemuserid"] for row in door.get("teammemberships")["value"]}
    twice = door.send("POST", f"{path}/$ref", reference)
    parted = door.send("DELETE", f"{path}({key})/$ref")

    assert (joined.status, pairs, parted.status) == (204, {ADA, BO}, 204)
    assert refused(twice) == (412, "0x80040237")
    assert {row["systemuserid"] for row in door.get("teammemberships")["value"]} == {ADA}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", f"{ROWS}({ROW})/mobileofflineprofileid/$ref", {"@odata.id": DEPOTS}, 404),
        ("PUT", f"{ROWS}({ROW})/MobileOfflineProfileId/$ref", {"@odata.id": f"teams({TEAM})"}, 400),
        ("PUT", f"{ROWS}({ROW})/MobileOfflineProfileId/$ref", {"id": DEPOTS}, 400),
        (
            "PUT",
            f"{ROWS}({ROW})/MobileOfflineProfileId/$ref",
            {"@odata.id": f"mobileofflineprofiles({NEW})"},
            404,
        ),
        ("PUT", f"{ROWS}({NEW})/MobileOfflineProfileId/$ref", {"@odata.id": DEPOTS}, 404),
        ("POST", f"{CREWS}/systemusers/$ref", {"@odata.id": f"/{ROWS}({ROW})"}, 404),
        ("POST", f"{CREWS}/{OF_PROFILE}({ROW})/$ref", {"@odata.id": f"/{ROWS}({ROW})"}, 404),
        ("POST", f"{CREWS}/{OF_PROFILE}/$ref", {"@odata.id": f"/{ROWS}({NEW})"}, 404),
        ("POST", f"mobileofflineprofiles({NEW})/{OF_PROFILE}/$ref", {"@odata.id": "x"}, 404),
        ("DELETE", f"{CREWS}/{OF_PROFILE}/$ref", None, 400),
        ("DELETE", f"{CREWS}/{OF_PROFILE}({NEW})/$ref", None, 404),
        ("DELETE", f"{CREWS}/nothing({ROW})/$ref", None, 404),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    door: Door, method: str, path: str, body: object, expected: int
) -> None:
    """In the form of any error, and nothing has changed."""
    answer = door.send(method, path, body)

    assert refused(answer)[0] == expected
    assert profile(door) == CREW

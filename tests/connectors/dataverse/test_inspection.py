"""Everything around a user or a row is shown, and what may not be read is named."""

from __future__ import annotations

import json
import re

import pytest

from syncd.connectors.dataverse.neighbours import NEIGHBOURS
from syncd.core.errors import TargetRefused, UsageError
from syncd.core.inspection import Seen
from tests.connectors.dataverse.world import P1, P2, ROWS, World, profile, row_id, user_id

TEAM = "50000000-0000-4000-8000-000000000001"
OTHER_TEAM = "50000000-0000-4000-8000-000000000002"
REGARDING = "regardingobjectid_usermobileofflineprofilemembership@odata.bind"


def lack(world: World, *privileges: str) -> None:
    """Take privileges away from the caller."""
    content = json.dumps({"privileges": privileges}).encode()
    answer = world.sandbox.answer("POST", "/_sandbox/lacking", "", {}, content)
    assert answer.status == 204


def surround(world: World, row: str) -> None:
    """Let one row of each neighbouring table refer to a membership."""
    about = {REGARDING: f"/{ROWS}({row})"}
    world.post(
        "asyncoperations",
        {
            "name": "Cascade",
            "statuscode": 31,
            "statecode": 3,
            "errorcode": -2147220891,
            "friendlymessage": "it failed",
            **about,
        },
    )
    world.post("bulkdeletefailures", {"errordescription": "in use", "errornumber": 9, **about})
    world.post(
        "syncerrors",
        {
            "name": "upload",
            "errortype": 1,
            "errormessage": "not found",
            "errortime": "2026-02-03T04:05:06Z",
            **about,
        },
    )
    world.post("processsessions", {"name": "dialog", "statuscode": 4, "statecode": 1, **about})
    world.post("mailboxtrackingfolders", {"exchangefolderid": "AAMk", **about})
    world.post("principalobjectattributeaccessset", {
        "objectid_usermobileofflineprofilemembership@odata.bind": f"/{ROWS}({row})",
        "readaccess": True,
    })  # fmt: skip


@pytest.fixture
def peopled(world: World) -> World:
    """Give an environment in which one user has two rows, two teams and a legacy pointer."""
    ada = world.user(1, mobileofflineprofileid=None)
    world.call(
        "PATCH", f"systemusers({ada})",
        {"mobileofflineprofileid@odata.bind": f"/mobileofflineprofiles({P2})"},
    )  # fmt: skip
    world.row(1, ada)
    world.row(2, ada, P2, active=False, flagged=True)
    world.row(3, world.user(2))
    for team, name in ((TEAM, "Storm"), (OTHER_TEAM, "Calm")):
        world.post("teams", {"teamid": team, "name": name})
        world.post("teammemberships", {"teamid": team, "systemuserid": ada})
    world.post("teammobileofflineprofilememberships", {
        "name": "Storm | Office", "TeamId@odata.bind": f"/teams({TEAM})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({P2})",
    })  # fmt: skip
    surround(world, row_id(1))
    return world


def seen(world: World, reference: str) -> Seen:
    """Inspect somebody who is there."""
    found = world.open().inspect(reference)
    assert found is not None
    return found


@pytest.mark.parametrize("reference", [user_id(1), "USER1@contoso.com ", f"{{{user_id(1)}}}"])
def test_a_user_is_shown_with_teams_pointer_and_all_rows(peopled: World, reference: str) -> None:
    """By any of its names; the rows in the order in which they were made."""
    found = seen(peopled, reference)

    assert found.user is not None
    assert (found.user.id, found.user.full_name) == (user_id(1), "User 1")
    assert (found.user.candidate, found.user.disabled) == (True, False)
    assert (found.user.pointer, found.user.pointer_dangles) == ("Office", False)
    assert [(each.name, each.profiles) for each in found.teams] == [
        ("Storm", ("Office",)), ("Calm", ()),
    ]  # fmt: skip
    assert [(row.id, row.profile_name, row.active, row.flagged) for row in found.rows] == [
        (row_id(1), "Field Crew", True, False), (row_id(2), "Office", False, True),
    ]  # fmt: skip
    assert found.troubles == ()
    assert not [each for each in peopled.sent if not each.startswith("GET ")]


def test_a_row_is_shown_with_everything_that_refers_to_it(peopled: World) -> None:
    """One line for each of the table's one-to-many relationships."""
    found = seen(peopled, row_id(1).upper())

    (row,) = found.rows
    said = {each.table: [entry.said for entry in each.entries] for each in row.neighbours}
    assert said == {
        "asyncoperation": ["Failed, Cascade, error 0x80040265, it failed"],
        "bulkdeletefailure": ["error 9, in use"],
        "syncerror": ["Record not found, upload, not found"],
        "processsession": ["Completed, dialog"],
        "mailboxtrackingfolder": ["AAMk"],
        "principalobjectattributeaccess": ["read Yes, update No"],
    }
    assert row.neighbours[2].entries[0].at == "2026-02-03T04:05:06Z"
    assert found.user is not None
    assert found.user.id == user_id(1)


def test_every_relationship_of_the_table_is_looked_at(peopled: World) -> None:
    """The list here is the one that metadata gives (domain.md section 5)."""
    shown = peopled.call(
        "GET",
        "EntityDefinitions(LogicalName='usermobileofflineprofilemembership')"
        "/OneToManyRelationships?$select=ReferencingEntity,ReferencingAttribute",
    )["value"]

    there = {(each["ReferencingEntity"], each["ReferencingAttribute"]) for each in shown}
    asked = {(t.name, re.sub(r"^_(\w+)_value$", r"\1", t.lookup)) for t in NEIGHBOURS}
    assert asked == there


def test_who_made_a_row_and_who_changed_it_last_is_shown(peopled: World) -> None:
    """By name, with the moment."""
    (row,) = seen(peopled, row_id(3)).rows

    assert row.created is not None
    assert row.modified is not None
    assert row.created.at is not None
    assert row.created.at.endswith("Z")
    assert row.created.by == "# syncd"
    assert row.modified.on_behalf_of is None


@pytest.mark.parametrize("table", NEIGHBOURS, ids=lambda table: str(table.name))
def test_a_table_that_may_not_be_read_is_named_and_the_rest_is_shown(
    peopled: World, table: object
) -> None:
    """Which right it takes is the server's word."""
    name = getattr(table, "name", "")
    stem = {each["LogicalName"]: each["SchemaName"] for each in peopled.call(
        "GET", "EntityDefinitions?$select=LogicalName,SchemaName")["value"]}[name]  # fmt: skip
    lack(peopled, f"prvRead{stem}")

    (row,) = seen(peopled, row_id(1)).rows

    troubles = {each.table: each.trouble for each in row.neighbours if each.trouble}
    assert troubles.keys() == {name}
    assert f"prvRead{stem}" in troubles[name]
    assert all(each.entries for each in row.neighbours if each.table != name)


def test_teams_and_users_that_may_not_be_read_are_named(peopled: World) -> None:
    """A row is shown without its user; a user who is asked for by name cannot be found so."""
    lack(peopled, "prvReadUser", "prvReadTeam", "prvReadOrganization")

    found = seen(peopled, row_id(1))

    assert found.user is None
    assert found.rows[0].user == user_id(1)
    assert any("systemusers" in each for each in found.troubles)
    with pytest.raises(TargetRefused, match="systemusers"):
        peopled.open().inspect("user1@contoso.com")
    lack(peopled, "prvReadTeam")
    by_user = seen(peopled, user_id(1))
    assert by_user.teams == ()
    assert any("prvReadTeam" in each for each in by_user.troubles)
    assert len(by_user.rows) == 2


def test_a_husk_and_a_user_without_rows_are_shown(world: World) -> None:
    """A row whose user was deleted is known by its id alone; no rows are no error."""
    world.row(1, world.user(1))
    world.user(2, isdisabled=True)
    world.call("DELETE", f"systemusers({user_id(1)})")

    husk, alone = seen(world, row_id(1)), seen(world, "user2@contoso.com")

    assert (husk.user, husk.rows[0].user, husk.rows[0].profile_name) == (None, None, "Field Crew")
    assert (alone.rows, alone.user is not None and alone.user.disabled) == ((), True)


def test_a_row_that_is_gone_shows_what_still_refers_to_it(peopled: World) -> None:
    """System jobs and sessions outlive it (domain.md section 5)."""
    peopled.call("DELETE", f"{ROWS}({row_id(1)})")

    found = seen(peopled, row_id(1))

    (row,) = found.rows
    assert (found.user, row.gone) == (None, True)
    assert {each.table for each in row.neighbours if each.entries} <= {
        "asyncoperation", "processsession",
    }  # fmt: skip


@pytest.mark.parametrize("reference", ["nobody@contoso.com", row_id(99), "", "%' or 1 eq 1"])
def test_who_is_not_there_is_nobody(peopled: World, reference: str) -> None:
    """Also where the reference looks like a query."""
    assert peopled.open().inspect(reference) is None


def test_of_two_users_of_one_name_neither_is_guessed(world: World) -> None:
    """Their ids are named."""
    world.user(1)
    world.user(2, internalemailaddress="user1@contoso.com")

    with pytest.raises(UsageError, match="2 users are called so") as caught:
        world.open().inspect("user1@contoso.com")

    assert user_id(2) in str(caught.value)


def test_a_pointer_to_a_profile_that_is_gone_is_told(world: World) -> None:
    """The platform empties it not (domain.md section 5)."""
    gone = P1[:-1] + "9"
    world.post("mobileofflineprofiles", profile(gone, "Old"))
    ada = world.user(1)
    world.call(
        "PATCH", f"systemusers({ada})",
        {"mobileofflineprofileid@odata.bind": f"/mobileofflineprofiles({gone})"},
    )  # fmt: skip
    world.call("DELETE", f"mobileofflineprofiles({gone})")

    user = seen(world, ada).user

    assert user is not None
    assert (user.pointer, user.pointer_dangles) == (gone, True)

"""Teams and the legacy pointer are read, make conflicts, and are never written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from syncd.core.settings import Limits, Policy
from tests.company import profile
from tests.world import World, number, opened

FIELD, OFFICE = number(2, 1), number(2, 2)
STORM, CALM = number(5, 1), number(5, 2)
SETS = ("teams", "teammemberships", "teammobileofflineprofilememberships", "systemusers")
BRINGS = "teammobileofflineprofilememberships"


def somebody(which: int) -> tuple[str, ...]:
    """Say of a person what HR does: somebody of the field."""
    name = f"u{which}@contoso.com"
    return (f"E{which}", "", f"{which}", name, name, "Active", "", "", "field", "9", "")


def user(which: int, pointer: str | None = None) -> dict[str, object]:
    """Describe a user."""
    name = f"u{which}@contoso.com"
    return {
        "systemuserid": number(1, which), "domainname": name, "fullname": f"User {which}",
        "employeeid": f"{which}", "internalemailaddress": name,
        "_mobileofflineprofileid_value": pointer,
    }  # fmt: skip


def member(which: int, team: str) -> dict[str, object]:
    """Put a user into a team."""
    return {"systemuserid": number(1, which), "teamid": team}


def brings(team: str, which: str, **more: object) -> dict[str, object]:
    """Let a team bring a profile."""
    return {"_teamid_value": team, "_mobileofflineprofileid_value": which, "name": "T", **more}


ROWS: Mapping[str, Sequence[Mapping[str, object]]] = {
    "systemusers": [user(1), user(2), user(3, OFFICE), user(4, FIELD), user(5)],
    "mobileofflineprofiles": [profile(FIELD, "Field"), profile(OFFICE, "Office")],
    "teams": [{"teamid": STORM, "name": "Storm"}, {"teamid": CALM, "name": "Calm"}],
    "teammemberships": [member(1, STORM), member(2, STORM), member(2, CALM), member(5, CALM)],
    BRINGS: [brings(STORM, OFFICE), brings(CALM, FIELD), brings(CALM, OFFICE, statecode=1)],
}
"""
All five work in the field. Storm brings 1 and 2 Office, Calm brings 2 and 5 Field; an inactive row
brings nobody anything. The pointer of 3 says Office, that of 4 Field.
"""


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """Give that environment, in which nobody has a row of their own yet."""
    database = opened(database_url)
    policy = Policy(removals=Limits(percent=100, absolute=1000, floor=1000))
    world = World(tmp_path, database, policy=policy, rows=ROWS)
    world.says([somebody(which) for which in range(1, 6)])
    yield world
    database.close()


def conflicts(world: World) -> set[tuple[str, str, tuple[str, ...]]]:
    """Reconcile, and return the open conflicts: code, user's number, profiles."""
    plan = str(world.reconcile().plan)
    return {
        (each["code"], each["user"][-1], tuple(each["profiles"]))
        for each in world.document(plan)["conflicts"]
        if each["open"]
    }


def beside(world: World) -> list[Any]:
    """Return everything that is not a row of a user, as the environment has it."""
    return [world.call("GET", name)["value"] for name in SETS]


EXPECTED = {
    ("DIRECT_VS_TEAM", "1", ("Field", "Office")),
    ("DIRECT_VS_TEAM", "2", ("Field", "Office")),
    ("MULTI_PROFILE_TEAM", "2", ("Field", "Office")),
    ("LEGACY_POINTER", "3", ("Field", "Office")),
}


def test_what_teams_and_pointers_say_is_compared_with_the_rows(world: World) -> None:
    """Already when the rows are about to be made, and still when they are there."""
    before = beside(world)

    assert conflicts(world) == EXPECTED
    assert conflicts(world) == EXPECTED
    assert beside(world) == before
    assert all(given[1] == FIELD and not given[3] for given in world.members().values())


def test_a_conflict_ends_when_its_cause_does(world: World) -> None:
    """Somebody leaves a team, a team brings something else, a pointer is emptied."""
    assert conflicts(world) == EXPECTED
    (storm,) = [row for row in world.call("GET", BRINGS)["value"] if row["_teamid_value"] == STORM]
    world.call(
        "PATCH", f"{BRINGS}({storm['teammobileofflineprofilemembershipid']})",
        {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})"},
    )  # fmt: skip
    world.call("PATCH", f"systemusers({number(1, 3)})", {"mobileofflineprofileid@odata.bind": None})

    assert conflicts(world) == set()


def test_teams_that_cannot_be_read_stop_the_run(world: World) -> None:
    """Else a conflict would seem to be over."""
    conflicts(world)
    world.sandbox.answer(
        "POST", "/_sandbox/lacking", "", {},
        b'{"privileges": ["prvReadTeamMobileOfflineProfileMembership"]}',
    )  # fmt: skip

    report = world.reconcile()

    assert (report.exit_code, report.plan) == (5, None)
    assert "prvReadTeamMobileOfflineProfileMembership" in str(report.problem)

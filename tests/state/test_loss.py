"""Losing the state database is survivable: the next run looks, and takes nothing for its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.core.settings import Limits, Ownership, Policy
from syncd.state.database import Database
from tests.state.desk import FIELD, OFFICE, PROFILES, person
from tests.strategies import FAR
from tests.world import ROWS, World, number, opened

CROWD = range(1, 13)
WIDE = Limits(percent=100, absolute=1000, floor=5)
"""With a state everybody may go, and without one no more than the floor."""
EXCLUSIVE = Policy(ownership=Ownership.EXCLUSIVE, removals=WIDE)


@pytest.fixture
def crowd(tmp_path: Path) -> World:
    """Give a world in which a dozen people have the profile that they should have."""
    rows: dict[str, list[dict[str, object]]] = {
        "systemusers": [
            {"systemuserid": number(1, which), "fullname": f"e{which}",
             "domainname": f"e{which}@x.org", "employeeid": f"e{which}"}
            for which in CROWD
        ],
        "mobileofflineprofiles": [
            {"mobileofflineprofileid": key, "name": name, "componentstate": 0,
             "publishedon": "2026-01-01T00:00:00Z"}
            for name, key in PROFILES.items()
        ],
    }  # fmt: skip
    world = World(tmp_path, opened(f"sqlite:///{tmp_path / 'old.db'}"), rows=rows)
    world.policy = Policy(removals=FAR)
    world.says([person(f"e{which}") for which in CROWD])
    world.reconcile()
    assert len(world.links()) == len(CROWD)
    return world


def lose(world: World, left: int) -> None:
    """Begin with an empty state, after so many people have left."""
    world.database.close()
    world.database = opened(f"sqlite:///{world.folder / 'new.db'}")
    gone = [person(f"e{which}", status="Gone") for which in CROWD if which <= left]
    world.says([*gone, *(person(f"e{which}") for which in CROWD if which > left)])
    world.clock.wait(days=1)


def add(world: World, which: int, user: int, profile: str) -> None:
    """Let somebody make a row by hand."""
    body = {
        "usermobileofflineprofilemembershipid": number(3, which),
        "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({number(1, user)})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
    }
    assert world.call("POST", ROWS, body) is not None


def changes(world: World, plan: str | None) -> list[tuple[str, str, str]]:
    """Return what a plan changes: what, whose, in which situation."""
    assert plan is not None
    found = world.document(plan)["changes"]
    return [(each["action"], each["person"], each["situation"]) for each in found]


def test_adopting_anew_removes_nothing_but_twins(crowd: World) -> None:
    """Whoever left keeps the row, for it is nobody's; others are as they were, and ours again."""
    lose(crowd, left=3)
    add(crowd, 1, 4, FIELD)
    add(crowd, 2, 5, OFFICE)
    before = crowd.members()
    report = crowd.reconcile()
    after = crowd.members()
    again = crowd.reconcile()

    assert sorted(changes(crowd, report.plan)) == [
        ("flag", "e5", "SURPLUS"),
        ("flag", "e5", "SURPLUS"),
        ("remove", "e4", "DUPLICATE"),
    ]
    assert {user for user, *_ in before.values()} == {user for user, *_ in after.values()}
    assert len(before) - len(after) == 1
    assert report.situations["FOUND"] == len(CROWD) - 5
    assert report.situations["UNASSIGNED"] == 3
    assert again.planned == 0


@pytest.mark.parametrize(("left", "stopped"), [(5, False), (6, True)])
def test_owning_everything_stays_within_the_floor(crowd: World, left: int, stopped: bool) -> None:  # noqa: FBT001  # a column of the table
    """Nothing is ours yet, so that the gate knows of nothing of which it could take a share."""
    crowd.policy = EXCLUSIVE
    lose(crowd, left)
    report = crowd.reconcile()
    (gate,) = [each for each in report.gates if each.scope == "run"]

    assert (gate.count, gate.allowed, gate.tripped) == (left, 5, stopped)
    assert len(crowd.members()) == len(CROWD) - (0 if stopped else left)
    assert report.exit_code == (3 if stopped else 0)


def test_with_a_state_the_same_people_may_go(crowd: World) -> None:
    """That is what the test before this one is about: the share of what is ours."""
    crowd.policy = EXCLUSIVE
    kept = crowd.database
    lose(crowd, left=6)
    crowd.database.close()
    crowd.database = Database(f"sqlite:///{kept.place}")
    report = crowd.reconcile()

    assert not report.tripped
    assert len(crowd.members()) == len(CROWD) - 6

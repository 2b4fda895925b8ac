"""An environment that refuses to create, update or delete is kept in step all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core.ledger import Message
from syncd.core.plan import Result
from syncd.core.settings import Limits, Policy
from syncd.state import capabilities, observed
from syncd.state.database import run
from tests.world import URL, World, number, opened

OPEN = Policy(removals=Limits(percent=100, absolute=1000, floor=1000))
FIELD, OFFICE = number(2, 1), number(2, 2)


def somebody(which: int, department: str = "field", status: str = "Active") -> tuple[str, ...]:
    """Say of a person what HR does."""
    name = f"u{which}@contoso.com"
    return (f"E{which}", "", f"{which}", name, name, status, "", "", department, "9", "")


def users(count: int) -> list[dict[str, object]]:
    """Describe users, each with an employee id."""
    return [
        {
            "systemuserid": number(1, n),
            "domainname": f"u{n}@contoso.com",
            "fullname": f"User {n}",
            "employeeid": f"{n}",
            "internalemailaddress": f"u{n}@contoso.com",
        }
        for n in range(1, count + 1)
    ]


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """Give an environment with two profiles and six users, of whom two have a row of ours."""
    profiles = [
        {
            "mobileofflineprofileid": key,
            "name": name,
            "componentstate": 0,
            "publishedon": "2025-06-01T09:00:00Z",
        }
        for key, name in ((FIELD, "Field"), (OFFICE, "Office"))
    ]
    database = opened(database_url)
    world = World(
        tmp_path,
        database,
        policy=OPEN,
        rows={"systemusers": users(6), "mobileofflineprofiles": profiles},
    )
    world.says([somebody(1), somebody(2)])
    world.reconcile()
    yield world
    database.close()


def refuse(world: World, *messages: str) -> None:
    """Let the environment refuse these messages of the table."""
    content = json.dumps({"refuse": messages}).encode()
    answer = world.sandbox.answer("POST", "/_sandbox/messages", "", {}, content)
    assert answer.status == 204, answer.content


def holders(world: World) -> dict[str | None, str | None]:
    """Return who has which profile; None is nobody."""
    return {user: profile for user, profile, *_ in world.members().values()}


def refused(world: World) -> set[str]:
    """Return what the state database says is refused."""
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        return {str(one) for one in capabilities.refused(tx, env, world.clock())}


REFERENCE = ("Create", "Update", "Delete", "CreateMultiple", "UpdateMultiple")


@pytest.mark.parametrize("messages", [("Delete",), ("Delete", "Update"), REFERENCE])
def test_a_leaver_s_row_goes_to_the_next_joiner(world: World, messages: tuple[str, ...]) -> None:
    """It is emptied, stays without being called a husk to remove, and is taken."""
    refuse(world, *messages)
    world.says([somebody(1), somebody(2, status="Left")])
    left = world.reconcile()
    emptied = holders(world)
    quiet = world.reconcile()
    world.says([somebody(1), somebody(3)])
    joined = world.reconcile()
    again = world.reconcile()

    assert left.outcomes == {**dict.fromkeys(Result, 0), Result.APPLIED: 1}
    assert emptied == {number(1, 1): FIELD, None: FIELD}
    assert (quiet.planned, quiet.situations["HUSK"]) == (0, 1)
    assert (joined.planned, int(joined.exit_code)) == (1, 0)
    assert holders(world) == {number(1, 1): FIELD, number(1, 3): FIELD}
    assert again.planned == 0
    assert len(world.members()) == 2


def test_a_report_says_why_an_empty_row_stays(world: World) -> None:
    """And that the next joiner takes it."""
    refuse(world, "Delete")
    world.says([somebody(1), somebody(2, status="Left")])
    world.reconcile()

    report = world.plan()

    (said,) = [r for r in world.document(report.plan or "")["reports"] if r["situation"] == "HUSK"]
    assert said["detail"].endswith(
        "it stays: free for the next joiner, because the environment refuses Delete for now"
    )


def test_a_move_is_made_by_reference_where_nothing_is_updated(world: World) -> None:
    """The row keeps its user and gets the other profile."""
    refuse(world, *REFERENCE)
    world.says([somebody(1, "office"), somebody(2)])

    report = world.reconcile()

    assert int(report.exit_code) == 0
    assert holders(world) == {number(1, 1): OFFICE, number(1, 2): FIELD}
    assert world.reconcile().planned == 0


def test_joiners_wait_for_a_row_where_none_can_be_made(world: World) -> None:
    """The first run learns it; then they wait, first come first served."""
    refuse(world, "Create", "CreateMultiple")
    world.says([somebody(n) for n in (1, 2, 3, 4)])
    learning = world.reconcile()
    waiting = world.reconcile()
    world.says([somebody(1), somebody(2, status="Left"), somebody(3), somebody(4)])
    world.reconcile()
    world.reconcile()

    assert (learning.outcomes or {})[Result.MOVED] == 2
    assert (waiting.outcomes or {})[Result.HELD] == 2
    pending = world.document(waiting.plan or "")["pending"]
    assert [each["reason"] for each in pending] == ["capability"] * 2
    assert holders(world) == {number(1, 1): FIELD, number(1, 3): FIELD}


def test_after_a_day_it_is_tried_again(world: World) -> None:
    """What was refused may be there after an upgrade; the empty row is removed then."""
    refuse(world, "Delete")
    world.says([somebody(1), somebody(2, status="Left")])
    world.reconcile()
    learned = refused(world)
    world.clock.wait(hours=23)
    world.reconcile()
    still = refused(world)
    refuse(world)
    world.clock.wait(hours=1)
    due = refused(world)
    report = world.reconcile()

    assert (learned, still, due) == ({"Delete"}, {"Delete"}, set())
    assert (report.planned, int(report.exit_code)) == (1, 0)
    assert holders(world) == {number(1, 1): FIELD}
    assert world.reconcile().planned == 0


def test_what_is_refused_again_is_learned_again(world: World) -> None:
    """The try costs one request; the empty row stays, and nothing counts as failed."""
    refuse(world, "Delete")
    world.says([somebody(1), somebody(2, status="Left")])
    world.reconcile()
    world.clock.wait(hours=25)

    tried = world.reconcile()

    assert (tried.outcomes or {})[Result.MOVED] == 1
    assert int(tried.exit_code) == 0
    assert refused(world) == {"Delete"}
    assert world.reconcile().planned == 0


def test_a_row_of_somebody_else_is_never_taken(world: World) -> None:
    """A husk that no link ever made ours is not ours to give."""
    user = number(1, 6)
    world.call(
        "POST",
        "usermobileofflineprofilememberships",
        {
            "usermobileofflineprofilemembershipid": number(3, 9),
            "SystemUserId@odata.bind": f"/systemusers({user})",
            "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
        },
    )
    world.call("DELETE", f"systemusers({user})")
    refuse(world, "Create", "CreateMultiple", "Delete")
    world.says([somebody(n) for n in (1, 2, 3)])
    world.reconcile()

    report = world.reconcile()

    assert (report.outcomes or {})[Result.HELD] == 1
    assert holders(world)[None] == FIELD
    assert number(1, 3) not in holders(world)


def test_what_was_learned_and_spent_is_told(world: World) -> None:
    """By message: since when, until when, why; and what the day has cost."""
    refuse(world, "Delete")
    world.says([somebody(1), somebody(2, status="Left")])
    world.reconcile()

    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        said = capabilities.shown(tx, env, world.clock())

    (delete,) = said["refused"]
    assert (delete["message"], delete["since"], delete["until"]) == (
        "Delete", "2026-03-02T08:00:00Z", "2026-03-03T08:00:00Z",
    )  # fmt: skip
    assert "does not support entities" in delete["detail"]
    assert {"$batch", "Create", "Update"} <= set(said["works"])
    spent = said["last_24_hours"]
    assert spent["operations"] > spent["requests"] > 4


def test_the_allowance_of_yesterday_is_not_counted(world: World) -> None:
    """Only the last 24 hours count."""
    world.clock.wait(hours=30)
    world.plan()

    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        spent = capabilities.spent(tx, env, world.clock())

    assert 0 < spent.requests < 10


def test_an_interrupted_emptying_is_found_done(world: World) -> None:
    """The process died after the row was emptied: it is not emptied again, and no longer ours."""
    refuse(world, "Delete")
    world.says([somebody(1), somebody(2, status="Left")])
    with world.target() as target:
        target.ledger.refuse(Message.DELETE, "no")
        report = world.reconciler(target).reconcile()
    with world.database.begin() as tx:
        run(tx, "UPDATE journal SET settled = NULL WHERE run = :run", run=report.run)
        run(tx, "UPDATE links SET ended = NULL WHERE user_id = :user", user=number(1, 2))

    after = world.reconcile()

    assert (after.recovered, after.planned) == (1, 0)
    assert number(1, 2) not in {user for user, *_ in world.links()}

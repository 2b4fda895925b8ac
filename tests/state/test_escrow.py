"""Changes that fail: when they are tried again, and what they hold up; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.blackouts import Calendar, Window
from syncd.core.exits import ExitCode
from syncd.core.model import Action, iso
from syncd.core.settings import Failures, Limits, Policy
from syncd.engine.parts import RunReport
from syncd.sandbox.faults import Fault, FaultKind
from syncd.state import decisions, escrow, quarantine
from syncd.state.database import Database
from tests.state.conftest import small
from tests.state.desk import FIELD, OFFICE, ONE, USERS, person, select
from tests.world import ROWS, World, number

ENV = 1
FREE = Policy(removals=Limits(percent=100, absolute=1000, floor=1000))
CODE = "0x80040265"


DAYTIME = Window(frozenset({Action.REMOVE}), frozenset(range(7)), time(6), time(18))

TABLE = "usermobileofflineprofilemembership"


def refuse(world: World, method: str | None = None, path: str | None = None) -> None:
    """Let the environment refuse single changes from now on, and take no creates in bulk."""
    world.sandbox.switches.refuse(TABLE, ["CreateMultiple"], 404, "0x8006088a")
    refusal = Fault(
        kind=FaultKind.OPERATION, status=400, code=CODE, count=None, method=method, path=path
    )
    world.sandbox.misbehave([refusal])


def heal(world: World) -> None:
    """Let all go well again."""
    world.sandbox.misbehave(())
    world.sandbox.switches.refuse(TABLE, [], 404, "0x8006088a")


def run(world: World, **waited: float) -> tuple[RunReport, Any]:
    """Reconcile after some time, and return the report and the plan."""
    world.clock.wait(**waited)
    report = world.reconcile()
    assert report.plan is not None
    return report, world.document(report.plan)


def outcomes(report: RunReport) -> dict[str, int]:
    """Return the outcomes that are not zero."""
    return {str(result): count for result, count in (report.outcomes or {}).items() if count}


def waiting(document: Any) -> list[tuple[str, str, str | None]]:
    """Return what is pending: person, reason, next try."""
    found = [(each["person"], each["reason"], each.get("next_try")) for each in document["pending"]]
    assert all(each["due"] is None for each in document["pending"])
    return found


def entries(database: Database) -> list[escrow.Entry]:
    """Return what is in escrow."""
    with database.read() as tx:
        return escrow.entries(tx, ENV)


def told(database: Database) -> list[str]:
    """Return what the audit log tells of dead letters and quarantines."""
    sql = "SELECT what FROM audit WHERE what LIKE 'dead%' OR what LIKE 'quarantine%' ORDER BY id"
    return [what for (what,) in select(database, sql)]


# --- one row ----------------------------------------------------------------------------------


def test_what_a_row_refuses_waits_and_is_tried_when_it_is_due(world: World) -> None:
    """Between the tries it is held and pending, and the run ends well; success forgets it."""
    world.says([person("e1"), person("e2")])
    refuse(world, "POST", None)
    first, _ = run(world)
    heal(world)
    early, document = run(world, minutes=14)
    due, _ = run(world, minutes=1)
    after, last = run(world, minutes=1)

    assert (first.exit_code, outcomes(first)) == (ExitCode.FAILED, {"failed": 2})
    assert (early.exit_code, outcomes(early)) == (ExitCode.DONE, {"held": 2})
    next_try = "2026-03-02T08:15:00Z"
    assert waiting(document) == [("e1", "escrow", next_try), ("e2", "escrow", next_try)]
    assert (due.exit_code, outcomes(due)) == (ExitCode.DONE, {"applied": 2})
    assert (after.planned, last["pending"], entries(world.database)) == (0, [], [])


def test_waits_grow_until_the_change_is_given_up(world: World) -> None:
    """It is tried after 15 minutes, an hour, six hours, a day, daily; after a week not at all."""
    world.says([person("e1")])
    refuse(world, "POST")
    run(world)
    start, hours = world.clock.now, [0.0]
    report, document = run(world)
    while waiting(document) != [("e1", "escrow", None)]:
        world.clock.now = datetime.fromisoformat(entries(world.database)[0].due)
        report, document = run(world)
        if outcomes(report) == {"failed": 1}:
            hours.append((world.clock.now - start).total_seconds() / 3600)
    heal(world)
    report, document = run(world, days=30)

    assert hours == [0, 0.25, 1.25, 7.25, 31.25, 55.25, 79.25, 103.25, 127.25, 151.25]
    assert (report.exit_code, outcomes(report)) == (ExitCode.DONE, {"held": 1})
    assert waiting(document) == [("e1", "escrow", None)]
    assert told(world.database) == ["dead letter"]


def test_whoever_runs_seldom_tries_at_least_twice(world: World) -> None:
    """A week after the only failure the change is tried again, and is dead if it fails."""
    world.says([person("e1")])
    refuse(world, "POST")
    run(world)
    report, _ = run(world, days=20)

    (entry,) = entries(world.database)
    assert outcomes(report) == {"failed": 1}
    assert (entry.state, entry.tries, entry.cause) == ("dead", 2, CODE)


def test_a_dead_change_does_not_come_to_life_by_itself(world: World) -> None:
    """One that is too old when a run plans it is given up before it is sent."""
    world.says([person("e1")])
    refuse(world, "POST")
    run(world)
    run(world, minutes=15)
    report, _ = run(world, days=8)

    assert outcomes(report) == {"held": 1}
    assert entries(world.database)[0].state == "dead"


def test_what_is_planned_otherwise_is_sent_at_once(world: World) -> None:
    """A create of another profile is not the one that failed."""
    world.says([person("e1")])
    refuse(world, "POST")
    run(world)
    heal(world)
    world.says([person("e1", "office")])
    report, _ = run(world, minutes=1)

    assert outcomes(report) == {"applied": 1}
    assert entries(world.database) == []


def test_what_is_not_planned_any_more_is_forgotten(world: World) -> None:
    """Whoever is wanted later begins anew."""
    world.says([person("e1"), person("e2")])
    refuse(world, "POST")
    run(world)
    world.says([person("e1", status="Left"), person("e2")])
    report, _ = run(world, minutes=1)

    assert outcomes(report) == {"held": 1}
    assert [entry.person for entry in entries(world.database)] == ["e2"]


def test_a_removal_stays_in_escrow_while_a_source_is_not_believed(world: World) -> None:
    """It is not planned then, but it is not off: its waits go on growing."""
    world.policy = FREE
    world.says([person("e1"), person("e2"), person("e3")])
    run(world)
    world.says([person("e1", status="Left"), person("e2"), person("e3")])
    refuse(world, "DELETE")
    run(world, days=1)
    world.says([])
    doubted, _ = run(world, minutes=30)
    world.says([person("e1", status="Left"), person("e2"), person("e3")])
    report, _ = run(world, minutes=30)

    assert doubted.exit_code == ExitCode.NOT_BELIEVED
    assert outcomes(report) == {"failed": 1}
    assert entries(world.database)[0].tries == 2


def test_removals_in_escrow_count_for_the_gates(world: World) -> None:
    """Two leave, the gate lets two pass; one fails; a third is one too many together with it."""
    world.policy = Policy(removals=Limits(percent=0, absolute=0, floor=1))
    world.says([person("e1"), person("e2"), person("e3")])
    run(world)
    refuse(world, "DELETE")
    world.says([person("e1", status="Left"), person("e2"), person("e3")])
    first, _ = run(world, days=1)
    heal(world)
    world.says([person("e1", status="Left"), person("e2", status="Left"), person("e3")])
    second, document = run(world, minutes=1)

    assert outcomes(first) == {"failed": 1}
    assert (second.exit_code, outcomes(second)) == (ExitCode.GATE, {"held": 2})
    assert [reason for _, reason, _ in waiting(document)] == ["gate", "gate"]


def test_what_relies_on_a_change_in_escrow_waits_with_it(world: World) -> None:
    """A row is not taken away while the move of another one of the same user waits."""
    world.policy = FREE
    world.says([person("e1")])
    run(world)
    (row,) = world.members()
    twin = {
        "usermobileofflineprofilemembershipid": number(3, 1),
        "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({ONE})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})",
    }
    world.call("POST", ROWS, twin)
    world.says([person("e1", "office")])
    refuse(world, "PATCH", row)
    first, _ = run(world, days=1)
    heal(world)
    early, document = run(world, minutes=1)
    due, _ = run(world, minutes=15)

    assert outcomes(first) == {"failed": 2}
    assert [entry.action for entry in entries(world.database)] == []
    assert outcomes(early) == {"held": 2}
    assert [reason for _, reason, _ in waiting(document)] == ["escrow", "escrow"]
    assert outcomes(due) == {"applied": 2}
    assert [gives for _, gives, *_ in world.members().values()] == [OFFICE]


def test_what_is_no_rows_fault_is_tried_by_the_next_run(world: World) -> None:
    """A missing right stops the run at once, and nothing goes to escrow."""
    world.says([person("e1"), person("e2")])
    world.sandbox.misbehave(
        [Fault(kind=FaultKind.OPERATION, status=403, code="0x80040220", count=None)]
    )
    first, _ = run(world)
    heal(world)
    second, _ = run(world, minutes=1)

    assert (first.exit_code, first.problem is None) == (ExitCode.TARGET, False)
    assert outcomes(second) == {"applied": 2}
    assert entries(world.database) == []


def test_a_plan_that_is_applied_by_hand_holds_what_waits(world: World) -> None:
    """`apply` knows escrow, too, and says why it holds a change."""
    world.says([person("e1")])
    refuse(world, "POST")
    run(world)
    heal(world)
    planned = world.plan()
    assert planned.plan is not None
    with world.target() as target:
        report = world.reconciler(target).apply(planned.plan)

    assert outcomes(report) == {"held": 1}
    held = select(world.database, "SELECT held FROM changes WHERE plan = :plan", plan=report.plan)
    assert held == [("escrow",)]


# --- a whole environment ------------------------------------------------------------------------


@pytest.fixture
def crowd(database: Database, tmp_path: Path) -> World:
    """Give a world in which 60 people want their first row."""
    names = [(f"c{which:02}", number(1, which)) for which in range(60)]
    users: list[dict[str, object]] = [
        {"systemuserid": key, "fullname": name, "domainname": f"{name}@x.org", "employeeid": name}
        for name, key in names
    ]
    world = World(tmp_path, database, rows={**small(), "systemusers": users})
    want(world, "field")
    return world


def want(world: World, department: str) -> None:
    """Let all of them belong to a department."""
    world.says([person(f"c{which:02}", department) for which in range(60)])


def quarantined(database: Database) -> quarantine.Quarantine | None:
    """Return the quarantine of the environment."""
    with database.read() as tx:
        return quarantine.state(tx, ENV)


def test_too_many_failures_end_in_quarantine_and_a_clean_run_ends_it(crowd: World) -> None:
    """Then 25 changes are tried at a time, ever more seldom; the audit log tells both turns."""
    refuse(crowd, "POST")
    first, _ = run(crowd)
    want(crowd, "office")
    second, document = run(crowd, minutes=1)
    third, _ = run(crowd, minutes=14)
    heal(crowd)
    fourth, _ = run(crowd, minutes=1)
    last, _ = run(crowd, minutes=1)

    assert outcomes(first) == {"failed": 60}
    assert outcomes(second) == {"failed": 25, "held": 35}
    assert [reason for _, reason, _ in waiting(document)] == ["quarantine"] * 35
    assert (third.exit_code, outcomes(third)) == (ExitCode.DONE, {"held": 60})
    assert outcomes(fourth) == {"applied": 25, "held": 35}
    assert outcomes(last) == {"applied": 35}
    assert quarantined(crowd.database) is None
    assert told(crowd.database) == ["quarantine begun", "quarantine ended"]


def test_the_rate_of_a_quarantine_falls(crowd: World) -> None:
    """After each trial that fails, the next one is later: as the tries of a single change."""
    crowd.policy = Policy(failures=Failures(quarantine_floor=10))
    refuse(crowd, "POST")
    run(crowd)
    dues = []
    for which in range(4):
        want(crowd, ("office", "field")[which % 2])
        found = quarantined(crowd.database)
        assert found is not None
        crowd.clock.now = max(crowd.clock.now, datetime.fromisoformat(found.due))
        report, _ = run(crowd)
        assert outcomes(report) == {"failed": 25, "held": 35}
        later = quarantined(crowd.database)
        assert later is not None
        dues.append((datetime.fromisoformat(later.due) - crowd.clock.now).total_seconds() / 3600)

    assert dues == [0.25, 1, 6, 24]


def test_few_failures_are_no_quarantine(world: World) -> None:
    """Three of three are less than the floor."""
    world.says([person(key) for key in USERS])
    refuse(world, "POST")
    report, _ = run(world)

    assert outcomes(report) == {"failed": 3}
    assert quarantined(world.database) is None


# --- the time of day --------------------------------------------------------------------------


def test_a_blackout_holds_its_actions_and_nothing_else(world: World) -> None:
    """Who leaves keeps the row until evening, who joins has one at once."""
    world.policy = FREE
    world.says([person("e1"), person("e2")])
    run(world)
    world.calendar = Calendar(UTC, (DAYTIME,))
    world.says([person("e1", status="Left"), person("e2", "office"), person("e3")])
    day, document = run(world, hours=1)
    evening, _ = run(world, hours=10)

    assert (day.exit_code, outcomes(day)) == (ExitCode.DONE, {"applied": 2, "held": 1})
    assert waiting(document) == [("e1", "blackout", None)]
    assert outcomes(evening) == {"applied": 1}


def grant(world: World) -> None:
    """Let five risky changes of any one run pass."""
    with world.database.begin() as tx:
        now = world.clock()
        decisions.add(
            tx, decisions.Verb.PASS, "run", env=ENV, reason="known", who="olga", now=iso(now),
            value="5", until=iso(now + timedelta(days=2)),
        )  # fmt: skip


def test_a_pass_is_not_used_up_by_a_run_that_may_not_remove(world: World) -> None:
    """It is for the first run that applies its risky part."""
    world.policy = Policy(removals=Limits(percent=0, absolute=0, floor=1))
    world.says([person("e1"), person("e2", "office")])
    run(world)
    grant(world)
    world.calendar = Calendar(UTC, (DAYTIME,))
    world.says([person("e1", status="Left"), person("e2", "office", status="Left")])
    day, _ = run(world, hours=1)
    evening, _ = run(world, hours=10)
    over, _ = run(world, hours=1)

    assert outcomes(day) == {"held": 2}
    assert outcomes(evening) == {"applied": 2}
    assert over.planned == 0
    assert select(world.database, "SELECT how FROM decisions") == [("used by run 3",)]

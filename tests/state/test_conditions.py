"""Conditions as they follow from real runs, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from syncd.core.conditions import Condition, Event, Facts, Told
from syncd.core.gates import Gate
from syncd.core.model import iso
from syncd.core.settings import CertificateLimits, Limits, Ownership, Policy, Resolve
from syncd.core.telling import Post
from syncd.state import conditions
from syncd.state.database import Database
from syncd.state.schema_service import metadata
from tests.state.desk import BROKEN, FIELD, OFFICE, ONE, Shown, person, select
from tests.world import ROWS, World, number

ENV = 1
STRICT = Policy(removals=Limits(percent=0, absolute=0, floor=0))


def look(world: World) -> bool:
    """Look at the environment as the keeper does after a run."""
    with world.database.read() as tx:
        found = conditions.facts(tx, ENV)
    with world.database.begin() as tx:
        return conditions.look(tx, ENV, found, world.clock())


def known(database: Database) -> list[Condition]:
    """Return the conditions that are kept."""
    with database.read() as tx:
        return conditions.conditions(tx, [ENV])


def standing(database: Database) -> dict[Event, list[tuple[str, int]]]:
    """Return what is the matter now: subjects and counts."""
    return {
        each.matter.event: [(item.subject, item.count) for item in each.matter.items]
        for each in known(database)
        if each.ended is None
    }


def member(world: World, which: int, profile: str, **more: object) -> None:
    """Let somebody else give the first user a row."""
    made = {
        "usermobileofflineprofilemembershipid": number(3, which),
        "name": "by hand",
        "SystemUserId@odata.bind": f"/systemusers({ONE})",
        "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({profile})",
    }
    assert world.call("POST", ROWS, {**made, **more}) is not None


def put(database: Database, table: str, row: dict[str, object]) -> None:
    """Write a row about the environment."""
    with database.begin() as tx:
        tx.execute(metadata.tables[table].insert(), {"env": ENV, **row})


def run(world: World, *people: tuple[str, ...], policy: Policy = STRICT) -> None:
    """Let the sources say this of people, run, and look."""
    world.policy = policy
    world.says(people)
    world.clock.wait(hours=1)
    world.reconcile()
    look(world)


def test_an_environment_without_runs_has_no_conditions(world: World) -> None:
    """Nothing is known of it."""
    assert look(world) is False
    assert known(world.database) == []


def test_a_gate_begins_and_ends_a_condition(world: World) -> None:
    """It holds while the gate holds the leaver; whoever looks twice finds what is there."""
    run(world, person("e1"), person("e2"))
    run(world, person("e1", last="2026-02-01"), person("e2"))
    begun = known(world.database)
    assert standing(world.database) == {Event.GATE: [("run", 1), ("profile:Field", 1)]}
    assert look(world) is False
    assert known(world.database) == begun

    run(world, person("e1"), person("e2"))

    (gate,) = known(world.database)
    assert (gate.since, gate.ended) == (begun[0].since, iso(world.clock()))


def test_a_source_that_is_not_believed_is_a_condition_until_it_is(world: World) -> None:
    """The certificates of the last run decide."""
    run(world, *(person(f"e{each}") for each in range(1, 4)))
    run(world, person("e1"))
    assert standing(world.database) == {Event.CERTIFICATE: [("hr", 1)]}

    run(world, *(person(f"e{each}") for each in range(1, 4)))

    assert standing(world.database) == {}


def test_a_run_that_read_nothing_leaves_conditions_alone(world: World) -> None:
    """A target that is away says nothing about gates and sources."""
    run(world, person("e1"), person("e2"))
    run(world, person("e1", last="2026-02-01"), person("e2"))
    before = known(world.database)

    report = world.reconcile(Shown(users_shown=[BROKEN]))

    assert report.problem is not None
    assert look(world) is False
    assert known(world.database) == before


def test_a_plan_that_is_applied_says_nothing_about_the_whole(world: World) -> None:
    """It may show less than a gate holds by now."""
    run(world, person("e1"), person("e2"))
    plan = world.plan().plan
    run(world, person("e1", last="2026-02-01"), person("e2"))
    before = standing(world.database)

    with world.target() as target:
        world.reconciler(target).apply(str(plan))

    look(world)
    assert standing(world.database) == before


def test_conflicts_that_need_somebody_are_a_condition(world: World) -> None:
    """Only what the last plan leaves open, not what it settles."""
    member(world, 1, FIELD)
    member(world, 2, OFFICE)

    run(world, person("e1"), policy=replace(STRICT, resolve=Resolve.MANUAL))
    assert standing(world.database) == {Event.CONFLICTS: [("MULTI_PROFILE_DIRECT", 1)]}
    run(world, person("e1"), policy=Policy(ownership=Ownership.EXCLUSIVE))

    assert standing(world.database) == {}


def test_a_flag_that_nothing_explains_asks_nobody_to_decide(world: World) -> None:
    """No row is at odds with another one."""
    member(world, 1, FIELD, hasmobileofflineprofileidconflict=True)

    run(world, policy=replace(STRICT, certificate=CertificateLimits(min_rows=0)))

    codes = [code for (code,) in select(world.database, "SELECT code FROM conflicts")]
    assert codes == ["SERVER_FLAG_ONLY"]
    assert Event.CONFLICTS not in standing(world.database)


def test_what_failed_too_often_is_a_condition(world: World) -> None:
    """A quarantine, and changes that were given up; not those that wait or were discarded."""
    run(world, person("e1"))
    put(
        world.database,
        "quarantines",
        {"since": "-", "cause": "status 400", "failed": 40, "sent": 90, "tries": 1, "due": "-"},
    )
    failed = {"action": "create", "situation": "ABSENT", "cause": "row", "detail": "-", "tries": 2}
    moments = dict.fromkeys(("first", "last", "due"), "2026-03-02T08:00:00Z")
    given_up = {"dead": "2026-03-02T08:00:00Z"}
    for which, ends in enumerate([given_up, {}, given_up | {"discarded": "-"}]):
        put(world.database, "escrow", {"membership": number(3, which), **failed, **moments, **ends})

    look(world)

    assert standing(world.database) == {
        Event.QUARANTINE: [("status 400", 40)],
        Event.DEAD_LETTERS: [("row", 1)],
    }


def test_what_receivers_were_told_stands_beside_the_condition(world: World) -> None:
    """Each its own, and a later look leaves it there."""
    gates = (Gate("removals", "run", 9, 5, tripped=True),)
    with world.database.begin() as tx:
        conditions.look(tx, ENV, Facts(gates, None, None, None, ()), world.clock())
    (gate,) = known(world.database)
    told = Told(iso(world.clock()), 1, gate.matter)

    with world.database.begin() as tx:
        conditions.note_told(tx, gate.id, "a", told)
        conditions.note_told(tx, gate.id, "b", replace(told, matter=None))
    look(world)

    (gate,) = known(world.database)
    assert gate.told == {"a": told, "b": replace(told, matter=None)}


def test_a_receiver_is_known_from_the_first_time_on(world: World) -> None:
    """How it went with it outlives the process."""
    now = world.clock()
    with world.database.begin() as tx:
        first = conditions.post(tx, "a", now)
        conditions.note_post(tx, "a", replace(first, tries=2))

    with world.database.read() as tx:
        again = conditions.post(tx, "a", now + timedelta(days=1))

    assert first == Post(iso(now))
    assert again == Post(iso(now), tries=2)


def test_conditions_that_ended_long_ago_are_forgotten(world: World) -> None:
    """After a week nobody needs to be told of their end."""
    quiet, tripped = ((Gate("removals", "run", 9, 5, tripped=each),) for each in (False, True))
    for gates, days in ((tripped, 0), (quiet, 0), (quiet, 6), (quiet, 2)):
        world.clock.wait(days=days)
        with world.database.begin() as tx:
            conditions.look(tx, ENV, Facts(gates, None, None, None, ()), world.clock())
        assert len(known(world.database)) == (0 if days == 2 else 1)

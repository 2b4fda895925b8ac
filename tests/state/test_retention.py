"""How long things are kept: as many days as the configuration says, and longer what is needed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syncd.core.model import iso
from syncd.core.settings import Policy
from syncd.state import history, observed
from syncd.state.database import Database, bulk
from tests.state.desk import FIELD, OFFICE, ONE, TWO, person, select
from tests.state.test_journal import die
from tests.strategies import FAR
from tests.world import NOW, ROWS, URL, World, number

KEEP = {"runs": 90, "plans": 30, "audit": 2555}
TABLES = (
    "runs",
    "certificates",
    "journal",
    "plans",
    "changes",
    "items",
    "audit",
    "losses",
    "links",
)


@pytest.fixture
def lived(world: World) -> World:
    """Give a world in which somebody came and went, on two days."""
    world.policy = Policy(removals=FAR)
    world.says([person("e1"), person("e2")])
    world.reconcile()
    world.clock.wait(days=1)
    world.says([person("e1", status="Gone"), person("e2"), person("e9")])
    world.reconcile()
    return world


def kept(database: Database) -> dict[str, int]:
    """Count what is there."""
    return {name: int(select(database, f"SELECT count(*) FROM {name}")[0][0]) for name in TABLES}  # noqa: S608  # our own tables


def purge(database: Database, now: datetime) -> None:
    """Delete what is too old at a moment."""
    with database.begin() as tx:
        history.purge(tx, now, KEEP)


def test_everything_is_kept_for_its_days(lived: World, database: Database) -> None:
    """Plans for a month, runs for a quarter, the audit log for years, links for ever."""
    whole = kept(database)
    plans = {"plans": 0, "changes": 0, "items": 0}
    runs = {**plans, "runs": 1, "certificates": 1, "journal": 0, "losses": 0}
    expected = {
        29.0: dict[str, int](),
        31.5: plans,
        89.0: plans,
        91.5: runs,
        2557.0: {**runs, "audit": 0},
    }
    found = {}
    for days in expected:
        purge(database, NOW + timedelta(days=days))
        found[days] = kept(database)

    assert all(whole.values())
    assert found == {days: {**whole, **less} for days, less in expected.items()}
    assert lived.reconcile().planned == 0


def test_what_is_due_on_the_day_itself_is_still_there(lived: World, database: Database) -> None:
    """Thirty days are thirty days to the second."""
    before = kept(database)
    purge(database, NOW + timedelta(days=30))
    exactly = kept(database)
    purge(database, NOW + timedelta(days=30, seconds=1))

    assert exactly == before
    assert kept(database)["plans"] == before["plans"] - 1
    assert lived.reconcile().planned == 0


def test_what_is_unsettled_is_kept_however_old(world: World, database: Database) -> None:
    """Its plan is needed to find out what became of it, also years later."""
    world.says([person("e1"), person("e2")])
    die(world, "after", 1)
    purge(database, NOW + timedelta(days=4000))
    between = kept(database)
    world.clock.wait(days=4001)
    report = world.reconcile()

    assert (between["journal"], between["plans"], between["changes"]) == (1, 1, 2)
    assert report.recovered == 1
    assert len(world.members()) == len(world.links()) == 2


def test_numbers_of_runs_never_come_again(lived: World, database: Database) -> None:
    """They are stamped on rows in the target; the last one stays so that the next is higher."""
    before = select(database, "SELECT max(id) FROM runs")[0][0]
    purge(database, NOW + timedelta(days=4000))
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        following = history.begin_run(tx, env, "reconcile", iso(NOW))

    assert following == before + 1
    assert lived.members()


def test_whose_a_flag_is_is_known_as_long_as_there_is_the_row(
    world: World, database: Database
) -> None:
    """It is cleared because syncd set it, however long ago; of a row that is gone nothing stays."""
    world.policy = Policy(clear_stale_flags=False, removals=FAR)
    for which, user in ((1, ONE), (2, TWO)):
        made = {
            "usermobileofflineprofilemembershipid": number(3, which),
            "name": "by hand",
            "SystemUserId@odata.bind": f"/systemusers({user})",
            "MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({OFFICE})",
        }
        assert world.call("POST", ROWS, made) is not None
    world.says([person("e1"), person("e2")])
    world.reconcile()
    flagged = select(database, "SELECT membership, action FROM flags ORDER BY membership")
    world.call("DELETE", f"{ROWS}({number(3, 2)})")
    for days in (100, 1):
        world.clock.wait(days=days)
        world.reconcile()
    after = select(database, "SELECT membership, action FROM flags")
    field = {"MobileOfflineProfileId@odata.bind": f"/mobileofflineprofiles({FIELD})"}
    world.call("PATCH", f"{ROWS}({number(3, 1)})", field)

    assert flagged == [(number(3, 1), "flag"), (number(3, 2), "flag")]
    assert after == flagged[:1]
    assert world.reconcile().planned == 1
    assert world.members()[number(3, 1)] == (ONE, FIELD, True, False)


def test_what_judges_the_next_days_is_kept_for_a_week(lived: World, database: Database) -> None:
    """Flags cleared and rows lost within seven days count, also where runs are kept for one."""
    keep = {**KEEP, "runs": 1}
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        for action in ("unflag", "unflag"):
            columns = ("env", "membership", "action", "at")
            bulk(tx, "flags", columns, [(env, number(3, 9), action, iso(NOW))])
    before = _judging(database)
    found = []
    for age in (timedelta(days=7), timedelta(days=9)):
        with database.begin() as tx:
            history.purge(tx, NOW + age, keep)
        found.append(_judging(database))

    assert before == (2, 1)
    assert found == [before, (0, 0)]
    assert lived.members()


def _judging(database: Database) -> tuple[int, int]:
    """Count flags and losses."""
    sql = "SELECT (SELECT count(*) FROM flags), (SELECT count(*) FROM losses)"
    flags, losses = select(database, sql)[0]
    return int(flags), int(losses)


def test_what_the_last_run_found_about_its_sources_is_kept_however_old(
    lived: World, database: Database
) -> None:
    """It is what holds today, also where a later run never got so far, and of every environment."""
    before = last_reads(database)
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        broken = history.begin_run(tx, env, "reconcile", iso(lived.clock()))
        history.end_run(tx, broken, iso(lived.clock()), None, 5, {})
        other = observed.environment(tx, "test", "https://test.example")
        history.end_run(
            tx, history.begin_run(tx, other, "reconcile", iso(NOW)), iso(NOW), None, 0, {}
        )
    purge(database, NOW + timedelta(days=4000))

    assert before
    assert last_reads(database) == before
    assert select(database, "SELECT env, exit_code FROM runs ORDER BY id") == [
        (env, 0),
        (env, 5),
        (other, 0),
    ]


def last_reads(database: Database) -> list[tuple[object, ...]]:
    """Return how the sources were found by the last run that read them."""
    last = "SELECT max(run) FROM certificates"
    return select(database, f"SELECT run, source, certified FROM certificates WHERE run = ({last})")  # noqa: S608  # our own table


def test_a_run_that_died_while_reading_is_not_kept_for_ever(
    lived: World, database: Database
) -> None:
    """Nobody can finish it any more: the next run puts its end on record, and it grows old."""
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        dead = history.begin_run(tx, env, "reconcile", iso(lived.clock()))
    lived.clock.wait(days=1)
    lived.reconcile()
    ended = select(database, "SELECT finished, exit_code FROM runs WHERE id = :id", id=dead)
    lived.clock.wait(days=100)
    lived.reconcile()

    assert ended == [(iso(NOW + timedelta(days=2)), 70)]
    assert select(database, "SELECT count(*) FROM runs WHERE id = :id", id=dead) == [(0,)]


def test_a_run_that_died_is_closed_by_the_next_of_its_environment_only(
    world: World, database: Database
) -> None:
    """Had it sent anything, changes may have failed; had it not, nothing was done."""
    world.says([person("e1"), person("e2")])
    die(world, "after", 1)
    with database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        other = observed.environment(tx, "test", "https://test.example")
        elsewhere = history.begin_run(tx, other, "reconcile", iso(NOW))
        history.begin_run(tx, env, "reconcile", iso(NOW))
    world.reconcile()
    sql = "SELECT env, exit_code, document LIKE '%never came to its end%' FROM runs ORDER BY id"
    found = [(number, code, bool(said)) for number, code, said in select(database, sql)]

    assert found == [(env, 2, True), (other, None, False), (env, 70, True), (env, 0, False)]
    assert select(database, "SELECT id FROM runs WHERE finished IS NULL") == [(elsewhere,)]

"""What is forgotten of an environment or a source, and whether a state is sound."""

from __future__ import annotations

import pytest

from syncd.core.model import iso
from syncd.core.preflight import Verdict
from syncd.core.settings import Policy
from syncd.state import observed, purge
from syncd.state.checkup import check, lacking
from syncd.state.database import Database, bulk, run
from syncd.state.purge import Leftover
from syncd.state.schema_service import metadata
from tests.state.desk import person, select
from tests.strategies import FAR
from tests.world import NOW, URL, World

KEPT = {"audit", "environments", "runs"}
"""Of these something of an environment stays."""


@pytest.fixture
def lived(world: World) -> World:
    """Give a world in which somebody came and went, and an environment that is no more."""
    world.policy = Policy(removals=FAR)
    world.says([person("e1"), person("e2")])
    world.reconcile()
    world.says([person("e1", status="Gone"), person("e2")])
    world.reconcile()
    with world.database.begin() as tx:
        observed.environment(tx, "contoso", "https://elsewhere.example")
    return world


def rows_of(database: Database, env: int) -> dict[str, int]:
    """Count what is there of an environment, by table."""
    counts = {
        table.name: select(database, f"SELECT count(*) FROM {table.name} WHERE env = {env}")[0][0]  # noqa: S608  # our own tables
        for table in metadata.sorted_tables
        if "env" in table.columns
    }
    return {name: number for name, number in counts.items() if number}


def test_an_environment_that_moved_is_forgotten(lived: World) -> None:
    """Of the old one only the audit log stays, and the number of the last run; the new one all."""
    database = lived.database
    with database.durable() as tx:
        new = observed.environment(tx, "test", "https://test.example")
        bulk(tx, "meta", ("name", "value"), [(f"base:{new}", "{}"), ("receiver:1", "{}")])
        found, unread = purge.leftovers(tx, {"test": "https://test.example"}, ["hr"])
        (old,) = found
        before = purge.sizes(tx)
        purge.forget_environment(tx, old.id)
        after = purge.sizes(tx)
        again = purge.leftovers(tx, {"test": "https://test.example"}, ["hr"])
    names = [name for (name,) in select(database, "SELECT name FROM meta ORDER BY name")]

    assert (old.url, unread, again) == (URL, [], ([], []))
    assert set(rows_of(database, old.id)) == {"audit", "runs"}
    assert select(database, "SELECT id, plan, document FROM runs") == [(2, None, None)]
    assert before["plans"] == 2
    assert after["plans"] == after["changes"] == after["certificates"] == 0
    assert (before["audit"], before["people"]) == (after["audit"], after["people"])
    assert f"base:{new}" in names
    assert "receiver:1" in names
    assert not [name for name in names if f":{old.id}" in name and name != "receiver:1"]
    assert before["news"] > after["news"]
    assert f"links:{old.id}" not in {what for (what,) in select(database, "SELECT what FROM news")}


def test_a_source_that_is_forgotten_is_read_as_for_the_first_time(lived: World) -> None:
    """Nobody is missed by that, and nothing is done."""
    database = lived.database
    with database.durable() as tx:
        env = observed.environment(tx, "contoso", URL)
        (source,) = purge.leftovers(tx, {"contoso": URL}, ["people"])[1]
        purge.forget_source(tx, source, iso(NOW))
    between = select(
        database, "SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM people)"
    )
    lived.clock.wait(days=1)
    report = lived.reconcile()

    assert env
    assert source == Leftover(source.id, "hr")
    assert between == [(0, 0)]
    assert report.planned == 0
    assert select(database, "SELECT count(*) FROM people") == [(2,)]


def test_a_state_in_which_everything_is_there_is_sound(lived: World) -> None:
    """And one in which something is not says what."""
    database = lived.database
    sound = check(database, ["contoso"], NOW)
    with database.rehearse() as tx:
        run(tx, "ALTER TABLE flags RENAME TO flogs")
        run(tx, "ALTER TABLE runs DROP COLUMN document")
        gone = lacking(tx)
    with database.begin() as tx:
        run(tx, "DELETE FROM combos")
    broken = {each.check: each.seen for each in check(database, [], NOW)}

    assert [each.check for each in sound if each.verdict is Verdict.WARNING] == ["backup"]
    assert all(each.verdict is not Verdict.FAILURE for each in sound)
    assert gone == ["flags", "runs.document"]
    assert broken["references"] == (
        "2 records without their attributes · 2 people without their attributes"
    )

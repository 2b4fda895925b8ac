"""How a state database gets its schema: made, brought up to date, left alone, refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from syncd.core.errors import StateError, StateUnusable
from syncd.state import portable, upgrade
from syncd.state.database import Database
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD, MIGRATIONS, ensure, version
from tests.campaign import long
from tests.state.conftest import small
from tests.state.desk import person, select
from tests.world import World

STARTER = Path(__file__).with_name("starter.py")
TABLES = {table.name for table in metadata.sorted_tables}


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """Give a database without any table."""
    database = Database(database_url)
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    """Return the names of its tables but SQLite's own."""
    with database.read() as tx:
        return {name for name in inspect(tx).get_table_names() if not name.startswith("sqlite_")}


def script() -> Config:
    """Return what Alembic needs to find the migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


OLD = [
    each.revision
    for each in ScriptDirectory.from_config(script()).walk_revisions()
    if each.revision != HEAD
]


def declare(database: Database, number: str) -> None:
    """Let a database say that it has another schema."""
    with database.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def test_an_empty_database_gets_every_table(empty: Database) -> None:
    """One call makes it ready."""
    before = version(empty)
    ensure(empty, allowed=True)

    assert before is None
    assert version(empty) == HEAD
    assert tables(empty) == {*TABLES, "alembic_version"}


@pytest.mark.parametrize("number", [None, *OLD])
def test_every_older_schema_is_brought_up_to_date(number: str | None, empty: Database) -> None:
    """What was there stays; the tables are today's."""
    if number is not None:
        with empty.begin() as tx:
            config = script()
            config.attributes["connection"] = tx
            command.upgrade(config, number)
    ensure(empty, allowed=True)

    assert version(empty) == HEAD
    assert tables(empty) >= TABLES


def test_a_current_database_is_left_as_it_is(database: Database) -> None:
    """Nothing is done again, whether it were allowed or not."""
    with database.begin() as tx:
        tx.execute(text("INSERT INTO meta (name, value) VALUES ('mine', 'kept')"))
    ensure(database, allowed=False)
    ensure(database, allowed=True)
    upgrade.upgrade(database)

    assert version(database) == HEAD
    assert select(database, "SELECT value FROM meta WHERE name = 'mine'") == [("kept",)]


def test_a_newer_schema_is_refused(database: Database) -> None:
    """The sentence names both versions and the two ways out; nothing is touched."""
    declare(database, "9999")
    for allowed in (True, False):
        with pytest.raises(StateUnusable, match="has schema 9999, newer than") as told:
            ensure(database, allowed=allowed)

    assert HEAD in str(told.value)
    assert "run the newer syncd, or give this one another state.url" in str(told.value)
    assert version(database) == "9999"


def test_an_older_schema_is_refused_where_upgrades_are_for_people(empty: Database) -> None:
    """The sentence names the command, and no table is made."""
    with pytest.raises(StateUnusable, match=rf"schema none, this syncd needs {HEAD}") as told:
        ensure(empty, allowed=False)

    assert "run: syncd state upgrade" in str(told.value)
    assert tables(empty) == set()


def test_an_upgrade_that_fails_leaves_nothing(empty: Database) -> None:
    """Somebody's own table is in the way: all of the upgrade is done, or none of it."""
    with empty.begin() as tx:
        tx.execute(text("CREATE TABLE audit (mine INTEGER)"))
    with pytest.raises(StateError):
        ensure(empty, allowed=True)

    assert tables(empty) == {"audit"}
    assert version(empty) is None


def test_two_processes_that_start_at_once_make_one_schema(
    database_url: str, empty: Database
) -> None:
    """The second one waits for the first, and finds the work done."""
    with empty.begin() as tx:
        upgrade.migrate(tx, empty.place)
        second = subprocess.Popen(
            [sys.executable, STARTER, database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        second.stdout.readline()
        if not empty.sqlite:
            wait_until_blocked(empty)
    _, said = second.communicate(timeout=30)

    assert (second.returncode, said) == (0, "")
    assert version(empty) == HEAD
    assert tables(empty) >= TABLES


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("sqlite", "0001"),
        ("postgresql", "0001"),
        *(long(kind, number) for kind in ("sqlite", "postgresql") for number in OLD[:-1]),
    ],
)
def test_what_an_older_syncd_knew_is_not_lost(
    kind: str, number: str, request: pytest.FixtureRequest, sqlite_ready: str, tmp_path: Path
) -> None:
    """People, rows and links of a state with an older schema are today's; nothing is left to do."""
    now, old = Database(sqlite_ready), Database(str(request.getfixturevalue(f"{kind}_url")))
    world = World(tmp_path, now, rows=small())
    world.says([person("e1"), person("e2")])
    world.reconcile()
    with portable.snapshot(now) as source, old.begin() as tx:
        upgrade.migrate(tx, old.place, number)
        names = portable.tables(tx)
        portable.pour(source, tx, names)
        if not old.sqlite:
            portable.number_on(tx, names)
    links = world.links()
    before = version(old)
    ensure(old, allowed=True)
    world.database = old
    kept = world.links()
    world.clock.wait(minutes=5)
    report = world.reconcile()
    now.close()
    old.close()

    assert (before, len(links)) == (number, 2)
    assert kept == links
    assert (report.planned, report.situations) == (0, {"CONFIRMED": 2})


def wait_until_blocked(database: Database) -> None:
    """Return when somebody waits for a lock in the database; that takes a moment."""
    sql = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 20
    while select(database, sql) == [(0,)]:
        assert time.monotonic() < deadline, "nobody waits"

"""A state goes into one file and comes back out of it, on either database."""

from __future__ import annotations

import os
import resource
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from syncd.core.errors import (
    LeaseHeld,
    StateBroken,
    StateLocked,
    StateUnusable,
    Stopped,
)
from syncd.core.model import iso
from syncd.core.settings import Policy
from syncd.state import backup, decisions, observed, portable
from syncd.state.database import Database, bulk, one, rows, run
from syncd.state.decisions import Verb
from syncd.state.journal import note
from syncd.state.lease import lease, locked
from syncd.state.restore import Order, Restored, restore
from syncd.state.revisions import recall, remember
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD, migrate, version
from tests.campaign import LONG, long
from tests.state.conftest import small as small_world
from tests.state.desk import person, select
from tests.state.test_journal import die
from tests.strategies import FAR
from tests.world import NOW, URL, World

TABLES = {table.name for table in metadata.sorted_tables} - {"leases", "replicas"}
FORGOTTEN = {"news", "meta", "sources", "audit", "jobs", "decisions"}
"""Tables of which a restore changes something."""
SECONDS = 60.0
SMALL = small_world()
LATER = NOW + timedelta(days=1)


@pytest.fixture(params=["sqlite", long("postgresql")])
def ready_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database that is ready for use; a plain run leaves most to SQLite."""
    return str(request.getfixturevalue(f"{request.param}_ready"))


def live(world: World) -> None:
    """Let somebody come, go, and be missed, and let somebody decide."""
    world.policy = Policy(removals=FAR)
    world.says([person("e1"), person("e2"), person("e3")])
    world.reconcile()
    world.clock.wait(days=1)
    world.says([person("e1", status="Gone"), person("e2"), person("e9")])
    world.reconcile()
    with world.database.begin() as tx:
        env = observed.environment(tx, "contoso", URL)
        remember(tx, f"token:{env}:users", "where the last read ended")
        run(tx, "UPDATE sources SET token = 'likewise'")
        run(tx, "INSERT INTO jobs (env, job, started) VALUES (:e, 'full', '2026')", e=env)
        decisions.add(tx, Verb.PASS, "run", env=env, reason="r", who="olga", now=iso(NOW))
        decisions.add(tx, Verb.HOLD, "u", env=env, reason="r", who="olga", now=iso(NOW))


@pytest.fixture
def lived(world: World) -> World:
    """Give a world in which that has happened."""
    live(world)
    return world


@pytest.fixture
def small(database: Database) -> Database:
    """Give a state in which hardly anything is."""
    with database.begin() as tx:
        observed.environment(tx, "contoso", URL)
    return database


def save(state: Database, file: Path, *, force: bool = False, stop: Event | None = None) -> bool:
    """Back a state up on the second day."""
    return backup.save(state, file, LATER, stop or Event(), force=force)[1]


def put_back(state: Database, file: Path, **more: object) -> Restored:
    """Restore a backup, in the place of what there is."""
    order = replace(Order(file, "olga", LATER, force=True, stop=Event()), **more)  # type: ignore[arg-type]  # fields by name
    return restore(state, order, ["contoso"], SECONDS)


def content(database: Database) -> dict[str, list[str]]:
    """Return everything that is in a state."""
    with database.read() as tx:
        found = {name: rows(tx, f"SELECT * FROM {name}") for name in TABLES}  # noqa: S608  # our own tables
        return {name: sorted(repr(tuple(row)) for row in found[name]) for name in TABLES}


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("sqlite", "postgresql"),
        ("postgresql", "sqlite"),
        long("sqlite", "sqlite"),
        long("postgresql", "postgresql"),
    ],
)
def test_a_backup_is_restored_onto_either_database(
    kind: str, other: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Everything is there again but what must not count; nothing is left to do, or done twice."""
    first = Database(str(request.getfixturevalue(f"{kind}_ready")))
    second = Database(str(request.getfixturevalue(f"{other}_url")))
    world = World(tmp_path, first, rows=SMALL)
    live(world)
    before = content(first)
    noted = save(first, tmp_path / "copy.db")
    done = put_back(second, tmp_path / "copy.db")
    after = content(second)
    world.database = second
    report = world.reconcile()
    links = world.links()
    first.close()
    second.close()

    assert noted
    assert (done.schema, done.made, done.run, done.kept) == (HEAD, iso(LATER), 2, None)
    assert {name for name in TABLES if after[name] != before[name]} == FORGOTTEN
    assert (report.planned, len(links)) == (0, len(world.members()))
    assert report.run is not None
    assert report.run > 2


class Busy(Event):
    """Nobody asks to stop; but whenever a copy looks, somebody has just written something."""

    def __init__(self, state: Database) -> None:
        super().__init__()
        self.state = state

    def is_set(self) -> bool:
        """Write something, and say no."""
        with self.state.begin() as tx:
            url = f"https://{secrets.token_hex(4)}.example"
            observed.environment(tx, url, url)
        return False


def test_a_server_is_restored_when_no_daemon_works_with_it(
    postgresql_ready: str, tmp_path: Path
) -> None:
    """A copy shows one moment; what was there is kept; no number is given a second time."""
    state = Database(postgresql_ready)
    with state.begin() as tx:
        observed.environment(tx, "contoso", URL)
        now = one(tx, "SELECT extract(epoch from clock_timestamp())")
        run(tx, "INSERT INTO replicas VALUES ('there (process 7) x', :now)", now=now)
        note(tx, iso(NOW), "olga", "looked", "curious")
    save(state, tmp_path / "copy.db", stop=Busy(state))
    before = select(state, "SELECT name FROM environments ORDER BY id")
    said = []
    for more in ({}, {"force": False}):
        with pytest.raises((LeaseHeld, StateUnusable)) as told:
            put_back(state, tmp_path / "copy.db", **more)
        said.append(str(told.value))
        with state.begin() as tx:
            run(tx, "DELETE FROM replicas")
    done = put_back(state, tmp_path / "copy.db")
    names = select(state, "SELECT name FROM environments")
    with state.begin() as tx:
        following = observed.environment(tx, "third", "https://third.example")
    assert done.kept is not None
    put_back(state, done.kept)
    again = select(state, "SELECT name FROM environments ORDER BY id")
    state.close()

    assert "there (process 7): works with the state database" in said[0]
    assert "is not empty; nothing was changed" in said[1]
    assert len(before) > 1
    assert names == [("contoso",)]
    assert following == len(before) + 1
    assert again == before


def test_what_must_not_count_after_a_gap_is_forgotten(lived: World, tmp_path: Path) -> None:
    """Where reads of changes go on, passes; not holds. The next run reads everything."""
    save(lived.database, tmp_path / "copy.db")
    done = put_back(lived.database, tmp_path / "copy.db")
    database = lived.database
    with database.read() as tx:
        made = recall(tx, backup.MADE)
        tokens = rows(tx, "SELECT value FROM meta WHERE name LIKE 'token:%'")

    assert (done.passes, done.graces) == (1, True)
    assert (made, list(tokens)) == (None, [])
    assert select(database, "SELECT DISTINCT token, content FROM sources") == [(None, None)]
    assert select(database, "SELECT started FROM jobs WHERE job = 'full'") == [(None,)]
    assert select(database, "SELECT kind FROM decisions WHERE ended IS NULL") == [("hold",)]
    assert select(database, "SELECT who, what FROM audit ORDER BY id DESC LIMIT 1") == [
        ("olga", "state restored")
    ]


def test_graces_of_an_old_backup_begin_anew(lived: World, tmp_path: Path) -> None:
    """Who was missing three days ago may have been there since: that is a first sighting."""
    save(lived.database, tmp_path / "copy.db")
    sightings = select(lived.database, "SELECT subject FROM sightings")
    later = LATER + timedelta(days=2, seconds=1)
    done = put_back(lived.database, tmp_path / "copy.db", now=later)

    assert sightings
    assert not done.graces
    assert select(lived.database, "SELECT subject FROM sightings") == []


def test_what_was_there_is_kept_in_a_file_that_can_be_restored(
    lived: World, tmp_path: Path
) -> None:
    """A restore that was a mistake is undone by another one."""
    save(lived.database, tmp_path / "copy.db")
    lived.says([person("e1"), person("e2"), person("e3")])
    lived.clock.wait(minutes=5)
    lived.reconcile()
    links = lived.links()
    first = put_back(lived.database, tmp_path / "copy.db")
    assert first.kept is not None
    between = lived.links()
    second = put_back(lived.database, first.kept)

    assert between != links
    assert lived.links() == links
    assert second.run == first.run + 1 if first.run else None


def test_a_restored_state_costs_nobody_a_row(lived: World, tmp_path: Path) -> None:
    """What happened since is found by looking: rows come, stay and go as they should."""
    save(lived.database, tmp_path / "copy.db")
    lived.says([person("e1"), person("e2", department="office", grade="9"), person("e3")])
    lived.clock.wait(minutes=5)
    lived.reconcile()
    rows_before = lived.members()
    put_back(lived.database, tmp_path / "copy.db")
    report = lived.reconcile()

    assert report.planned == 0
    assert lived.members() == rows_before


def test_attempts_that_were_open_are_settled_by_looking(world: World, tmp_path: Path) -> None:
    """The backup was made in the middle of a batch; what became of it the environment shows."""
    world.says([person("e1"), person("e2")])
    die(world, "after", 1)
    save(world.database, tmp_path / "copy.db")
    world.reconcile()
    made = world.members()
    put_back(world.database, tmp_path / "copy.db")
    report = world.reconcile()

    assert report.recovered == 1
    assert (report.planned, world.members()) == (0, made)
    assert len(world.links()) == 2


# --- how a backup is written ------------------------------------------------------------------


def test_a_backup_is_one_file_for_its_owner_only(small: Database, tmp_path: Path) -> None:
    """Nothing beside it, and the state remembers that it was made."""
    folder = tmp_path / "backups"
    folder.mkdir()
    old = os.umask(0)
    try:
        save(small, folder / "copy.db")
    finally:
        os.umask(old)
    (file,) = folder.iterdir()
    with closing(sqlite3.connect(file)) as copy:
        mode = copy.execute("PRAGMA journal_mode").fetchone()
    with small.read() as tx:
        last = backup.last(tx)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert mode == ("delete",)
    assert last == backup.Last(iso(LATER), file.stat().st_size)


@LONG
def test_a_backup_is_made_while_another_process_writes(small: Database, tmp_path: Path) -> None:
    """It holds what was there before; the writer does not wait, and nothing of it is in it."""
    with small.begin() as tx:
        run(tx, "INSERT INTO meta (name, value) VALUES ('mine', 'not yet')")
        noted = save(small, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        mine = copy.execute("SELECT count(*) FROM meta WHERE name = 'mine'").fetchone()

    assert noted is not small.sqlite
    assert mine == (0,)


def test_a_file_that_is_there_is_left_alone(small: Database, tmp_path: Path) -> None:
    """Unless somebody says so; and the state itself never is a backup."""
    file = tmp_path / "copy.db"
    file.write_text("precious", encoding="utf-8")
    with pytest.raises(StateUnusable, match="write over it with --force"):
        save(small, file)
    untouched = file.read_text(encoding="utf-8")
    save(small, file, force=True)
    with pytest.raises(StateUnusable, match="that is a folder"):
        save(small, tmp_path, force=True)
    with pytest.raises(StateUnusable, match="name a folder that is there"):
        save(small, tmp_path / "nowhere" / "copy.db")
    if small.sqlite:
        with pytest.raises(StateUnusable, match="that is the state database itself"):
            save(small, Path(small.place), force=True)

    assert untouched == "precious"
    assert file.read_bytes().startswith(b"SQLite format 3")


class Soon(Event):
    """Somebody who asks to stop when the work has begun."""

    def is_set(self) -> bool:
        """Say no once."""
        before = super().is_set()
        self.set()
        return before


@contextmanager
def full(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def fill(state: Database) -> None:
    """Put so much into a state that copying it takes a while."""
    with state.begin() as tx:
        lines = ((f"line {each}", "x" * 20) for each in range(20_000))
        bulk(tx, "meta", ("name", "value"), lines)


def test_a_backup_that_fails_leaves_nothing(small: Database, tmp_path: Path) -> None:
    """Neither half a file nor one less: the old backup is still there."""
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "copy.db"
    file.write_text("the one of yesterday", encoding="utf-8")
    fill(small)
    with pytest.raises(Stopped, match="no half copy is left"):
        save(small, file, force=True, stop=Soon())
    between = [each.name for each in folder.iterdir()]
    with full(600_000), pytest.raises(StateBroken, match="could not be written whole"):
        save(small, file, force=True)

    assert between == ["copy.db"]
    assert [each.name for each in folder.iterdir()] == ["copy.db"]
    assert file.read_text(encoding="utf-8") == "the one of yesterday"


def test_two_backups_to_one_file_do_not_mix(small: Database, tmp_path: Path) -> None:
    """The second one says so; what a killed process left is taken over."""
    with backup.growing(tmp_path / "copy.db"), pytest.raises(StateLocked, match="another process"):
        save(small, tmp_path / "copy.db")
    (tmp_path / "copy.db").unlink()
    part = tmp_path / ".copy.db.syncd-part"
    part.write_bytes(b"half a file" * 1000)
    save(small, tmp_path / "copy.db")

    assert not part.exists()
    assert (tmp_path / "copy.db").read_bytes().startswith(b"SQLite format 3")


def test_where_nothing_is_nothing_is_backed_up(database_url: str, tmp_path: Path) -> None:
    """An empty copy would only look like a backup."""
    empty = Database(database_url)
    with pytest.raises(StateUnusable, match="there is nothing to back up"):
        backup.save(empty, tmp_path / "copy.db", NOW, Event(), force=False)
    empty.close()

    assert not (tmp_path / "copy.db").exists()


# --- what is not restored ---------------------------------------------------------------------


def spoil(file: Path, sql: str) -> None:
    """Change a backup."""
    with closing(sqlite3.connect(file)) as copy:
        copy.execute(sql)
        copy.commit()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "there is no such file"),
        ("text", "a damaged one (file is not a database)"),
        ("foreign", "that is no state of syncd"),
        ("newer", "has schema 9999, newer than"),
        ("cut", "a damaged one"),
    ],
)
def test_what_is_no_backup_is_refused(how: str, said: str, small: Database, tmp_path: Path) -> None:
    """Nothing is touched then."""
    file = tmp_path / "copy.db"
    if how not in ("missing", "text"):
        save(small, file)
    match how:
        case "text":
            file.write_text("hr.csv" * 1000, encoding="utf-8")
        case "foreign":
            spoil(file, "DROP TABLE links")
        case "newer":
            spoil(file, "UPDATE alembic_version SET version_num = '9999'")
        case "cut":
            whole = file.read_bytes()
            file.write_bytes(whole[: len(whole) // 2])
    before = content(small)
    with pytest.raises(StateUnusable) as told:
        put_back(small, file)

    assert said in str(told.value)
    assert content(small) == before


def test_a_state_that_is_not_empty_is_not_replaced_unasked(small: Database, tmp_path: Path) -> None:
    """The sentence says how, and that what is there is kept then."""
    save(small, tmp_path / "copy.db")
    before = content(small)
    with pytest.raises(StateUnusable, match="is not empty; nothing was changed") as told:
        put_back(small, tmp_path / "copy.db", force=False)

    assert "--force" in str(told.value)
    assert content(small) == before


def test_nobody_is_disturbed_by_a_restore(small: Database, tmp_path: Path) -> None:
    """Neither a daemon nor a run; nothing is changed."""
    save(small, tmp_path / "copy.db")
    before = content(small)
    with lease(small, "contoso"), pytest.raises(LeaseHeld, match="is writing to this environment"):
        put_back(small, tmp_path / "copy.db")
    if small.sqlite:
        with locked(small, "daemon", AssertionError()), pytest.raises(LeaseHeld, match="a syncd d"):
            put_back(small, tmp_path / "copy.db")

    assert content(small) == before


@LONG
def test_a_decision_that_is_just_made_is_not_lost(sqlite_ready: str, tmp_path: Path) -> None:
    """Whoever writes it is waited for, and then the restore gives up."""
    state, other = Database(sqlite_ready), Database(sqlite_ready)
    save(state, tmp_path / "copy.db")
    with other.durable(), pytest.raises(StateLocked, match="in use by another process"):
        put_back(state, tmp_path / "copy.db")
    other.close()
    state.close()

    assert not list(tmp_path.glob("*.replaced*"))


def test_a_state_that_is_damaged_is_replaced_and_kept(sqlite_ready: str, tmp_path: Path) -> None:
    """That is what a backup is for."""
    state = Database(sqlite_ready)
    save(state, tmp_path / "copy.db")
    state.close()
    damaged = b"\xa5" * 50_000
    Path(state.place).write_bytes(damaged)
    with pytest.raises(StateUnusable, match="is not empty"):
        put_back(state, tmp_path / "copy.db", force=False)
    done = put_back(state, tmp_path / "copy.db")
    found = version(state)
    state.close()

    assert done.kept is not None
    assert done.kept.read_bytes() == damaged
    assert found == HEAD


def test_a_restore_that_fails_changes_nothing(small: Database, tmp_path: Path) -> None:
    """Somebody asks to stop, the disk is full, or the backup lacks a table."""
    fill(small)
    save(small, tmp_path / "copy.db")
    before = content(small)
    with pytest.raises(Stopped):
        put_back(small, tmp_path / "copy.db", stop=Soon())
    with full(600_000), pytest.raises(StateBroken, match="could not be written whole"):
        put_back(small, tmp_path / "copy.db")
    spoil(tmp_path / "copy.db", "ALTER TABLE flags RENAME TO flogs")
    with pytest.raises(StateUnusable, match="flags is missing in it"):
        put_back(small, tmp_path / "copy.db")

    assert content(small) == before
    assert not list(tmp_path.glob(".*syncd-part*"))


def test_an_older_backup_is_brought_up_to_date(lived: World, tmp_path: Path) -> None:
    """Made before an upgrade, or a copy of a file that no command made."""
    old = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    with portable.snapshot(lived.database) as source, old.begin() as tx:
        migrate(tx, old.place, "0001")
        portable.pour(source, tx, portable.tables(tx))
    old.close()
    done = put_back(lived.database, tmp_path / "copy.db")
    found = version(lived.database)
    report = lived.reconcile()

    assert (done.schema, done.made, done.graces) == ("0001", None, True)
    assert found == HEAD
    assert report.planned == 0

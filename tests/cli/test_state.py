"""state backup, restore, check and purge, through the commands that people type."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.campaign import long
from tests.cli.office import Office, opened, syncd

NEXT = "2026-03-03T08:00:00Z"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give an office after its first run, with an environment beside the first."""
    with opened(tmp_path_factory.mktemp("office"), "test") as office:
        for name in ("contoso", "test"):
            office.reconcile(name)
        yield office


@pytest.fixture
def office(lived: Office) -> Iterator[Office]:
    """Give that office; whatever happens to its state and settings is undone."""
    kept = {name: (lived.folder / name).read_bytes() for name in ("syncd.db", "syncd.toml")}
    yield lived
    for file in lived.folder.glob("syncd.db*"):
        file.unlink()
    for name, content in kept.items():
        (lived.folder / name).write_bytes(content)


def unconfigure(office: Office, name: str) -> None:
    """Take an environment out of the configuration."""
    file = office.folder / "syncd.toml"
    text = file.read_text(encoding="utf-8")
    before, _, rest = text.partition(f"[environments.{name}]\n")
    file.write_text(before + rest.split('auth.method = "none"\n', 1)[1], encoding="utf-8")


def ask(office: Office, sql: str) -> list[tuple[object, ...]]:
    """Ask the state database."""
    with closing(sqlite3.connect(office.folder / "syncd.db")) as state:
        return state.execute(sql).fetchall()


def change(office: Office, sql: str) -> None:
    """Do something to the state database that no command does."""
    with closing(sqlite3.connect(office.folder / "syncd.db")) as state:
        state.execute(sql)
        state.commit()


def test_a_backup_comes_back(office: Office) -> None:
    """It is not written over, and restored only where somebody says so; nothing is due then."""
    saved = office("state", "backup", "copy.db")
    again = office("state", "backup", "copy.db")
    refused = office("state", "restore", "copy.db")
    done = office("state", "restore", "copy.db", "--force", now=NEXT)
    code, plan = office.reconcile(now=NEXT)
    (kept,) = office.folder.glob("syncd.db.replaced-*")

    assert (saved.code, again.code, refused.code, done.code) == (0, 64, 64, 0)
    assert "the state of" in saved.out
    assert "write over it with --force" in again.err
    assert "is not empty; nothing was changed" in refused.err
    assert f"what was there is kept as {kept}" in done.out
    assert "of the backup of 2026-03-02T08:00:00Z, up to run 2" in done.out
    assert "the next run reads everything anew" in done.out
    assert (code, plan["changes"]) == (0, [])


@pytest.mark.parametrize(("lock", "said"), [("daemon", "a syncd daemon"), ("test", "another run")])
def test_nothing_is_restored_while_somebody_works(lock: str, said: str, office: Office) -> None:
    """The code is that of a lease that is held."""
    office("state", "backup", "copy.db", "--force")
    with (office.folder / f"syncd.db.{lock}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = office("state", "restore", "copy.db", "--force")

    assert done.code == 6
    assert said in done.err


def test_a_folder_that_cannot_be_written_is_named(office: Office) -> None:
    """One sentence, with what to do."""
    done = office("state", "backup", "nowhere/copy.db")

    assert done.code == 64
    assert "nowhere/copy.db: nothing can be written there" in done.err


# --- check ----------------------------------------------------------------------------------


def test_a_sound_state_is_0(office: Office) -> None:
    """Everything that was looked at is listed; a backup that was never made is only doubtful."""
    first = office("state", "check", "--json")
    office("state", "backup", "copy.db", "--force")
    second = office("state", "check")
    seen = {each["check"]: each["verdict"] for each in first.json["findings"]}

    assert (first.code, second.code) == (0, 0)
    assert first.json["schema"] == "syncd.state-check/1"
    assert seen == {
        "database": "ok", "schema": "ok", "references": "ok", "journal": "ok",
        "backup": "warning", "size": "ok", "lease contoso": "ok", "lease test": "ok",
    }  # fmt: skip
    assert "backup: the last one was made at 2026-03-02T08:00:00Z" in second.out
    assert "8 ok · 0 warnings · 0 failures" in second.out


def test_looking_for_a_state_makes_none(tmp_path: Path) -> None:
    """Before the first run there is nothing, and that is no damage."""
    with opened(tmp_path) as office:
        done = office("state", "check")

    assert done.code == 0
    assert "not there yet: the first run makes it" in done.out
    assert not (tmp_path / "syncd.db").exists()


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", 64, "newer than"),
        long("UPDATE alembic_version SET version_num = '0002'", 0, "then: syncd state upgrade"),
        ("DROP TABLE flags", 70, "tables: missing: flags"),
        long("ALTER TABLE runs DROP COLUMN document", 70, "missing: runs.document"),
        ("DELETE FROM environments WHERE name = 'test'", 70, "of an environment that is not there"),
        long("DELETE FROM runs", 70, "of a run that is yet to come"),
        ("UPDATE journal SET settled = NULL, plan = 'x'", 70, "are not known any more"),
        ("UPDATE journal SET settled = NULL", 0, "the next one settles them by reading"),
    ],
)
def test_what_cannot_be_trusted_is_said(sql: str, code: int, said: str, office: Office) -> None:
    """Damage is 70, another syncd's schema 64, and what mends itself 0."""
    change(office, sql)
    done = office("state", "check")

    assert done.code == code
    assert said in " ".join(done.out.split())


@pytest.mark.parametrize("words", [["check", "--json"], ["backup", "gone.db"]])
def test_a_server_that_does_not_answer_is_64(words: list[str], office: Office) -> None:
    """It is a matter of the address or of the server, not of the state; nothing is written."""
    away = "postgresql+psycopg://127.0.0.1:1/syncd?connect_timeout=5"
    folder = office.folder
    done = syncd("-c", "syncd.toml", "state", *words, folder=folder, SYNCD_STATE__URL=away)

    assert done.code == 64
    assert "does not answer" in done.out + done.err
    assert not (folder / "gone.db").exists()


@pytest.mark.parametrize("where", ["beginning", "middle"])
def test_a_damaged_file_is_70(where: str, office: Office) -> None:
    """Whether it cannot be opened at all, or only a page of it is broken."""
    file = office.folder / "syncd.db"
    ask(office, "PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    third = len(content) // 3
    place = slice(0, 4096) if where == "beginning" else slice(third, 2 * third)
    content[place] = b"\xa5" * len(content[place])
    file.write_bytes(content)
    done = office("state", "check", "--json")

    assert done.code == 70
    assert done.json["verdict"] == "failure"
    assert done.json["findings"][0]["check"] == "database"


# --- purge ----------------------------------------------------------------------------------


def test_what_is_not_configured_any_more_is_shown_and_then_goes(office: Office) -> None:
    """The audit log stays, and says who did it and why; the others are as they were."""
    file = office.folder / "syncd.toml"
    file.write_text(file.read_text("utf-8").replace('name = "hr"', 'name = "people"'), "utf-8")
    unconfigure(office, "test")
    shown = office("state", "purge")
    between = ask(office, "SELECT count(*) FROM links")
    mute = office("state", "purge", "--yes")
    done = office("state", "purge", "--yes", "--reason", "sold")
    again = office("state", "purge")
    code, plan = office.reconcile(now=NEXT)

    assert (shown.code, mute.code, done.code, again.code) == (64, 64, 0, 0)
    assert "environment test (no longer configured, http" in shown.out
    assert "adopts what is as wanted and reports the rest" in shown.out
    assert "source hr (no longer configured)" in shown.out
    assert "add --yes and --reason TEXT" in shown.err
    assert "--reason is missing" in mute.err
    assert "there is nothing that goes" in again.out
    assert between == [(4,)]
    assert ask(office, "SELECT DISTINCT env FROM links") == [(1,)]
    assert ask(office, "SELECT name FROM meta WHERE name LIKE '%:2%'") == []
    assert ask(office, "SELECT who, why LIKE '%: sold' FROM audit WHERE what = 'state purged'") == [
        ("olga", 1),
        ("olga", 1),
    ]
    assert (code, plan["changes"], plan["adopted"]) == (0, [], [])


def test_a_forgotten_environment_is_adopted_anew(office: Office) -> None:
    """Nothing is sent on the way: what is as wanted is ours again."""
    links = ask(office, "SELECT membership FROM links WHERE env = 2 ORDER BY 1")
    done = office("state", "purge", "--environment", "test", "--yes", "--reason", "muddled")
    gone = ask(office, "SELECT count(*) FROM links WHERE env = 2")
    code, plan = office.reconcile("test", now=NEXT)
    unknown = office("state", "purge", "--environment", "nowhere")

    assert (done.code, code, unknown.code) == (0, 0, 64)
    assert gone == [(0,)]
    assert plan["changes"] == []
    assert sorted(each["membership"] for each in plan["adopted"]) == sorted(
        str(row[0]) for row in links
    )
    assert "the state remembers no such environment" in unknown.err


def test_an_environment_is_not_forgotten_while_somebody_writes_to_it(office: Office) -> None:
    """The code is that of a lease that is held."""
    with (office.folder / "syncd.db.test.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = office("state", "purge", "--environment", "test", "--yes", "--reason", "muddled")

    assert done.code == 6
    assert ask(office, "SELECT count(*) > 0 FROM links WHERE env = 2") == [(1,)]


def test_old_runs_and_plans_go_and_the_audit_log_stays(office: Office) -> None:
    """As many days as somebody says, and never more of the audit log than settings allow."""
    audit = ask(office, "SELECT count(*) FROM audit")
    done = office(
        "state", "purge", "--older-than", "3", "--yes", "--reason", "space",
        now="2026-03-06T08:00:00Z",
    )  # fmt: skip

    assert done.code == 0
    assert "runs older than 3 days, plans older than 3 days: " in done.out
    assert ask(office, "SELECT count(*) FROM plans") == [(0,)]
    assert ask(office, "SELECT count(*) FROM audit WHERE what <> 'state purged'") == audit

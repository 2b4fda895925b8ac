"""A state database that is locked, read-only, broken, from the future, or on a full disk."""

from __future__ import annotations

import fcntl
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncd.sandbox import Answer
from syncd.state.upgrade import HEAD
from tests.campaign import LONG, long
from tests.e2e.house import (
    BEFORE,
    CHANGES,
    NEW,
    OLD,
    SECOND,
    House,
    Serve,
    opened,
    sentences,
)
from tests.e2e.rights import without_rights


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house in the morning of its second day."""
    with opened(tmp_path) as house:
        yield house


@LONG
def test_a_state_that_another_process_writes_to_is_6(house: House) -> None:
    """It waits a few seconds, and then says who is in the way; nothing was done."""
    with closing(sqlite3.connect(house.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = house.run()

    (said,) = sentences(done)
    assert done.code == 6
    assert "syncd.db is in use by another process; wait for it to end" in said
    assert house.rows() == OLD
    assert house.heal() == NEW


def test_an_environment_that_another_run_holds_is_6(house: House) -> None:
    """The second one does nothing."""
    with Path(f"{house.state}.contoso.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = house.run()

    (said,) = sentences(done)
    assert done.code == 6
    assert "another run is writing to this environment; nothing was done" in said
    assert house.rows() == OLD
    assert house.heal() == NEW


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_state_that_may_not_be_written_is_64(what: str, house: House) -> None:
    """Taken away are the permissions, and the right of root to pass them over."""
    under = without_rights()
    home = house.folder / "home"
    home.mkdir()
    place = shutil.move(house.state, home)
    (home if what == "folder" else Path(place)).chmod(0o500)
    done = house.run(under=under, SYNCD_STATE__URL=f"sqlite:///{place}")
    home.chmod(0o700)
    Path(place).chmod(0o600)
    shutil.move(place, house.state)

    (said,) = sentences(done)
    assert done.code == 64
    assert str(place) in said
    assert house.rows() == OLD
    assert house.heal() == NEW


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite:///nowhere/syncd.db", "there is no folder"),
        ("sqlite:///.", "is a folder"),
        ("mysql://localhost/syncd", "state.url"),
        ("nonsense", "state.url"),
        (
            "postgresql+psycopg://127.0.0.1:1/syncd?connect_timeout=5",
            "check state.url and that the server runs",
        ),
    ],
)
def test_a_state_that_cannot_be_is_64(url: str, named: str, house: House) -> None:
    """The sentence names the setting or the place."""
    done = house.run("reconcile", SYNCD_STATE__URL=url)

    (said,) = sentences(done)
    assert (done.code, done.out) == (64, "")
    assert named in said
    assert house.rows() == OLD


def test_a_state_from_the_future_is_left_alone(house: House) -> None:
    """An older syncd does not guess what a newer one meant."""
    with closing(sqlite3.connect(house.state)) as state:
        state.execute("UPDATE alembic_version SET version_num = '9999'")
        state.commit()
    before = house.state.read_bytes()
    done = house.run()
    same = house.state.read_bytes() == before
    with closing(sqlite3.connect(house.state)) as state:
        state.execute("UPDATE alembic_version SET version_num = ?", (HEAD,))
        state.commit()

    (said,) = sentences(done)
    assert done.code == 64
    assert "has schema 9999, newer than" in said
    assert "run the newer syncd" in said
    assert same
    assert house.rows() == OLD
    assert house.heal() == NEW


@pytest.mark.parametrize("where", [long("all"), "middle", long("end")])
def test_a_state_that_is_broken_is_70_and_can_be_made_anew(where: str, house: House) -> None:
    """Nothing is sent on the strength of it. Without it, what is there is adopted anew."""
    content = house.state.read_bytes()
    garbage = b"\xa5" * len(content)
    third = len(content) // 3
    broken = {
        "all": garbage,
        "middle": content[: 4096 * 2] + garbage[4096 * 2 :],
        "end": content[:third],
    }
    house.state.write_bytes(broken[where])
    done = house.run("reconcile")
    between = house.rows()
    house.state.unlink()
    house.write(BEFORE)
    house.office.reconcile(now=SECOND)

    (said,) = sentences(done)
    assert done.code == 70
    assert "syncd.db cannot be trusted or written" in said
    assert "restore a backup" in said
    assert between == OLD
    assert house.heal() == NEW


@pytest.mark.parametrize("batch", [1, long(CHANGES)])
def test_a_disk_that_is_full_while_journaling_stops_the_run(batch: int, house: House) -> None:
    """
    From the first batch on no file of the process may grow, as on a full disk.

    What is on its way is not on record as done; the next run finds that it was.
    """
    sent: list[str] = []

    def ear(method: str, _path: str, serve: Serve) -> Answer:
        if method == "POST":
            sent.append(method)
            if len(sent) == batch:
                resource.prlimit(house.started.pid, resource.RLIMIT_FSIZE, (1, 1))
        return serve()

    house.wire.ear = ear
    done = house.run("reconcile")
    between = house.rows()

    said = sentences(done)
    assert done.code == 70
    assert len(sent) == batch
    assert "syncd.db cannot be trusted or written" in said[0]
    assert "free some disk space" in said[0]
    assert len(said) == 1
    assert between != OLD
    assert house.heal() == NEW


def test_a_disk_that_is_full_from_the_start_sends_nothing(house: House) -> None:
    """What cannot be put on record does not leave."""
    done = house.run("reconcile", under=("prlimit", "--fsize=1"))

    (said,) = sentences(done)
    assert done.code == 70
    assert "free some disk space" in said
    assert house.rows() == OLD
    assert house.heal() == NEW

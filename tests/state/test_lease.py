"""One writer for each environment, among processes that end in every way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.core.errors import LeaseHeld
from syncd.state.database import Database
from syncd.state.lease import lease

HOLDER = Path(__file__).with_name("holder.py")


@contextmanager
def holder(url: str, environment: str = "contoso") -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the lease; what is left of it is gone afterwards."""
    with subprocess.Popen(
        [sys.executable, HOLDER, url, environment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def free_in_time(database: Database, environment: str = "contoso") -> bool:
    """Tell whether the lease can be had; a server takes a moment to see that a client is gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with lease(database, environment):
                return True
        except LeaseHeld:
            continue
    return False


def test_a_second_process_is_told_who_is_in_the_way(ready_url: str, database: Database) -> None:
    """It does nothing, and its sentence says so and what to do."""
    with (
        holder(ready_url),
        pytest.raises(LeaseHeld, match=r"^contoso: .+ is writing to this environment") as told,
        lease(database, "contoso"),
    ):
        raise AssertionError("two processes hold one lease")

    assert "nothing was done" in str(told.value)
    assert "Wait for it to end: syncd status" in str(told.value)
    assert "\n" not in str(told.value)


def test_environments_have_leases_of_their_own(ready_url: str, database: Database) -> None:
    """Who writes to one does not stop who writes to another."""
    with holder(ready_url), lease(database, "other"), lease(database, "third"):
        with pytest.raises(LeaseHeld), lease(database, "contoso"):
            pass
        written = True

    assert written


def test_a_holder_that_is_killed_is_no_holder(ready_url: str, database: Database) -> None:
    """SIGKILL leaves it no moment to let go, and the next run need not wait for a time to pass."""
    with holder(ready_url) as process:
        process.send_signal(signal.SIGKILL)
        code = process.wait(10)

        assert code == -signal.SIGKILL
        assert free_in_time(database)


def test_a_holder_that_ends_lets_go(ready_url: str, database: Database) -> None:
    """When its process is over, the lease is free at once."""
    with holder(ready_url) as process:
        process.communicate(timeout=10)

        with lease(database, "contoso"):
            assert process.returncode == 0


def test_a_process_does_not_hold_a_lease_twice(ready_url: str, database: Database) -> None:
    """Neither through one database object nor through two; afterwards it is free for both."""
    other = Database(ready_url)
    for second in (database, other):
        with lease(database, "contoso"), pytest.raises(LeaseHeld), lease(second, "contoso"):
            pass
    with lease(other, "contoso"):
        free = True
    other.close()

    assert free


def test_a_lease_ends_with_whatever_was_done_under_it(database: Database) -> None:
    """An error inside gives it back and goes on."""
    with pytest.raises(RuntimeError, match="inside"), lease(database, "contoso"):
        raise RuntimeError("inside")

    with lease(database, "contoso"):
        assert True


def test_a_refused_process_holds_nothing(ready_url: str, database: Database) -> None:
    """Once the first one is gone, a third one gets what the second one asked for in vain."""
    with holder(ready_url) as process:
        with pytest.raises(LeaseHeld), lease(database, "contoso"):
            pass
        process.communicate(timeout=10)
        with holder(ready_url) as third:
            assert third.poll() is None

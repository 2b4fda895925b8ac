"""A process that falls silent loses an environment, and notices before it writes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from syncd.core.errors import LeaseHeld, LeaseLost
from syncd.engine.parts import Stop
from syncd.state.database import Database, run
from syncd.state.lease import busy, lease
from syncd.state.upgrade import ensure
from tests.postgres import Server

SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that holds the lease."""

    process: subprocess.Popen[str]
    fence: int

    def order(self) -> str:
        """Tell it to write, and return what it says."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.heard()

    def heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@contextmanager
def writer(url: str) -> Iterator[Writer]:
    """Start a process that takes the lease of contoso."""
    line = [sys.executable, "-m", "tests.state.writer", url, "contoso", str(SECONDS)]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        try:
            yield Writer(process, int(said[1]))
        finally:
            process.kill()


@pytest.fixture
def url(postgresql_server: Server) -> Iterator[str]:
    """Give an empty database with the program's schema."""
    with postgresql_server.database() as url:
        database = Database(url)
        ensure(database, allowed=True)
        database.close()
        yield url


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open the state database."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def taken(database: Database, within: float) -> int:
    """Take the lease as soon as it can be had, and return the fencing number."""
    end = time.monotonic() + within
    while True:
        try:
            with lease(database, "contoso", Stop(), SECONDS) as held:
                assert held.fence is not None
                return held.fence
        except LeaseHeld:
            assert time.monotonic() < end, "the silent process still has the lease"
            time.sleep(0.05)


def test_a_holder_keeps_its_lease_for_as_long_as_it_lives(url: str) -> None:
    """It is renewed: three times its length later nobody else may have it."""
    with writer(url) as holder, opened(url) as database:
        end = time.monotonic() + 3 * SECONDS
        while time.monotonic() < end:
            with pytest.raises(LeaseHeld), lease(database, "contoso", Stop(), SECONDS):
                pass
            assert holder.order() == "written"
        assert busy(database, "contoso")


def test_a_paused_process_is_replaced_and_writes_nothing_afterwards(url: str) -> None:
    """Its time is over by the monotonic clock, and the number in the database is another."""
    with writer(url) as holder, opened(url) as database:
        holder.send(signal.SIGSTOP)
        assert taken(database, within=10 * SECONDS) == holder.fence + 1
        holder.send(signal.SIGCONT)
        said = holder.order()
    assert said in {"silent", "LeaseLost"}


def test_a_killed_process_is_replaced_at_once(url: str) -> None:
    """Its session is over, and nobody waits for its lease to run out."""
    with writer(url) as holder, opened(url) as database:
        holder.send(signal.SIGKILL)
        holder.process.wait()
        assert taken(database, within=SECONDS / 2) == holder.fence + 1


def test_whose_number_is_no_longer_the_newest_does_not_write(url: str) -> None:
    """The comparison is made in the transaction that records what is about to leave."""
    with opened(url) as database:
        with lease(database, "contoso", Stop(), 60.0) as held:
            with database.begin() as tx:
                run(tx, "UPDATE leases SET fence = fence + 1")
            with pytest.raises(LeaseLost, match="silent for too long"), database.durable() as tx:
                held.verify(tx)
        assert not busy(database, "contoso")


def test_a_holder_whose_connections_end_without_a_successor_goes_on(url: str) -> None:
    """A database that was restarted costs nobody the lease."""
    stop = Stop()
    with opened(url) as database, lease(database, "contoso", stop, SECONDS) as held:
        with database.begin() as tx:
            run(
                tx,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        time.sleep(SECONDS)
        assert not stop.is_set()
        with database.durable() as tx:
            held.verify(tx)

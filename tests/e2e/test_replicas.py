"""Several daemons on one PostgreSQL: one writer for each environment, and always one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psycopg
import pytest
from sqlalchemy.engine import make_url

from syncd.sandbox import Answer
from tests.e2e.house import Serve
from tests.e2e.service import LEASE, Process, Site, site, until
from tests.e2e.wire import cable
from tests.postgres import Server

pytestmark = pytest.mark.campaign  # half a minute each; tests/e2e/test_whole.py is in every run

FEW = {"E1": "Field", "E2": "Depot"}
MANY = {f"E{number}": "Field" if number % 3 else "Depot" for number in range(1, 31)}
BOUND = 4 * LEASE + 30
"""Seconds within which somebody else must have taken over, on a busy machine."""


@dataclass(slots=True)
class Batches:
    """Counts the batches, and sends a process a signal while one of them is on its way."""

    to: Process
    signal: signal.Signals
    at: int = 2
    number: int = 0
    sent: Event = field(default_factory=Event)

    def __call__(self, method: str, path: str, serve: Serve) -> Answer:
        """Hear a request."""
        if method == "POST" and path == "$batch":
            self.number += 1
            if self.number == self.at:
                self.to.send(self.signal)
                self.sent.set()
        return serve()


@pytest.fixture
def state(postgresql_server: Server) -> Iterator[str]:
    """Give the address of an empty PostgreSQL database."""
    with postgresql_server.database() as url:
        yield url


def pair(place: Site) -> tuple[Process, Process]:
    """Start two daemons, and return who keeps contoso first."""
    place.people(FEW)
    one = place.daemon()
    one.said("daemon works")
    two = place.daemon()
    two.said("daemon works")
    until(lambda: one.keeps() | two.keeps() == set(place.wires), "somebody to keep everything")
    place.arrived(FEW)
    return (one, two) if "contoso" in one.keeps() else (two, one)


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Ask the state database itself."""
    parsed = make_url(url)
    found = {"host": parsed.query.get("host", parsed.host), "port": parsed.port}
    with psycopg.connect(
        user="syncd", dbname=parsed.database, autocommit=True,
        **{name: value for name, value in found.items() if value},  # type: ignore[arg-type]  # strings
    ) as connection:  # fmt: skip
        cursor = connection.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def applied(url: str) -> list[tuple[object, ...]]:
    """Return the rows for which something was put on record as applied more than once."""
    return execute(
        url,
        "SELECT membership, what, count(*) FROM audit WHERE result LIKE 'applied%' "
        "AND membership IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1",
    )


def test_what_a_killed_replica_began_another_finishes(tmp_path: Path, state: str) -> None:
    """Killed with a batch on its way: the other settles it by reading; nothing happens twice."""
    with site(tmp_path, state) as place:
        leader, other = pair(place)
        batches = place.wires["contoso"].ear = Batches(leader, signal.SIGKILL)
        place.people(MANY)
        assert batches.sent.wait(60)
        began = time.monotonic()
        until(lambda: "contoso" in other.keeps(), "the other to take over", BOUND)
        assert time.monotonic() - began < BOUND
        place.arrived(MANY)
        assert other.end() == 0
        assert applied(state) == []


def test_a_paused_replica_is_replaced_and_writes_nothing_afterwards(
    tmp_path: Path, state: str
) -> None:
    """It is stopped for longer than its lease; when it goes on, no request leaves it any more."""
    with site(tmp_path, state) as place:
        leader, other = pair(place)
        batches = place.wires["contoso"].ear = Batches(leader, signal.SIGSTOP)
        place.people(MANY)
        assert batches.sent.wait(60)
        until(lambda: "contoso" in other.keeps(), "the other to take over", BOUND)
        place.arrived(MANY)
        other.said("task ends", task="delta", result="done")
        sent = batches.number
        leader.send(signal.SIGCONT)
        leader.said("task ends", task="delta", result="lease")
        until(lambda: "contoso" not in leader.keeps(), "the old one to notice")
        assert batches.number == sent
        place.arrived(MANY)
        assert applied(state) == []


def test_replicas_divide_the_environments(tmp_path: Path, state: str) -> None:
    """Each works for one of two; who leaves gives its own up at once."""
    with site(tmp_path, state, ("contoso", "fabrikam")) as place:
        one, two = pair(place)
        until(lambda: len(one.keeps()) == len(two.keeps()) == 1, "an even share", BOUND)
        assert one.keeps() | two.keeps() == {"contoso", "fabrikam"}
        place.arrived(FEW, "fabrikam")
        assert one.end() == 0
        until(lambda: len(two.keeps()) == 2, "both with the one that is left", LEASE + 5)
        place.people(MANY)
        place.arrived(MANY)
        place.arrived(MANY, "fabrikam")


def test_a_database_that_was_away_is_taken_up_again(tmp_path: Path, state: str) -> None:
    """Nobody restarts anything: the daemon says once what is wrong, waits, and goes on."""
    with site(tmp_path, state) as place:
        leader, _ = pair(place)
        name = make_url(state).database
        admin = state.replace(f"/{name}", "/postgres")
        execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        execute(
            admin,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        place.people(MANY)
        leader.said("state database")
        assert leader.get("/readyz").status_code == 503
        assert leader.get("/healthz").status_code == 200
        execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        place.arrived(MANY)


def test_a_database_that_comes_later_is_waited_for(tmp_path: Path, state: str) -> None:
    """A machine that starts everything at once: the daemon says what it misses, and stays."""
    with site(tmp_path, state) as place:
        name = make_url(state).database
        admin = state.replace(f"/{name}", "/postgres")
        execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        place.people(FEW)
        daemon = place.daemon()
        daemon.said("state database")
        execute(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        place.arrived(FEW)
        assert daemon.end() == 0


def test_a_replica_that_is_cut_off_is_replaced(
    tmp_path: Path, state: str, postgresql_server: Server
) -> None:
    """It cannot reach the database any more, which another can; it keeps nothing by itself."""
    with cable(postgresql_server.folder) as cut, site(tmp_path, state) as place:
        name = make_url(state).database
        assert name is not None
        place.people(FEW)
        place.configure(state=cut.url(name))
        far = place.daemon()
        far.said("daemon works")
        until(lambda: "contoso" in far.keeps(), "the first to keep everything")
        place.arrived(FEW)
        place.configure()
        near = place.daemon()
        near.said("daemon works")
        cut.out.set()
        until(lambda: "contoso" in near.keeps(), "the other to take over", BOUND)
        place.people(MANY)
        place.arrived(MANY)
        until(lambda: "contoso" not in far.keeps(), "the one cut off to notice", BOUND)

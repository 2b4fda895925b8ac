"""Real processes that are killed, on both databases: the next run ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncd.core.errors import LeaseHeld
from syncd.sandbox import Answer
from syncd.sandbox.faults import Fault, FaultKind
from syncd.state.database import Database
from syncd.state.lease import lease
from tests.campaign import LONG, long
from tests.cli.office import environ
from tests.e2e.house import CHANGES, NEW, OLD, SECOND, House, Serve, faithful, opened, sentences
from tests.postgres import Server
from tests.sandbox.door import ROWS, Door

ROOT = Path(__file__).parents[2]
GONE = Answer(503, cut=True)
READS = [ROWS, long("systemusers"), long("teammobileofflineprofilememberships")]
LINKS = (
    "SELECT person, user_id, rung, origin, profile FROM links WHERE ended IS NULL ORDER BY user_id"
)
OURS = "SELECT membership FROM links WHERE ended IS NULL ORDER BY membership"
APPLIED = "SELECT person, what FROM audit WHERE run IS NOT NULL AND result LIKE 'applied%'"
OPEN = "SELECT count(*) FROM journal WHERE settled IS NULL"
SENT_NOTHING = ["syncd: contoso: stopped before anything was sent; nothing was changed"]


@dataclass(slots=True)
class Scene:
    """A house, and the state database that it has."""

    house: House
    database: Database
    heard: list[str] = field(default_factory=list)

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        with self.database.read() as tx:
            return [tuple(row) for row in tx.execute(text(sql))]

    def at(self, place: int, when: str) -> None:
        """Let the running process be killed at a request, before or after its work is done."""

        def ear(method: str, path: str, serve: Serve) -> Answer:
            self.heard.append(f"{method} {path}")
            if len(self.heard) != place + 1:
                return serve()
            if when == "after":
                serve()
            return self.kill()

        self.house.wire.ear = ear

    def kill(self) -> Answer:
        """Kill the running process, which gets no answer any more."""
        os.kill(self.house.started.pid, signal.SIGKILL)
        return GONE

    def end(self) -> tuple[object, ...]:
        """Heal, and return all that must be as if nothing had been: rows, links, what was done."""
        wait_until_free(self.database)
        rows = self.house.heal()
        done = Counter((who, what) for who, what in self.select(APPLIED))
        there = Door(self.house.wire.sandbox).get(ROWS)["value"]
        names = sorted((row["usermobileofflineprofilemembershipid"],) for row in there)
        # Ids follow from the url, which is another one in every test.
        ours = self.select(OURS) == names
        return rows, self.select(LINKS), ours, done, self.select(OPEN)


def wait_until_free(database: Database) -> None:
    """Return when the lease is free: a server takes a moment to see that its client is gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with lease(database, "contoso"):
                return
        except LeaseHeld:
            assert time.monotonic() < deadline, "a process that was killed holds the lease"


@contextmanager
def scene_in(folder: Path, url: str) -> Iterator[Scene]:
    """Open a house in the morning of its second day, with a state database at a URL."""
    folder.mkdir(exist_ok=True)
    with opened(folder, more=f'[state]\nurl = "{url}"\n') as house, closing(Database(url)) as state:
        yield Scene(house, state)


@pytest.fixture
def scene(postgresql_url: str, tmp_path: Path) -> Iterator[Scene]:
    """Give a house in the morning of its second day; its memory is on a server."""
    with scene_in(tmp_path, postgresql_url) as scene:
        yield scene


@pytest.fixture
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Give one with the kind of memory that the test names."""
    with scene_in(tmp_path, request.getfixturevalue(f"{request.param}_url")) as scene:
        yield scene


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Give the end of a life in which nobody was killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with scene_in(folder, f"sqlite:///{folder / 'state.db'}") as scene:
        assert scene.house.run().code == 0
        end = scene.end()
    assert end[0] == NEW
    return end


@pytest.mark.parametrize("name", READS)
def test_who_is_killed_while_reading_has_done_nothing(
    name: str, scene: Scene, undisturbed: tuple[object, ...]
) -> None:
    """Half a read leaves no trace on either side, and the next run does all of it."""
    heard: list[str] = []

    def ear(method: str, path: str, serve: Serve) -> Answer:
        heard.append(f"{method} {path}")
        return scene.kill() if path == name else serve()

    scene.house.wire.ear = ear
    done = scene.house.run()
    between = scene.house.rows(), scene.select(OPEN)

    assert (done.code, done.out, done.err) == (-signal.SIGKILL, "", "")
    assert between == (OLD, [(0,)])
    assert heard[-1].startswith("GET ")
    assert scene.end() == undisturbed


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGTERM, 143, SENT_NOTHING),
        long(signal.SIGINT, 130, SENT_NOTHING),
        long(signal.SIGKILL, -signal.SIGKILL, []),
    ],
)
def test_who_is_ended_while_deciding_has_done_nothing(
    number: signal.Signals,
    code: int,
    says: list[str],
    scene: Scene,
    undisturbed: tuple[object, ...],
) -> None:
    """Everything is read and judged; the plan, still to be written, waits for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool, scene.database.begin() as tx:
        tx.execute(text("LOCK TABLE changes IN EXCLUSIVE MODE"))
        running = pool.submit(scene.house.run)
        deadline = time.monotonic() + 60
        while scene.select(waiting) == [(0,)]:
            assert time.monotonic() < deadline, "nobody waits for the lock"
        os.kill(scene.house.started.pid, number)
    done = running.result(60)
    between = scene.house.rows(), scene.select(OPEN)

    assert done.code == code
    assert sentences(done) == says
    assert between == (OLD, [(0,)])
    assert scene.end() == undisturbed


@pytest.mark.parametrize(
    ("batch", "when"),
    [(1, "after"), long(1, "before"), long(CHANGES, "before"), long(CHANGES, "after")],
)
def test_who_is_killed_while_applying_is_made_good(
    batch: int, when: str, scene: Scene, undisturbed: tuple[object, ...]
) -> None:
    """One attempt is left whose end nobody knows; the next run finds it out and goes on."""
    sent: list[str] = []

    def ear(method: str, _path: str, serve: Serve) -> Answer:
        sent.extend([method] if method == "POST" else [])
        if method != "POST" or len(sent) < batch:
            return serve()
        if when == "after":
            serve()
        return scene.kill()

    scene.house.wire.ear = ear
    done = scene.house.run()

    assert (done.code, done.out, done.err) == (-signal.SIGKILL, "", "")
    assert scene.select(OPEN) == [(1,)]
    assert scene.end() == undisturbed


@pytest.mark.parametrize(
    ("either", "done_first"),
    [long("postgresql", 1), long("postgresql", 3), long("sqlite", 1), long("sqlite", 3)],
    indirect=["either"],
)
def test_who_is_killed_with_several_batches_in_flight_is_made_good(
    done_first: int, either: Scene, undisturbed: tuple[object, ...]
) -> None:
    """Some of them were done and some were not, and none of them was answered."""
    flying: list[str] = []

    def ear(method: str, path: str, serve: Serve) -> Answer:
        if method != "POST":
            return serve()
        flying.append(path)
        answer = serve() if len(flying) <= done_first else GONE
        late = Answer(answer.status, answer.headers, answer.content, delay=30)
        return late if len(flying) < 3 else either.kill()

    either.house.wire.ear = ear
    done = either.house.run(SYNCD_ENVIRONMENTS__CONTOSO__HTTP__LANES="3")

    assert done.code == -signal.SIGKILL
    assert either.select(OPEN) == [(3,)]
    assert either.end() == undisturbed


@LONG
def test_who_is_killed_while_an_answer_is_late_is_made_good(
    scene: Scene, undisturbed: tuple[object, ...]
) -> None:
    """The environment has done its work and takes its time to say so."""
    late = Fault(kind=FaultKind.LATENCY, method="POST", path="$batch", skip=1, seconds=30)
    scene.house.wire.sandbox.misbehave([late])

    def ear(_method: str, _path: str, serve: Serve) -> Answer:
        answer = serve()
        return scene.kill() if answer.delay else answer

    scene.house.wire.ear = ear
    done = scene.house.run()
    scene.house.wire.sandbox.misbehave([])

    assert done.code == -signal.SIGKILL
    assert scene.select(OPEN) == [(1,)]
    assert len(set(OLD) ^ set(scene.house.rows())) > 1
    assert scene.end() == undisturbed


@pytest.mark.parametrize("name", ["POST", long("GET")])
def test_a_second_run_while_the_first_is_under_way_does_nothing(
    name: str, scene: Scene, undisturbed: tuple[object, ...]
) -> None:
    """It ends with 6 at once, and the first one goes on as if nobody had come."""
    second: list[tuple[int, str]] = []

    def ear(method: str, _path: str, serve: Serve) -> Answer:
        if method == name and not second:
            told = subprocess.run(
                [sys.executable, "-m", "syncd", "-c", "syncd.toml", "reconcile"],
                check=False,
                cwd=scene.house.folder,
                env={**environ(), "SYNCD_NOW": SECOND},
                capture_output=True,
                text=True,
            )
            second.append((told.returncode, told.stderr))
        return serve()

    scene.house.wire.ear = ear
    first = scene.house.run()

    assert first.code == 0
    assert second[0][0] == 6
    assert "is writing to this environment; nothing was done" in second[0][1]
    assert scene.end() == undisturbed


# --- every moment ----------------------------------------------------------------------------


def mortal(scene: Scene, at: int | None) -> tuple[int, list[str]]:
    """Run in a process that kills itself at a commit; return its end, and its moments if it had."""
    place = [] if at is None else [str(at)]
    configuration = scene.house.folder / "syncd.toml"
    done = subprocess.run(
        [sys.executable, "-m", "tests.properties.mortal", configuration, *place],
        check=False,
        cwd=ROOT,
        env={**environ(), "SYNCD_NOW": SECOND},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.split("\n")


@pytest.mark.parametrize(
    ("either", "at"),
    [
        ("sqlite", 2),
        ("postgresql", 3),
        *(long(kind, at) for kind in ("sqlite", "postgresql") for at in (0, 7)),
        long("sqlite", 3),
        long("postgresql", 2),
    ],
    indirect=["either"],
)
def test_who_is_killed_at_a_commit_is_made_good(
    at: int, either: Scene, undisturbed: tuple[object, ...]
) -> None:
    """Right before it nothing of it is there, right after it all of it."""
    code, _ = mortal(either, at)

    assert code == -signal.SIGKILL
    assert either.end() == undisturbed


@LONG
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_moment_of_a_life_may_be_its_last(
    kind: str, postgresql_server: Server, tmp_path: Path, undisturbed: tuple[object, ...]
) -> None:
    """Before and after every request and every commit, each in a process that is killed there."""

    def lives(name: str, act: Callable[[Scene], Any]) -> Any:
        folder = tmp_path / name
        if kind == "sqlite":
            with scene_in(folder, f"sqlite:///{folder / 'state.db'}") as scene:
                return act(scene), scene.end()
        with postgresql_server.database() as url, scene_in(folder, url) as scene:
            return act(scene), scene.end()

    def whole(scene: Scene) -> list[str]:
        scene.at(-2, "never")
        assert scene.house.run().code == 0
        return list(scene.heard)

    def stricken(place: int, when: str) -> Callable[[Scene], int]:
        def act(scene: Scene) -> int:
            scene.at(place, when)
            return scene.house.run().code

        return act

    def committing(at: int) -> Callable[[Scene], int]:
        return lambda scene: mortal(scene, at)[0]

    requests, _ = lives("whole", whole)
    (_, moments), _ = lives("commits", lambda scene: mortal(scene, None))
    ends = {
        (place, when): lives(f"request-{place}-{when}", stricken(place, when))
        for place in range(len(requests))
        for when in ("before", "after")
    }
    ends |= {(at, moments[at]): lives(f"commit-{at}", committing(at)) for at in range(len(moments))}

    assert len(requests) > 10
    assert len(moments) > 12
    assert {key: end for key, end in ends.items() if end != (-signal.SIGKILL, undisturbed)} == {}


@LONG
def test_the_moments_of_a_life_are_all_its_commits(scene: Scene) -> None:
    """A run is begun, planned, sent in as many batches as there are, closed and ended."""
    code, moments = mortal(scene, None)

    assert code == 0
    assert moments.count("after plan") == 1
    assert moments.count("after journal") == CHANGES + 1 + 4
    assert scene.house.rows() == NEW
    assert scene.house.wire.ear is faithful

"""The daemon's tasks on a real environment: how they end, what is remembered, what is made good."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from syncd.app import App, build
from syncd.core.errors import StateError
from syncd.core.model import iso
from syncd.sandbox import Answer
from syncd.service.tasks import Tasks
from syncd.service.worker import Worker
from syncd.state import jobs, lookup
from syncd.state.database import Database, run
from syncd.state.jobs import Job
from syncd.telemetry import configure
from syncd.telemetry.metrics import Metrics
from tests.e2e.house import NEW, OLD, SECOND, House, Serve, opened
from tests.state.test_lease import holder
from tests.world import Clock

NOW = datetime.fromisoformat(SECOND)
STRICT = "[policy.gates]\nremovals = { percent = 1, absolute = 0, floor = 0 }\n"
ADA = "Ada Lovelace of ada@contoso.com"


@dataclass(slots=True)
class Broken:
    """A clock with a defect: it fails at its third and fourth look, and tells a name."""

    looks: int = 0

    def __call__(self) -> datetime:
        self.looks += 1
        if self.looks == 3:
            raise KeyError(ADA)
        return NOW


@dataclass(slots=True)
class Shop:
    """A house, and the daemon's tasks for it."""

    house: House
    app: App
    database: Database
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    metrics: Metrics = field(default_factory=lambda: Metrics("1"))
    told: list[tuple[int, str]] = field(default_factory=list)
    tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        self.app.clock = self.clock
        self.metrics.keeps("contoso", held=True)
        self.tasks = Tasks(
            lambda: self.app, self.database, self.metrics, lambda *who: self.told.append(who)
        )

    def do(self, task: str) -> str:
        """Do a task, and return its result as the metrics name it."""
        before = self.results(task)
        self.tasks.do("contoso", task, "olga")
        after = self.results(task)
        [result] = [name for name, number in after.items() if number != before.get(name, 0.0)]
        return result

    def results(self, task: str) -> dict[str, float]:
        """Return how often a task ended in each way."""
        text = self.metrics.exposition()[0].decode()
        line = rf'^syncd_runs_total{{.*result="(.+)",task="{task}"}} (.+)$'
        found = re.findall(line, text, re.MULTILINE)
        return {name: float(number) for name, number in found}

    def configure(self, old: str, new: str) -> None:
        """Change the configuration, as a reload does."""
        file = self.house.folder / "syncd.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        self.app = build(file, {})
        self.app.clock = self.clock

    @property
    def env(self) -> int:
        """The number of the environment."""
        with self.database.read() as tx:
            found = lookup.environment_number(tx, "contoso", self.house.url)
        assert found is not None
        return found

    @property
    def jobs(self) -> dict[str, Job]:
        """What is remembered of the tasks."""
        with self.database.read() as tx:
            return jobs.jobs(tx, self.env)

    def began(self, task: str, moment: str) -> None:
        """Remember that a task was begun at a moment."""
        with self.database.durable() as tx:
            jobs.begin(tx, self.env, task, iso(datetime.fromisoformat(moment)))

    def overdue(self, now: str) -> list[str]:
        """Return what is to be done at once at a moment."""
        self.clock.now = datetime.fromisoformat(now)
        return list(self.tasks.overdue("contoso"))


@contextmanager
def shop(folder: Path, more: str = "") -> Iterator[Shop]:
    """Open a shop in the morning of the second day."""
    with opened(folder, timeout="5s", more=more) as house:
        app = build(folder / "syncd.toml", {})
        with app.database() as database:
            yield Shop(house, app, database)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Shop]:
    """Give a shop."""
    with shop(tmp_path) as place:
        yield place


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a shop in which nobody does anything."""
    with shop(tmp_path_factory.mktemp("shared")) as place:
        yield place


@pytest.fixture
def idle(shared: Shop) -> Shop:
    """Give it with no task ever begun."""
    with shared.database.durable() as tx:
        run(tx, "DELETE FROM jobs")
    return shared


@pytest.fixture
def log() -> StringIO:
    """Give what is logged; names would be seen if there were any."""
    stream = StringIO()
    configure(stream=stream, personal_data=True, level="debug")
    return stream


def lines(log: StringIO) -> list[dict[str, Any]]:
    """Return the lines of the log."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


# --- how tasks end --------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["full", "delta", "conflicts"])
def test_a_run_that_goes_well_is_done(place: Shop, task: str) -> None:
    """Its changes are made, its times are kept, and whoever must be told looks at it."""
    assert place.do(task) == "done"
    assert place.house.rows() == NEW
    assert place.jobs == {task: Job(task, NOW, NOW, NOW, None)}
    assert place.told == [(place.env, "contoso")]


def test_a_gate_is_a_result_and_no_problem_of_the_task(tmp_path: Path) -> None:
    """The run came to its end: to begin it again would not help."""
    with shop(tmp_path, STRICT) as place:
        assert place.do("delta") == "gate"
        assert place.jobs["delta"] == Job("delta", NOW, NOW, NOW, None)
        assert place.told == [(place.env, "contoso")]


def test_a_source_that_is_not_believed_is_a_result(place: Shop) -> None:
    """As from any run, and nothing is taken away."""
    (place.house.folder / "hr.csv").unlink()

    assert place.do("delta") == "not_believed"
    assert place.house.rows() == OLD


def test_changes_that_fail_are_a_result(place: Shop) -> None:
    """The run itself came to its end."""
    place.house.wire.ear = refuses

    assert place.do("delta") == "failed"
    assert place.jobs["delta"].problem is None


def refuses(method: str, _path: str, serve: Serve) -> Answer:
    """Answer as a server does that accepts no change."""
    if method == "GET":
        return serve()
    content = json.dumps({"error": {"code": "0x80040265", "message": "no"}}).encode()
    return Answer(400, {"Content-Type": "application/json"}, content)


def gone(_method: str, _path: str, _serve: Serve) -> Answer:
    """Answer as a server does that knows nobody."""
    return Answer(401, {}, b"")


def order(place: Shop, what: str, body: object) -> None:
    """Give an order to the sandbox."""
    content = json.dumps(body).encode()
    done = place.house.wire.sandbox.answer("POST", f"/_sandbox/{what}", "", {}, content)
    assert done.status == 204


@pytest.mark.parametrize("task", ["full", "preflight"])
def test_an_environment_that_cannot_be_had_is_a_problem(place: Shop, task: str) -> None:
    """Its sentence is kept until the task goes well again."""
    place.house.wire.ear = gone
    assert place.do(task) == "target"
    kept = place.jobs[task]
    assert kept.succeeded is None
    assert kept.problem
    assert "\n" not in kept.problem
    place.house.wire.ear = lambda _method, _path, serve: serve()
    assert place.do(task) == "done"
    assert place.jobs[task] == Job(task, NOW, NOW, NOW, None)


def test_a_preflight_names_the_profiles_that_are_missing(place: Shop) -> None:
    """Before anybody needs one: kept with the task, and gone when the rules are mended."""
    place.configure('profile = "Depot"', 'profile = "dEPOT"')
    assert place.do("preflight") == "target"
    assert place.jobs["preflight"].problem == (
        "profiles: profile dEPOT does not exist here; "
        "create and publish it, or mend the rule (it is written Depot)"
    )
    place.configure('profile = "dEPOT"', 'profile = "Depot"')
    assert place.do("preflight") == "done"
    assert place.jobs["preflight"].problem is None
    assert place.told == []


def test_a_preflight_names_every_right_and_column_that_is_missing(
    place: Shop, log: StringIO
) -> None:
    """Failures are the task's problem, in one line; what is only doubtful is for the log."""
    order(place, "lacking", {"privileges": ["prvAppendToUser"]})
    order(place, "metadata", {"table": "systemuser", "column": "employeeid", "change": None})
    order(place, "tables", {"optimistic_concurrency": False})

    assert place.do("preflight") == "target"
    problem = place.jobs["preflight"].problem
    assert problem is not None
    assert "table systemuser: column employeeid is missing; " in problem
    assert "rights on User: Append To is missing" in problem
    assert "(prvAppendToUser)" in problem
    assert "\n" not in problem
    [warned] = [line for line in lines(log) if line["event"] == "preflight warns"]
    assert "optimistic concurrency is off" in warned["seen"]
    assert warned["environment"] == "contoso"


def test_housekeeping_is_done_without_an_environment(place: Shop) -> None:
    """It is about the state database only."""
    place.house.wire.ear = gone

    assert place.do("housekeeping") == "done"
    assert place.jobs["housekeeping"].succeeded == NOW
    assert place.told == []


def test_who_is_asked_to_stop_was_stopped(place: Shop) -> None:
    """That is neither a success nor a defect."""
    place.app.stop.set()

    assert place.do("delta") == "stopped"
    assert place.jobs["delta"].problem == "asked to stop"


def test_a_command_in_another_process_goes_first(place: Shop) -> None:
    """The task waits for its next time, which works; nobody is told about nothing."""
    url = f"sqlite:///{place.house.state}"
    with holder(url):
        assert place.do("delta") == "lease"
        problem = place.jobs["delta"].problem
        assert problem is not None
        assert "is writing to this environment" in problem
        assert place.told == []
        assert place.house.rows() == OLD

    assert place.do("delta") == "done"
    assert place.jobs["delta"].problem is None
    assert place.house.rows() == NEW


def test_a_state_database_that_is_broken_is_no_end(place: Shop, log: StringIO) -> None:
    """The task says what is wrong, and the next one finds whether it is mended."""
    with place.database.durable() as tx:
        run(tx, "ALTER TABLE jobs RENAME TO lost")
    assert place.do("delta") == "internal"
    [last] = [line for line in lines(log) if line["event"] == "task ends"]
    assert last["result"] == "internal"
    assert "state database" in last["why"]
    with pytest.raises(StateError):
        assert place.jobs is None
    with place.database.durable() as tx:
        run(tx, "ALTER TABLE lost RENAME TO jobs")
    assert place.do("delta") == "done"


def test_a_run_closes_with_one_line_that_has_all_counts(place: Shop, log: StringIO) -> None:
    """Its number stands also where the task ends; nobody is named."""
    assert place.do("full") == "done"

    [closing] = [line for line in lines(log) if line["event"] == "run finished"]
    [end] = [line for line in lines(log) if line["event"] == "task ends"]
    assert closing["run"] == end["run"] > 0
    assert closing["task"] == closing["command"] == "full"
    assert closing["planned"] == closing["applied"] > 0
    assert sum(closing["situations"].values()) > 0
    assert (closing["certified"], closing["exit_code"]) == (True, 0)


# --- defects --------------------------------------------------------------------------------


def test_a_defect_is_put_on_record_without_names(place: Shop, log: StringIO) -> None:
    """Where it happened is said, what it said is not; and the task is known to have failed."""
    place.app.clock = Broken()

    assert place.do("delta") == "internal"
    [line] = [line for line in lines(log) if line["level"] == "error"]
    assert line["event"] == "task failed by a defect in syncd"
    assert line["error"] == "KeyError"
    assert any("test_tasks.py" in each for each in line["where"])
    assert "Ada" not in log.getvalue()
    assert "/" not in "".join(line["where"])
    assert place.jobs["delta"].finished == NOW
    assert place.jobs["delta"].problem == "a defect in syncd (KeyError); see the log"


def test_a_defect_does_not_end_the_worker(place: Shop) -> None:
    """The next task is done as if nothing had been."""
    place.app.clock = Broken()
    lengths: list[int] = []
    worker = Worker(
        "contoso", lambda task, who: place.tasks.do("contoso", task, who), lengths.append
    )
    worker.request("full", "olga")
    worker.request("preflight", "olga")
    worker.start()
    while worker.waiting():
        worker.join(0.02)
    worker.end()
    worker.join(60)

    assert place.results("full")["internal"] == 1
    assert place.results("preflight")["done"] == 1
    assert lengths == [1, 2, 1, 0]


def test_a_defect_in_telling_is_one_of_the_task(place: Shop, log: StringIO) -> None:
    """What the run did is kept, and nobody's name is in the log."""

    def tell(env: int, name: str) -> None:
        raise RuntimeError(f"{ADA} {env} {name}")

    place.tasks.told = tell

    assert place.do("delta") == "internal"
    assert place.house.rows() == NEW
    assert place.jobs["delta"] == Job("delta", NOW, NOW, NOW, None)
    assert "Ada" not in log.getvalue()


def test_an_environment_that_is_configured_no_longer_has_no_tasks(
    place: Shop, log: StringIO
) -> None:
    """One that waited when the configuration was read anew is let go."""
    place.tasks.do("fabrikam", "full", "olga")

    assert lines(log) == []
    assert "fabrikam" not in place.metrics.exposition()[0].decode()


# --- what is made good ----------------------------------------------------------------------


def test_what_never_was_is_done_at_once(idle: Shop) -> None:
    """A full run, which does all that a smaller one would; and a preflight always."""
    assert idle.overdue(SECOND) == ["preflight", "full"]


@pytest.mark.parametrize(
    ("full", "delta", "now", "expected"),
    [
        ("03T02:15:07", "03T07:58:00", "03T08:00:00", []),
        ("03T07:58:00", None, "03T08:00:00", []),
        ("03T02:15:07", None, "03T08:00:00", ["delta"]),
        ("03T02:15:07", "03T07:50:00", "03T08:00:00", ["delta"]),
        ("03T07:58:00", "03T07:50:00", "03T08:00:00", []),
        ("03T02:14:58", "03T02:14:58", "03T02:16:00", []),
        ("03T02:14:50", "03T02:15:30", "03T02:16:00", ["full"]),
        ("02T02:15:07", "03T02:10:00", "03T02:14:59", []),
        ("02T02:15:07", "03T07:58:00", "03T08:00:00", ["full"]),
        ("02T02:15:07", None, "31T08:00:00", ["full"]),
    ],
)
def test_what_was_missed_is_made_good_once(
    idle: Shop, full: str, delta: str | None, now: str, expected: list[str]
) -> None:
    """However often its time passed, and not at all if it did not; a full run covers the other."""
    idle.began("full", f"2026-03-{full}Z")
    if delta is not None:
        idle.began("delta", f"2026-03-{delta}Z")

    assert idle.overdue(f"2026-03-{now}Z") == ["preflight", *expected]


def test_the_clocks_of_the_time_zone_count(tmp_path: Path) -> None:
    """02:15 in Berlin is 01:15 in winter, and an hour later it is past."""
    with shop(tmp_path, '[daemon]\ntimezone = "Europe/Berlin"\ndelta = "1d"\n') as place:
        place.began("full", "2026-03-02T01:15:03Z")

        assert place.overdue("2026-03-03T01:14:00Z") == ["preflight"]
        assert place.overdue("2026-03-03T01:16:00Z") == ["preflight", "full"]


def test_a_task_whose_time_never_comes_is_not_overdue(tmp_path: Path) -> None:
    """The 31st of February was not missed."""
    with shop(tmp_path, '[daemon]\nfull = "0 0 31 2 *"\n') as place:
        place.began("full", "2020-03-02T01:15:03Z")
        place.began("delta", "2026-03-03T07:59:00Z")

        assert place.overdue(SECOND) == ["preflight"]


def test_a_run_that_was_interrupted_is_followed_by_a_full_one(place: Shop) -> None:
    """Whatever the times say: what it began must be settled."""
    for task in ("full", "delta"):
        place.began(task, SECOND)
    assert place.overdue(SECOND) == ["preflight"]
    with place.database.durable() as tx:
        run(
            tx,
            "INSERT INTO runs (env, command, started) VALUES (:env, 'delta', :now)",
            env=place.env, now=SECOND,
        )  # fmt: skip

    assert place.overdue(SECOND) == ["preflight", "full"]
    assert place.do("full") == "done"
    place.clock.now = datetime(2026, 3, 3, 8, 1, tzinfo=UTC)
    assert list(place.tasks.overdue("contoso")) == ["preflight"]

"""The service: everything that runs for years, started and stopped in order."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import structlog

from syncd import __version__
from syncd.app import App
from syncd.config import Config
from syncd.core.errors import (
    ConfigError,
    LeaseHeld,
    StateAway,
    StateError,
    Stopped,
    SyncdError,
    UsageError,
)
from syncd.engine.parts import Clock
from syncd.service.admin.board import TASKS, Check, EnvironmentState
from syncd.service.admin.server import Server, serve
from syncd.service.keeper import Keeper
from syncd.service.notify import Notifier
from syncd.service.scheduler import Scheduler
from syncd.service.tasks import Tasks
from syncd.service.worker import Worker
from syncd.state import jobs, lookup
from syncd.state.database import Database, Tx, one
from syncd.state.lease import locked
from syncd.telemetry.metrics import Metrics

__all__ = ["Daemon", "daemon"]

LEAVING = 25.0
"""Seconds in which what is in flight must be settled after somebody asked to stop."""
AGAIN = 5.0
"""Seconds between two tries to reach a state database that does not answer."""
LOOK = 1.0
"""Seconds between two looks at the clock."""
JUMP = 30.0
"""A clock that is so many seconds off what has passed was set."""


@contextlib.contextmanager
def daemon(app: App, load: Callable[[], App]) -> Iterator[Daemon]:
    """
    Give a daemon that works until the block ends.

    *load* reads the configuration anew. Raises ConfigError where something of it cannot
    be had (a port that is taken), LeaseHeld where another daemon has the SQLite database.
    """
    with _opened(app) as database, _alone(database):
        working = Daemon(app, load, database)
        try:
            working.start()
            yield working
        finally:
            working.stop()


@contextlib.contextmanager
def _opened(app: App) -> Iterator[Database]:
    """Open the state database, as soon as its server answers; raises Stopped if asked meanwhile."""
    with contextlib.ExitStack() as stack:
        told = False
        while True:
            try:
                database = stack.enter_context(app.database())
                break
            except StateAway as error:
                if not told:
                    structlog.get_logger().error("state database", problem=str(error))
                told = True
            if app.stop.wait(AGAIN):
                raise Stopped("asked to stop before the state database answered")
        yield database


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Be the only daemon of a SQLite database."""
    if not database.sqlite:
        yield
        return
    refusal = LeaseHeld(
        f"another syncd daemon works with the state database {database.place}; "
        "stop it first, or give both a PostgreSQL"
    )
    with locked(database, "daemon", refusal):
        yield


@dataclass(slots=True)
class Daemon:
    """The board that the web server looks at, and what moves behind it."""

    app: App
    load: Callable[[], App]
    database: Database
    metrics: Metrics = field(default_factory=lambda: Metrics(__version__))
    workers: dict[str, Worker] = field(default_factory=dict)
    port: int | None = None
    _tasks: Tasks = field(init=False)
    _scheduler: Scheduler = field(init=False)
    _keeper: Keeper = field(init=False)
    _notifier: Notifier = field(init=False)
    _server: Server | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _log: Any = field(default_factory=structlog.get_logger)

    def __post_init__(self) -> None:
        """Wire what does not move yet."""
        settings = self.app.config.settings
        self._notifier = _notifier(self.app, self.database)
        self._tasks = Tasks(lambda: self.app, self.database, self.metrics, self._tell)
        self._scheduler = Scheduler(self._due)
        self._keeper = Keeper(
            self.database,
            lambda: list(self.app.config.environments),
            settings.daemon.lease.total_seconds(),
            self._gained,
            self._lost,
        )

    def start(self) -> None:
        """Begin to work. The port comes first: if it is taken, nothing else has begun."""
        server = serve(self, self.app.config.settings.admin)
        server.start()
        self._server, self.port = server, server.port
        self._notifier.start()
        self._scheduler.start()
        for name in self.app.config.environments:
            self.metrics.keeps(name, held=False)
        self._keeper.start()
        self._log.info("daemon works", port=self.port, environments=sorted(self._keeper.kept))

    def stop(self) -> None:
        """Begin nothing more, let what is in flight be settled, and give everything up."""
        self.app.stop.set()
        self._scheduler.stop()
        workers = list(self.workers.values())
        for worker in workers:
            worker.end()
        end = time.monotonic() + LEAVING
        for worker in workers:
            worker.join(max(0.0, end - time.monotonic()))
        with contextlib.suppress(StateError):
            self._keeper.stop()
        self._notifier.stop()
        if self._server is not None:
            self._server.stop()
        self._log.info("daemon ends")

    def wait(self, wishes: Sequence[object]) -> None:
        """Return when somebody asks to stop or wishes something; mind the clock meanwhile."""
        passed, shown = time.monotonic(), time.time()
        while not wishes and not self.app.stop.wait(LOOK):
            self._keeper.watch()
            now, says = time.monotonic(), time.time()
            if abs((says - shown) - (now - passed)) > JUMP:
                self._log.warning("the clock was set; all tasks are planned anew")
                self._replan(catch_up=True)
            passed, shown = now, says

    def reload(self) -> None:
        """Read the configuration anew; one that cannot be used changes nothing."""
        try:
            app = self.load()
            _keep_state(self.app, app)
            notifier = _notifier(app, self.database)
        except SyncdError as error:
            self._log.error("configuration not reloaded; the old one stays", problem=str(error))
            return
        with self._lock:
            old, self.app = self._notifier, app
            self._notifier = notifier
        notifier.start()
        old.stop()
        with contextlib.suppress(StateError):
            self._keeper.beat()
        self._replan(catch_up=False)
        self._log.info("configuration reloaded", environments=list(app.config.environments))

    def run_now(self) -> None:
        """Look for changes in every environment of this replica."""
        for name in sorted(self._keeper.kept):
            self._ask(name, "delta", "SIGUSR1")

    # --- the board ------------------------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.app.config

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        return self.app.clock

    def exposition(self) -> tuple[bytes, str]:
        """Return the metrics, from memory."""
        return self.metrics.exposition()

    def alive(self) -> bool:
        """Tell whether the threads of the daemon are there."""
        workers = all(worker.alive() for worker in list(self.workers.values()))
        return self._scheduler.alive() and self._keeper.alive() and workers

    def checks(self) -> Sequence[Check]:
        """Look at the database, at who keeps what, and at the last preflight."""
        try:
            with self.database.read() as tx:
                one(tx, "SELECT 1")
            found = [Check("database", ok=True, detail="answers")]
        except StateError as error:
            return [Check("database", ok=False, detail=str(error))]
        keepers = self._keeper.keepers()
        for name in self.config.environments:
            keeper = keepers.get(name)
            said = f"kept by {keeper}" if keeper else "kept by nobody yet"
            found.append(Check(f"lease {name}", ok=keeper is not None, detail=said))
            if name in self._keeper.kept:
                found.append(self._preflight(name))
        return found

    def environments(self) -> Sequence[EnvironmentState]:
        """Say how each environment stands."""
        keepers = self._keeper.keepers()
        return [self._state(name, keepers.get(name)) for name in self.config.environments]

    def request(self, environment: str, task: str, who: str) -> str:
        """Ask for a task now."""
        if task not in TASKS:
            raise UsageError(f"there is no task {task}; there are {', '.join(TASKS)}")
        if environment not in self.config.environments:
            raise UsageError(f"there is no environment {environment}")
        if environment not in self._keeper.kept:
            keeper = self._keeper.keepers().get(environment, "nobody yet")
            raise UsageError(f"{environment} is kept by {keeper}; ask there")
        return self._ask(environment, task, who)

    # --- parts ------------------------------------------------------------------------------------

    def _state(self, name: str, keeper: str | None) -> EnvironmentState:
        worker = self.workers.get(name)
        waiting = worker.waiting() if worker else ()
        zone = {task: at.astimezone(UTC) for task, at in self._scheduler.next(name).items()}
        return EnvironmentState(
            name=name,
            kept_here=name in self._keeper.kept,
            keeper=keeper,
            running=worker.running if worker else None,
            queued=waiting[0] if waiting else None,
            next={task: at.isoformat(timespec="seconds") for task, at in zone.items()},
            quarantined=self._quarantined(name),
        )

    def _quarantined(self, name: str) -> str | None:
        sql = (
            "SELECT q.cause FROM quarantines q JOIN environments e ON e.id = q.env "
            "WHERE e.name = :name"
        )
        with self.database.read() as tx:
            found = one(tx, sql, name=name)
        return None if found is None else str(found)

    def _preflight(self, name: str) -> Check:
        with self.database.read() as tx:
            env = _number(tx, self.app, name)
            known = {} if env is None else jobs.jobs(tx, env)
        last = known.get("preflight")
        if last is None or last.finished is None:
            return Check(f"preflight {name}", ok=False, detail="not done yet")
        return Check(f"preflight {name}", last.problem is None, last.problem or "went well")

    def _due(self, environment: str, task: str) -> None:
        self._ask(environment, task, "schedule")

    def _ask(self, environment: str, task: str, who: str) -> str:
        worker = self.workers.get(environment)
        if worker is None:
            raise UsageError(f"{environment} is not kept by this replica any more")
        return worker.request(task, who)

    def _gained(self, name: str, taken: bool) -> None:  # noqa: FBT001  # what the keeper says
        with self._lock:
            worker = Worker(name, self._do(name), lambda n: self.metrics.queue(name, n))
            self.workers[name] = worker
        worker.start()
        self.metrics.keeps(name, held=True)
        if taken:
            self.metrics.took_over(name)
            self._log.warning("environment taken over from a replica that is silent", name=name)
        self._plan(name)
        self._catch_up(name)

    def _do(self, name: str) -> Callable[[str, str], None]:
        return lambda task, who: self._tasks.do(name, task, who)

    def _lost(self, name: str) -> None:
        self._scheduler.forget(name)
        with self._lock:
            worker = self.workers.pop(name, None)
        if worker is not None:
            worker.end()
        self.metrics.keeps(name, held=False)
        with contextlib.suppress(StateError), self.database.read() as tx:
            env = _number(tx, self.app, name)
            if env is not None:
                self._notifier.leave(env)

    def _plan(self, name: str) -> None:
        settings = self.app.config.settings.daemon
        times = {task: str(getattr(settings, task)) for task in TASKS}
        self._scheduler.plan(name, times, settings.timezone, settings.jitter)

    def _catch_up(self, name: str) -> None:
        with contextlib.suppress(StateError):
            for task in self._tasks.overdue(name):
                self._ask(name, task, "start")

    def _replan(self, *, catch_up: bool) -> None:
        for name in sorted(self._keeper.kept):
            self._plan(name)
            if catch_up:
                self._catch_up(name)

    def _tell(self, env: int, name: str) -> None:
        with self._lock:
            notifier = self._notifier
        notifier.look(env, name)


def _number(tx: Tx, app: App, name: str) -> int | None:
    found = app.config.environments.get(name)
    return None if found is None else lookup.environment_number(tx, name, found.url)


def _notifier(app: App, database: Database) -> Notifier:
    settings = app.config.settings
    return Notifier(
        database,
        settings.notifications,
        None if settings.admin.public_url is None else str(settings.admin.public_url),
        app.clock,
    )


def _keep_state(old: App, new: App) -> None:
    """Refuse what only a new process can have. Raises ConfigError."""
    moved = [
        name
        for name, before, after in (
            ("state.url", old.config.state.url, new.config.state.url),
            ("admin.listen", old.config.settings.admin.listen, new.config.settings.admin.listen),
            ("daemon.lease", old.config.settings.daemon.lease, new.config.settings.daemon.lease),
        )
        if before != after
    ]
    if moved:
        names = ", ".join(moved)
        raise ConfigError([f"{names}: cannot change while the daemon runs; restart it for that"])

"""What the daemon does for an environment when a task is due."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from syncd.app import App
from syncd.core.errors import LeaseHeld, LeaseLost, StateError, Stopped, SyncdError, TargetError
from syncd.core.exits import ExitCode
from syncd.core.model import iso
from syncd.core.preflight import Verdict, sentence
from syncd.engine.parts import RunReport
from syncd.service.scheduler import previous
from syncd.state import archive, history, jobs, lookup, observed
from syncd.state import gauges as standing
from syncd.state.database import Database, Tx, compact
from syncd.telemetry.metrics import Metrics
from syncd.telemetry.phases import PhaseTimer

__all__ = ["READING", "Outcome", "Tasks"]

READING = ("full", "delta", "conflicts")
"""Tasks that read both sides, decide and write."""
RESULTS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.GATE: "gate",
    ExitCode.NOT_BELIEVED: "not_believed",
    ExitCode.TARGET: "target",
    ExitCode.LEASE: "lease",
    ExitCode.INTERNAL: "internal",
}
GOOD = ("done", "failed", "gate", "not_believed")
"""Results of a run that came to its end, whatever it found: it is not simply tried again."""
NAMED = 20
"""How many of the ids that deltas missed are named in the log."""
LATE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How a task ended: a result as the metrics name it, and the sentence of what stopped it.

    `run` is the number of the run that it was, if it was one.
    """

    result: str
    problem: str | None = None
    run: int | None = None


@dataclass(slots=True)
class Tasks:
    """
    The tasks of all environments.

    `app` gives the program as configured at this moment. `told` is called after a run
    with the environment's number and name, for whoever must be told about what it found.
    """

    app: Callable[[], App]
    database: Database
    metrics: Metrics
    told: Callable[[int, str], None]

    def do(self, environment: str, task: str, who: str) -> None:
        """Do a task, and note how it went. Never raises."""
        log = structlog.get_logger().bind(environment=environment, task=task)
        app = self.app()
        if environment not in app.config.environments:
            return
        started = time.monotonic()
        self.metrics.attempt(environment, task, app.clock().timestamp())
        log.info("task begins", asked_by=who)
        outcome = self._tried(app, environment, task, log)
        seconds = time.monotonic() - started
        moment = app.clock().timestamp()
        full = task == "full"
        self.metrics.finished(environment, task, outcome.result, seconds, moment, full)
        log.info(
            "task ends",
            run=outcome.run,
            result=outcome.result,
            seconds=round(seconds, 3),
            why=outcome.problem,
        )

    def _tried(
        self, app: App, environment: str, task: str, log: structlog.typing.FilteringBoundLogger
    ) -> Outcome:
        try:
            with self.database.durable() as tx:
                env = _number(tx, app, environment)
                jobs.begin(tx, env, task, iso(app.clock()))
            outcome = self._done(app, environment, task, log)
            with self.database.durable() as tx:
                jobs.end(tx, env, task, iso(app.clock()), _problem(outcome))
            self.show(environment)
            if task in READING and outcome.result != "lease":
                self.told(env, environment)
        except StateError as error:
            return Outcome("internal", str(error))
        except Exception as error:  # noqa: BLE001  # a defect must not end the daemon
            return _defect(error, log)
        return outcome

    def _done(
        self, app: App, environment: str, task: str, log: structlog.typing.FilteringBoundLogger
    ) -> Outcome:
        try:
            if task in READING:
                return self._reconciled(app, environment, task, log)
            if task == "preflight":
                return self._looked(app, environment, log)
            return self._tidied(app)
        except (LeaseHeld, LeaseLost) as error:
            return Outcome("lease", str(error))
        except Stopped:
            return Outcome("stopped", "asked to stop")
        except TargetError as error:
            return Outcome("target", str(error))
        except SyncdError as error:
            return Outcome("internal", str(error))
        except Exception as error:  # noqa: BLE001  # likewise
            return _defect(error, log)

    def _reconciled(
        self, app: App, environment: str, task: str, log: structlog.typing.FilteringBoundLogger
    ) -> Outcome:
        metrics = self.metrics
        names = [source.name for source in app.config.sources]
        with (
            PhaseTimer(lambda name, s: metrics.phase(environment, name, s), names) as progress,
            app.reconciler(
                self.database,
                environment,
                progress,
                metrics.observer(environment),
                lambda seconds: metrics.throttled(environment, seconds),
            ) as reconciler,
        ):
            report = reconciler.reconcile(task, delta=task == "delta")
        self._count(environment, report)
        if report.missed_by_delta:
            log.warning(
                "reads of changes had missed something",
                run=report.run,
                number=len(report.missed_by_delta),
                ids=report.missed_by_delta[:NAMED],
            )
        log.info("run finished", **report.facts(int(report.exit_code)))
        if report.stopped:
            return Outcome("stopped", "asked to stop", report.run)
        return Outcome(RESULTS[report.exit_code], report.problem, report.run)

    def _count(self, environment: str, report: RunReport) -> None:
        if report.plan is not None:
            with self.database.read() as tx:
                self.metrics.applied(environment, archive.results(tx, report.plan))
        tripped = [(g.gate, g.scope.partition(":")[0]) for g in report.gates if g.tripped]
        self.metrics.gates(environment, tripped)

    def _looked(
        self, app: App, environment: str, log: structlog.typing.FilteringBoundLogger
    ) -> Outcome:
        """Look at everything that a run needs; what is only doubtful is for the log."""
        found = app.preflight(environment, self.metrics.observer(environment))
        for each in found:
            if each.verdict is Verdict.WARNING:
                log.warning("preflight warns", check=each.check, seen=each.seen, remedy=each.remedy)
        wrong = [sentence(each) for each in found if each.verdict is Verdict.FAILURE]
        return Outcome("target", " · ".join(wrong)) if wrong else Outcome("done")

    def _tidied(self, app: App) -> Outcome:
        keep = app.config.state.keep_days.model_dump()
        with self.database.durable() as tx:
            history.purge(tx, app.clock(), keep)
        compact(self.database)
        return Outcome("done")

    # --- beside the tasks ------------------------------------------------------------------------

    def show(self, environment: str) -> None:
        """Let the metrics say how an environment stands."""
        app = self.app()
        with self.database.read() as tx:
            env = _known(tx, app, environment)
            if env is None:
                return
            self.metrics.show(environment, standing.gauges(tx, env, app.clock()))
            self.metrics.state(standing.size(tx))

    def overdue(self, environment: str) -> Iterable[str]:
        """
        Return what must be done at once when an environment is taken over.

        Preflight always; a run if the last one was interrupted, never was, or if its time
        passed while nobody was there.
        """
        app = self.app()
        daemon = app.config.settings.daemon
        now = app.clock()
        with self.database.read() as tx:
            env = _known(tx, app, environment)
            known = {} if env is None else jobs.jobs(tx, env)
            broken = env is not None and jobs.interrupted(tx, env)
        yield "preflight"
        full = known.get("full")
        if broken or full is None or full.started is None:
            yield "full"
            return
        if _passed(full.started, daemon.full, daemon.timezone, now):
            yield "full"
            return
        delta = known.get("delta")
        last = full.started
        if delta is not None and delta.started is not None:
            last = max(last, delta.started)
        if _passed(last, daemon.delta, daemon.timezone, now):
            yield "delta"


def _passed(started: datetime, when: str, zone: str, now: datetime) -> bool:
    """Tell whether a task's time came after it was begun last."""
    due = previous(when, zone, now)
    return due is not None and started + LATE < due


def _number(tx: Tx, app: App, environment: str) -> int:
    return observed.environment(tx, environment, app.config.environments[environment].url)


def _known(tx: Tx, app: App, environment: str) -> int | None:
    return lookup.environment_number(tx, environment, app.config.environments[environment].url)


def _defect(error: Exception, log: structlog.typing.FilteringBoundLogger) -> Outcome:
    """
    Put a defect on record; the daemon goes on, and the next run starts from what is there.

    Only where it happened is said: what it says itself may hold something of a person.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("task failed by a defect in syncd", error=type(error).__name__, where=where)
    return Outcome("internal", f"a defect in syncd ({type(error).__name__}); see the log")


def _problem(outcome: Outcome) -> str | None:
    return None if outcome.result in GOOD else outcome.problem or outcome.result

"""Plan, apply, or both: the three things a person can ask for."""

from __future__ import annotations

import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from syncd.core.blackouts import waiting
from syncd.core.errors import LeaseLost, PlanError, StateError, Stopped, TargetError
from syncd.core.estimates import Speed
from syncd.core.model import iso
from syncd.core.plan import Outcome, Result
from syncd.core.ports import Target
from syncd.engine.applying import Applying
from syncd.engine.parts import (
    Clock,
    Environment,
    ExitCode,
    Progress,
    Ranked,
    RunReport,
    Silent,
    Stop,
    Watchful,
)
from syncd.engine.planning import Order, Planned, make_plan
from syncd.engine.reading import read_sources, read_target
from syncd.engine.upcoming import foresee
from syncd.state import archive, capabilities, decisions, history, journal, observed, plans
from syncd.state.database import Database, Tx
from syncd.state.lease import Lease, lapsed, lease

__all__ = ["Reconciler", "View"]

View = Callable[[Tx, str], None]
"""Looks at a plan while it is there."""

INTERRUPTED = 130
"""Recorded for a run that was asked to stop, as a shell would."""

AHEAD = 7
"""How many days a plan looks ahead."""
FEW = 100
"""Of how many people at most it says what they gain or lose on those days."""

KEEP = {"runs": 90, "plans": 30, "audit": 2555}


@dataclass(slots=True)
class Reconciler:
    """Keeps one environment in step."""

    database: Database
    environment: Environment
    sources: Sequence[Ranked]
    target: Target
    clock: Clock
    stop: Stop = field(default_factory=Stop)
    progress: Progress = field(default_factory=Silent)
    keep: Mapping[str, int] = field(default_factory=lambda: dict(KEEP))
    lease_seconds: float = 60.0

    def plan(self, *, as_of: datetime | None = None, view: View | None = None) -> RunReport:
        """
        Say what would be done, and leave nothing behind but the plan.

        With *as_of* the plan is made for that moment, shown to *view* and not saved.
        Raises LeaseHeld, StateError, TargetError.
        """
        now = as_of or self.clock()
        report = RunReport(self.environment.name, "plan")
        started = time.monotonic()
        with self._lease() as held, tempfile.TemporaryFile() as file:
            with self.database.rehearse() as tx:
                env = observed.environment(tx, self.environment.name, self.environment.url)
                order, planned = self._judge(tx, env, now, 0, report)
                spool = plans.Spool(tx, planned.id, None)
                spool.remark("adopted", archive.adoptions(tx, env, 0))
                coming = foresee(tx, order, AHEAD, most=FEW)
                spool.remark("upcoming", coming.entries)
                facts = {"upcoming_until": str(coming.last), "upcoming_people": coming.people}
                archive.amend(tx, planned.id, facts)
                if view is not None:
                    view(tx, planned.id)
                head = archive.head(tx, planned.id)
                if as_of is None:
                    archive.export(tx, planned.id, file)
            if as_of is None and head is not None:
                with self.database.begin() as tx:
                    held.verify(tx)
                    env = observed.environment(tx, self.environment.name, self.environment.url)
                    archive.restore(tx, file)
                    archive.save(tx, archive.Head(**{**asdict(head), "env": env, "run": None}))
                    capabilities.keep(tx, env, self.target.ledger, now)
                report.plan = planned.id
        report.certificates = tuple(order.certificates)
        report.seconds = time.monotonic() - started
        return report

    def reconcile(self, command: str = "reconcile", *, delta: bool = False) -> RunReport:
        """
        Read, decide, save the plan, apply it. What stops the run is in the report.

        *command* is what the run is recorded as: the daemon's are its tasks. With *delta*
        only what changed is read, where that can be known.
        """
        return self._run(command, None, delta=delta)

    def apply(self, plan: str) -> RunReport:
        """
        Apply exactly what a saved plan shows, change by change.

        Both sides are read and judged anew; what is no longer planned in just this way
        is skipped. Raises PlanError if the plan is unknown, expired, or was made for
        another environment or configuration.
        """
        with self.database.read() as tx:
            head = archive.head(tx, plan)
            name = None if head is None else json.loads(head.document)["environment"]
        if head is None or name != self.environment.name:
            raise PlanError(
                f"{self.environment.name}: there is no plan {plan} here; "
                f"make one: syncd plan --environment {self.environment.name}"
            )
        now = iso(self.clock())
        if head.config != self.environment.config_digest:
            raise PlanError(
                f"plan {head.id} was made with another configuration; nothing was sent. "
                f"Make a new one: syncd plan --environment {self.environment.name}"
            )
        if head.expires < now:
            raise PlanError(
                f"plan {head.id} expired at {head.expires}; nothing was sent. "
                f"Make a new one: syncd plan --environment {self.environment.name}"
            )
        return self._run("apply", head)

    # --- parts ----------------------------------------------------------------------------

    def _run(self, command: str, head: archive.Head | None, *, delta: bool = False) -> RunReport:
        started = time.monotonic()
        report = RunReport(self.environment.name, command)
        with self._lease() as held:
            with self.database.durable() as tx:
                held.verify(tx)
                env = observed.environment(tx, self.environment.name, self.environment.url)
                report.run = history.begin_run(tx, env, command, iso(self.clock()))
            with self._recorded(report, started, env):
                planned = self._plan_for_good(env, report, head, held, delta=delta)
                self._apply(env, report, planned, held)
        return report

    def _lease(self) -> contextlib.AbstractContextManager[Lease]:
        return lease(self.database, self.environment.name, self.stop, self.lease_seconds)

    @contextlib.contextmanager
    def _recorded(self, report: RunReport, started: float, env: int) -> Iterator[None]:
        """Note how the run ended, whatever happens; what stopped it is in the report."""
        code: int = ExitCode.INTERNAL
        try:
            yield
            code = report.exit_code
        except TargetError as error:
            report.problem = str(error)
            code = report.exit_code
        except Stopped as error:
            if not self.stop.asked():
                code = ExitCode.LEASE
                raise LeaseLost(lapsed(self.environment.name)) from error
            report.stopped = True
        except (LeaseLost, StateError):
            code = ExitCode.LEASE if self.stop.lapsed() else code
            raise
        finally:
            report.seconds = time.monotonic() - started
            self._end(report, INTERRUPTED if report.stopped else code, env)

    def _end(self, report: RunReport, code: int, env: int) -> None:
        document = {
            "situations": report.situations,
            "outcomes": {str(result): number for result, number in (report.outcomes or {}).items()},
            "gates": [asdict(gate) for gate in report.gates],
            "certified": report.certified,
            "problem": report.problem,
            "recovered": report.recovered,
            "missed_by_delta": len(report.missed_by_delta),
            "seconds": round(report.seconds, 3),
        }
        now = self.clock()
        with self.database.durable() as tx:
            if report.run is not None:
                history.end_run(tx, report.run, iso(now), report.plan, code, document)
            capabilities.keep(tx, env, self.target.ledger, now)
            history.purge(tx, now, self.keep)

    def _judge(
        self,
        tx: Tx,
        env: int,
        now: datetime,
        run: int,
        report: RunReport,
        head: archive.Head | None = None,
        *,
        delta: bool = False,
    ) -> tuple[Order, Planned]:
        """Read both sides and decide; everything happens in the one transaction *tx*."""
        progress = Watchful(self.progress, self.stop, "nothing was sent and nothing was changed")
        self.target.ledger.recall(capabilities.refused(tx, env, now))
        certificates = read_sources(
            tx, self.environment, self.sources, iso(now), progress, delta=delta
        )
        report.missed_by_delta = tuple(
            read_target(tx, self.environment, env, self.target, progress, delta=delta)
        )
        report.recovered = journal.recover(tx, env, iso(now))
        order = Order(
            environment=self.environment,
            env=env,
            now=now,
            run=run,
            plan=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
            certificates=certificates,
            shown=self._shown(tx, head),
            restrict_to=head.id if head else None,
            delta=delta,
            blackout=waiting(self.environment.calendar, now),
            speed=Speed(self.target.lanes, self.target.batch_size),
        )
        planned = make_plan(tx, order, progress)
        report.situations = planned.situations
        report.gates = planned.gates
        report.planned = planned.planned
        report.certificates = tuple(certificates)
        return order, planned

    def _shown(self, tx: Tx, head: archive.Head | None) -> frozenset[str] | None:
        if head is None:
            return None
        adopted = (json.loads(body) for body in archive.items(tx, head.id, "adopted"))
        return frozenset(body["membership"] for body in adopted)

    def _plan_for_good(
        self,
        env: int,
        report: RunReport,
        head: archive.Head | None,
        held: Lease,
        *,
        delta: bool,
    ) -> Planned:
        """Save the plan and all that the run must remember, before the first write."""
        now = self.clock()
        with self.database.begin() as tx:
            _, planned = self._judge(tx, env, now, report.run or 0, report, head, delta=delta)
            history.certify_run(tx, report.run or 0, list(report.certificates))
            report.plan = planned.id
            if head is not None:
                self._carry_over(tx, env, report, head, planned)
            held.verify(tx)
        return planned

    def _carry_over(
        self, tx: Tx, env: int, report: RunReport, head: archive.Head, planned: Planned
    ) -> None:
        """Turn to the plan that was shown; what no longer fits is settled without sending."""
        lost = archive.reconsider(tx, head.id, planned.id)
        now = iso(self.clock())
        settled = [
            (change, Outcome(change.number, *journal.skipped(row)))
            for change, row in journal.beside(tx, env, lost)
        ]
        journal.settle_unsent(tx, env, report.run or 0, head.id, settled, now)
        report.plan = head.id
        report.planned = sum(number for *_, number in plans.counts(tx, head.id))

    def _apply(self, env: int, report: RunReport, planned: Planned, held: Lease) -> None:
        self.progress.phase("applying", report.planned)
        applying = Applying(
            database=self.database,
            target=self.target,
            env=env,
            run=report.run or 0,
            plan=report.plan or planned.id,
            clock=self.clock,
            stop=self.stop,
            progress=self.progress,
            lease=held,
            failures=self.environment.policy.failures,
        )
        applied = applying()
        report.faults = applied.faults
        report.problem = applied.problem
        report.stopped = self.stop.asked()
        with self.database.durable() as tx:
            if not report.stopped:
                for number in planned.used_passes:
                    decisions.use(tx, number, iso(self.clock()), f"used by run {report.run}")
            tally = archive.tally(tx, applying.plan)
        report.outcomes = {result: tally.get(result, 0) for result in Result}
        if sum(report.outcomes.values()) != report.planned:
            raise AssertionError(
                f"run {report.run}: {report.outcomes} does not sum to {report.planned} changes"
            )

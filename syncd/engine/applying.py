"""Apply a saved plan: journal first, several batches in flight, one thread that writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from syncd.core.errors import Stopped
from syncd.core.failures import Effort, cause, kept
from syncd.core.model import Action, iso
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.core.ports import Target
from syncd.core.settings import Failures
from syncd.engine.parts import Clock, Progress, Stop
from syncd.state import archive, escrow, journal, quarantine
from syncd.state.database import Database
from syncd.state.lease import Lease

__all__ = ["Applied", "Applying"]

AHEAD = 8
"""How many batches of changes are read from the plan at once."""

HALTING = frozenset({Fault.RIGHTS, Fault.CONFIGURATION, Fault.THROTTLED})
"""Faults after which nothing more is sent: the next change would meet the same."""

UNKNOWN = "outcome unknown"


@dataclass(slots=True)
class Applied:
    """
    What became of a plan. `problem` says why sending stopped early, if it did.

    `refused` counts what rows refused, by its cause.
    """

    faults: set[Fault] = field(default_factory=set)
    problem: str | None = None
    sent: int = 0
    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Applying:
    """One plan on its way to the target."""

    database: Database
    target: Target
    env: int
    run: int
    plan: str
    clock: Clock
    stop: Stop
    progress: Progress
    lease: Lease
    failures: Failures
    result: Applied = field(default_factory=Applied)

    def __call__(self) -> Applied:
        """
        Send everything that may be sent, and settle every answer.

        A batch is on record before it leaves. When asked to stop, or when the target
        refuses, nothing more is sent, but what is in flight is waited for.
        """
        batches = self._batches()
        flying: dict[Future[list[Outcome]], list[Change]] = {}
        landed: list[Future[list[Outcome]]] = []
        with ThreadPoolExecutor(max_workers=64, thread_name_prefix="lane") as lanes:
            while True:
                ready = self._turn(batches, flying, landed)
                for batch in ready:
                    flying[lanes.submit(self.target.apply, batch, self.run)] = batch
                if not flying:
                    break
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                landed = sorted(done, key=lambda future: flying[future][0].number)
        return self._close()

    def _turn(
        self,
        batches: Iterator[list[Change]],
        flying: dict[Future[list[Outcome]], list[Change]],
        landed: list[Future[list[Outcome]]],
    ) -> list[list[Change]]:
        """Settle what has landed and put on record what leaves next, in one commit."""
        moment = self.clock()
        now = iso(moment)
        answered = [(flying.pop(future), future) for future in landed]
        settled = [pair for batch, future in answered for pair in self._answers(batch, future)]
        ready: list[list[Change]] = []
        while not self._halted() and len(flying) + len(ready) < self.target.lanes:
            batch = next(batches, None)
            if batch is None:
                break
            ready.append(batch)
        if not settled and not ready:
            return []
        with self.database.durable() as tx:
            self.lease.verify(tx)
            known = [(c, o) for c, o in settled if not o.detail.startswith(UNKNOWN)]
            # An unknown outcome stays open in the journal: the next run settles it by reading.
            journal.settle(tx, self.env, self.run, self.plan, known, now)
            escrow.settle(tx, self.env, known, moment, self.failures, self.run)
            for batch in ready:
                journal.intend(tx, self.env, self.run, self.plan, batch, now)
        self.result.sent += sum(len(batch) for batch in ready)
        self.progress.advance(len(settled))
        return ready

    def _answers(
        self, batch: list[Change], future: Future[list[Outcome]]
    ) -> list[tuple[Change, Outcome]]:
        try:
            outcomes = future.result()
        except Stopped:
            detail = "not sent: asked to stop"
            outcomes = [Outcome(c.number, Result.FAILED, detail, Fault.TRANSIENT) for c in batch]
        found = [outcome for outcome in outcomes if outcome.fault is not None]
        self.result.faults.update(outcome.fault for outcome in found if outcome.fault)
        halting = next((o for o in found if o.fault in HALTING), None)
        if len(found) == len(batch) and all(o.fault is Fault.TRANSIENT for o in found):
            halting = halting or found[0]
        if halting is not None and self.result.problem is None and not self.stop.is_set():
            self.result.problem = halting.detail
        settled = list(zip(batch, outcomes, strict=True))
        self.result.done += sum(o.result in journal.DONE for o in outcomes)
        self.result.refused.update(cause(outcome.detail) for _, outcome in kept(settled))
        return settled

    def _halted(self) -> bool:
        return self.stop.is_set() or self.result.problem is not None

    def _batches(self) -> Iterator[list[Change]]:
        """
        Cut the plan into batches; all changes of one user are in the same.

        New rows leave apart from everything else: they take one request, and in one batch
        with others it would be two.
        """
        new: list[Change] = []
        others: list[Change] = []
        size = self.target.batch_size
        for _, changes in groupby(self._waiting(), key=lambda change: change.user or change.number):
            unit = list(changes)
            pile = new if len(unit) == 1 and _makes(unit[0]) else others
            if pile and len(pile) + len(unit) > size:
                yield pile.copy()
                pile.clear()
                size = self.target.batch_size
            pile += unit
        if len(new) + len(others) <= self.target.batch_size:
            new, others = sorted(new + others, key=attrgetter("number")), []
        yield from filter(None, (new, others))

    def _waiting(self) -> Iterator[Change]:
        after = 0
        while True:
            limit = self.target.batch_size * AHEAD
            with self.database.read() as tx:
                found = archive.waiting(tx, self.plan, after, limit)
            yield from found
            if len(found) < limit:
                return
            after = found[-1].number

    def _close(self) -> Applied:
        detail = (
            "not sent: asked to stop" if self.stop.is_set() else f"not sent: {self.result.problem}"
        )
        with self.database.durable() as tx:
            self.lease.verify(tx)
            archive.give_up(tx, self.plan, detail)
            quarantine.review(tx, self.env, self._effort(), self.clock(), self.failures)
        return self.result

    def _effort(self) -> Effort:
        result = self.result
        worst = result.refused.most_common(1)
        return Effort(
            sent=result.sent,
            done=result.done,
            failed=result.refused.total(),
            cause=worst[0][0] if worst else "",
            clean=not result.faults and not self._halted(),
        )


def _makes(change: Change) -> bool:
    """Whether a change makes a row, and does not take an emptied one."""
    return change.action is Action.CREATE and change.version is None

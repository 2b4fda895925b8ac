"""
Who gains or loses what on days to come, if both sides stay as they are.

The days on which anything can happen to anybody are lived through one by one, for the people
whose dates they are: found, judged and decided about as a run of that day would, each day's
plan being applied before the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from syncd.core.case import Context, Decision, Step
from syncd.core.decide import decide
from syncd.core.model import Action, Presence, Situation
from syncd.engine.planning import Order, prepare
from syncd.state import cases, circle, damping, hints, reach, standing, upcoming
from syncd.state.cases import Subject
from syncd.state.database import Tx
from syncd.state.plans import user_of
from syncd.state.upcoming import Span, Turn

__all__ = ["Coming", "foresee"]

GAINS = (Action.CREATE, Action.MOVE, Action.REACTIVATE)
WITHOUT = frozenset(
    {
        Situation.ALREADY_LINKED,
        Situation.AMBIGUOUS,
        Situation.HELD,
        Situation.UNLICENSED_USER,
        Situation.UNRESOLVED_PROFILE,
        Situation.UNRESOLVED_USER,
    }
)
"""Situations in which somebody who starts gets nothing, for a reason that can be mended."""


@dataclass(frozen=True, slots=True)
class Coming:
    """
    What the days up to `last` bring: entries in the order of days.

    `people` counts those who have a day among them, also whom the entries leave out because
    there are too many; `by_day` says that rules look at the day, which may bring more.
    """

    last: date
    people: int
    by_day: bool
    entries: Sequence[dict[str, Any]]


def foresee(
    tx: Tx, order: Order, days: int, *, since: date | None = None, most: int | None = None
) -> Coming:
    """
    Live through the next *days* days, for those of the *most* people who come first.

    Sources count as believed. Dates that passed after *since*, when both sides were read,
    are caught up with today. Leaves nothing behind in *tx* but what rules answered.
    """
    order = replace(order, certificates=())
    today = order.now.date()
    last = min(today, date.max - timedelta(days=days + 1)) + timedelta(days=days)
    by_day = any(rule.reads_today for rule in order.environment.rules)
    context, _ = prepare(tx, order)
    span = Span(min(since or today, today), today, last)
    upcoming.gather(tx, order.env, context.policy, span, anyone=by_day)
    people = upcoming.meet(tx, most)
    found = list(_Days(tx, order, context, last, by_day=by_day)()) if people else []
    return Coming(last, people, by_day, found)


@dataclass(frozen=True, slots=True)
class _Days:
    """The days that are lived through; `known` is how everybody was judged last."""

    tx: Tx
    order: Order
    context: Context
    last: date
    by_day: bool
    known: dict[str, Situation] = field(default_factory=dict)

    def __call__(self) -> Iterator[dict[str, Any]]:
        """Give what each day brings. What is to be done today is no news."""
        today = self.order.now.date()
        tx, env = self.tx, self.order.env
        upcoming.begin(tx)
        reach.spread(tx, env, hints.fields(tx, env, self.context.policy.match))
        with circle.narrow(tx, env, "meta", "news", *(("answers",) if self.by_day else ())):
            upcoming.unjudge(tx, env)
            self._judge(today, everybody=True)
            day = upcoming.later(self.tx, today)
            while day is not None and day <= self.last:
                yield from self._judge(day)
                day = upcoming.later(self.tx, day)

    def _judge(self, day: date, *, everybody: bool = False) -> list[dict[str, Any]]:
        tx, env, policy = self.tx, self.order.env, self.context.policy
        now = self.order.now if everybody else datetime.combine(day, time(), UTC)
        if self.by_day:
            prepare(tx, replace(self.order, now=now))
        context = replace(self.context, now=now)
        upcoming.connect(tx, env, day)
        standing.correlate(tx, env, policy, day, certified=True)
        upcoming.disconnect(tx, env, day)
        damping.damp(tx, env, context)
        # These are explained from today; tomorrow that may be over.
        turns = (day, day + timedelta(days=1))
        spared = damping.spared(tx)
        upcoming.widen(tx, ((None, user, turn) for user in spared for turn in turns))
        upcoming.attend(tx, env, None if everybody else day)
        damping.spare(tx)
        entries: list[dict[str, Any]] = []
        for chunk in cases.cases(tx, env, context):
            decided = [(subject, decide(subject.case, context)) for subject in chunk]
            circle.live(tx, env, decided, day)
            upcoming.widen(tx, (turn for s, d in decided for turn in _again(s, d, day)))
            for subject, decision in decided:
                entries += self._entries(subject, decision, day, context)
                self.known[subject.key] = decision.situation
        return entries

    def _entries(
        self, subject: Subject, decision: Decision, day: date, context: Context
    ) -> Iterator[dict[str, Any]]:
        for step in decision.steps:
            if step.action in GAINS or step.action.removes:
                yield _entry(subject, decision, step, day, context)
        starts = subject.case.presence is Presence.PRESENT and subject.case.person is not None
        news = self.known.get(subject.key) is not decision.situation
        if starts and news and decision.situation in WITHOUT:
            yield _unmet(subject, decision, day, context)


def _again(subject: Subject, decision: Decision, day: date) -> Iterator[Turn]:
    """Give the day on which time alone may change a decision."""
    seen = decision.sighting
    if seen is None or decision.steps:
        return
    user = subject.case.user.id if subject.case.user and subject.case.person is None else None
    if decision.situation is Situation.HELD or (
        seen.due is None and seen.situation in upcoming.SEEN_TWICE
    ):
        yield subject.case.person, user, day + timedelta(days=1)
    elif seen.due is not None and seen.due > day:
        yield subject.case.person, user, seen.due


def _entry(
    subject: Subject, decision: Decision, step: Step, day: date, context: Context
) -> dict[str, Any]:
    case, row = subject.case, step.row
    user = user_of(case, row)
    gives_nothing = row is None or step.action is Action.REACTIVATE
    seen = decision.sighting
    return {
        "day": day.isoformat(),
        "action": str(step.action),
        "person": case.person,
        "user": user.id if user else None,
        "user_name": user.user_name if user else None,
        "membership": None if row is None or row.id.startswith(circle.MADE) else row.id,
        "profile_before": None if gives_nothing or not row else context.profile_name(row.profile),
        "profile_after": context.profile_name(step.after) if step.after else None,
        "situation": str(decision.situation),
        "reason": step.reason,
        "since": seen.first.isoformat() if seen else None,
    }


def _unmet(subject: Subject, decision: Decision, day: date, context: Context) -> dict[str, Any]:
    """Describe somebody who starts and gets nothing that day."""
    case = subject.case
    detail = "; ".join(report.detail for report in decision.reports)
    return {
        "day": day.isoformat(),
        "action": None,
        "person": case.person,
        "user": case.user.id if case.user else None,
        "user_name": case.user.user_name if case.user else None,
        "membership": None,
        "profile_before": None,
        "profile_after": context.profile_name(case.target) if case.target else None,
        "situation": str(decision.situation),
        "reason": detail,
        "since": None,
    }

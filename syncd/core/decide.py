"""
From a case to a decision: what is done now, what waits, what is only said.

A function of its arguments and nothing else. What needs more than one case (who of
several people gets a user, gates) is settled before or after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from syncd.core import conflicts
from syncd.core.case import (
    WINDOW,
    Case,
    Context,
    Decision,
    Hold,
    Pending,
    Sighting,
    Step,
    Why,
)
from syncd.core.classify import classify
from syncd.core.model import Finding, Link, Membership, Presence, Situation
from syncd.core.reports import reports
from syncd.core.steps import Proposal, left_over, propose

__all__ = ["GRACEFUL", "UNWANTED", "decide"]

GRACEFUL = frozenset(
    {
        Situation.LEFT,
        Situation.OUT_OF_SCOPE,
        Situation.VANISHED,
        Situation.USER_DISABLED,
        Situation.UNASSIGNED,
    }
)
"""Situations whose removals wait for their day."""

SAVEABLE = GRACEFUL - {Situation.UNASSIGNED}
UNWANTED = frozenset(
    {
        Situation.LEFT,
        Situation.OUT_OF_SCOPE,
        Situation.VANISHED,
        Situation.USER_DISABLED,
        Situation.UNASSIGNED,
        Situation.IDLE,
    }
)
WAITING = frozenset({Situation.UNRESOLVED_USER, Situation.UNLICENSED_USER})
"""Situations whose age is told."""


def decide(case: Case, context: Context) -> Decision:
    """Decide about one case."""
    situation = classify(case)
    proposal = propose(case, situation, context)
    sighting, wait = _timing(case, situation, context, proposal)
    steps, pending = _withhold(proposal.steps, context, wait)
    if _flapping(case, situation, steps, context):
        # Damping puts off what is due; the grace of the situation beneath it stays used up.
        held = decide(replace(case, hold=_damped(case, context)), context)
        return replace(held, sighting=sighting)
    ours = case.ours
    if proposal.adopted:
        ours |= {row.id for row in proposal.adopted}
    after, ours = left_over(case.active, steps, ours)
    before = found = conflicts.look(case, situation, case.active, case.ours)
    if steps or proposal.adopted:
        found = conflicts.look(case, situation, after, ours)
    marks = conflicts.flags(case, situation, context, after, ours, found)
    alone = conflicts.left_alone(case, situation, context, after, ours, found)
    if marks:
        final, _ = left_over(after, marks, ours)
        found = conflicts.look(case, situation, final, ours)
    user = case.user.id if case.user else ""
    decision = Decision(
        situation=situation,
        steps=(*steps, *marks),
        adopted=proposal.adopted,
        pending=pending,
        conflicts=conflicts.merge(user, before, found) if case.husk is None else (),
        ended=_ended(case, situation, proposal, after, ours),
        sighting=sighting,
        saved=_saved(case),
    )
    said = reports(case, decision, context, alone=alone)
    return replace(decision, reports=said) if said else decision


def _days(case: Case, situation: Situation, context: Context) -> int:
    """Return the days of grace that fit."""
    grace = context.policy.grace
    match situation:
        case Situation.LEFT:
            return grace.left
        case Situation.VANISHED:
            return grace.vanished
        case Situation.USER_DISABLED:
            return grace.user_disabled
        case Situation.UNASSIGNED if case.person is None or case.presence is Presence.GONE:
            return grace.vanished
        case Situation.UNASSIGNED if case.presence is Presence.LEFT:
            return grace.left
        case _:
            return grace.out_of_scope


def _twice(case: Case, situation: Situation) -> bool:
    """Tell whether absence is the only evidence, so that it must be seen on two days."""
    if situation is Situation.UNASSIGNED:
        return case.person is None or case.presence is Presence.GONE
    return situation is Situation.VANISHED


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a removal is not due yet; a mere first sighting is reported, not listed as pending."""

    reason: Why
    due: date | None = None
    listed: bool = True


def _timing(
    case: Case, situation: Situation, context: Context, proposal: Proposal
) -> tuple[Sighting | None, Wait | None]:
    """
    Count the sighting of this run and say whether a removal must wait for time.

    Sightings and grace begin only in certified runs; in others they stay as they are.
    """
    known = case.memory.sighting
    if known is not None and known.situation is not situation:
        known = None
    if situation in WAITING:
        return known or Sighting(situation, context.today), None
    if situation not in GRACEFUL or not proposal.steps:
        return None, None
    twice = _twice(case, situation)
    seen = _seen(known, situation, context, twice=twice, case=case)
    if seen is None or seen.due is None:
        once = twice and (known is None or known.first >= context.today)
        return seen, Wait(Why.CERTIFICATE, listed=not once)
    return seen, Wait(Why.GRACE, seen.due) if context.today < seen.due else None


def _seen(
    known: Sighting | None, situation: Situation, context: Context, *, twice: bool, case: Case
) -> Sighting | None:
    if not context.certified:
        return known
    due = context.today + timedelta(days=_days(case, situation, context))
    if known is None:
        return Sighting(situation, context.today, due=None if twice else due)
    if known.due is None and (not twice or context.today > known.first):
        return replace(known, second=context.today if twice else None, due=due)
    return known


def _withhold(
    steps: tuple[Step, ...], context: Context, wait: Wait | None
) -> tuple[tuple[Step, ...], tuple[Pending, ...]]:
    """Split the steps into those that may go into the plan and those that wait, with the reason."""
    kept: list[Step] = []
    pending: list[Pending] = []
    stuck = False
    for step in steps:
        if wait is not None:
            if wait.listed:
                pending.append(Pending(_row(step), wait.reason, wait.due))
            continue
        why = _obstacle(step, context) or (Why.PROFILE if stuck else None)
        if why is None:
            kept.append(step)
            continue
        # Whoever does not get the new row yet must not lose the old one.
        stuck = stuck or not step.action.removes
        pending.append(Pending(_row(step), why))
    return tuple(kept), tuple(pending)


def _row(step: Step) -> str | None:
    return step.row.id if step.row else None


def _obstacle(step: Step, context: Context) -> Why | None:
    if step.action.removes and not context.certified:
        return Why.CERTIFICATE
    before = step.row.profile if step.row else None
    unclear = step.after in context.unresolved or before in context.unresolved
    return Why.PROFILE if unclear else None


def _flapping(case: Case, situation: Situation, steps: tuple[Step, ...], context: Context) -> bool:
    """Tell whether the person would lose the row for the third time within seven days."""
    if case.person is None or situation not in GRACEFUL or len(_losses(case, context)) < 2:
        return False
    return any(step.action.removes for step in steps)


def _losses(case: Case, context: Context) -> list[datetime]:
    return sorted(time for time in case.memory.losses if context.now - time < WINDOW)


def _damped(case: Case, context: Context) -> Hold:
    times = _losses(case, context)
    calm = (times[-2] + WINDOW).date()
    return Hold(f"lost the row {len(times)} times within seven days and would lose it again", calm)


def _ended(
    case: Case,
    situation: Situation,
    proposal: Proposal,
    after: list[Membership],
    ours: frozenset[str],
) -> tuple[Link, ...]:
    """Find the links that end without a request."""
    if not case.links:
        return ()
    if situation in UNWANTED and case.wanted is None:
        active = {row.id for row in case.held_rows}
        return tuple(link for link in case.links if link.membership not in active)
    if situation not in conflicts.BY_ROWS:
        return ()
    standing = {row.id for row in case.active} | {row.id for row in proposal.adopted}
    if any(row.id in standing and row.id in ours for row in after):
        return case.lost_links
    return ()


def _saved(case: Case) -> Situation | None:
    """Name the removal that was pending in the last run and is called off now."""
    if case.memory.pending not in SAVEABLE:
        return None
    enabled = case.user is not None and not case.user.disabled
    settled = case.finding in (Finding.LINKED, Finding.DECIDED)
    return case.memory.pending if case.wanted is not None and enabled and settled else None

"""What each situation asks to be done to a user's rows, before time and gates have their say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.core.case import Case, Context, Step
from syncd.core.free import keeps
from syncd.core.model import Action, Membership, Presence, Situation
from syncd.core.settings import Removal, Resolve

__all__ = ["Proposal", "left_over", "propose"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Steps in the order of behaviour.md section 8, and rows that become ours by a link alone."""

    steps: tuple[Step, ...] = ()
    adopted: tuple[Membership, ...] = ()


NOTHING = Proposal()
GIVING = (Action.MOVE, Action.REACTIVATE)


def propose(case: Case, situation: Situation, context: Context) -> Proposal:
    """Say what would be done if nothing withheld it."""
    proposed = PROPOSALS.get(situation)
    return proposed(case, context) if proposed else NOTHING


def left_over(
    rows: Sequence[Membership], steps: Sequence[Step], ours: frozenset[str]
) -> tuple[list[Membership], frozenset[str]]:
    """Return the active rows as *steps* would leave them, and which of them are ours then."""
    if not steps:
        return list(rows), ours
    after = {row.id: row for row in rows}
    mine = set(ours)
    for step in steps:
        if step.action is Action.CREATE:
            after[""] = Membership("", None, step.after, True, False, "", "9999")
            mine.add("")
            continue
        if step.row is None:
            continue
        if step.action.removes:
            after.pop(step.row.id, None)
        elif step.action in GIVING:
            after[step.row.id] = replace(step.row, profile=step.after, active=True)
            mine.add(step.row.id)
        elif step.row.id in after:
            flagged = step.action is Action.FLAG
            after[step.row.id] = replace(after[step.row.id], flagged=flagged)
    return sorted(after.values(), key=lambda row: row.age), frozenset(mine)


def _create(case: Case, _context: Context) -> Proposal:
    return Proposal((Step(Action.CREATE, None, case.target, _rule(case)),))


def removal(context: Context) -> Action:
    """Return the action by which this environment takes a row away."""
    return Action.REMOVE if context.policy.remove is Removal.DELETE else Action.DEACTIVATE


def _rule(case: Case) -> str:
    if case.decided:
        return "an operator chose this profile"
    return f"rule {case.wanted.rule}" if case.wanted else ""


def _move(case: Case, row: Membership) -> Step:
    return Step(Action.MOVE, row, case.target, _rule(case))


def _reactivate(case: Case, _context: Context) -> Proposal:
    rows = [row for row in case.rows if row.profile == case.target]
    step = Step(Action.REACTIVATE, _preferred(case, rows), case.target, _rule(case))
    return Proposal((step,))


def _adopt(case: Case, _context: Context) -> Proposal:
    return Proposal(adopted=case.active)


def _misplaced(case: Case, _context: Context) -> Proposal:
    return Proposal((_move(case, case.active[0]),))


def _foreign_misplaced(case: Case, context: Context) -> Proposal:
    return _foreign(case, case.active[0], context)


def _preferred(case: Case, rows: Sequence[Membership]) -> Membership:
    """Choose the linked row, else the oldest, else the lowest id."""
    return min(rows, key=lambda row: (row.id not in case.ours, row.age))


def _may_settle(case: Case, context: Context) -> bool:
    return context.policy.resolve is Resolve.AUTO or case.decided


def _foreign(case: Case, row: Membership, context: Context) -> Proposal:
    allowed = context.policy.exclusive and row.profile in context.managed
    if allowed and _may_settle(case, context):
        return Proposal((_move(case, row),))
    return NOTHING


def _duplicate(case: Case, context: Context) -> Proposal:
    """Keep one row and take its twins away, whoever made them: nothing changes for the user."""
    if not _may_settle(case, context):
        return NOTHING
    kept = _preferred(case, case.active)
    first = _kept(case, kept, context)
    return Proposal(first.steps + _twins(case, kept, case.active, context), first.adopted)


def _twins(
    case: Case, kept: Membership, rows: Sequence[Membership], context: Context
) -> tuple[Step, ...]:
    """Take all of *rows*, which bring the same profile, away but the kept one."""
    return tuple(
        Step(removal(context), row, None, "a second row with the same profile")
        for row in rows
        if row is not kept and (row.id in case.ours or row.profile in context.managed)
    )


def _kept(case: Case, kept: Membership, context: Context) -> Proposal:
    if kept.profile == case.target:
        return Proposal(adopted=() if kept.id in case.own else (kept,))
    if kept.id in case.ours:
        return Proposal((_move(case, kept),))
    return _foreign(case, kept, context)


def _surplus(case: Case, context: Context) -> Proposal:
    """Settle several profiles for one user in favour of the wanted one."""
    if not _may_settle(case, context):
        return NOTHING
    fitting = [row for row in case.active if row.profile == case.target]
    if fitting:
        winner = _preferred(case, fitting)
        first = Proposal(adopted=() if winner.id in case.own else (winner,))
    else:
        movable = [row for row in case.active if _changeable(case, row, context)]
        if not movable:
            return NOTHING
        winner = _preferred(case, movable)
        first = Proposal((_move(case, winner),))
    losers = [r for r in case.active if r is not winner and _changeable(case, r, context)]
    reason = f"{context.profile_name(case.target)} is wanted"
    removals = tuple(Step(removal(context), row, None, reason) for row in losers)
    twins = _twins(case, winner, _second(case, losers, context), context)
    return Proposal(first.steps + removals + twins, first.adopted)


def _second(case: Case, losers: Sequence[Membership], context: Context) -> list[Membership]:
    """
    Return what is left once *losers* are gone, if that is one profile only, the wanted one.

    The next run would call it a DUPLICATE and take all but one away, whoever made them. So
    this run does: a second run right after a first plans nothing.
    """
    stay = [row for row in case.active if row not in losers]
    stuck = any(row.profile in context.unresolved - {case.target} for row in losers)
    return [] if stuck or any(row.profile != case.target for row in stay) else stay


def _changeable(case: Case, row: Membership, context: Context) -> bool:
    """Tell whether the ownership mode lets us change this row: ours always, others if managed."""
    return row.id in case.ours or (context.policy.exclusive and row.profile in context.managed)


def _own_business(case: Case) -> list[Membership]:
    """Return the active rows but those that go or stay with somebody else, whom a link names."""
    return [row for row in case.active if row.id not in case.inherited]


def _with_ours(case: Case, context: Context) -> list[Membership]:
    here = [row for row in _own_business(case) if _changeable(case, row, context)]
    return here + [row for row in case.elsewhere if row.active and row.id not in case.spared]


def _removals(rows: Sequence[Membership], context: Context, reason: str) -> Proposal:
    action = removal(context)
    return Proposal(tuple(Step(action, row, None, reason) for row in rows))


def _left(case: Case, context: Context) -> Proposal:
    return _removals(_with_ours(case, context), context, "the sources say that the person left")


def _out_of_scope(case: Case, context: Context) -> Proposal:
    early = case.presence is Presence.NOT_YET
    reason = "the person has not started yet" if early else "no rule gives the person a profile"
    return _removals(_with_ours(case, context), context, reason)


def _vanished(case: Case, context: Context) -> Proposal:
    return _removals(_with_ours(case, context), context, "no source knows the person any more")


def _user_disabled(case: Case, context: Context) -> Proposal:
    ours = [row for row in case.active if row.id in case.ours]
    return _removals(ours, context, "the user is disabled")


def _unassigned(case: Case, context: Context) -> Proposal:
    if not context.policy.exclusive:
        return NOTHING
    rows = [row for row in _own_business(case) if row.profile in context.managed]
    return _removals(rows, context, "nobody should have this row")


def _husk(case: Case, context: Context) -> Proposal:
    row = case.husk
    if row is None or (not row.active and context.policy.remove is Removal.DEACTIVATE):
        return NOTHING
    if keeps(row, context.refused, ours=case.husk_ours):
        return NOTHING
    managed = row.profile is None or row.profile in context.managed
    shielded = case.protected or case.hold is not None
    if shielded or not (case.husk_ours or (context.policy.exclusive and managed)):
        return NOTHING
    lacks = "user" if row.user is None else "profile"
    return Proposal((Step(removal(context), row, None, f"the row has no {lacks}"),))


PROPOSALS: Mapping[Situation, Callable[[Case, Context], Proposal]] = {
    Situation.ABSENT: _create,
    Situation.MISSING: _create,
    Situation.INACTIVE: _reactivate,
    Situation.FOUND: _adopt,
    Situation.MISPLACED: _misplaced,
    Situation.FOREIGN_MISPLACED: _foreign_misplaced,
    Situation.DUPLICATE: _duplicate,
    Situation.SURPLUS: _surplus,
    Situation.LEFT: _left,
    Situation.OUT_OF_SCOPE: _out_of_scope,
    Situation.VANISHED: _vanished,
    Situation.USER_DISABLED: _user_disabled,
    Situation.UNASSIGNED: _unassigned,
    Situation.HUSK: _husk,
}
"""What each situation asks for; the others ask for nothing."""

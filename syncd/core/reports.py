"""What a run says about cases in which nothing, or not everything, is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncd.core.case import Case, Context, Decision, Report
from syncd.core.free import is_free, keeps
from syncd.core.ledger import Message
from syncd.core.model import Finding, Situation

__all__ = ["reports"]


ALONE = "the flag came back after syncd cleared it twice within seven days; it is left alone"


def reports(
    case: Case, decision: Decision, context: Context, *, alone: bool = False
) -> tuple[Report, ...]:
    """Name the case if its situation asks for a report, or if its flag is left *alone*."""
    tell = TELLING.get(decision.situation)
    said = [tell(case, decision, context)] if tell else []
    if case.finding is Finding.LINKED:
        said.append(case.detail)  # a link set by hand is contradicted; it stands all the same
    if alone:
        said.append(ALONE)
    return tuple([Report(decision.situation, text) for text in said if text])


def _unresolved(_case: Case, decision: Decision, context: Context) -> str:
    return f"no user answers to this person{_age(decision, context)}"


def _unlicensed(_case: Case, decision: Decision, context: Context) -> str:
    return f"the user is disabled{_age(decision, context)}; the row follows when it is enabled"


def _detail(case: Case, _decision: Decision, _context: Context) -> str:
    return case.detail


def _hold(case: Case, _decision: Decision, _context: Context) -> str:
    if case.hold is None:
        return ""
    until = f" (until {case.hold.until})" if case.hold.until else ""
    return f"{case.hold.reason}{until}"


def _age(decision: Decision, context: Context) -> str:
    since = decision.sighting.first if decision.sighting else context.today
    days = (context.today - since).days
    return f" since {since} ({days} {'day' if days == 1 else 'days'})" if days else ""


def _dispute(_case: Case, decision: Decision, context: Context) -> str:
    for conflict in decision.conflicts:
        if conflict.open and conflict.code.direct:
            names = ", ".join(context.profile_name(profile) for profile in conflict.profiles)
            return f"{conflict.code} stays open: {names}"
    return ""


def _unexplained(case: Case, decision: Decision, context: Context) -> str:
    removes = any(step.action.removes for step in decision.steps)
    if removes or decision.pending:
        return ""
    if decision.situation is Situation.HUSK:
        return "a row without a user or a profile" + _kept(case, context)
    gone = decision.situation is Situation.VANISHED
    held = case.held_rows if gone else case.active
    names = ", ".join(context.profile_name(row.profile) for row in held)
    if gone:
        return f"in no source any more; a second sighting on a later day is needed ({names})"
    return f"{_whose(case)}: {names}{_team(case, context)}"


def _whose(case: Case) -> str:
    """Say why rows that nobody asked for stay."""
    if case.person is None:
        return "nobody in the sources"
    if case.inherited.issuperset(row.id for row in case.active):
        return "not wanted, and ours by the link of somebody else"
    return "not wanted, and not ours"


def _kept(case: Case, context: Context) -> str:
    """Say why a husk stays, and who will have it."""
    row = case.husk
    if row is None or not keeps(row, context.refused, ours=case.husk_ours):
        return ""
    cause = Message.DELETE if Message.DELETE in context.refused else Message.CREATE
    next_one = ": free for the next joiner" if is_free(row, ours=case.husk_ours) else ""
    return f"; it stays{next_one}, because the environment refuses {cause} for now"


def _team(case: Case, context: Context) -> str:
    brought = [p for p in case.teams if any(row.profile == p for row in case.active)]
    if not brought:
        return ""
    return "; a team brings " + ", ".join(context.profile_name(profile) for profile in brought)


TELLING: Mapping[Situation, Callable[[Case, Decision, Context], str]] = {
    Situation.HELD: _hold,
    Situation.AMBIGUOUS: _detail,
    Situation.ALREADY_LINKED: _detail,
    Situation.UNRESOLVED_USER: _unresolved,
    Situation.UNLICENSED_USER: _unlicensed,
    Situation.FOREIGN_MISPLACED: _dispute,
    Situation.DUPLICATE: _dispute,
    Situation.SURPLUS: _dispute,
    Situation.VANISHED: _unexplained,
    Situation.UNASSIGNED: _unexplained,
    Situation.HUSK: _unexplained,
}
"""Situations that ask for a report."""

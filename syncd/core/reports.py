"""What a run says about cases in which nothing, or not everything, is done."""

from __future__ import annotations

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
    said = (
        _situation(case, decision, context),
        _by_hand(case),
        ALONE if alone else "",
    )
    return tuple(Report(decision.situation, text) for text in said if text)


def _by_hand(case: Case) -> str:
    """Say that a link set by hand is contradicted; it stands all the same."""
    return case.detail if case.finding is Finding.LINKED else ""


def _situation(case: Case, decision: Decision, context: Context) -> str:
    situation = decision.situation
    match situation:
        case Situation.HELD:
            return _hold(case)
        case Situation.AMBIGUOUS | Situation.ALREADY_LINKED:
            return case.detail
        case Situation.UNRESOLVED_USER:
            return f"no user answers to this person{_age(decision, context)}"
        case Situation.UNLICENSED_USER:
            return (
                f"the user is disabled{_age(decision, context)}; the row follows when it is enabled"
            )
        case Situation.FOREIGN_MISPLACED | Situation.DUPLICATE | Situation.SURPLUS:
            return _dispute(decision, context)
        case Situation.VANISHED | Situation.UNASSIGNED | Situation.HUSK:
            return _unexplained(case, decision, context)
        case _:
            return ""


def _hold(case: Case) -> str:
    if case.hold is None:
        return ""
    until = f" (until {case.hold.until})" if case.hold.until else ""
    return f"{case.hold.reason}{until}"


def _age(decision: Decision, context: Context) -> str:
    since = decision.sighting.first if decision.sighting else context.today
    days = (context.today - since).days
    return f" since {since} ({days} {'day' if days == 1 else 'days'})" if days else ""


def _dispute(decision: Decision, context: Context) -> str:
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
    names = ", ".join(context.profile_name(row.profile) for row in case.active)
    if decision.situation is Situation.VANISHED:
        return f"in no source any more; a second sighting on a later day is needed ({names})"
    who = "nobody in the sources" if case.person is None else "not wanted, and not ours"
    team = _team(case, context)
    return f"{who}: {names}{team}"


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

"""From a case to the name of its situation (behaviour.md section 4). The first fit decides."""

from __future__ import annotations

from syncd.core.case import Case
from syncd.core.model import Finding, Presence, Situation

__all__ = ["classify"]

UNCLEAR = {
    Finding.AMBIGUOUS: Situation.AMBIGUOUS,
    Finding.ALREADY_LINKED: Situation.ALREADY_LINKED,
}
UNWANTED = {Presence.LEFT: Situation.LEFT, Presence.GONE: Situation.VANISHED}


def classify(case: Case) -> Situation:
    """Name the situation of *case*. Knows neither time nor policy."""
    if case.husk is not None:
        return Situation.HUSK
    if case.protected:
        return Situation.PROTECTED
    if case.hold is not None:
        return Situation.HELD
    unclear = UNCLEAR.get(case.finding)
    if unclear is not None:
        return unclear
    if case.person is None:
        return Situation.UNASSIGNED
    if case.wanted is not None and case.target is None:
        return Situation.UNRESOLVED_PROFILE
    if case.user is None:
        return Situation.UNRESOLVED_USER if case.wanted else _unwanted(case)
    if case.user.disabled and case.active:
        return Situation.USER_DISABLED
    if case.user.disabled and case.wanted:
        return Situation.UNLICENSED_USER
    return _by_rows(case) if case.wanted else _unwanted(case)


def _unwanted(case: Case) -> Situation:
    if not case.held_rows:
        return Situation.UNASSIGNED if case.active else Situation.IDLE
    return UNWANTED.get(case.presence, Situation.OUT_OF_SCOPE)


def _by_rows(case: Case) -> Situation:
    active = case.active
    if not active:
        return _without_rows(case)
    if len(active) > 1:
        same = len({row.profile for row in active}) == 1
        return Situation.DUPLICATE if same else Situation.SURPLUS
    row = active[0]
    if row.profile != case.target:
        ours = row.id in case.ours
        return Situation.MISPLACED if ours else Situation.FOREIGN_MISPLACED
    if row.id not in case.own:
        return Situation.FOUND
    return Situation.FLAGGED if row.flagged else Situation.CONFIRMED


def _without_rows(case: Case) -> Situation:
    if any(row.profile == case.target for row in case.rows):
        return Situation.INACTIVE
    return Situation.MISSING if case.lost_links else Situation.ABSENT

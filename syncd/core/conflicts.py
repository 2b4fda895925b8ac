"""Where one row does not settle a user's profile, and the flags (behaviour.md section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from syncd.core.case import WINDOW, Case, Code, Conflict, Context, Step
from syncd.core.model import Action, Membership, Situation

__all__ = ["BY_ROWS", "DISPUTED", "UNTOUCHED", "clearable", "flags", "left_alone", "look", "merge"]

BY_ROWS = frozenset(
    {
        Situation.CONFIRMED,
        Situation.FOUND,
        Situation.ABSENT,
        Situation.MISSING,
        Situation.INACTIVE,
        Situation.MISPLACED,
        Situation.FOREIGN_MISPLACED,
        Situation.DUPLICATE,
        Situation.SURPLUS,
        Situation.FLAGGED,
    }
)
"""Situations of wanted people who are judged by their user's rows."""

DISPUTED = frozenset({Situation.DUPLICATE, Situation.SURPLUS, Situation.FOREIGN_MISPLACED})
UNTOUCHED = frozenset(
    {
        Situation.PROTECTED,
        Situation.HELD,
        Situation.AMBIGUOUS,
        Situation.ALREADY_LINKED,
        Situation.UNRESOLVED_PROFILE,
    }
)
"""Situations in which not even a flag is written."""

Found = tuple[Code, tuple[str, ...], tuple[str, ...]]
"""A conflict as looked for: code, profiles, rows."""


def look(
    case: Case, situation: Situation, rows: Sequence[Membership], ours: frozenset[str]
) -> list[Found]:
    """Find the conflicts in *rows*, the user's active rows now or as a plan would leave them."""
    found = _direct(rows) if len(rows) > 1 else []
    if situation in BY_ROWS and len(rows) == 1:
        row = rows[0]
        if row.id not in ours and row.profile != case.target:
            profiles = {row.profile or "", case.target or ""}
            found.append((Code.MULTI_PROFILE_WANTED, tuple(sorted(profiles)), (row.id,)))
    if case.teams or (case.user and case.user.pointer):
        found += _indirect(case, rows)
    flagged = [row for row in rows if row.flagged]
    if flagged and not found:
        profiles = {row.profile or "" for row in flagged}
        ids = tuple(row.id for row in flagged)
        found.append((Code.SERVER_FLAG_ONLY, tuple(sorted(profiles)), ids))
    return found


def _direct(rows: Sequence[Membership]) -> list[Found]:
    count = Counter(row.profile or "" for row in rows)
    found: list[Found] = [
        (Code.DUPLICATE_PAIR, (profile,), tuple(r.id for r in rows if r.profile == profile))
        for profile in sorted(count)
        if count[profile] > 1
    ]
    if len(count) > 1:
        found.append((Code.MULTI_PROFILE_DIRECT, tuple(sorted(count)), tuple(r.id for r in rows)))
    return found


def _indirect(case: Case, rows: Sequence[Membership]) -> list[Found]:
    pointer = case.user.pointer if case.user else None
    found: list[Found] = []
    direct = {row.profile or "" for row in rows}
    teams = set(case.teams)
    ids = tuple(row.id for row in rows)
    if any(one != other for one in direct for other in teams):
        found.append((Code.DIRECT_VS_TEAM, tuple(sorted(direct | teams)), ids))
    if len(teams) > 1:
        found.append((Code.MULTI_PROFILE_TEAM, tuple(sorted(teams)), ()))
    if pointer and len(rows) == 1 and rows[0].profile != pointer:
        profiles = {rows[0].profile or "", pointer}
        found.append((Code.LEGACY_POINTER, tuple(sorted(profiles)), ids))
    return found


def merge(user: str, before: Sequence[Found], after: Sequence[Found]) -> tuple[Conflict, ...]:
    """Name each conflict once; those of the second look are open."""
    if not before and not after:
        return ()
    opened = {_key(found): found for found in after}
    seen = {_key(found): found for found in before}
    return tuple(
        Conflict(key[0], user, found[1], found[2], open=key in opened)
        for key, found in {**seen, **opened}.items()
    )


def _key(found: Found) -> tuple[Code, str]:
    code, profiles, _ = found
    return code, profiles[0] if code is Code.DUPLICATE_PAIR else ""


def flags(
    case: Case,
    situation: Situation,
    context: Context,
    after: Sequence[Membership],
    ours: frozenset[str],
    found: Sequence[Found],
) -> list[Step]:
    """
    Set or clear the conflict flag on what the plan would leave.

    *after* are the active rows that remain, *ours* the ids that are ours by then, *found*
    what a look at them finds.
    """
    if situation in UNTOUCHED:
        return []
    if context.policy.flag and situation in DISPUTED and any(code.direct for code, _, _ in found):
        return [
            Step(Action.FLAG, row, row.profile, "a conflict stays open")
            for row in after
            if not row.flagged and (row.profile in context.managed or row.id in ours)
        ]
    if clearable(case, found, context, after, ours) and not _keeps_coming(case, after[0], context):
        row = after[0]
        return [Step(Action.UNFLAG, row, row.profile, "the flag is set, but nothing is at odds")]
    return []


def clearable(
    case: Case,
    found: Sequence[Found],
    context: Context,
    after: Sequence[Membership],
    ours: frozenset[str],
) -> bool:
    """Tell whether the only row left carries a flag that nothing explains and that we may clear."""
    if len(after) != 1 or not after[0].flagged:
        return False
    if any(code is not Code.SERVER_FLAG_ONLY for code, _, _ in found):
        return False
    row = after[0]
    if row.id not in ours and row.profile not in context.managed:
        return False
    by_us = row.id in case.memory.marked
    return by_us or (row.id in ours and context.policy.clear_stale_flags)


def left_alone(
    case: Case,
    situation: Situation,
    context: Context,
    after: Sequence[Membership],
    ours: frozenset[str],
    found: Sequence[Found],
) -> bool:
    """Tell whether a flag would be cleared had syncd not cleared it twice in a week already."""
    if situation in UNTOUCHED:
        return False
    clears = clearable(case, found, context, after, ours)
    return clears and _keeps_coming(case, after[0], context)


def _keeps_coming(case: Case, row: Membership, context: Context) -> bool:
    times = case.memory.cleared.get(row.id, ())
    return sum(context.now - time < WINDOW for time in times) >= 2

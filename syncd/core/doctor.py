"""All that is to be said of an environment before and while syncd works for it."""

from __future__ import annotations

from syncd.core.drift import judge_table
from syncd.core.preflight import (
    Facts,
    Observation,
    Verdict,
    Wish,
    judge_environment,
    judge_messages,
    judge_profiles,
    judge_speed,
)
from syncd.core.rights import judge_rights, unreadable

__all__ = ["judge"]


def judge(facts: Facts, wish: Wish) -> list[Observation]:
    """
    Say what was looked at and how it is, in the order in which one would mend it.

    Where the environment did not answer at all, only that is said.
    """
    found = list(judge_environment(facts))
    if facts.entry is not None:
        return found
    if facts.broken is not None:
        found.append(Observation("connection", Verdict.FAILURE, facts.broken))
    unread = unreadable(facts)
    for use in wish.uses:
        # A right that is missing is said once, below and by its name.
        reading = None if use.name in unread else facts.readable.get(use.name)
        found += judge_table(use, facts.tables.get(use.name), reading)
    found += judge_rights(facts, wish.uses)
    found += judge_messages(facts.messages)
    if facts.retention is not None:
        found.append(Observation("change tracking", Verdict.OK, _kept(facts.retention)))
    found += judge_profiles(wish.profiles, facts.profiles)
    found += judge_speed(facts, wish.lanes)
    return found


def _kept(days: int) -> str:
    return f"what changed is kept for {days} day{'' if days == 1 else 's'}"

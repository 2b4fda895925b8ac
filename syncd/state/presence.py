"""Whether somebody is there and wanted: for one person, and as SQL for all of them at once."""

from __future__ import annotations

from typing import Any

from syncd.core.model import Presence
from syncd.core.settings import Policy

__all__ = ["ANSWER", "days", "presence"]

FOREVER = 9_999_999
"""A day after every day: whoever has no last day."""
ANSWER = "LEFT JOIN answers a ON a.env = :env AND a.combo = p.combo"
"""What the rules say of a person `p`."""


def presence(row: Any, today: int, lead: int) -> Presence:
    """Say what the sources say of a person on a day, given as an ordinal."""
    if row.combo is None:
        return Presence.GONE
    if row.enabled == 0 or (row.leaves_on is not None and row.leaves_on < today):
        return Presence.LEFT
    if row.starts_on is not None and row.starts_on - lead > today:
        return Presence.NOT_YET
    return Presence.PRESENT


def days(policy: Policy) -> tuple[str, str, str]:
    """Write a person's first and last day, and whether they are wanted, of `p` and their answer."""
    first = f"COALESCE(p.starts_on - {int(policy.lead_days)}, 0)"
    last = f"CASE WHEN p.enabled = 0 THEN -1 ELSE COALESCE(p.leaves_on, {FOREVER}) END"
    present = f"{first} <= :today AND :today <= {last}"
    wanted = f"CASE WHEN a.reference IS NOT NULL AND {present} THEN 1 ELSE 0 END"
    return first, last, wanted

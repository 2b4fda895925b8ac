"""Joiners take rows that syncd emptied, where an environment refuses to delete or to create."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from syncd.core.free import is_free, pair, recycles
from syncd.core.ledger import Message
from syncd.state.bonds import MADE_OURS
from syncd.state.cases import membership
from syncd.state.database import many, rows, run

__all__ = ["reuse", "withhold"]


def reuse(tx: Connection, plan: str, env: int, refused: Collection[Message]) -> int:
    """
    Let creates of a plan take emptied rows; those that got none stay as they are.

    Such a create names the row and its version, so that it is made only while nobody else
    took the row. Returns how many rows were taken.
    """
    if not recycles(refused):
        return 0
    found = {
        row.id: row.version
        for row in rows(tx, HUSKS, env=env)
        if is_free(membership(row), ours=bool(row.ours))
    }
    if not found:
        return 0
    joiners = [(row.number, row.user_id) for row in rows(tx, CREATES, plan=plan)]
    bound = {row.user_id: row.membership for row in rows(tx, BOUND, env=env)}
    given = pair(joiners, sorted(found), bound)
    many(
        tx,
        "UPDATE changes SET membership = ?, version = ? WHERE plan = ? AND number = ?",
        [(row, found[row], plan, number) for number, row in given.items()],
    )
    return len(given)


def withhold(tx: Connection, plan: str, refused: Collection[Message]) -> int:
    """Hold the creates for which there is no emptied row, while none can be made."""
    if Message.CREATE not in refused:
        return 0
    return run(
        tx,
        "UPDATE changes SET held = 'capability' WHERE plan = :plan AND held IS NULL "
        "AND action = 'create' AND version IS NULL",
        plan=plan,
    )


HUSKS = f"""
SELECT h.*, {MADE_OURS} AS ours
FROM husks h WHERE h.env = :env AND h.user_id IS NULL ORDER BY h.id
"""
CREATES = """
SELECT number, user_id FROM changes
WHERE plan = :plan AND action = 'create' AND membership = '' ORDER BY number
"""
BOUND = """
SELECT e.user_id, e.membership FROM escrow e JOIN husks h ON h.env = e.env AND h.id = e.membership
WHERE e.env = :env AND e.action = 'create'
"""

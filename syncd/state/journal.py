"""
What was sent and how it went.

Every attempt is on record before it leaves and settled when its answer is known; the
settling, what follows from it, and its line in the audit log are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from syncd.core.model import Action, Membership
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.state import outcomes
from syncd.state.archive import COLUMNS
from syncd.state.archive import change as read_change
from syncd.state.cases import membership
from syncd.state.database import bulk, rows, run, scratch
from syncd.state.outcomes import AUDIT, DONE, WHO
from syncd.state.revisions import touch
from syncd.state.spreading import spread

__all__ = [
    "AUDIT",
    "DONE",
    "WHO",
    "beside",
    "intend",
    "note",
    "recover",
    "settle",
    "settle_unsent",
    "skipped",
]


def intend(
    tx: Connection, env: int, run_number: int, plan: str, changes: Sequence[Change], now: str
) -> None:
    """Put on record that these changes are about to leave."""
    spread(
        tx,
        "INSERT INTO journal (run, number, env, plan, intended) "
        "SELECT :run, number, :env, :plan, :now FROM numbers",
        [change.number for change in changes],
        run=run_number,
        env=env,
        plan=plan,
        now=now,
    )


def settle(
    tx: Connection,
    env: int,
    run_number: int,
    plan: str,
    settled: Sequence[tuple[Change, Outcome]],
    now: str,
) -> None:
    """Put on record how attempts went, with all that follows from it."""
    if not settled:
        return
    outcomes.gather(tx, settled)
    outcomes.record(tx, plan)
    outcomes.close(tx, run_number, now)
    outcomes.log(tx, env, run_number, plan, now)
    done = [change for change, outcome in settled if outcome.result in DONE]
    if not done:
        return
    touch(tx, f"rows:{env}", [f"plan:{plan}"])
    if any(c.action.removes or outcomes.gives(c) for c in done):
        touch(tx, f"links:{env}", [f"plan:{plan}"])
    outcomes.follow(tx, env, run_number, plan, done, now)


def note(
    tx: Connection,
    now: str,
    who: str,
    what: str,
    why: str,
    *,
    env: int | None = None,
    person: str | None = None,
    user: str | None = None,
    after: str | None = None,
    membership: str | None = None,
    before: str | None = None,
    result: str = "done",
) -> None:
    """Write a line of the audit log about something that was decided."""
    line = (now, env, None, who, what, person, user, membership, before, after, why, result)
    bulk(tx, "audit", AUDIT, [line])


# --- after a crash -----------------------------------------------------------------------------


def recover(tx: Connection, env: int, now: str) -> int:
    """
    Settle attempts whose answer never arrived, by what the target shows now.

    Call it after the rows were read. Returns how many there were.
    """
    open_ones = rows(
        tx,
        f"SELECT {COLUMNS}, j.run AS attempt, c.plan FROM journal j "
        "JOIN changes c ON c.plan = j.plan AND c.number = j.number "
        "WHERE j.env = :env AND j.settled IS NULL ORDER BY j.run, c.plan, j.number",
        env=env,
    )
    if not open_ones:
        return 0
    shown = _shown(tx, env, [row.membership for row in open_ones])
    for (attempt, plan), found in groupby(open_ones, key=attrgetter("attempt", "plan")):
        changes = [read_change(row) for row in found]
        settled = [(change, _as_shown(change, shown.get(change.membership))) for change in changes]
        settle(tx, env, attempt, plan, settled, now)
    run(
        tx,
        "UPDATE runs SET finished = :now, exit_code = COALESCE(exit_code, 2) "
        "WHERE env = :env AND finished IS NULL "
        "AND id IN (SELECT run FROM journal WHERE env = :env)",
        env=env,
        now=now,
    )
    return len(open_ones)


def _shown(tx: Connection, env: int, ids: Sequence[str]) -> Mapping[str, Membership]:
    scratch(tx, "wanted_rows", "id TEXT PRIMARY KEY")
    bulk(tx, "wanted_rows", ("id",), ((ident,) for ident in set(ids)))
    return {
        row.id: membership(row)
        for table in ("memberships", "husks")
        for row in rows(
            tx,
            f"SELECT m.* FROM {table} m CROSS JOIN wanted_rows w "
            "WHERE m.env = :env AND m.id = w.id",
            env=env,
        )
    }


def beside(
    tx: Connection, env: int, changes: Sequence[Change]
) -> list[tuple[Change, tuple[Change, Membership | None]]]:
    """Put beside each change the row it is about, as it was read."""
    shown = _shown(tx, env, [change.membership for change in changes]) if changes else {}
    return [(change, (change, shown.get(change.membership))) for change in changes]


def skipped(pair: tuple[Change, Membership | None]) -> tuple[Result, str]:
    """Say of a change that is no longer planned whether it has happened anyway."""
    if fulfilled(*pair):
        return Result.ALREADY, "the row is so already"
    return Result.MOVED, "no longer fits what is there and what is wanted"


def settle_unsent(
    tx: Connection,
    env: int,
    run_number: int,
    plan: str,
    settled: Sequence[tuple[Change, Outcome]],
    now: str,
) -> None:
    """Put on record changes that were shown but not sent."""
    outcomes.gather(tx, settled)
    outcomes.record(tx, plan)
    outcomes.log(tx, env, run_number, plan, now)


def _as_shown(change: Change, row: Membership | None) -> Outcome:
    """Tell from the row whether a change that was sent has been done."""
    emptied = change.action is Action.REMOVE and row is not None and row.user is None
    if fulfilled(change, row) or (emptied and change.user is not None):
        return Outcome(change.number, Result.APPLIED, "found done after an interruption")
    detail = "interrupted before it was done"
    return Outcome(change.number, Result.FAILED, detail, Fault.TRANSIENT)


def fulfilled(change: Change, row: Membership | None) -> bool:
    """Tell whether a row is as a change would have it."""
    if change.action is Action.REMOVE:
        return row is None
    if row is None or row.user != change.user:
        return False
    match change.action:
        case Action.DEACTIVATE:
            return not row.active
        case Action.FLAG:
            return row.flagged
        case Action.UNFLAG:
            return not row.flagged
        case _:
            return row.active and row.profile == change.after

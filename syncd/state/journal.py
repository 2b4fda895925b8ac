"""
What was sent and how it went.

Every attempt is on record before it leaves and settled when its answer is known; the
settling, what follows from it, and its line in the audit log are one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from syncd.core.model import Action, Membership, Origin
from syncd.core.plan import Change, Fault, Outcome, Result
from syncd.state.archive import change as read_change
from syncd.state.cases import membership
from syncd.state.database import bulk, many, rows, run, scratch, upsert
from syncd.state.memory import LINK
from syncd.state.revisions import touch

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

DONE = (Result.APPLIED, Result.ALREADY)
ORIGINS = {
    Action.CREATE: Origin.CREATED,
    Action.MOVE: Origin.MOVED,
    Action.REACTIVATE: Origin.REACTIVATED,
}
LOSING = frozenset({"LEFT", "OUT_OF_SCOPE", "VANISHED", "USER_DISABLED", "UNASSIGNED"})
AUDIT = (
    "at",
    "env",
    "run",
    "who",
    "what",
    "person",
    "user_id",
    "membership",
    "before",
    "after",
    "why",
    "result",
)
WHO = "syncd"


def intend(
    tx: Connection, env: int, run_number: int, plan: str, changes: Sequence[Change], now: str
) -> None:
    """Put on record that these changes are about to leave."""
    bulk(
        tx,
        "journal",
        ("run", "number", "env", "plan", "intended"),
        ((run_number, change.number, env, plan, now) for change in changes),
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
    many(
        tx,
        "UPDATE changes SET result = ?, detail = ? WHERE plan = ? AND number = ?",
        [(str(o.result), o.detail or None, plan, c.number) for c, o in settled],
    )
    many(
        tx,
        "UPDATE journal SET settled = ?, result = ? WHERE run = ? AND number = ?",
        [(now, str(o.result), run_number, c.number) for c, o in settled],
    )
    bulk(tx, "audit", AUDIT, [_line(env, run_number, c, o, now) for c, o in settled])
    done = [change for change, outcome in settled if outcome.result in DONE]
    if done:
        _remember(tx, env, run_number, plan, done, now)
        touch(tx, f"rows:{env}")
        _observe(tx, env, done)


def _line(env: int, run_number: int, c: Change, o: Outcome, now: str) -> Sequence[object]:
    result = f"{o.result}: {o.detail}" if o.detail else str(o.result)
    why = f"{c.situation}: {c.reason}"
    return (
        now, env, run_number, WHO, str(c.action), c.person, c.user, c.membership, c.before, c.after,
        why, result,
    )  # fmt: skip


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


def _remember(
    tx: Connection, env: int, run_number: int, plan: str, done: Sequence[Change], now: str
) -> None:
    """Write the links, flags and losses that follow from what was done."""
    given = [c for c in done if c.action in ORIGINS and c.user and c.person]
    taken = [c for c in done if c.action.removes]
    if given or taken:
        touch(tx, f"links:{env}")
    rungs = _rungs(tx, plan, given)
    upsert(
        tx,
        "links",
        (*LINK, "ended", "why"),
        ("env", "user_id", "membership"),
        [
            (
                env, c.user, c.membership, c.person, rungs.get(c.number) or "hand",
                str(ORIGINS[c.action]), c.after, run_number, now, None, None,
            )
            for c in given
        ],
    )  # fmt: skip
    many(
        tx,
        "UPDATE links SET ended = ?, why = ? "
        "WHERE env = ? AND user_id = ? AND membership = ? AND ended IS NULL",
        [(now, "syncd took the row away", env, c.user, c.membership) for c in taken if c.user],
    )
    lost = {c.person for c in taken if c.person and c.situation in LOSING}
    bulk(tx, "losses", ("env", "person", "at"), [(env, person, now) for person in sorted(lost)])
    bulk(
        tx,
        "flags",
        ("env", "membership", "action", "at"),
        [
            (env, c.membership, str(c.action), now)
            for c in done
            if c.action in (Action.FLAG, Action.UNFLAG)
        ],
    )


def _rungs(tx: Connection, plan: str, changes: Sequence[Change]) -> dict[int, str]:
    if not changes:
        return {}
    first, last = changes[0].number, changes[0].number
    for change in changes:
        first, last = min(first, change.number), max(last, change.number)
    found = rows(
        tx,
        "SELECT number, rung FROM changes WHERE plan = :plan AND number BETWEEN :first AND :last",
        plan=plan,
        first=first,
        last=last,
    )
    return {row.number: row.rung for row in found}


def _observe(tx: Connection, env: int, done: Sequence[Change]) -> None:
    """Keep the picture of the target up to date; without a version, so that it is read again."""
    made = [c for c in done if c.action is Action.CREATE]
    upsert(
        tx,
        "memberships",
        ("env", "user_id", "id", "version", "profile", "active", "flagged", "created_on"),
        ("env", "user_id", "id"),
        [(env, c.user, c.membership, "", c.after, 1, 0, "9999") for c in made],
    )
    where = "WHERE env = ? AND user_id = ? AND id = ?"
    sets = {
        Action.MOVE: "profile = ?",
        Action.REACTIVATE: "profile = ?, active = 1",
        Action.DEACTIVATE: "active = 0",
        Action.FLAG: "flagged = 1",
        Action.UNFLAG: "flagged = 0",
    }
    for action, what in sets.items():
        values = [(env, c.user, c.membership) for c in done if c.action is action]
        if "?" in what:
            values = [(c.after, env, c.user, c.membership) for c in done if c.action is action]  # type: ignore[misc]  # one more value
        many(tx, f"UPDATE memberships SET {what}, version = '' {where}", values)
    gone = [c for c in done if c.action is Action.REMOVE]
    many(tx, f"DELETE FROM memberships {where}", [(env, c.user, c.membership) for c in gone])
    husks = [(env, c.membership) for c in done if c.action.removes and c.situation == "HUSK"]
    husks += [(env, c.membership) for c in made if c.version is not None]  # emptied rows, taken
    many(tx, "DELETE FROM husks WHERE env = ? AND id = ?", husks)


# --- after a crash -----------------------------------------------------------------------------


def recover(tx: Connection, env: int, now: str) -> int:
    """
    Settle attempts whose answer never arrived, by what the target shows now.

    Call it after the rows were read. Returns how many there were.
    """
    open_ones = rows(
        tx,
        "SELECT j.run AS attempt, c.* FROM journal j "
        "JOIN changes c ON c.plan = j.plan AND c.number = j.number "
        "WHERE j.env = :env AND j.settled IS NULL ORDER BY j.run, j.number",
        env=env,
    )
    if not open_ones:
        return 0
    shown = _shown(tx, env, [row.membership for row in open_ones])
    for row in open_ones:
        change = read_change(row)
        outcome = _as_shown(change, shown.get(change.membership))
        settle(tx, env, row.attempt, row.plan, [(change, outcome)], now)
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
    many(
        tx,
        "UPDATE changes SET result = ?, detail = ? WHERE plan = ? AND number = ?",
        [(str(o.result), o.detail, plan, c.number) for c, o in settled],
    )
    bulk(tx, "audit", AUDIT, [_line(env, run_number, c, o, now) for c, o in settled])


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

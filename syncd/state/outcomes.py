"""
What is written about changes that were answered.

The answers are set aside in a temporary table, so that what is as long as the plan itself
takes one statement for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncd.core.model import Action, Origin
from syncd.core.plan import Change, Outcome, Result
from syncd.state.database import bulk, many
from syncd.state.memory import LINK
from syncd.state.spreading import spread

__all__ = ["AUDIT", "DONE", "WHO", "close", "follow", "gather", "gives", "log", "record"]

DONE = (Result.APPLIED, Result.ALREADY)
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
ORIGINS = {
    Action.CREATE: Origin.CREATED,
    Action.MOVE: Origin.MOVED,
    Action.REACTIVATE: Origin.REACTIVATED,
}
LOSING = frozenset({"LEFT", "OUT_OF_SCOPE", "VANISHED", "USER_DISABLED", "UNASSIGNED"})
SETS = {
    Action.MOVE: "profile = ?",
    Action.REACTIVATE: "profile = ?, active = 1",
    Action.DEACTIVATE: "active = 0",
    Action.FLAG: "flagged = 1",
    Action.UNFLAG: "flagged = 0",
}
"""What a change makes of the picture of its row; one mark for the profile it gives."""

THESE = "plan = ? AND number IN (SELECT number FROM answered"
"""The changes that were gathered. No join: SQLite would go through the whole plan for one."""
ANSWER = "(SELECT {} FROM answered a WHERE a.number = {}.number)"
ORIGIN = " ".join(f"WHEN '{action}' THEN '{origin}'" for action, origin in ORIGINS.items())
SEEN = ("env", "user_id", "id", "version", "profile", "active", "flagged", "created_on")


def gather(tx: Connection, settled: Sequence[tuple[Change, Outcome]]) -> None:
    """Set answers aside for the other functions."""
    columns = "number INTEGER PRIMARY KEY, result TEXT, detail TEXT, given INTEGER"
    tx.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS answered ({columns})")
    word = "DELETE FROM" if tx.dialect.name == "sqlite" else "TRUNCATE"
    tx.exec_driver_sql(f"{word} answered")
    given = {
        change.membership: change.number
        for change, outcome in settled
        if outcome.result in DONE and gives(change)
    }
    last = set(given.values())  # one statement cannot write a row twice
    alike: dict[tuple[Result, str, bool], list[int]] = {}
    for _, (number, result, detail, _) in settled:
        alike.setdefault((result, detail, number in last), []).append(number)
    for (result, detail, giving), numbers in alike.items():
        spread(
            tx,
            "INSERT INTO answered (number, result, detail, given) "
            "SELECT number, :result, :detail, :given FROM numbers",
            numbers,
            result=str(result),
            detail=detail or None,
            given=int(giving),
        )


def gives(change: Change) -> bool:
    """Whether a row is its person's by this change."""
    return change.action in ORIGINS and bool(change.user and change.person)


def record(tx: Connection, plan: str) -> None:
    """Let the plan say how its changes ended."""
    found = ANSWER.format("a.result, a.detail", "changes")
    many(tx, f"UPDATE changes SET (result, detail) = {found} WHERE {THESE})", [(plan,)])


def close(tx: Connection, run_number: int, now: str) -> None:
    """Settle the entries of the journal."""
    sql = f"UPDATE journal SET settled = ?, result = {ANSWER.format('a.result', 'journal')} "
    where = "WHERE run = ? AND number IN (SELECT number FROM answered)"
    many(tx, sql + where, [(now, run_number)])


def log(tx: Connection, env: int, run_number: int, plan: str, now: str) -> None:
    """Write what was recorded into the audit log."""
    many(
        tx,
        f"INSERT INTO audit ({', '.join(AUDIT)}) "
        f"SELECT ?, ?, ?, '{WHO}', action, person, user_id, membership, before, after, "
        "situation || ': ' || reason, "
        "CASE WHEN detail IS NULL THEN result ELSE result || ': ' || detail END "
        f"FROM changes WHERE {THESE}) ORDER BY number",
        [(now, env, run_number, plan)],
    )


def follow(
    tx: Connection, env: int, run_number: int, plan: str, done: Sequence[Change], now: str
) -> None:
    """Write the links, flags and losses that follow from what was *done*, and what rows are now."""
    if any(gives(change) for change in done):
        _link(tx, env, run_number, plan, now)
    taken = [c for c in done if c.action.removes]
    many(
        tx,
        "UPDATE links SET ended = ?, why = ? "
        "WHERE env = ? AND user_id = ? AND membership = ? AND ended IS NULL",
        [(now, "syncd took the row away", env, c.user, c.membership) for c in taken if c.user],
    )
    lost = {c.person for c in taken if c.person and c.situation in LOSING}
    bulk(tx, "losses", ("env", "person", "at"), [(env, person, now) for person in sorted(lost)])
    flags = [c for c in done if c.action in (Action.FLAG, Action.UNFLAG)]
    bulk(
        tx,
        "flags",
        ("env", "membership", "action", "at"),
        [(env, c.membership, str(c.action), now) for c in flags],
    )
    _observe(tx, env, plan, done)


def _link(tx: Connection, env: int, run_number: int, plan: str, now: str) -> None:
    names = (*LINK, "ended", "why")
    sets = ", ".join(f"{name} = excluded.{name}" for name in names[3:])
    many(
        tx,
        f"INSERT INTO links ({', '.join(names)}) "
        "SELECT ?, user_id, membership, person, COALESCE(rung, 'hand'), "
        f"CASE action {ORIGIN} END, after, ?, ?, NULL, NULL "
        f"FROM changes WHERE {THESE} WHERE given = 1) "
        f"ON CONFLICT (env, user_id, membership) DO UPDATE SET {sets}",
        [(env, run_number, now, plan)],
    )


def _observe(tx: Connection, env: int, plan: str, done: Sequence[Change]) -> None:
    """Keep the picture of the target up to date; without a version, so that it is read again."""
    made = [c for c in done if c.action is Action.CREATE]
    if made:
        sets = ", ".join(f"{name} = excluded.{name}" for name in SEEN[3:])
        many(
            tx,
            f"INSERT INTO memberships ({', '.join(SEEN)}) "
            f"SELECT ?, user_id, membership, '', after, 1, 0, '9999' FROM changes WHERE {THESE}) "
            f"AND action = '{Action.CREATE}' AND result IN ('{DONE[0]}', '{DONE[1]}') "
            f"ON CONFLICT (env, user_id, id) DO UPDATE SET {sets}",
            [(env, plan)],
        )
    where = "WHERE env = ? AND user_id = ? AND id = ?"
    for action, what in SETS.items():
        values = [(env, c.user, c.membership) for c in done if c.action is action]
        if "?" in what:
            values = [(c.after, env, c.user, c.membership) for c in done if c.action is action]  # type: ignore[misc]  # one more value
        many(tx, f"UPDATE memberships SET {what}, version = '' {where}", values)
    gone = [c for c in done if c.action is Action.REMOVE]
    many(tx, f"DELETE FROM memberships {where}", [(env, c.user, c.membership) for c in gone])
    husks = [(env, c.membership) for c in done if c.action.removes and c.situation == "HUSK"]
    husks += [(env, c.membership) for c in made if c.version is not None]  # emptied rows, taken
    many(tx, "DELETE FROM husks WHERE env = ? AND id = ?", husks)

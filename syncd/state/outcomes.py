"""
What is written about changes that were answered.

Nearly all answers are alike, and what follows from them stands in the plan already. So
answers are told by stretches: numbers of the plan from a first to a last one, without a gap.
A stretch takes one statement, however long it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from syncd.core.model import Action, Origin
from syncd.core.plan import Change, Outcome, Result
from syncd.state.database import bulk, many
from syncd.state.memory import LINK

__all__ = [
    "AUDIT",
    "DONE",
    "FLAGS",
    "WHO",
    "Answers",
    "alike",
    "close",
    "follow",
    "log",
    "record",
    "stretches",
]

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
REMOVING = (Action.REMOVE, Action.DEACTIVATE)
FLAGS = (Action.FLAG, Action.UNFLAG)
TAKING = (Action.CREATE,)
"""An emptied row is not made, it is taken."""
LOSING = frozenset({"LEFT", "OUT_OF_SCOPE", "VANISHED", "USER_DISABLED", "UNASSIGNED"})
SETS = {
    Action.MOVE: "profile = c.after",
    Action.REACTIVATE: "profile = c.after, active = 1",
    Action.DEACTIVATE: "active = 0",
    Action.FLAG: "flagged = 1",
    Action.UNFLAG: "flagged = 0",
}
"""What a change makes of the picture of its row."""
SEEN = ("env", "user_id", "id", "version", "profile", "active", "flagged", "created_on")

Answers = Sequence[tuple[Change, Outcome]]
Stretch = tuple[int, int]
"""First and last number."""
Ended = tuple[str, str | None, int, int]
"""Result, detail, first and last number."""


def _listed(names: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in names) + ")"


THESE = "c.plan = ? AND c.number BETWEEN ? AND ?"
WELL = f"{THESE} AND c.result IN {_listed(DONE)}"
GIVEN = f"{WELL} AND c.action IN {_listed(ORIGINS)} AND c.user_id <> '' AND c.person <> ''"
"""By such a change a row is its person's."""
ORIGIN = " ".join(f"WHEN '{action}' THEN '{origin}'" for action, origin in ORIGINS.items())


def stretches(numbers: Iterable[int]) -> list[Stretch]:
    """Cut different numbers into stretches, in their order."""
    found: list[Stretch] = []
    first = last = -1
    for number in sorted(numbers):
        if number != last + 1 or first < 0:
            if first >= 0:
                found.append((first, last))
            first = number
        last = number
    return [*found, (first, last)] if first >= 0 else found


def alike(settled: Answers) -> list[Ended]:
    """Cut what was answered into stretches that ended the same way."""
    found: list[Ended] = []
    first = last = -1
    result, detail = Result.APPLIED, ""
    for number, how, said, _ in sorted(outcome for _, outcome in settled):
        if number != last + 1 or how is not result or said != detail:
            if first >= 0:
                found.append((str(result), detail or None, first, last))
            first, result, detail = number, how, said
        last = number
    return [*found, (str(result), detail or None, first, last)] if first >= 0 else found


def record(tx: Connection, plan: str, ended: Sequence[Ended]) -> None:
    """Let the plan say how its changes ended."""
    sql = "UPDATE changes SET result = ?, detail = ? WHERE plan = ? AND number BETWEEN ? AND ?"
    many(tx, sql, [(result, detail, plan, first, last) for result, detail, first, last in ended])


def close(tx: Connection, run_number: int, ended: Sequence[Ended], now: str) -> None:
    """Settle the entries of the journal."""
    sql = "UPDATE journal SET settled = ?, result = ? WHERE run = ? AND number BETWEEN ? AND ?"
    many(tx, sql, [(now, result, run_number, first, last) for result, _, first, last in ended])


def log(
    tx: Connection, env: int, run_number: int, plan: str, these: Sequence[Stretch], now: str
) -> None:
    """Write what was recorded into the audit log."""
    many(
        tx,
        f"INSERT INTO audit ({', '.join(AUDIT)}) "
        f"SELECT ?, ?, ?, '{WHO}', action, person, user_id, membership, before, after, "
        "situation || ': ' || reason, "
        "CASE WHEN detail IS NULL THEN result ELSE result || ': ' || detail END "
        f"FROM changes c WHERE {THESE} ORDER BY number",
        [(now, env, run_number, plan, *stretch) for stretch in these],
    )


def follow(
    tx: Connection,
    env: int,
    run_number: int,
    plan: str,
    done: Sequence[Change],
    these: Sequence[Stretch],
    now: str,
) -> None:
    """
    Write the links, flags and losses that follow from what was *done*, and what rows are now.

    *these* stretches have what was done and no change that was not answered.
    """
    actions = {change.action for change in done}
    if not actions.isdisjoint(ORIGINS):
        _link(tx, env, run_number, plan, _last_of_each_row(done, these), now)
    if not actions.isdisjoint(REMOVING):
        _unlink(tx, env, plan, these, now)
        taken = [c for c in done if c.action in REMOVING and c.situation in LOSING]
        lost = sorted({c.person for c in taken if c.person})
        bulk(tx, "losses", ("env", "person", "at"), [(env, person, now) for person in lost])
    if not actions.isdisjoint(FLAGS):
        many(
            tx,
            "INSERT INTO flags (env, membership, action, at) "
            f"SELECT ?, membership, action, ? FROM changes c WHERE {WELL} "
            f"AND c.action IN {_listed(FLAGS)} ORDER BY number",
            [(env, now, plan, *stretch) for stretch in these],
        )
    _observe(tx, env, plan, actions, these)


def _last_of_each_row(done: Sequence[Change], these: Sequence[Stretch]) -> Sequence[Stretch]:
    """Leave out changes after which their row was given once more: it is written only once."""
    giving = [change for change in done if change.action in ORIGINS]
    last = {change.membership: change.number for change in giving}
    if len(last) == len(giving):
        return these
    overtaken = {change.number for change in giving}.difference(last.values())
    numbers = (n for first, end in these for n in range(first, end + 1) if n not in overtaken)
    return stretches(numbers)


def _link(
    tx: Connection, env: int, run_number: int, plan: str, these: Sequence[Stretch], now: str
) -> None:
    """
    Let rows be their persons'.

    The person is written to a link only where it is another: most links are there already,
    and would move within the index of persons for nothing.
    """
    names = (*LINK, "ended", "why")
    sets = ", ".join(f"{name} = excluded.{name}" for name in names[4:])
    many(
        tx,
        f"INSERT INTO links ({', '.join(names)}) "
        "SELECT ?, user_id, membership, person, COALESCE(rung, 'hand'), "
        f"CASE action {ORIGIN} END, after, ?, ?, NULL, NULL FROM changes c WHERE {GIVEN} "
        f"ON CONFLICT (env, user_id, membership) DO UPDATE SET {sets}",
        [(env, run_number, now, plan, *stretch) for stretch in these],
    )
    many(
        tx,
        f"UPDATE links AS l SET person = c.person FROM changes c WHERE {GIVEN} "
        "AND l.env = ? AND l.user_id = c.user_id AND l.membership = c.membership "
        "AND l.person <> c.person",
        [(plan, *stretch, env) for stretch in these],
    )


def _unlink(tx: Connection, env: int, plan: str, these: Sequence[Stretch], now: str) -> None:
    many(
        tx,
        "UPDATE links AS l SET ended = ?, why = 'syncd took the row away' FROM changes c "
        f"WHERE {WELL} AND c.action IN {_listed(REMOVING)} AND l.env = ? "
        "AND l.user_id = c.user_id AND l.membership = c.membership AND l.ended IS NULL",
        [(now, plan, *stretch, env) for stretch in these],
    )


def _observe(
    tx: Connection, env: int, plan: str, actions: set[Action], these: Sequence[Stretch]
) -> None:
    """Keep the picture of the target up to date; without a version, so that it is read again."""
    if Action.CREATE in actions:
        sets = ", ".join(f"{name} = excluded.{name}" for name in SEEN[3:])
        many(
            tx,
            f"INSERT INTO memberships ({', '.join(SEEN)}) "
            f"SELECT ?, user_id, membership, '', after, 1, 0, '9999' FROM changes c WHERE {WELL} "
            f"AND action = '{Action.CREATE}' ON CONFLICT (env, user_id, id) DO UPDATE SET {sets}",
            [(env, plan, *stretch) for stretch in these],
        )
    for action, what in SETS.items():
        if action in actions:
            many(
                tx,
                f"UPDATE memberships AS m SET {what}, version = '' FROM changes c WHERE {WELL} "
                f"AND c.action = '{action}' AND m.env = ? AND m.user_id = c.user_id "
                "AND m.id = c.membership",
                [(plan, *stretch, env) for stretch in these],
            )
    chosen = f"FROM changes c WHERE {WELL} AND c.action"
    values = [(env, plan, *stretch) for stretch in these]
    if Action.REMOVE in actions:
        rows = f"SELECT c.user_id, c.membership {chosen} = '{Action.REMOVE}'"
        many(tx, f"DELETE FROM memberships WHERE env = ? AND (user_id, id) IN ({rows})", values)
    # Of rows without a user: those that were removed, and those that somebody got.
    for which, more in ((REMOVING, "c.situation = 'HUSK'"), (TAKING, "c.version IS NOT NULL")):
        if not actions.isdisjoint(which):
            rows = f"SELECT c.membership {chosen} IN {_listed(which)} AND {more}"
            many(tx, f"DELETE FROM husks WHERE env = ? AND id IN ({rows})", values)

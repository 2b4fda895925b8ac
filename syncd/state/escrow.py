"""Changes that failed wait here for their next try, by row (behaviour.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncd.core.failures import cause, expired, kept, next_due
from syncd.core.model import Action, iso
from syncd.core.plan import Change, Outcome, Result
from syncd.core.settings import Failures
from syncd.state.database import bulk, many, one, rows, run
from syncd.state.journal import AUDIT, WHO

__all__ = ["Entry", "cancel", "discard", "entries", "hold", "review", "settle", "tallies"]

ENTRY = (
    "env",
    "membership",
    "action",
    "person",
    "user_id",
    "user_name",
    "after",
    "situation",
    "cause",
    "detail",
    "tries",
    "first",
    "last",
    "due",
    "dead",
)
SAME = "membership, action, COALESCE(after, '')"
"""A change is the one that failed if it does the same to the same row."""
REMOVING = f"('{Action.REMOVE}', '{Action.DEACTIVATE}')"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that failed. Moments are ISO texts; `after` is a profile's id."""

    membership: str
    action: str
    person: str | None
    user: str | None
    user_name: str | None
    after: str | None
    situation: str
    cause: str
    detail: str
    tries: int
    first: str
    last: str
    due: str
    dead: str | None
    discarded: str | None

    @property
    def state(self) -> str:
        """Whether it waits for its next try, is dead, or was discarded by a person."""
        if self.discarded:
            return "discarded"
        return "dead" if self.dead else "waiting"


# --- a run ----------------------------------------------------------------------------------------


def review(
    tx: Connection, env: int, plan: str, now: datetime, settings: Failures, *, certified: bool
) -> None:
    """
    Forget failures of changes that are not planned any more, and give up those too old.

    What is planned otherwise for a row is not what failed. While a source is not believed
    no removal is planned, which does not call it off.
    """
    if not _any(tx, env):
        return
    off = "" if certified else f"AND action NOT IN {REMOVING} "
    run(
        tx,
        f"DELETE FROM escrow WHERE env = :env {off}AND ({SAME}) NOT IN "
        f"(SELECT {SAME} FROM changes WHERE plan = :plan)",
        env=env,
        plan=plan,
    )
    old = [
        entry
        for entry in entries(tx, env)
        if entry.state == "waiting" and expired(now, _moment(entry.first), entry.tries, settings)
    ]
    _bury(tx, env, old, iso(now))


def hold(tx: Connection, env: int, plan: str, now: datetime) -> int:
    """Hold the changes of a plan that wait for their next try, or are given up."""
    if not _any(tx, env):
        return 0
    return run(
        tx,
        f"UPDATE changes SET held = 'escrow' WHERE plan = :plan AND held IS NULL AND ({SAME}) IN "
        f"(SELECT {SAME} FROM escrow WHERE env = :env "
        "AND (due > :now OR dead IS NOT NULL OR discarded IS NOT NULL))",
        plan=plan, env=env, now=iso(now),
    )  # fmt: skip


def settle(
    tx: Connection,
    env: int,
    settled: Sequence[tuple[Change, Outcome]],
    now: datetime,
    settings: Failures,
    run_number: int,
) -> None:
    """Keep what rows refused for another try; forget what is done or no longer fits."""
    failed = kept(settled)
    if not failed and not _any(tx, env):
        return
    over = [c for c, o in settled if o.result is not Result.FAILED]
    many(
        tx,
        "DELETE FROM escrow WHERE env = ? AND membership = ? AND action = ?",
        [(env, c.membership, str(c.action)) for c in over],
    )
    before = {entry.membership: entry for entry in _about(tx, env, [c for c, _ in failed])}
    made = [_entry(c, o, before.get(c.membership), now, settings) for c, o in failed]
    many(
        tx,
        "DELETE FROM escrow WHERE env = ? AND membership = ?",
        [(env, entry.membership) for entry in made],
    )
    bulk(tx, "escrow", ENTRY, [_row(env, entry) for entry in made])
    _note(tx, env, [entry for entry in made if entry.dead], iso(now), run_number)


def _entry(
    change: Change, outcome: Outcome, before: Entry | None, now: datetime, settings: Failures
) -> Entry:
    """Make the entry of a change that failed; the same change may have failed before."""
    again = before if before and _same(before, change) else None
    tries = again.tries + 1 if again else 1
    first = again.first if again else iso(now)
    return Entry(
        membership=change.membership,
        action=str(change.action),
        person=change.person,
        user=change.user,
        user_name=change.user_name,
        after=change.after,
        situation=str(change.situation),
        cause=cause(outcome.detail),
        detail=outcome.detail,
        tries=tries,
        first=first,
        last=iso(now),
        due=iso(next_due(now, tries, settings)),
        dead=iso(now) if expired(now, _moment(first), tries, settings) else None,
        discarded=None,
    )


def _same(entry: Entry, change: Change) -> bool:
    return (entry.action, entry.after) == (str(change.action), change.after)


def _row(env: int, entry: Entry) -> Sequence[object]:
    return (
        env, entry.membership, entry.action, entry.person, entry.user, entry.user_name,
        entry.after, entry.situation, entry.cause, entry.detail, entry.tries, entry.first,
        entry.last, entry.due, entry.dead,
    )  # fmt: skip


def _bury(tx: Connection, env: int, old: Sequence[Entry], now: str) -> None:
    many(
        tx,
        "UPDATE escrow SET dead = ? WHERE env = ? AND membership = ?",
        [(now, env, entry.membership) for entry in old],
    )
    _note(tx, env, old, now, None)


def _note(
    tx: Connection, env: int, dead: Sequence[Entry], now: str, run_number: int | None
) -> None:
    """Say in the audit log of changes that nobody tries any more."""
    bulk(
        tx,
        "audit",
        AUDIT,
        [
            (
                now, env, run_number, WHO, "dead letter", entry.person, entry.user,
                entry.membership, None, entry.after,
                f"{entry.situation}: {entry.action} failed since {entry.first}, "
                f"{entry.tries} times, at last: {entry.detail}",
                "given up",
            )
            for entry in dead
        ],
    )  # fmt: skip


# --- people who look after it -----------------------------------------------------------------


def entries(tx: Connection, env: int, membership: str | None = None) -> list[Entry]:
    """Return what failed and waits or was given up, the oldest first; of one row if it is named."""
    where = "" if membership is None else "AND substr(membership, 1, :length) = :membership "
    values = {} if membership is None else {"membership": membership, "length": len(membership)}
    sql = f"SELECT * FROM escrow WHERE env = :env {where}ORDER BY first, membership"
    return [_read(row) for row in rows(tx, sql, env=env, **values)]


def cancel(tx: Connection, env: int, chosen: Sequence[Entry]) -> None:
    """Forget that changes failed: the next run sends them as if for the first time."""
    many(
        tx,
        "DELETE FROM escrow WHERE env = ? AND membership = ?",
        [(env, entry.membership) for entry in chosen],
    )


def discard(tx: Connection, env: int, chosen: Sequence[Entry], now: str) -> None:
    """Leave changes alone for as long as the same is planned for their rows."""
    many(
        tx,
        "UPDATE escrow SET discarded = ? WHERE env = ? AND membership = ?",
        [(now, env, entry.membership) for entry in chosen],
    )


def tallies(tx: Connection, env: int) -> dict[str, int]:
    """Count what waits, what is dead, and what was discarded."""
    found = rows(
        tx,
        "SELECT CASE WHEN discarded IS NOT NULL THEN 'discarded' WHEN dead IS NOT NULL THEN 'dead' "
        "ELSE 'waiting' END AS state, count(*) AS number FROM escrow WHERE env = :env GROUP BY 1",
        env=env,
    )
    return {row.state: row.number for row in found}


# --- parts ------------------------------------------------------------------------------------


def _any(tx: Connection, env: int) -> bool:
    return one(tx, "SELECT 1 FROM escrow WHERE env = :env LIMIT 1", env=env) is not None


def _about(tx: Connection, env: int, changes: Sequence[Change]) -> Iterator[Entry]:
    sql = "SELECT * FROM escrow WHERE env = :env AND membership = :membership"
    for change in changes:
        for row in rows(tx, sql, env=env, membership=change.membership):
            yield _read(row)


def _read(row: Any) -> Entry:
    return Entry(*tuple(row)[1:])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

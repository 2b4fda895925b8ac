"""
What somebody must know about an environment: from the tables, and what receivers were told.

A receiver's own state (when it got messages, when to try again) stands in `meta`, by its
key, because it is about no environment.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncd.core.case import Code
from syncd.core.certificate import Certificate
from syncd.core.conditions import (
    Condition,
    Entry,
    Event,
    Facts,
    Matter,
    Quarantine,
    Told,
    digest,
    matters,
)
from syncd.core.gates import Gate
from syncd.core.model import iso
from syncd.core.telling import Post, read_matter, read_post, read_told, write
from syncd.state import archive
from syncd.state.database import one, rows, run
from syncd.state.revisions import recall, remember

__all__ = ["conditions", "facts", "lock", "look", "note_post", "note_told", "post"]

KEPT = timedelta(days=7)
"""How long a condition that ended is kept: so long somebody may have to be told of its end."""
UNDECIDED = frozenset(Code) - {Code.SERVER_FLAG_ONLY}
"""Conflicts about which somebody can decide; where only a flag is set, nothing is at odds."""


def lock(tx: Connection) -> None:
    """Let nobody else write conditions until the transaction ends; on SQLite nobody else can."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE conditions IN SHARE ROW EXCLUSIVE MODE")


# --- facts --------------------------------------------------------------------------------


def facts(tx: Connection, env: int) -> Facts:
    """
    How an environment stands by the last run that judged it, and by what failed.

    A run that ended before it had a plan says nothing. Nor does `apply`: it does what a saved
    plan shows, which may be less than there is to do.
    """
    last = rows(
        tx,
        "SELECT id, plan, document FROM runs WHERE env = :env AND plan IS NOT NULL "
        "AND document IS NOT NULL AND command <> 'apply' ORDER BY id DESC LIMIT 1",
        env=env,
    )
    return Facts(
        gates=_gates(last[0].document) if last else None,
        certificates=_certificates(tx, last[0].id) if last else None,
        quarantine=_quarantine(tx, env),
        conflicts=_conflicts(tx, env, last[0].plan) if last else None,
        dead_letters=_dead_letters(tx, env),
    )


def _gates(document: str) -> list[Gate]:
    return [Gate(**gate) for gate in json.loads(document)["gates"]]


def _certificates(tx: Connection, number: int) -> list[Certificate] | None:
    """Certificates of a run; None if it has none any more."""
    found = rows(
        tx,
        "SELECT source, certified, rows, findings FROM certificates WHERE run = :run "
        "ORDER BY source",
        run=number,
    )
    judged = [
        Certificate(row.source, bool(row.certified), row.rows, tuple(json.loads(row.findings)))
        for row in found
    ]
    return judged or None


def _quarantine(tx: Connection, env: int) -> Quarantine | None:
    found = rows(tx, "SELECT cause, failed, sent FROM quarantines WHERE env = :env", env=env)
    return Quarantine(*found[0]) if found else None


def _conflicts(tx: Connection, env: int, plan: str) -> list[Entry] | None:
    """Conflicts that a plan leaves open; None if the plan is not kept any more."""
    if one(tx, "SELECT 1 FROM plans WHERE id = :plan", plan=plan) is None:
        return None
    bodies = map(json.loads, archive.items(tx, plan, "conflicts"))
    left = {(body["user"], body["code"]) for body in bodies if body["open"]}
    found = rows(
        tx,
        "SELECT id, user_id, code FROM conflicts WHERE env = :env AND ended IS NULL ORDER BY id",
        env=env,
    )
    return [
        Entry(row.code, f"{row.id:012d}")
        for row in found
        if row.code in UNDECIDED and (row.user_id, row.code) in left
    ]


def _dead_letters(tx: Connection, env: int) -> list[Entry]:
    """Changes that were given up, and that nobody discarded."""
    found = rows(
        tx,
        "SELECT cause, dead FROM escrow WHERE env = :env AND dead IS NOT NULL "
        "AND discarded IS NULL ORDER BY dead",
        env=env,
    )
    return [Entry(row.cause, row.dead) for row in found]


# --- conditions ---------------------------------------------------------------------------


def look(tx: Connection, env: int, found: Facts, now: datetime) -> bool:
    """Note which conditions began, changed and ended; tell whether any did."""
    lock(tx)
    standing = {each.matter.event: each for each in conditions(tx, [env]) if each.ended is None}
    before = {event: condition.matter for event, condition in standing.items()}
    happened = [
        _note(tx, env, event, standing.get(event), matter, iso(now))
        for event, matter in matters(found, before).items()
    ]
    run(
        tx,
        "DELETE FROM conditions WHERE env = :env AND ended < :then",
        env=env,
        then=iso(now - KEPT),
    )
    return any(happened)


def _note(
    tx: Connection,
    env: int,
    event: Event,
    old: Condition | None,
    new: Matter | None,
    now: str,
) -> bool:
    if old is None:
        if new is not None:
            run(
                tx,
                "INSERT INTO conditions (env, event, digest, document, since, changed) "
                "VALUES (:env, :event, :digest, :document, :now, :now)",
                env=env, event=str(event), digest=digest(new), document=write(new), now=now,
            )  # fmt: skip
        return new is not None
    if new is None:
        run(tx, "UPDATE conditions SET ended = :now WHERE id = :id", now=now, id=old.id)
        return True
    if new == old.matter:
        return False
    changed = now if digest(new) != digest(old.matter) else old.changed
    run(
        tx,
        "UPDATE conditions SET document = :document, digest = :digest, changed = :changed "
        "WHERE id = :id",
        document=write(new), digest=digest(new), changed=changed, id=old.id,
    )  # fmt: skip
    return True


def conditions(tx: Connection, envs: Collection[int]) -> list[Condition]:
    """Conditions of some environments that hold, or ended not long ago; the oldest first."""
    among = ", ".join(str(int(env)) for env in envs) or "NULL"
    found = rows(tx, f"SELECT * FROM conditions WHERE env IN ({among}) ORDER BY id")
    return [_condition(row) for row in found]


def _condition(row: Any) -> Condition:
    return Condition(
        id=row.id,
        env=row.env,
        matter=read_matter(row.document),
        since=row.since,
        changed=row.changed,
        ended=row.ended,
        told=read_told(row.told),
    )


# --- receivers ----------------------------------------------------------------------------


def post(tx: Connection, key: str, now: datetime) -> Post:
    """How it went with a receiver."""
    return read_post(recall(tx, f"receiver:{key}"), now)


def note_post(tx: Connection, key: str, value: Post) -> None:
    """Keep how it went with a receiver."""
    remember(tx, f"receiver:{key}", write(value))


def note_told(tx: Connection, number: int, key: str, told: Told) -> None:
    """Note what a receiver was told of a condition; others write theirs beside it."""
    text = one(tx, "SELECT told FROM conditions WHERE id = :id", id=number)
    whole: Mapping[str, Told] = {**read_told(text), key: told}
    run(tx, "UPDATE conditions SET told = :told WHERE id = :id", told=write(whole), id=number)

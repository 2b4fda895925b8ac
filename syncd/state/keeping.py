"""Which replica works for which environment; a safe write asks for `lease`, besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Connection

from syncd.state.database import one, rows, run
from syncd.state.lease import NOW

__all__ = ["Kept", "beat", "keepers", "leave"]

FORGOTTEN = 20
"""A replica that was not heard of for so many leases is no longer listed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replica keeps after a beat; `taken` came from somebody who fell silent."""

    names: frozenset[str]
    taken: frozenset[str]


def beat(tx: Connection, owner: str, names: Sequence[str], seconds: float) -> Kept:
    """
    Say that this replica lives, keep what it has, and share the environments out.

    A replica takes what nobody keeps, up to its share of them all, and gives up what is
    above its share while others live. What stays free for a whole lease anybody takes.
    """
    # One beat after the other: two that look at once would both take the last free one.
    run(tx, "LOCK TABLE replicas IN EXCLUSIVE MODE")
    run(
        tx,
        f"INSERT INTO replicas (name, seen) VALUES (:me, {NOW}) "
        "ON CONFLICT (name) DO UPDATE SET seen = excluded.seen",
        me=owner,
    )
    run(tx, f"DELETE FROM replicas WHERE seen < {NOW} - :long", long=seconds * FORGOTTEN)
    live = int(one(tx, f"SELECT count(*) FROM replicas WHERE seen > {NOW} - :ttl", ttl=seconds))
    share = ceil(len(names) / max(live, 1))
    wanted = set(names)
    mine: list[str] = []
    free: list[tuple[str, bool, bool]] = []
    known = {row.name.partition(":")[2]: row for row in _leases(tx, seconds)}
    for name in names:
        row = known.get(name)
        if row is not None and row.owner == owner and row.fence >= 0 and not row.ended:
            mine.append(name)
        elif row is None or row.ended:
            free.append((name, row is not None and row.owner != owner, bool(row and row.long)))
    for name in mine[share:]:
        run(tx, f"UPDATE leases SET until = {NOW} WHERE name = :name", name=f"keeper:{name}")
    mine = mine[:share]
    taken = set()
    for name, from_other, long in free:
        if len(mine) < share or long:
            _keep(tx, name, owner, seconds)
            mine.append(name)
            if from_other:
                taken.add(name)
    for name in mine:
        _keep(tx, name, owner, seconds)
    return Kept(frozenset(mine) & wanted, frozenset(taken))


def _leases(tx: Connection, seconds: float) -> Sequence[Any]:
    return rows(
        tx,
        f"SELECT name, owner, fence, until < {NOW} AS ended, until < {NOW} - :ttl AS long "
        "FROM leases WHERE name LIKE 'keeper:%'",
        ttl=seconds,
    )


def _keep(tx: Connection, name: str, owner: str, seconds: float) -> None:
    run(
        tx,
        f"INSERT INTO leases (name, owner, fence, until) VALUES (:name, :me, 1, {NOW} + :ttl) "
        "ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner, "
        "fence = CASE WHEN leases.owner = excluded.owner THEN leases.fence "
        "ELSE leases.fence + 1 END",
        name=f"keeper:{name}",
        me=owner,
        ttl=seconds,
    )


def leave(tx: Connection, owner: str) -> None:
    """Give up everything at once: the others need not wait for a lease to run out."""
    run(
        tx,
        f"UPDATE leases SET until = {NOW} WHERE name LIKE 'keeper:%' AND owner = :me",
        me=owner,
    )
    run(tx, "DELETE FROM replicas WHERE name = :me", me=owner)


def keepers(tx: Connection) -> dict[str, str]:
    """Return who keeps each environment that somebody keeps."""
    sql = f"SELECT name, owner FROM leases WHERE name LIKE 'keeper:%' AND until > {NOW}"
    return {row.name.partition(":")[2]: row.owner.rpartition(" ")[0] for row in rows(tx, sql)}

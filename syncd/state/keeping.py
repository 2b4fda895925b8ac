"""Which replica works for which environment; a safe write asks for `lease`, besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Connection

from syncd.state.database import rows, run
from syncd.state.lease import NOW

__all__ = ["Kept", "beat", "keepers", "leave", "moves"]

FORGOTTEN = 20
"""A replica that was not heard of for so many leases is no longer listed."""
NOBODY = ""
"""The owner of what was given up; who falls silent leaves a name behind."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replica keeps after a beat; `taken` came from somebody who fell silent."""

    names: frozenset[str]
    taken: frozenset[str]


def beat(tx: Connection, owner: str, names: Sequence[str], seconds: float) -> Kept:
    """
    Say that this replica lives, keep what it has, and share the environments out.

    A replica takes what nobody keeps, up to its share of them all, and gives up what others
    lack for theirs. What stays free for a whole lease anybody takes.
    """
    others = _meet(tx, owner, seconds)
    leases = _leases(tx, seconds)
    current = {name: row.owner for name, row in leases.items() if not row.ended}
    mine = [name for name in names if current.get(name) == owner]
    free = [name for name in names if name not in current]
    counts = Counter(current.values())
    number = moves(len(names), len(mine), len(free), [counts[other] for other in others])
    # The first ones: what was configured last, others may not know yet.
    spare, mine = mine[: max(-number, 0)], mine[max(-number, 0) :]
    take = free[: max(number, 0)]
    take += [name for name in free[len(take) :] if name in leases and leases[name].long]
    unknown = [name for name in free if name not in leases and name not in take]
    for name in spare + unknown:
        _give_up(tx, name)
    for name in mine + take:
        _keep(tx, name, owner, seconds)
    silent = {name for name in take if name in leases and leases[name].owner not in {NOBODY, owner}}
    return Kept(frozenset(mine + take), frozenset(silent))


def moves(total: int, mine: int, free: int, others: Sequence[int]) -> int:
    """
    Return how many environments a replica takes of those that are free; below 0, gives up.

    *others* is what each of the other replicas has. In the end all have as many, or one more
    than somebody else: what is free is left to those who have too few.
    """
    low, high = total // (len(others) + 1), ceil(total / (len(others) + 1))
    lacking = sum(max(0, low - each) for each in others) - free
    room = sum(max(0, high - each) for each in others) - free
    spare = max(min(mine - low, lacking), min(mine - high, room))
    if spare > 0:
        return -spare
    return min(free, max(low - mine, min(high - mine, -lacking), 0))


def _meet(tx: Connection, owner: str, seconds: float) -> list[str]:
    """Say that a replica lives, and return the others that do; they wait until this beat ends."""
    # A process that stops in the middle must not keep the others waiting.
    patience = str(max(1, int(seconds * 1000 / 3)))
    run(tx, "SELECT set_config('idle_in_transaction_session_timeout', :ms, true)", ms=patience)
    # One beat after the other: two that look at once would both take the last free one.
    run(tx, "LOCK TABLE replicas IN EXCLUSIVE MODE")
    run(
        tx,
        f"INSERT INTO replicas (name, seen) VALUES (:me, {NOW}) "
        "ON CONFLICT (name) DO UPDATE SET seen = excluded.seen",
        me=owner,
    )
    run(tx, f"DELETE FROM replicas WHERE seen < {NOW} - :long", long=seconds * FORGOTTEN)
    sql = f"SELECT name FROM replicas WHERE seen > {NOW} - :ttl AND name <> :me"
    return [row.name for row in rows(tx, sql, ttl=seconds, me=owner)]


def _leases(tx: Connection, seconds: float) -> dict[str, Any]:
    """All leases of environments, by their names."""
    found = rows(
        tx,
        f"SELECT name, owner, until < {NOW} AS ended, until < {NOW} - :ttl AS long "
        "FROM leases WHERE name LIKE 'keeper:%'",
        ttl=seconds,
    )
    return {row.name.partition(":")[2]: row for row in found}


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


def _give_up(tx: Connection, name: str) -> None:
    """Offer an environment to whoever comes first."""
    run(
        tx,
        f"INSERT INTO leases (name, owner, fence, until) VALUES (:name, :nobody, 0, {NOW}) "
        "ON CONFLICT (name) DO UPDATE SET until = excluded.until, owner = excluded.owner",
        name=f"keeper:{name}",
        nobody=NOBODY,
    )


def leave(tx: Connection, owner: str) -> None:
    """Give up everything at once: the others need not wait for a lease to run out."""
    run(
        tx,
        f"UPDATE leases SET until = {NOW}, owner = :nobody "
        "WHERE name LIKE 'keeper:%' AND owner = :me",
        me=owner,
        nobody=NOBODY,
    )
    run(tx, "DELETE FROM replicas WHERE name = :me", me=owner)


def keepers(tx: Connection) -> dict[str, str]:
    """Return who keeps each environment that somebody keeps."""
    sql = (
        f"SELECT name, owner FROM leases "
        f"WHERE name LIKE 'keeper:%' AND owner <> :nobody AND until > {NOW}"
    )
    found = rows(tx, sql, nobody=NOBODY)
    return {row.name.partition(":")[2]: row.owner.rpartition(" ")[0] for row in found}

"""What the target showed beside users: profiles, rows, and what teams bring."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection

from syncd.core.errors import TokenExpired
from syncd.core.model import Profile
from syncd.core.ports import MembershipRow, ProfileRow, Target, TeamProfileRow
from syncd.state import leaves
from syncd.state.accounts import GUID_LENGTH, Difference
from syncd.state.columns import filled
from syncd.state.database import bulk, column, know, one, rows, run, scratch
from syncd.state.revisions import recall, remember, touch

__all__ = [
    "environment",
    "memberships",
    "profiles",
    "resolve_profiles",
    "team_profiles",
    "tokens",
]

READING = ("id", "version", "user_id", "profile", "active", "flagged", "created_on")
FRESH = (
    "id TEXT, version TEXT, user_id TEXT, profile TEXT, "
    "active INTEGER, flagged INTEGER, created_on TEXT"
)


def tokens(tx: Connection, env: int) -> tuple[str | None, str | None]:
    """Return where reads of changed users and rows can go on; None where they cannot."""
    users, rows = (recall(tx, f"token:{env}:{what}") or None for what in ("users", "memberships"))
    return users, rows


def environment(tx: Connection, name: str, url: str) -> int:
    """Return the number of an environment. One that moved to another url is a new one."""
    found = rows(tx, "SELECT id, url FROM environments WHERE name = :name", name=name)
    if found and found[0].url == url:
        return int(found[0].id)
    if found:
        # Ids of another environment mean nothing here; its history keeps the old number.
        run(
            tx,
            "UPDATE environments SET name = name || ' at ' || url WHERE id = :id",
            id=found[0].id,
        )
    run(tx, "INSERT INTO environments (name, url) VALUES (:name, :url)", name=name, url=url)
    return int(one(tx, "SELECT id FROM environments WHERE name = :name", name=name))


# --- reading --------------------------------------------------------------------------------


def memberships(
    tx: Connection, env: int, target: Target, *, delta: bool = False, left: Iterable[str] = ()
) -> Difference:
    """
    Read the rows. Those without a user or a profile are husks and are kept apart.

    Rows may come, go and change while they are read, so that two pages show the same one: of
    an id the last reading counts, whichever user it names and whether or not it is a husk.
    With *delta* only what changed is read, and the rows of users who *left* by their ids: a
    target need not call it a change when it empties them (dataverse-web-api.md section 1.5).
    """
    token = recall(tx, f"token:{env}:memberships")
    if delta and token:
        with contextlib.suppress(TokenExpired):
            looked_at, missing = _look_at(tx, env, target, left)
            since = target.memberships_since(token)
            arrived = _arrive(tx, chain([looked_at], since))
            return _settle(tx, env, arrived, since.gone | missing, since.token)
    known: set[str] = set()
    memory = leaves.recollect(tx, env, leaves.MEMBERSHIPS)
    read = target.memberships(known, memory)
    arrived = _arrive(tx, read, first=memory is None)
    gone = {mark[:GUID_LENGTH] for mark in known}
    # Of what syncd wrote itself it does not know the version: that is no news.
    written = {mark for mark in known if len(mark) == GUID_LENGTH}
    difference = _settle(tx, env, arrived, gone, read.token)
    if memory is not None:
        leaves.settle(tx, env, leaves.MEMBERSHIPS, memory)
    return Difference(difference.changed - written, difference.gone - written)


def profiles(tx: Connection, env: int, found: Sequence[ProfileRow]) -> None:
    """Replace the profiles."""
    run(tx, "DELETE FROM profiles WHERE env = :env", env=env)
    unique = {row[0]: (env, row[0], row[1], int(row[2])) for row in found}
    bulk(tx, "profiles", ("env", "id", "name", "published"), unique.values())


def team_profiles(tx: Connection, env: int, found: Sequence[TeamProfileRow]) -> None:
    """Replace what teams bring to their members."""
    now = {(user, profile) for user, profile, _ in found}
    sql = "SELECT user_id, profile FROM team_profiles WHERE env = :env"
    before = {(row.user_id, row.profile) for row in rows(tx, sql, env=env)}
    if now == before:
        return
    run(tx, "DELETE FROM team_profiles WHERE env = :env", env=env)
    bulk(tx, "team_profiles", ("env", "user_id", "profile"), ((env, *pair) for pair in sorted(now)))
    touch(tx, f"users:{env}", (f"u:{user}" for user, _ in now ^ before))


def resolve_profiles(tx: Connection, env: int) -> dict[str, Profile]:
    """Return every profile of the environment by its id."""
    sql = "SELECT id, name, published FROM profiles WHERE env = :env"
    return {
        row.id: Profile(row.id, row.name, bool(row.published)) for row in rows(tx, sql, env=env)
    }


# --- parts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Arrived:
    """
    What a read of the rows brought: how many readings, the husks among them, and of which ids.

    Of a first read nobody needs the ids: there may be a million.
    """

    given: int
    seen: set[str] | None
    husks: dict[str, MembershipRow]


def _arrive(
    tx: Connection, pages: Iterable[Sequence[MembershipRow]], *, first: bool = False
) -> _Arrived:
    """Set the rows aside in the table `fresh`."""
    husks: dict[str, MembershipRow] = {}
    given, seen = 0, None if first else set[str]()
    place = "INTEGER PRIMARY KEY" if tx.dialect.name == "sqlite" else "bigserial"
    scratch(tx, "fresh", f"place {place}, {FRESH}")
    for page in pages:
        given += len(page)
        if seen is not None:
            seen.update(row[0] for row in page)
        full = _full(page, husks)
        if full:
            bulk(tx, "fresh", *filled(READING, _readings(full)))
    return _Arrived(given, seen, husks)


def _settle(
    tx: Connection, env: int, arrived: _Arrived, gone: set[str], token: str | None
) -> Difference:
    """Bring the rows up to date with what arrived and what is gone."""
    remember(tx, f"token:{env}:memberships", token or "")
    arrived = _leave_stored(tx, env, arrived)
    if not (arrived.given or gone):
        return Difference()
    seen, husks = arrived.seen, arrived.husks
    if _repeated(tx, arrived):
        _keep_last(tx, husks)
    concerned = None
    if seen is not None:
        concerned = _forget_rows(tx, env, seen | gone)
        concerned.update(column(tx, "SELECT DISTINCT user_id FROM fresh"))
    touch(tx, f"rows:{env}", None if concerned is None else (f"u:{user}" for user in concerned))
    _write_rows(tx, env)
    know(tx, "memberships")
    bulk(tx, "husks", ("env", *READING), ((env, *_reading(row)) for row in husks.values()))
    if seen is None:
        return Difference()
    return Difference(frozenset(seen), frozenset(gone - seen))


def _leave_stored(tx: Connection, env: int, arrived: _Arrived) -> _Arrived:
    """Leave out rows that are stored as they came: of a table read in parts some come twice."""
    if not (arrived.seen and arrived.given):
        return arrived
    stored = (
        "SELECT f.place FROM fresh f CROSS JOIN memberships m "
        "WHERE m.env = :env AND m.user_id = f.user_id AND m.id = f.id AND m.version = f.version"
    )
    number = run(tx, f"DELETE FROM fresh WHERE place IN ({stored})", env=env)
    if not number:
        return arrived
    seen = {*column(tx, "SELECT id FROM fresh"), *arrived.husks}
    return _Arrived(arrived.given - number, seen, arrived.husks)


def _repeated(tx: Connection, arrived: _Arrived) -> bool:
    """Tell whether two pages showed the same row."""
    if arrived.seen is not None:
        return arrived.given != len(arrived.seen)
    different = int(one(tx, "SELECT count(DISTINCT id) FROM fresh"))
    if arrived.given != different + len(arrived.husks):
        return True
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((ident,) for ident in arrived.husks))
    both = "SELECT 1 FROM fresh WHERE id IN (SELECT id FROM gone) LIMIT 1"
    return one(tx, both) is not None


def _look_at(
    tx: Connection, env: int, target: Target, users: Iterable[str]
) -> tuple[list[MembershipRow], set[str]]:
    """
    Read by their ids the rows of some users and those that syncd wrote itself.

    Returns them as they are now, and the ids of those that are gone.
    """
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((user,) for user in users))
    sql = (
        "SELECT id FROM memberships WHERE env = :env "
        "AND (version = '' OR user_id IN (SELECT id FROM gone))"
    )
    ids = list(column(tx, sql, env=env))
    found = target.fetch(ids) if ids else {}
    rows = [
        (m.id, m.version, m.user, m.profile, m.active, m.flagged, m.created_on)
        for m in found.values()
    ]
    return rows, set(ids) - set(found)


def _full(page: Sequence[MembershipRow], husks: dict[str, MembershipRow]) -> list[MembershipRow]:
    """Return the rows that are whole; the others become *husks*, unless they are whole later on."""
    if not husks and all(row[2] and row[3] for row in page):
        return list(page)
    full = []
    for row in page:
        if row[2] is None or row[3] is None:
            husks[row[0]] = row
        else:
            husks.pop(row[0], None)
            full.append(row)
    return full


def _readings(page: Sequence[MembershipRow]) -> list[Sequence[object]]:
    *rest, active, flagged, created_on = zip(*page, strict=True)
    return [*rest, list(map(int, active)), list(map(int, flagged)), created_on]


def _reading(row: MembershipRow) -> tuple[object, ...]:
    return (*row[:4], int(row[4]), int(row[5]), row[6])


def _keep_last(tx: Connection, husks: Iterable[str]) -> None:
    """Leave only the last reading of each id; one that ended as a husk is not whole at all."""
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((ident,) for ident in husks))
    run(tx, "DELETE FROM fresh WHERE id IN (SELECT id FROM gone)")
    later = "SELECT place, lead(place) OVER (PARTITION BY id ORDER BY place) AS later FROM fresh"
    sql = f"SELECT place FROM ({later}) AS readings WHERE later IS NOT NULL"
    run(tx, f"DELETE FROM fresh WHERE place IN ({sql})")


def _forget_rows(tx: Connection, env: int, ids: set[str]) -> set[str]:
    """
    Delete rows that are gone or were read anew, whatever user and table they were kept under.

    Returns whose they were.
    """
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((ident,) for ident in ids))
    where = "WHERE env = :env AND id IN (SELECT id FROM gone)"
    found = rows(tx, f"DELETE FROM memberships {where} RETURNING user_id", env=env)
    run(tx, f"DELETE FROM husks {where}", env=env)
    return {row.user_id for row in found}


def _write_rows(tx: Connection, env: int) -> None:
    """Write the fresh rows in the order in which they are joined."""
    columns = ", ".join(READING)
    run(
        tx,
        f"INSERT INTO memberships (env, {columns}) SELECT :env, {columns} FROM fresh "
        "ORDER BY user_id, id",
        env=env,
    )

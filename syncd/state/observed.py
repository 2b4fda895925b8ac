"""What the target showed: users, profiles, rows, and what teams bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from syncd.core.identity import guid, login, text
from syncd.core.model import Profile
from syncd.core.ports import MembershipRow, ProfileRow, Target, TeamProfileRow, UserRow
from syncd.state.database import bulk, column, know, one, rows, run, scratch, upsert
from syncd.state.revisions import recall, remember, touch

__all__ = ["environment", "memberships", "profiles", "resolve_profiles", "team_profiles", "users"]

GUID_LENGTH = 36
USER = (
    "env",
    "id",
    "version",
    "user_name",
    "full_name",
    "object_id",
    "employee_id",
    "login",
    "mail",
    "candidate",
    "disabled",
    "pointer",
)
READING = ("id", "version", "user_id", "profile", "active", "flagged", "created_on")
FRESH = (
    "id TEXT, version TEXT, user_id TEXT, profile TEXT, "
    "active INTEGER, flagged INTEGER, created_on TEXT"
)


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


def users(tx: Connection, env: int, target: Target, match: str) -> None:
    """
    Read the users; rows that are known with their version are not written again.

    *match* names what is read of a user beside the essential; if it changes, nothing is known.
    """
    if recall(tx, f"match:{env}") != match:
        run(tx, "DELETE FROM users WHERE env = :env", env=env)
        remember(tx, f"match:{env}", match)
    known = _known(tx, "SELECT id || version AS mark FROM users WHERE env = :env", env)
    pages = target.users(known)
    changed = _write(tx, "users", USER, ("env", "id"), (_users(env, page) for page in pages))
    if _forget(tx, env, known, "users", changed=changed) or changed:
        touch(tx, f"users:{env}")
        know(tx, "users")


def memberships(tx: Connection, env: int, target: Target) -> None:
    """
    Read the rows. Those without a user or a profile are husks and are kept apart.

    Rows may come, go and change while they are read, so that two pages show the same one: of
    an id the last reading counts, whichever user it names and whether or not it is a husk.
    """
    sql = (
        "SELECT id || version AS mark FROM memberships WHERE env = :env "
        "UNION ALL SELECT id || version FROM husks WHERE env = :env"
    )
    known = _known(tx, sql, env)
    stored = bool(known)
    husks: dict[str, MembershipRow] = {}
    given, seen = 0, set[str]()
    place = "INTEGER PRIMARY KEY" if tx.dialect.name == "sqlite" else "bigserial"
    scratch(tx, "fresh", f"place {place}, {FRESH}")
    for page in target.memberships(known):
        given += len(page)
        seen.update(row[0] for row in page)
        bulk(tx, "fresh", READING, (_reading(row) for row in _full(page, husks)))
    if not (given or known):
        return
    touch(tx, f"rows:{env}")
    if given != len(seen):
        _keep_last(tx, husks)
    if stored:
        seen.update(mark[:GUID_LENGTH] for mark in known)
        _forget_rows(tx, env, seen)
    _write_rows(tx, env)
    know(tx, "memberships")
    bulk(tx, "husks", ("env", *READING), ((env, *_reading(row)) for row in husks.values()))


def profiles(tx: Connection, env: int, found: Sequence[ProfileRow]) -> None:
    """Replace the profiles."""
    run(tx, "DELETE FROM profiles WHERE env = :env", env=env)
    unique = {row[0]: (env, row[0], row[1], int(row[2])) for row in found}
    bulk(tx, "profiles", ("env", "id", "name", "published"), unique.values())


def team_profiles(tx: Connection, env: int, found: Sequence[TeamProfileRow]) -> None:
    """Replace what teams bring to their members."""
    now = {(user, profile) for user, profile, _ in found}
    sql = "SELECT user_id, profile FROM team_profiles WHERE env = :env"
    if now == {(row.user_id, row.profile) for row in rows(tx, sql, env=env)}:
        return
    run(tx, "DELETE FROM team_profiles WHERE env = :env", env=env)
    bulk(tx, "team_profiles", ("env", "user_id", "profile"), ((env, *pair) for pair in sorted(now)))
    touch(tx, f"users:{env}")


def resolve_profiles(tx: Connection, env: int) -> dict[str, Profile]:
    """Return every profile of the environment by its id."""
    sql = "SELECT id, name, published FROM profiles WHERE env = :env"
    return {
        row.id: Profile(row.id, row.name, bool(row.published)) for row in rows(tx, sql, env=env)
    }


# --- parts ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Count:
    """Whether anything passed by."""

    any: bool = False


def _users(env: int, page: Sequence[UserRow]) -> Iterator[Sequence[object]]:
    for ident, etag, name, full, oid, eid, mail, candidate, disabled, pointer in page:
        yield (
            env,
            ident,
            etag,
            name,
            full,
            guid(oid) or None if oid else None,
            text(eid) or None if eid else None,
            login(name) or None if name else None,
            login(mail) or None if mail else None,
            int(candidate),
            int(disabled),
            pointer,
        )


def _known(tx: Connection, sql: str, env: int) -> set[str]:
    return set(column(tx, sql, env=env))


def _write(
    tx: Connection,
    table: str,
    columns: Sequence[str],
    key: Sequence[str],
    pages: Iterable[Iterable[Sequence[object]]],
) -> bool:
    count = _Count()

    def counted() -> Iterator[Sequence[object]]:
        for page in pages:
            for row in page:
                count.any = True
                yield row

    upsert(tx, table, columns, key, counted())
    return count.any


def _forget(tx: Connection, env: int, left: set[str], table: str, *, changed: bool) -> bool:
    """Delete the rows whose mark did not come back and that were not written anew."""
    if not left:
        return False
    scratch(tx, "gone", "mark TEXT PRIMARY KEY")
    bulk(tx, "gone", ("mark",), ((mark,) for mark in left))
    done = run(
        tx,
        f"DELETE FROM {table} WHERE env = :env AND id || version IN (SELECT mark FROM gone)",
        env=env,
    )
    return changed or done != 0


def _full(page: Sequence[MembershipRow], husks: dict[str, MembershipRow]) -> list[MembershipRow]:
    """Return the rows that are whole; the others become *husks*, unless they are whole later on."""
    full = []
    for row in page:
        if row[2] is None or row[3] is None:
            husks[row[0]] = row
        else:
            husks.pop(row[0], None)
            full.append(row)
    return full


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


def _forget_rows(tx: Connection, env: int, ids: set[str]) -> None:
    """Delete rows that are gone or were read anew, whatever user and table they were kept under."""
    if not ids:
        return
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    bulk(tx, "gone", ("id",), ((ident,) for ident in ids))
    for table in ("memberships", "husks"):
        sql = f"DELETE FROM {table} WHERE env = :env AND id IN (SELECT id FROM gone)"
        run(tx, sql, env=env)


def _write_rows(tx: Connection, env: int) -> None:
    """Write the fresh rows in the order in which they are joined."""
    columns = ", ".join(READING)
    run(
        tx,
        f"INSERT INTO memberships (env, {columns}) SELECT :env, {columns} FROM fresh "
        "ORDER BY user_id, id",
        env=env,
    )

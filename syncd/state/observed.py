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
ROW = ("env", "user_id", "id", "version", "profile", "active", "flagged", "created_on")


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
    """Read the rows. Those without a user or a profile are husks and are kept apart."""
    sql = (
        "SELECT id || version AS mark FROM memberships WHERE env = :env "
        "UNION ALL SELECT id || version FROM husks WHERE env = :env"
    )
    known = _known(tx, sql, env)
    husks: list[MembershipRow] = []
    names = ("id", "version", "user_id", "profile", "active", "flagged", "created_on")
    whole = "active INTEGER, flagged INTEGER, created_on TEXT"
    scratch(tx, "fresh", f"id TEXT, version TEXT, user_id TEXT, profile TEXT, {whole}")
    changed = False
    for page in target.memberships(known):
        changed = changed or bool(page)
        full = [row for row in page if row[2] is not None and row[3] is not None]
        if len(full) != len(page):
            husks += [row for row in page if row[2] is None or row[3] is None]
        bulk(tx, "fresh", names, ((*row[:4], int(row[4]), int(row[5]), row[6]) for row in full))
    if not (changed or known):
        return
    touch(tx, f"rows:{env}")
    _forget_rows(tx, env, known, [row[0] for row in husks])
    _write_rows(tx, env)
    know(tx, "memberships")
    upsert(
        tx,
        "husks",
        ("env", "id", "version", "user_id", "profile", "active", "flagged", "created_on"),
        ("env", "id"),
        [(env, *row[:4], int(row[4]), int(row[5]), row[6]) for row in husks],
    )


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


def _forget_rows(tx: Connection, env: int, left: set[str], husks: Sequence[str]) -> None:
    """Delete rows that are gone, changed, or now stand in the other table."""
    if not left:
        return
    scratch(tx, "gone", "id TEXT PRIMARY KEY")
    ids = {mark[:GUID_LENGTH] for mark in left} | set(husks)
    bulk(tx, "gone", ("id",), ((ident,) for ident in ids))
    for table in ("memberships", "husks"):
        sql = f"DELETE FROM {table} WHERE env = :env AND id IN (SELECT id FROM gone)"
        run(tx, sql, env=env)


def _write_rows(tx: Connection, env: int) -> None:
    """Write the fresh rows in the order in which they are joined; the last reading counts."""
    columns = ", ".join(ROW)
    rest = ", ".join(f"{name} = excluded.{name}" for name in ROW[3:])
    distinct = "DISTINCT ON (user_id, id)" if tx.dialect.name == "postgresql" else ""
    run(
        tx,
        f"INSERT INTO memberships ({columns}) SELECT {distinct} :env, user_id, id, version, "
        "profile, active, flagged, created_on FROM fresh WHERE true ORDER BY user_id, id "
        f"ON CONFLICT (env, user_id, id) DO UPDATE SET {rest}",
        env=env,
    )

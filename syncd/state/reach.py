"""
How far it reaches that something is new of somebody.

`circle` has people and `around` users. Whoever finds, has or had one of the users belongs to
them, and so does every user whom one of the people finds, has or had. Nobody else can have
anything to do with what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncd.state.database import know, one, run, scratch
from syncd.state.kin import RUNGS

__all__ = ["begin", "spread"]


def begin(tx: Connection) -> None:
    """Make `circle` and `around`, in which nobody is yet; the first belong to round 0."""
    scratch(tx, "circle", "person TEXT PRIMARY KEY, round INTEGER")
    scratch(tx, "around", "user_id TEXT PRIMARY KEY, round INTEGER")


def spread(tx: Connection, env: int, hinted: Sequence[str], most: int | None = None) -> bool:
    """
    Widen both until nobody is missing. Returns False once they are more than *most*.

    *hinted* are the fields of people that hints of users are compared with.
    """
    now = 0
    while True:
        if most is not None and _size(tx) > most:
            return False
        new = {"circle": f"round = {now}", "around": f"round = {now}"}
        if not any(one(tx, f"SELECT 1 FROM {t} WHERE {at} LIMIT 1") for t, at in new.items()):
            return True
        people = f"SELECT person FROM circle WHERE {new['circle']}"
        users = f"SELECT user_id FROM around WHERE {new['around']}"
        now += 1
        for sql in (*USERS_OF, *_found(tx, people, hinted)):
            _add(tx, "around", sql.format(people=people), now, env)
        for sql in PEOPLE_OF:
            _add(tx, "circle", sql.format(users=users), now, env)


def _size(tx: Connection) -> int:
    return int(one(tx, "SELECT (SELECT count(*) FROM circle) + (SELECT count(*) FROM around)"))


def _add(tx: Connection, table: str, sql: str, now: int, env: int) -> None:
    name = "person" if table == "circle" else "user_id"
    run(
        tx,
        f"INSERT INTO {table} ({name}, round) SELECT q.*, {now} FROM ({sql}) q WHERE true "
        "ON CONFLICT DO NOTHING",
        **({"env": env} if ":env" in sql else {}),
    )


KNOWN = ("standing", "finds", "yields")
USERS_OF = (
    *(
        f"SELECT DISTINCT user_id FROM {table} WHERE env = :env AND person IN ({{people}})"
        for table in KNOWN
    ),
    "SELECT DISTINCT user_id FROM links WHERE env = :env AND person IN ({people}) "
    "AND ended IS NULL",
    "SELECT DISTINCT value FROM decisions WHERE env = :env AND kind = 'link' AND ended IS NULL "
    "AND value IS NOT NULL AND subject IN ({people})",
)
"""Users of people."""
PEOPLE_OF = (
    *(
        f"SELECT DISTINCT person FROM {table} WHERE env = :env AND user_id IN ({{users}})"
        for table in KNOWN
    ),
    "SELECT DISTINCT person FROM links WHERE env = :env AND user_id IN ({users}) AND ended IS NULL",
    "SELECT DISTINCT subject FROM decisions WHERE env = :env AND kind = 'link' AND ended IS NULL "
    "AND value IN ({users})",
)
"""People of users. Who found one has a place there, gave way, or explains the user."""


def _found(tx: Connection, people: str, hinted: Sequence[str]) -> list[str]:
    """Return queries for the users whom people find by what they say."""
    names = ", ".join(RUNGS)
    scratch(tx, "saying", ", ".join(f"{name} TEXT" for name in RUNGS))
    for table in ("people", "doubles"):
        run(tx, f"INSERT INTO saying SELECT {names} FROM {table} WHERE key IN ({people})")
    said = {n: f"SELECT {n} FROM saying WHERE {n} IS NOT NULL" for n in RUNGS}
    some = [name for name, sql in said.items() if one(tx, f"{sql} LIMIT 1")]
    know(tx, "saying")
    # Written as a join, SQLite would first read a whole index for a filter (3.38 and later).
    queries = [
        f"SELECT u.id FROM users u WHERE u.env = :env AND u.{RUNGS[name]} IN ({said[name]})"
        for name in some
    ]
    queries += [
        "SELECT h.user_id FROM hints h WHERE h.env = :env "
        f"AND h.field = '{name}' AND h.value IN ({said[name]})"
        for name in hinted
        if name in some
    ]
    return queries

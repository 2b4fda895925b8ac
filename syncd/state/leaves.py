"""
Pages of the target as they came when all were read last.

A page that comes again is known by a digest of its rows, and need not be decoded. What is
remembered of it follows from its bytes alone, so that it is right whoever wrote rows since.
Whether rows were written since is remembered beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from syncd.core.ports import Remembered
from syncd.state.database import column, many, one, rows, run
from syncd.state.revisions import recall, remember

__all__ = ["MEMBERSHIPS", "USERS", "doubt", "forget", "recollect", "settle"]

USERS = "users"
MEMBERSHIPS = "memberships"
TABLES = {USERS: (USERS,), MEMBERSHIPS: (MEMBERSHIPS, "husks")}
BETWEEN = "\n"


def recollect(tx: Connection, env: int, what: str) -> Remembered | None:
    """
    Return what is remembered of a table that is about to be read whole.

    None where no row is stored: then all rows are news, and nothing is kept of their
    pages, because a first read takes longest, and many rows are written after it.
    """
    number = _count(tx, env, what)
    if not number:
        return None

    def keep(digest: bytes, marks: Sequence[str]) -> None:
        text = BETWEEN.join(marks)
        if marks and text.count(BETWEEN) == len(marks) - 1:
            run(
                tx,
                "INSERT INTO pages (env, what, digest, number, marks) "
                "VALUES (:env, :what, :digest, :number, :marks) ON CONFLICT DO NOTHING",
                env=env, what=what, digest=digest, number=len(marks), marks=text,
            )  # fmt: skip

    return Remembered(
        pages=frozenset(_digests(tx, env, what)),
        whole=recall(tx, _name(env, what)) == _stamp(tx, env, what, number),
        marks=lambda digest: _marks(tx, env, what, digest),
        known=lambda: _known(tx, env, what),
        keep=keep,
    )


def settle(tx: Connection, env: int, what: str, read: Remembered) -> None:
    """Forget pages that did not come, once the rows are as the others have them."""
    if read.whole and set(_digests(tx, env, what)) == read.came:
        return
    gone = read.pages - read.came
    sql = "DELETE FROM pages WHERE env = ? AND what = ? AND digest = ?"
    many(tx, sql, [(env, what, digest) for digest in gone])
    number = _count(tx, env, what)
    if _each_once(tx, env, what, number):
        remember(tx, _name(env, what), _stamp(tx, env, what, number))
    else:
        doubt(tx, env, what)


def doubt(tx: Connection, env: int, what: str) -> None:
    """Note that rows were written otherwise than by a read of everything."""
    run(tx, "DELETE FROM meta WHERE name = :name", name=_name(env, what))


def forget(tx: Connection, env: int, what: str) -> None:
    """Forget the pages: others will come."""
    doubt(tx, env, what)
    run(tx, "DELETE FROM pages WHERE env = :env AND what = :what", env=env, what=what)


def _name(env: int, what: str) -> str:
    return f"whole:{env}:{what}"


def _stamp(tx: Connection, env: int, what: str, number: int) -> str:
    """
    Return what is otherwise once any of a *number* of rows was written.

    Whoever writes rows changes their revision; of users only what concerns anybody does,
    so that who writes them has to say so. The number alone would not do.
    """
    revision = recall(tx, f"revision:rows:{env}") if what == MEMBERSHIPS else ""
    return f"{revision} {number}"


def _count(tx: Connection, env: int, what: str) -> int:
    found = (f"SELECT count(*) FROM {table} WHERE env = :env" for table in TABLES[what])
    return sum(int(one(tx, sql, env=env)) for sql in found)


def _each_once(tx: Connection, env: int, what: str, number: int) -> bool:
    """
    Tell whether no row stands on the pages with two versions; a *number* of rows is stored.

    All rows of the pages are stored, and no others. So if they are as many, each stands
    there once. Where some are repeated, all of them are looked at.
    """
    sql = "SELECT sum(number) FROM pages WHERE env = :env AND what = :what"
    shown = int(one(tx, sql, env=env, what=what) or 0)
    if shown <= number:
        return shown == number
    marks: set[str] = set()
    for digest in _digests(tx, env, what):
        marks.update(_marks(tx, env, what, digest))
    return len(marks) == number


def _digests(tx: Connection, env: int, what: str) -> list[bytes]:
    sql = "SELECT digest FROM pages WHERE env = :env AND what = :what"
    return [bytes(row.digest) for row in rows(tx, sql, env=env, what=what)]


def _marks(tx: Connection, env: int, what: str, digest: bytes) -> list[str]:
    sql = "SELECT marks FROM pages WHERE env = :env AND what = :what AND digest = :digest"
    return str(one(tx, sql, env=env, what=what, digest=digest)).split(BETWEEN)


def _known(tx: Connection, env: int, what: str) -> Iterator[str]:
    sql = " UNION ALL ".join(
        f"SELECT id || version AS mark FROM {table} WHERE env = :env" for table in TABLES[what]
    )
    return column(tx, sql, env=env)

"""Whom people find: the candidates that each rung answers with."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncd.core.model import Rung
from syncd.state import hints
from syncd.state.database import one, run, scratch
from syncd.state.kin import RUNGS

__all__ = ["seek", "seek_only", "seek_too"]

COLUMNS = ", ".join(RUNGS)
HITS = "person TEXT, rung TEXT, user_id TEXT"


def seek(tx: Connection, env: int, hinted: Sequence[str]) -> None:
    """
    List in the temporary table `hits` whom each rung finds for the people in `placeless`.

    A doubled key finds with any of its rows. *hinted* are the fields of people that hints of
    users are compared with.
    """
    scratch(tx, "hits", HITS)
    _say(tx, "placeless")
    run(tx, f"INSERT INTO seekers SELECT key, {COLUMNS} FROM doubles")
    for column in _said(tx):
        run(tx, f"CREATE INDEX seekers_{column} ON seekers ({column})")
        # The users are read once; SQLite keeps the order of a CROSS JOIN.
        _look(tx, env, column, "users u CROSS JOIN seekers s")
    _hint(tx, env, hinted)
    run(tx, "CREATE INDEX hits_person ON hits (person)")


def seek_too(tx: Connection, env: int, table: str, hinted: Sequence[str]) -> None:
    """
    List there, too, whom the people in another *table* find, of whom none has a doubled key.

    They are few: each is looked for in the indexes of the users.
    """
    run(tx, f"DELETE FROM hits WHERE person IN (SELECT person FROM {table})")
    _say(tx, table)
    for column in _said(tx):
        _look(tx, env, column, "seekers s CROSS JOIN users u")
    _hint(tx, env, hinted)


def seek_only(tx: Connection, env: int, table: str, hinted: Sequence[str]) -> None:
    """List there likewise whom the people in another *table* find, and nobody else."""
    scratch(tx, "hits", HITS)
    seek_too(tx, env, table, hinted)


def _say(tx: Connection, table: str) -> None:
    """List in `seekers` what the people in *table* say of themselves."""
    texts = ", ".join(f"{name} TEXT" for name in RUNGS)
    scratch(tx, "seekers", f"person TEXT, {texts}")
    said = ", ".join(f"p.{name}" for name in RUNGS)
    run(
        tx,
        f"INSERT INTO seekers SELECT p.key, {said} "
        f"FROM {table} x CROSS JOIN people p WHERE p.key = x.person",
    )


def _said(tx: Connection) -> list[str]:
    said = "SELECT 1 FROM seekers WHERE {} IS NOT NULL LIMIT 1"
    return [name for name in RUNGS if one(tx, said.format(name))]


def _look(tx: Connection, env: int, column: str, found: str) -> None:
    run(
        tx,
        f"INSERT INTO hits SELECT DISTINCT s.person, '{column}', u.id FROM {found} "
        f"WHERE s.{column} = u.{RUNGS[column]} AND u.env = :env AND u.candidate = 1",
        env=env,
    )


def _hint(tx: Connection, env: int, hinted: Sequence[str]) -> None:
    if hinted:
        hints.write_hits(tx, env, "seekers", "person", hinted)
        run(tx, f"INSERT INTO hits SELECT person, '{Rung.USERMAPPING}', user_id FROM hinted")

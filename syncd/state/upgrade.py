"""Bring the schema of the state database up to what this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from syncd.core.errors import StateUnusable
from syncd.state.database import Database, one, run

__all__ = ["HEAD", "ensure", "upgrade", "version"]

HEAD = "0001"
"""The newest schema that this program knows."""

MIGRATIONS = Path(__file__).parent / "migrations"


def version(database: Database) -> str | None:
    """Return the schema's version, None for an empty database."""
    with database.read() as tx:
        return _version(tx)


def _version(tx: Connection) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    found = one(tx, "SELECT version_num FROM alembic_version")
    return None if found is None else str(found)


def ensure(database: Database, *, allowed: bool) -> None:
    """
    Make sure that the schema is the one this program knows.

    An older one is brought up to date if that is *allowed*; a newer one is refused, since
    this program would not know what it means. Raises StateUnusable.
    """
    found = version(database)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StateUnusable(
            f"state database {database.place} has schema {found}, newer than {HEAD}, the newest "
            "that this syncd knows; run the newer syncd, or give this one another state.url"
        )
    if not allowed:
        raise StateUnusable(
            f"state database {database.place} has schema {found or 'none'}, "
            f"this syncd needs {HEAD}; run: syncd state upgrade"
        )
    upgrade(database)


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction."""
    from alembic import command  # noqa: PLC0415  # slow to import, and hardly ever needed
    from alembic.config import Config  # noqa: PLC0415  # likewise

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
        if database.sqlite:
            _advise(tx)
    database.close()


ADVICE = {
    "links": "1000000 1000000 2 1",
    "links.links_person": "1000000 1000000 2 2 1",
    "standing": "1000000 1000000 1 1",
    "standing.standing_person": "1000000 1000000 1 1 1",
    "memberships": "1000000 1000000 1 1",
    "users": "1000000 1000000 1",
    "people": "1000000 1",
    "records": "1000000 1 1",
    "answers": "20000 20000 1",
    "changes": "100000 10000 1",
    "journal": "100000 1000 1",
    "items": "100000 10000 1000 1",
    "stranded": "10000 10000 1",
    "finds": "1000 1000 1 1",
    "sightings": "1000 1000 1",
    "pendings": "1000 1000 1",
    "husks": "1000 1000 1",
    "team_profiles": "1000 1000 1 1",
}
"""What SQLite's planner is told to expect: rows, then rows for each longer part of the key."""


def _advise(tx: Connection) -> None:
    """
    Fix SQLite's statistics.

    Without any it looks links up by environment alone, which is all of them. With those
    of a first, small database it would choose badly for a large one later.
    """
    tx.exec_driver_sql("ANALYZE")
    tx.exec_driver_sql("DELETE FROM sqlite_stat1")
    for name, expected in ADVICE.items():
        table, _, index = name.partition(".")
        run(
            tx,
            "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :stat)",
            table=table,
            index=index or table,
            stat=expected,
        )
    tx.exec_driver_sql("ANALYZE sqlite_master")

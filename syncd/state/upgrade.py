"""Bring the schema of the state database up to what this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from syncd.core.errors import StateUnusable
from syncd.state.advice import advise
from syncd.state.database import Database, one, run

__all__ = ["HEAD", "ensure", "migrate", "refuse_newer", "upgrade", "version"]

HEAD = "0005"
"""The newest schema that this program knows."""

MIGRATIONS = Path(__file__).parent / "migrations"
ALONE = int.from_bytes(b"syncd up")
"""The advisory lock on PostgreSQL that is held while the schema is changed."""


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
    refuse_newer(database.place, found)
    if not allowed:
        raise StateUnusable(
            f"state database {database.place} has schema {found or 'none'}, "
            f"this syncd needs {HEAD}; run: syncd state upgrade"
        )
    upgrade(database)


def upgrade(database: Database) -> None:
    """Run the migrations that are missing, in one transaction. Raises StateUnusable if newer."""
    with database.begin() as tx:
        migrate(tx, database.place)
    database.close()


def migrate(tx: Connection, place: str, to: str = HEAD) -> None:
    """
    Run the migrations that are missing at *place*, alone until the transaction ends.

    An empty database gets at once what they would make one after the other. An older schema
    than today's is made only for a copy of a state that has it.

    Who comes second waits, and then finds the work done: SQLite lets only one write at a time,
    on PostgreSQL it takes a lock. The version read before that says nothing any more.
    """
    sqlite = tx.dialect.name == "sqlite"
    if not sqlite:
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ALONE})")
    found = _version(tx)
    if found == HEAD:
        return
    refuse_newer(place, found)
    if found is None and to == HEAD:
        _make(tx)
    else:
        _follow(tx, to)
    if sqlite and to == HEAD:
        advise(tx)


def _make(tx: Connection) -> None:
    """Make today's schema in an empty database, and say so in Alembic's table."""
    from syncd.state.schema_service import metadata  # noqa: PLC0415  # needed once in a lifetime

    metadata.create_all(tx, checkfirst=False)  # whatever is in the way is somebody else's
    run(
        tx,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    )
    run(tx, "INSERT INTO alembic_version (version_num) VALUES (:head)", head=HEAD)


def _follow(tx: Connection, to: str) -> None:
    """Run the migrations that lead from the schema that is there to another one."""
    from alembic import command  # noqa: PLC0415  # slow to import, and hardly ever needed
    from alembic.config import Config  # noqa: PLC0415  # likewise

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, to)


def refuse_newer(place: str, found: str | None) -> None:
    """Raise StateUnusable for a schema from the future, which nobody here understands."""
    if found is not None and found > HEAD:
        raise StateUnusable(
            f"state database {place} has schema {found}, newer than {HEAD}, the newest "
            "that this syncd knows; run the newer syncd, or give this one another state.url"
        )

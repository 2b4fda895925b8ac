"""Bring the schema of the state database up to what this program knows."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from syncd.core.errors import StateUnusable
from syncd.state.advice import advise
from syncd.state.database import Database, one

__all__ = ["HEAD", "ensure", "upgrade", "version"]

HEAD = "0002"
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
            advise(tx)
    database.close()

"""The schema of the state database and how it comes to be."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from syncd.state.database import Database
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD, ensure, version


def test_the_migrations_make_the_tables_that_the_program_declares(database_url: str) -> None:
    """Whoever changes a table must write a migration, or this differs."""
    database = Database(database_url)
    ensure(database, allowed=True)

    with database.begin() as tx:
        options = {"include_name": lambda name, kind, _: not (kind == "table" and _own(name))}
        context = MigrationContext.configure(tx, opts=options)
        different = compare_metadata(context, metadata)
    found = version(database)
    database.close()

    assert different == []
    assert found == HEAD


def _own(name: str | None) -> bool:
    """Tell whether a table belongs to the database or to the migrations themselves."""
    return name is not None and name.startswith(("sqlite_", "alembic_"))

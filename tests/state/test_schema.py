"""The schema of the state database and how it comes to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from syncd.state.database import Database, Tx
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD, ensure, migrate, version

FIRST = "0001"
IN_SQLITE = (
    "SELECT m.name, c.name, c.type, c.[notnull], c.dflt_value, c.pk, m.sql LIKE '%WITHOUT ROWID%' "
    "FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
)
IN_POSTGRESQL = (
    "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, pg_get_constraintdef(oid), conname FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
)


def test_the_migrations_make_the_tables_that_the_program_declares(database_url: str) -> None:
    """Whoever changes a table must write a migration, or this differs."""
    database = Database(database_url)
    with database.begin() as tx:
        migrate(tx, database.place, FIRST)
    ensure(database, allowed=True)

    with database.begin() as tx:
        options = {"include_name": lambda name, kind, _: not (kind == "table" and _own(name))}
        context = MigrationContext.configure(tx, opts=options)
        different = compare_metadata(context, metadata)
    found = version(database)
    database.close()

    assert different == []
    assert found == HEAD


def test_an_empty_database_gets_what_the_migrations_would_make(database_url: str) -> None:
    """Columns, their types, defaults and collations, keys and indexes are the same."""
    database = Database(database_url)
    with database.rehearse() as tx:
        for number in (FIRST, HEAD):
            migrate(tx, database.place, number)
        made_by_migrations = definition(tx)
    ensure(database, allowed=True)
    with database.begin() as tx:
        made_at_once = definition(tx)
    database.close()

    assert len(made_at_once) > len(metadata.tables)
    assert made_at_once == made_by_migrations


def definition(tx: Tx) -> Sequence[tuple[Any, ...]]:
    """Describe every column, key and index; in which order columns stand matters to nobody."""
    described = IN_SQLITE if tx.dialect.name == "sqlite" else IN_POSTGRESQL
    found = [tuple(row) for sql in described for row in tx.execute(text(sql))]
    return sorted((row for row in found if not row[0].startswith("sqlite_")), key=repr)


def _own(name: str | None) -> bool:
    """Tell whether a table belongs to the database or to the migrations themselves."""
    return name is not None and name.startswith(("sqlite_", "alembic_"))

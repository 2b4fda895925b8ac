"""What SQLite's planner is told to expect of the tables; PostgreSQL looks by itself."""

from __future__ import annotations

from sqlalchemy import Connection

from syncd.state.database import one, run

__all__ = ["advise", "reindex"]

ADVICE = {
    "links": "1000000 100000 2 1",
    "links.links_person": "1000000 1000000 2 2 1",
    "standing": "1000000 100000 1 1",
    "standing.standing_person": "1000000 1000000 1 1 1",
    "memberships": "1000000 1000000 1 1",
    "users": "1000000 1000000 1",
    "users.users_object_id": "1000000 1000000 2 1",
    "users.users_employee_id": "1000000 1000000 2 1",
    "users.users_login": "1000000 1000000 2 1",
    "users.users_mail": "1000000 1000000 2 1",
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
"""
By table or index: rows, then rows for each longer part of the key.

A key is told to be a little choosier than the other index of its table, so that a whole
environment is read in the order in which it is stored.
"""


def advise(tx: Connection) -> None:
    """
    Fix SQLite's statistics.

    Without any it looks links up by environment alone, which is all of them. With those
    of a first, small database it would choose badly for a large one later.
    """
    tx.exec_driver_sql("ANALYZE")
    tx.exec_driver_sql("DELETE FROM sqlite_stat1")
    for name in ADVICE:
        _expect(tx, name)
    tx.exec_driver_sql("ANALYZE sqlite_master")


def reindex(tx: Connection, name: str, columns: str) -> None:
    """Make an index that was dropped, of the table before the dot, and expect of it what we did."""
    table, _, index = name.partition(".")
    run(tx, f"CREATE INDEX {index} ON {table} ({columns})")
    if tx.dialect.name == "sqlite":
        _expect(tx, name)
        # Of a temporary copy (state.aside) the database itself must not be written.
        copied = one(tx, "SELECT 1 FROM sqlite_temp_master WHERE name = :table", table=table)
        tx.exec_driver_sql(f"ANALYZE {'temp' if copied else 'main'}.sqlite_master")


def _expect(tx: Connection, name: str) -> None:
    table, _, index = name.partition(".")
    sql = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :stat)"
    run(tx, sql, table=table, index=index or table, stat=ADVICE[name])

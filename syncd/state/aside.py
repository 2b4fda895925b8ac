"""
Try out what a run would do, beside everybody else.

On SQLite one process writes at a time, and a run writes from its first read to its plan.
Whoever only asks what a run would do gets copies of the tables that this would write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from syncd.state.database import Database, Tx, rows

__all__ = ["aside"]

JUDGING = (
    "answers",
    "environments",
    "finds",
    "links",
    "meta",
    "news",
    "standing",
    "stranded",
    "yields",
)
"""What is written when the rules are asked and people are correlated."""

READING = (
    "bands",
    "combos",
    "decisions",
    "doubles",
    "husks",
    "memberships",
    "newcomers",
    "pages",
    "people",
    "profiles",
    "records",
    "sources",
    "team_profiles",
    "users",
)
"""What is written when both sides are read."""


@contextlib.contextmanager
def aside(database: Database, *, reading: bool) -> Iterator[Tx]:
    """
    Open a transaction that leaves nothing behind, in which everybody may be judged.

    With *reading* both sides may be read in it, too. On SQLite it waits for nobody, and
    nobody for it; PostgreSQL lets several write, so that the tables themselves will do.
    """
    if not database.sqlite:
        with database.rehearse() as tx:
            yield tx
        return
    tables = (*JUDGING, *READING) if reading else JUDGING
    with database.read() as tx:
        for name in tables:
            _copy(tx, name)
        _advise(tx, tables)
        yield tx


def _copy(tx: Tx, name: str) -> None:
    """Put a temporary copy before a table: a name alone means the temporary one first."""
    sql = (
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = :name AND sql IS NOT NULL "
        "ORDER BY type DESC"
    )
    table, *indexes = [row.sql for row in rows(tx, sql, name=name)]
    tx.exec_driver_sql(table.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    for index in indexes:
        tx.exec_driver_sql(index)  # belongs to the table that its own name for it means
    tx.exec_driver_sql(f"INSERT INTO temp.{name} SELECT * FROM main.{name}")


def _advise(tx: Tx, tables: Sequence[str]) -> None:
    """Let SQLite's planner expect of the copies what it expects of the tables."""
    # There is a place for statistics only once something was analysed: a table of no rows.
    tx.exec_driver_sql("CREATE TEMP TABLE no_rows (value)")
    tx.exec_driver_sql("ANALYZE temp.no_rows")
    marks = ", ".join("?" * len(tables))
    sql = f"INSERT INTO temp.sqlite_stat1 SELECT * FROM main.sqlite_stat1 WHERE tbl IN ({marks})"
    tx.exec_driver_sql(sql, tuple(tables))
    tx.exec_driver_sql("ANALYZE temp.sqlite_schema")

"""
Forget what nobody needs any more: environments and sources that are no longer configured.

The audit log stays for its days, and so does the last number that a run had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.state import people
from syncd.state.database import Tx, one, rows, run
from syncd.state.decisions import Verb
from syncd.state.revisions import touch
from syncd.state.schema_service import metadata

__all__ = [
    "Leftover",
    "environment",
    "forget_environment",
    "forget_source",
    "leftovers",
    "sizes",
    "standing",
]

KEPT = ("audit", "runs")
OF_ENVIRONMENTS = tuple(
    table.name
    for table in metadata.sorted_tables
    if "env" in table.columns and table.name not in KEPT
)
OF_SOURCES = ("records", "doubles", "bands", "newcomers")


@dataclass(frozen=True, slots=True)
class Leftover:
    """An environment or a source that is remembered, by its number; `url` is an environment's."""

    id: int
    name: str
    url: str | None = None


def leftovers(
    tx: Tx, environments: Mapping[str, str], sources: Sequence[str]
) -> tuple[list[Leftover], list[Leftover]]:
    """
    Return the environments and the sources of which something is remembered for nothing.

    *environments* are the urls of those that are configured, *sources* the names.
    """
    found = [
        Leftover(row.id, row.name, row.url)
        for row in rows(tx, "SELECT id, name, url FROM environments ORDER BY id")
        if environments.get(row.name) != row.url and _remembered(tx, row.id)
    ]
    unread = [
        Leftover(row.id, row.name)
        for row in rows(tx, "SELECT id, name FROM sources ORDER BY id")
        if row.name not in sources
    ]
    return found, unread


def _remembered(tx: Tx, env: int) -> bool:
    return any(
        one(tx, f"SELECT 1 FROM {table} WHERE env = :env LIMIT 1", env=env)
        for table in OF_ENVIRONMENTS
    )


def environment(tx: Tx, name: str) -> Leftover | None:
    """Return what is remembered under the name of an environment, configured or not."""
    found = rows(tx, "SELECT id, name, url FROM environments WHERE name = :name", name=name)
    return Leftover(found[0].id, found[0].name, found[0].url) if found else None


def sizes(tx: Tx) -> dict[str, int]:
    """Return how many rows each table has; what a purge takes is the difference."""
    return {
        table.name: int(one(tx, f"SELECT count(*) FROM {table.name}"))
        for table in metadata.sorted_tables
    }


def standing(tx: Tx, env: int) -> int:
    """Count the decisions of operators that hold in an environment."""
    sql = "SELECT count(*) FROM decisions WHERE env = :env AND ended IS NULL"
    return int(one(tx, sql, env=env))


def forget_environment(tx: Tx, env: int) -> None:
    """Forget everything about an environment but what stands in the audit log."""
    for table in ("changes", "items"):
        sql = f"DELETE FROM {table} WHERE plan IN (SELECT id FROM plans WHERE env = :env)"
        run(tx, sql, env=env)
    own = "SELECT id FROM runs WHERE env = :env"
    run(tx, f"DELETE FROM certificates WHERE run IN ({own})", env=env)
    for table in OF_ENVIRONMENTS:
        run(tx, f"DELETE FROM {table} WHERE env = :env", env=env)
    run(tx, "DELETE FROM news WHERE what LIKE :what", what=f"%:{env}")
    # Numbers are stamped on rows: the last one stays, so that none comes again.
    last = "(SELECT max(id) FROM runs)"
    run(tx, f"DELETE FROM runs WHERE env = :env AND id <> {last}", env=env)
    run(
        tx,
        "UPDATE runs SET plan = NULL, document = NULL, finished = COALESCE(finished, started) "
        "WHERE env = :env",
        env=env,
    )
    for row in rows(tx, "SELECT name FROM meta"):
        if _about(row.name, env):
            run(tx, "DELETE FROM meta WHERE name = :name", name=row.name)
    touch(tx, "decisions")
    held = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE env = :env)" for table in KEPT)
    run(tx, f"DELETE FROM environments WHERE id = :env AND {held}", env=env)


def _about(name: str, env: int) -> bool:
    """Tell whether something is remembered of an environment: `base:7`, `revision:rows:7`."""
    kind, _, rest = name.partition(":")
    if kind == "receiver":  # of notifications; what follows is a digest
        return False
    return rest.partition(":")[2 if kind == "revision" else 0] == str(env)


def forget_source(tx: Tx, source: Leftover, now: str) -> None:
    """Forget a source: what it said, and what is usual of it."""
    if one(tx, "SELECT 1 FROM records WHERE source = :id LIMIT 1", id=source.id):
        people.rebuild(tx)
    for table in OF_SOURCES:
        run(tx, f"DELETE FROM {table} WHERE source = :id", id=source.id)
    run(tx, "DELETE FROM sources WHERE id = :id", id=source.id)
    values: dict[str, Any] = {"now": now, "kind": str(Verb.ACCEPT), "name": source.name}
    run(
        tx,
        "UPDATE decisions SET ended = :now, how = 'the source was purged' "
        "WHERE kind = :kind AND subject = :name AND ended IS NULL",
        **values,
    )

"""Whether a state can be trusted: what `syncd state check` looks at. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import inspect

from syncd.core.preflight import Observation, Verdict
from syncd.state.backup import last
from syncd.state.database import Database, Tx, column, one
from syncd.state.lease import busy
from syncd.state.lookup import size
from syncd.state.schema_service import metadata
from syncd.state.upgrade import HEAD, version

__all__ = ["UNUSABLE", "check", "lacking"]

UNUSABLE = "schema"
"""The check whose failure says that another syncd is needed, not that anything is damaged."""
OLD = timedelta(days=7)
LINES = 5
"""How many of SQLite's complaints are repeated."""
RESTORE = "restore a backup: syncd state restore FILE (without one, syncd adopts anew)"
ORPHANS = (
    ("links of an environment that is not there", "links", "environments e ON e.id = t.env"),
    ("runs of an environment that is not there", "runs", "environments e ON e.id = t.env"),
    ("records of a source that is not there", "records", "sources e ON e.id = t.source"),
    ("records without their attributes", "records", "combos e ON e.id = t.combo"),
    ("people without their attributes", "people", "combos e ON e.id = t.combo"),
    ("certificates of a run that is not there", "certificates", "runs e ON e.id = t.run"),
    ("changes of a plan that is not there", "changes", "plans e ON e.id = t.plan"),
    ("remarks of a plan that is not there", "items", "plans e ON e.id = t.plan"),
)
"""What must not be: what it is, in which table, and what each row of it belongs to."""
UNSETTLED = "SELECT count(*) FROM journal WHERE settled IS NULL"


def check(database: Database, names: Sequence[str], now: datetime) -> list[Observation]:
    """
    Look at everything that a state must be. Raises StateError if it cannot even be opened.

    What is damaged is a failure; what somebody should know, but can work with, a warning.
    """
    if database.sqlite and not Path(database.place).exists():
        return [Observation("database", Verdict.WARNING, "not there yet: the first run makes it")]
    with database.read() as tx:
        found = list(_sound(tx))
        found += _schema(tx, version(database))
        if all(each.verdict is not Verdict.FAILURE for each in found):
            found += _whole(tx)
            found += _journal(tx)
            found.append(_backup(tx, now))
        found.append(Observation("size", Verdict.OK, f"{size(tx, database.place):,} bytes"))
    found += [_lease(database, name) for name in names]
    return found


def lacking(tx: Tx) -> list[str]:
    """Return the tables and columns that this program knows and a state does not have."""
    there = set(inspect(tx).get_table_names())
    found = [table.name for table in metadata.sorted_tables if table.name not in there]
    for table in metadata.sorted_tables:
        if table.name in there:
            has = {each["name"] for each in inspect(tx).get_columns(table.name)}
            found += [f"{table.name}.{each.name}" for each in table.columns if each.name not in has]
    return sorted(found)


# --- parts ------------------------------------------------------------------------------------


def _sound(tx: Tx) -> Iterator[Observation]:
    if tx.dialect.name != "sqlite":
        answer = f"answers: PostgreSQL {one(tx, 'SHOW server_version')}"
        yield Observation("database", Verdict.OK, answer)
        return
    said = [str(line) for line in column(tx, f"PRAGMA integrity_check({LINES})")]
    if said == ["ok"]:
        yield Observation("database", Verdict.OK, "every page of the file is sound")
        return
    complaints = " · ".join(" ".join(line.split()) for line in said)
    yield Observation("database", Verdict.FAILURE, f"the file is damaged: {complaints}", RESTORE)


def _schema(tx: Tx, found: str | None) -> Iterator[Observation]:
    if found is None:
        yield Observation("schema", Verdict.WARNING, "no table yet: the first run makes them")
    elif found > HEAD:
        said = f"{found}, newer than {HEAD}, the newest that this syncd knows"
        yield Observation(UNUSABLE, Verdict.FAILURE, said, "run the newer syncd")
    elif found < HEAD:
        said, remedy = f"{found}, this syncd needs {HEAD}", "back it up, then: syncd state upgrade"
        yield Observation("schema", Verdict.WARNING, said, remedy)
    elif lost := lacking(tx):
        yield Observation("tables", Verdict.FAILURE, f"missing: {', '.join(lost)}", RESTORE)
    else:
        yield Observation("schema", Verdict.OK, f"{found}, with every table and column")


def _whole(tx: Tx) -> Iterator[Observation]:
    """Say whether everything that rows refer to is there."""
    there = set(inspect(tx).get_table_names())
    lost = [
        f"{number:,} {what}"
        for what, table, owner in ORPHANS
        if table in there
        and (
            number := int(
                one(tx, f"SELECT count(*) FROM {table} t LEFT JOIN {owner} WHERE e.id IS NULL")
            )
        )
    ]
    if "links" in there:
        sql = "SELECT count(*) FROM links WHERE run > (SELECT COALESCE(max(id), 0) FROM runs)"
        ahead = int(one(tx, sql))
        lost += [f"{ahead:,} links of a run that is yet to come"] if ahead else []
    if lost:
        yield Observation("references", Verdict.FAILURE, " · ".join(lost), RESTORE)
    elif there:
        yield Observation("references", Verdict.OK, "whatever a row refers to is there")


def _journal(tx: Tx) -> Iterator[Observation]:
    """Say whether attempts are open, and whether the next run can settle them."""
    if "journal" not in inspect(tx).get_table_names():
        return
    sql = (
        "SELECT count(*) FROM journal j LEFT JOIN changes c "
        "ON c.plan = j.plan AND c.number = j.number WHERE j.settled IS NULL AND c.plan IS NULL"
    )
    open_ones, lost = int(one(tx, UNSETTLED)), int(one(tx, sql))
    if lost:
        said = f"of {open_ones} open attempts {lost} are not known any more"
        yield Observation("journal", Verdict.FAILURE, said, RESTORE)
    elif open_ones:
        said = f"{open_ones} open: a run is sending them, or the next one settles them by reading"
        yield Observation("journal", Verdict.OK, said)
    else:
        yield Observation("journal", Verdict.OK, "every attempt is settled")


def _backup(tx: Tx, now: datetime) -> Observation:
    remedy = "every night: syncd state backup FILE"
    found = last(tx) if "meta" in inspect(tx).get_table_names() else None
    if found is None:
        return Observation("backup", Verdict.WARNING, "none was made that is known here", remedy)
    said = f"the last one was made at {found.at}, of {found.bytes:,} bytes"
    if now - datetime.fromisoformat(found.at) > OLD:
        return Observation("backup", Verdict.WARNING, said, remedy)
    return Observation("backup", Verdict.OK, said)


def _lease(database: Database, name: str) -> Observation:
    said = "somebody is writing to it" if busy(database, name) else "nobody is writing to it"
    return Observation(f"lease {name}", Verdict.OK, said)

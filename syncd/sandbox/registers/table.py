"""A table of people in a SQLite database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from syncd.sandbox.company import HR_COLUMNS
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.registers.parts import Row, Words, iso_day

__all__ = ["opened"]

COLUMNS = ("number", "object_id", "login", "mail", "status", "hired", "last_day",
           "department", "site", "grade")  # fmt: skip
DAYS = frozenset({"hired", "last_day"})
TABLE = """
CREATE TABLE people (
  number TEXT PRIMARY KEY, object_id TEXT, login TEXT, mail TEXT, status TEXT, hired TEXT,
  last_day TEXT, department TEXT, site TEXT, grade INTEGER, changed_at TEXT)
"""
SOURCE = """\
[[sources]]
name = "hr"
type = "sql"
url = "sqlite:///hr.db"
query = "SELECT * FROM people"
watermark = { column = "changed_at" }
[sources.person]
key = "number"
employee_id = "number"
object_id = "object_id"
user_name = "login"
mail = "mail"
enabled = { column = "status", true_values = ["Active", "On leave"] }
starts_on = "hired"
leaves_on = "last_day"
[sources.person.attributes]
department = "department"
site = "site"
grade = { column = "grade", type = "int" }
"""


@dataclass(slots=True)
class Table:
    """The database."""

    path: Path
    source: str = SOURCE

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        change = "UPDATE people SET department = 'Warehouse' WHERE number = 'E000001'"
        return Words(
            place="HR's database",
            news="HR's database has changed",
            broken="A broken query",
            play=["Change somebody, such as:", f'  sqlite3 {self.path} "{change}"'],
            later="",
        )

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """Write these people over what there is of them. Raises SandboxError."""
        now = datetime.now(UTC).isoformat()
        marks = ", ".join("?" for _ in (*COLUMNS, now))
        rows = [(*_cells(person), now) for person in people]
        try:
            with closing(sqlite3.connect(self.path)) as database, database:
                database.executemany(f"REPLACE INTO people VALUES ({marks})", rows)  # noqa: S608  # only marks
        except sqlite3.Error as error:
            raise SandboxError(f"{self.path} cannot be written: {error}.") from error
        return {}


def _cells(person: Row) -> Iterator[str | None]:
    for column, name in zip(COLUMNS, HR_COLUMNS, strict=True):
        cell = person[name] or None
        yield iso_day(cell) if cell and column in DAYS else cell


@contextmanager
def opened(folder: Path) -> Iterator[Table]:
    """Open a database with an empty table. Raises SandboxError."""
    path = folder / "hr.db"
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(TABLE)
    except sqlite3.Error as error:
        raise SandboxError(f"{path} cannot be written: {error}.") from error
    yield Table(path)

"""HR's file: one line for each of the company's people."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncd.sandbox.company import HR_COLUMNS
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.registers.parts import Row, Words

__all__ = ["NAME", "opened"]

NAME = "hr.csv"
SOURCE = """\
[[sources]]
name = "hr"
type = "csv"
path = "hr.csv"
[sources.person]
key = "EmployeeID"
employee_id = "EmployeeID"
object_id = "EntraObjectId"
user_name = "UPN"
mail = "Email"
enabled = { column = "Status", true_values = ["Active", "On leave"] }
starts_on = { column = "Hire date", format = "%d.%m.%Y" }
leaves_on = { column = "Last day", format = "%d.%m.%Y" }
[sources.person.attributes]
department = "Department"
site = "Site"
grade = { column = "Grade", type = "int" }
"""


@dataclass(slots=True)
class File:
    """The file, and what was last written to it."""

    path: Path
    people: dict[str, Row] = field(default_factory=dict)
    source: str = SOURCE

    @property
    def words(self) -> Words:
        """How one speaks of it."""
        return Words(
            place="HR's file",
            news="HR sends a new file",
            broken="A broken HR file",
            play=[f"Edit {self.path} and run reconcile again."],
            later="",
        )

    def put(self, people: Sequence[Row]) -> Mapping[str, str]:
        """Write everybody anew. Raises SandboxError."""
        self.people.update((person["EmployeeID"], person) for person in people)
        try:
            with self.path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, HR_COLUMNS)
                writer.writeheader()
                writer.writerows(self.people.values())
        except OSError as error:
            raise SandboxError(f"{self.path} cannot be written: {error.strerror}.") from error
        return {}


@contextmanager
def opened(folder: Path) -> Iterator[File]:
    """Open a file that is written with the first people."""
    yield File(folder / NAME)

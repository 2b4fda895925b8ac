"""Fill a running sandbox with a made-up company, and write the files that syncd needs for it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from syncd.sandbox.client import post_batches
from syncd.sandbox.columns import Table
from syncd.sandbox.company import Company, make_company
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.tables import TABLES

__all__ = ["run_seed", "write_files"]

CONFIGURATION = """\
# Written by `syncd sandbox seed` for the company in hr.csv.
[state]
url = "sqlite:///syncd.db"

[environments.contoso]
url = "{url}"
auth = {{ method = "none" }}

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
enabled = {{ column = "Status", true_values = ["Active", "On leave"] }}
starts_on = {{ column = "Hire date", format = "%d.%m.%Y" }}
leaves_on = {{ column = "Last day", format = "%d.%m.%Y" }}
[sources.person.attributes]
department = "Department"
site = "Site"
grade = {{ column = "Grade", type = "int" }}

[[rules]]
name = "field crew"
profile = "Field Crew"
when = 'person.department == "Field Service"'

[[rules]]
name = "depot"
profile = "Depot"
when = 'person.department in ["Warehouse", "Logistics"]'

[[rules]]
name = "senior sales"
profile = "Sales Mobile"
when = 'person.department == "Sales" && person.grade >= 5'

[[rules]]
name = "inspection"
profile = "Inspection"
when = 'person.department == "Quality"'
"""


def run_seed(
    url: str, people: int = 200, seed: int = 1, out: Path = Path(), today: date | None = None
) -> list[Path]:
    """
    Fill the sandbox at this address and return the files written: `hr.csv` and `syncd.toml`.

    Files of these names in the folder are replaced. Raises SandboxError: too few people, the
    sandbox cannot be reached or holds such a company already, the folder cannot be written to.
    """
    if people < 1:
        raise SandboxError("A company needs at least one person: --people 200.")
    company = make_company(people, seed, today or datetime.now(UTC).date())
    post_batches(url, _operations(company.world))
    return write_files(company, url, out)


def write_files(company: Company, url: str, out: Path) -> list[Path]:
    """Write HR file and configuration into a folder, and return their paths."""
    people, configuration = out / "hr.csv", out / "syncd.toml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with people.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(company.hr_columns)
            writer.writerows(company.hr_rows)
        configuration.write_text(CONFIGURATION.format(url=url.rstrip("/")), encoding="utf-8")
    except OSError as error:
        raise SandboxError(f"{out} cannot be written to: {error.strerror}.") from error
    return [people, configuration]


def _operations(
    world: Mapping[str, object],
) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """Yield the requests that make a world, in an order in which lookups find their rows."""
    # Users may point at profiles, so these come before all others.
    for table in sorted(TABLES.values(), key=lambda table: table.name != "mobileofflineprofile"):
        rows = world.get(table.set_name, [])
        assert isinstance(rows, list)  # noqa: S101  # as `make_company` makes them
        for row in rows:
            yield "POST", table.set_name, _body(table, row)
            if row.get("statecode"):
                # No row is created inactive.
                path = f"{table.set_name}({row[table.key]})"
                yield "PATCH", path, {"statecode": 1, "statuscode": 2}


def _body(table: Table, row: Mapping[str, object]) -> dict[str, object]:
    """Return what can be given on create, lookups bound."""
    body: dict[str, object] = {}
    for name, value in row.items():
        column = table.columns[table.positions[name]]
        if value is None or not column.create or column.name == "statuscode":
            continue
        if column.nav is None:
            body[name] = value
        else:
            target = TABLES[str(column.target)].set_name
            body[f"{column.nav}@odata.bind"] = f"/{target}({value})"
    return body

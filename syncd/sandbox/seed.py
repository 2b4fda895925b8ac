"""Fill a running sandbox with a made-up company, and write the files that syncd needs for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from syncd.sandbox.client import post_batches
from syncd.sandbox.columns import Table
from syncd.sandbox.company import Company, make_company
from syncd.sandbox.errors import SandboxError
from syncd.sandbox.registers import Register, open_register
from syncd.sandbox.tables import TABLES

__all__ = ["move_in", "run_seed"]

OBJECT_ID = "azureactivedirectoryobjectid"
CONFIGURATION = """\
# Written by `syncd sandbox seed` for a made-up company.
[state]
url = "sqlite:///syncd.db"

[environments.contoso]
url = "{url}"
auth = {{ method = "none" }}

{source}
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
    day = today or datetime.now(UTC).date()
    company = make_company(people, seed, day)
    with open_register("csv", out, url, lambda: day) as register:
        # Whatever is refused is refused before a file is replaced.
        post_batches(url, _operations(company.world, {}))
        _make_folder(out)
        register.put(_people(company))
        return [out / "hr.csv", write_configuration(url, register, out)]


def move_in(
    company: Company, url: str, register: Register, out: Path
) -> tuple[Path, list[dict[str, str]]]:
    """
    Put a company's people into a register, and what else it has into an empty sandbox.

    Where the register gives object ids the users get them. Returns the configuration for
    both, written into a folder, and what the register has on record. Raises SandboxError.
    """
    people = _people(company)
    given = register.put(people)
    ids = {
        person["EntraObjectId"]: given[person["EmployeeID"]]
        for person in people
        if person["EmployeeID"] in given and person["EntraObjectId"]
    }
    for person in people:
        person["EntraObjectId"] = ids.get(person["EntraObjectId"], person["EntraObjectId"])
    post_batches(url, _operations(company.world, ids))
    return write_configuration(url, register, out), people


def _people(company: Company) -> list[dict[str, str]]:
    return [dict(zip(company.hr_columns, row, strict=True)) for row in company.hr_rows]


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxError(f"{out} cannot be written to: {error.strerror}.") from error


def write_configuration(url: str, register: Register, out: Path) -> Path:
    """Write the configuration for a sandbox and a register. Raises SandboxError."""
    path = out / "syncd.toml"
    text = CONFIGURATION.format(url=url.rstrip("/"), source=register.source)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SandboxError(f"{out} cannot be written to: {error.strerror}.") from error
    return path


def _operations(
    world: Mapping[str, object], ids: Mapping[str, str]
) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """
    Yield the requests that make a world, in an order in which lookups find their rows.

    *ids* are object ids that took the place of others.
    """
    # Users may point at profiles, so these come before all others.
    for table in sorted(TABLES.values(), key=lambda table: table.name != "mobileofflineprofile"):
        rows = world.get(table.set_name, [])
        assert isinstance(rows, list)  # noqa: S101  # as `make_company` makes them
        for row in rows:
            yield "POST", table.set_name, _body(table, _known_as(row, ids))
            if row.get("statecode"):
                # No row is created inactive.
                path = f"{table.set_name}({row[table.key]})"
                yield "PATCH", path, {"statecode": 1, "statuscode": 2}


def _known_as(row: Mapping[str, object], ids: Mapping[str, str]) -> Mapping[str, object]:
    own = ids.get(str(row.get(OBJECT_ID)))
    return row if own is None else {**row, OBJECT_ID: own}


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

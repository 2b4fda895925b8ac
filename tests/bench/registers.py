"""The systems that sources are measured on: those of the demo, and two that only the bench has."""

from __future__ import annotations

import csv
import json
import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from syncd.sandbox import Running, Sandbox, SandboxError
from syncd.sandbox.company import HR_COLUMNS
from syncd.sandbox.registers import Kind, open_register
from tests.bench.company import DEPARTMENTS, SOURCE, Company, Part
from tests.bench.processes import BenchError
from tests.connectors.sources.web import Asked, Reply, serve

__all__ = ["SYSTEMS", "Filled", "System", "filled"]

CHUNK = 20_000
"""People who are put into a system at once."""
TICK = 2.0
"""Seconds after which a clock that knows no fractions shows another time."""
EVERY = 1000
"""Of so many people one changes."""
PLACE = 500
"""That one's place among them: nothing else happens there (`Company.part`)."""
SIZE = 1000
"""Rows in a page of the export."""
Row = Mapping[str, str]
Put = Callable[[Sequence[Row]], object]
"""Adds people, or changes what is on record."""

PERSON = """\
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
FILE = '[[sources]]\nname = "hr"\ntype = "{kind}"\npath = {path}\n'
EXPORT = """\
[[sources]]
name = "hr"
type = "http-json"
url = "{url}/people"
auth = {{ method = "none" }}
rows = "people"
paging = {{ method = "offset", size = {size} }}
since = {{ parameter = "since", format = "unix", overlap = "0s" }}
"""
NO_OVERLAP = (
    ('column = "changed_at"', 'column = "changed_at", overlap = "0s"'),
    ('type = "scim"', 'type = "scim"\noverlap = "0s"'),
)
"""Everybody was put in just now; on other days an overlap of minutes holds few people."""


@dataclass(frozen=True, slots=True)
class System:
    """
    A kind of source, what stands behind it, and the most people it is measured with.

    `incremental` says whether it tells what changed, `why` why it is not measured with more.
    """

    name: str
    behind: str
    incremental: bool
    most: int = 10_000_000
    why: str = ""


SYSTEMS = (
    System("csv", "a file", incremental=False),
    System("jsonl", "a file", incremental=False),
    System("sql", "SQLite", incremental=True),
    System("graph", "the sandbox", incremental=True, most=100_000, why="it keeps users in memory"),
    System("http-json", "an export", incremental=True, most=200_000, why="it keeps rows in memory"),
    System("ldap", "slapd", incremental=False),
    System(
        "scim", "scim2-server", incremental=True, most=1000, why="it looks at all users for a page"
    ),
)


@dataclass(slots=True)
class Filled:
    """A system with a company in it, and how syncd reads it."""

    source: str
    changing: int
    tell: Callable[[bool], object]
    moved: bool = False

    def change(self) -> None:
        """Let one of a thousand change departments, so that nobody's profile is another."""
        self.moved = not self.moved
        self.tell(self.moved)


@contextmanager
def filled(system: System, company: Company, folder: Path) -> Iterator[Filled]:
    """Open a system with everybody in it. Raises BenchError if its program is missing."""
    changing = range(PLACE, company.people, EVERY)
    if system.name in {"csv", "jsonl"}:
        path = folder / f"people.{system.name}"
        tell = partial(_write, path, company)
        tell(moved=False)
        source = FILE.format(kind=system.name, path=json.dumps(str(path))) + PERSON
        yield Filled(source, len(changing), lambda moved: tell(moved=moved))
        return
    try:
        with _opened(system, folder) as (settings, put):
            people = _rows(company, range(company.people), moved=False)
            while chunk := list(islice(people, CHUNK)):
                put(chunk)
            time.sleep(TICK)
            put(list(_rows(company, changing[:1], moved=False)))  # whose time is the newest
            yield Filled(
                _plain(settings()),
                len(changing),
                lambda moved: put(list(_rows(company, changing, moved=moved))),
            )
    except SandboxError as error:
        raise BenchError(str(error)) from error


def _plain(source: str) -> str:
    """Name a source as phases do, and let its reads of changes have no overlap."""
    for plain, without in NO_OVERLAP:
        source = source.replace(plain, without)
    return re.sub(r'^name = ".*"$', f'name = "{SOURCE}"', source, count=1, flags=re.MULTILINE)


@contextmanager
def _opened(system: System, folder: Path) -> Iterator[tuple[Callable[[], str], Put]]:
    """Open an empty system: what gives its settings once it has people, and what puts them in."""
    if system.name == "http-json":
        export = _Export()
        with serve(export.answer) as web:
            text = EXPORT.format(url=web.url, size=SIZE) + PERSON
            yield lambda: text, export.put
        return
    today = datetime.now(UTC).date()
    with Running(Sandbox()) if system.name == "graph" else nullcontext() as sandbox:
        url = sandbox.url if sandbox else ""
        with open_register(cast("Kind", system.name), folder, url, lambda: today) as register:
            yield lambda: register.source, register.put


# --- people -----------------------------------------------------------------------------------


def _rows(company: Company, numbers: Iterable[int], *, moved: bool) -> Iterator[Row]:
    """Give people as a register has them; *moved* ones are in the other department of a pair."""
    for number in numbers:
        person = company.person(number)
        left = company.part(number, 1) is Part.LEAVER
        elsewhere = moved and number % EVERY == PLACE
        cells = (
            person.key,
            person.object_id,
            person.login,
            person.login,
            "Left" if left else "Active",
            person.hired,
            "31.01.2026" if left else "",
            DEPARTMENTS[person.department ^ elsewhere],
            f"Site {person.site:02d}",
            str(person.grade),
        )
        yield dict(zip(HR_COLUMNS, cells, strict=True))


def _write(path: Path, company: Company, *, moved: bool) -> None:
    """Write everybody into a file."""
    rows = _rows(company, range(company.people), moved=moved)
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, HR_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


@dataclass(slots=True)
class _Export:
    """Rows in the order in which they came, and who changed when, the newest last."""

    rows: dict[str, Row] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    log: list[tuple[float, str]] = field(default_factory=list)

    def put(self, people: Sequence[Row]) -> None:
        """Add people, or change what is on record."""
        now = time.time()
        for person in people:
            key = person["EmployeeID"]
            if key not in self.rows:
                self.keys.append(key)
            self.rows[key] = person
            self.log.append((now, key))

    def answer(self, asked: Asked) -> Reply:
        """Answer with a page of everything, or of what changed."""
        query: dict[str, Any] = asked.query
        offset, limit, keys = int(query["offset"]), int(query["limit"]), self.keys
        if "since" in query:
            first = bisect_left(self.log, (float(query["since"]), ""))
            keys = list(dict.fromkeys(key for _, key in self.log[first:]))
        return Reply({"people": [self.rows[key] for key in keys[offset : offset + limit]]})

"""
A company on its second day, and everything that can happen to it from outside.

On the first day everybody got a row. On the second E1 has left, E2 moves, E5 and E6 are new, and
E3 and E4 stay. A test disturbs the second day; on the third all is well again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

from syncd.sandbox import Answer, Running, Sandbox
from tests.cli.office import Done, Office, environ
from tests.company import CREW, DEPOT, RULES, SOURCE, profile, user
from tests.sandbox.door import ROWS, Door, sandbox_of

FIRST, SECOND, THIRD = (f"2026-03-0{day}T08:00:00Z" for day in (2, 3, 4))
PROFILES = {CREW: "Field Crew", DEPOT: "Depot"}
USERS = {f"10000000-0000-4000-8000-00000000000{number}": f"E{number}" for number in range(1, 7)}

HEADER = "EmployeeID;Department;Active\n"
BEFORE = HEADER + "E1;Field;yes\nE2;Field;yes\nE3;Field;yes\nE4;Depot;yes\n"
AFTER = (
    HEADER + "E1;Field;no\nE2;Depot;yes\nE3;Field;yes\nE4;Depot;yes\nE5;Depot;yes\nE6;Field;yes\n"
)
STAYING = [("E3", "Field Crew"), ("E4", "Depot")]
OLD = [("E1", "Field Crew"), ("E2", "Field Crew"), *STAYING]
"""What everybody has in the morning of the second day."""
NEW = [("E2", "Depot"), *STAYING, ("E5", "Depot"), ("E6", "Field Crew")]
"""What everybody has when the second day went well."""
CHANGES = 4

CONFIGURATION = f"""
[environments.contoso]
url = "{{url}}"
auth.method = "none"
http = {{{{ batch_size = 1, lanes = 1, page_size = 2, timeout = "{{timeout}}" }}}}
{SOURCE}enabled = "Active"
{RULES}"""

Serve = Callable[[], Answer]
Ear = Callable[[str, str, Serve], Answer]
"""Hears method and path of a request, and answers it, with the work done or not."""


def faithful(_method: str, _path: str, serve: Serve) -> Answer:
    """Answer as the sandbox does."""
    return serve()


@dataclass(slots=True)
class Overheard:
    """A sandbox with somebody in between."""

    sandbox: Sandbox
    ear: Ear = faithful

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Answer one request, the way of whoever is in between."""

        def serve() -> Answer:
            return self.sandbox.answer(method, path, query, headers, body)

        return self.ear(method, path.rpartition("/")[2], serve)


@dataclass(slots=True)
class Started:
    """A process that somebody on the other side may want to reach."""

    process: subprocess.Popen[str] | None = None
    born: Event = field(default_factory=Event)

    @property
    def pid(self) -> int:
        """Return its number, as soon as there is one."""
        self.born.wait(30)
        assert self.process is not None
        return self.process.pid


@dataclass(slots=True)
class House:
    """Where it all happens: the folder, the environment, and who stands in between."""

    folder: Path
    wire: Overheard
    url: str
    started: Started = field(default_factory=Started)

    @property
    def office(self) -> Office:
        """Where commands run without a process."""
        return Office(self.folder, self.url)

    @property
    def state(self) -> Path:
        """Where the state database lies."""
        return self.folder / "syncd.db"

    def write(self, people: str | bytes, name: str = "hr.csv") -> None:
        """Write the file of a source."""
        content = people.encode() if isinstance(people, str) else people
        (self.folder / name).write_bytes(content)

    def run(self, *words: str, under: tuple[str, ...] = (), **variables: str) -> Done:
        """Run a command on the second day in a process, which may be *under* another command."""
        typed = words or ("reconcile", "--json")
        command = [*under, sys.executable, "-m", "syncd", "-c", "syncd.toml", *typed]
        self.started.born.clear()
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env={**environ(), "SYNCD_NOW": SECOND, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            self.started.process = process
            self.started.born.set()
            out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        return Done(process.returncode, out, err)

    def rows(self) -> list[tuple[str, str]]:
        """Return who has which profile; a row that is there twice is there twice."""
        found = Door(self.wire.sandbox).get(ROWS)["value"]
        assert all(row["statecode"] == 0 for row in found)
        return sorted(
            (USERS[row["_systemuserid_value"]], PROFILES[row["_mobileofflineprofileid_value"]])
            for row in found
        )

    def heal(self) -> list[tuple[str, str]]:
        """Let the third day go well, twice, and return the rows; the second run has no work."""
        self.wire.ear = faithful
        self.write(AFTER)
        self.office.reconcile(now=THIRD)
        code, plan = self.office.reconcile(now=THIRD)
        assert (code, plan["changes"]) == (0, []), plan
        return self.rows()


def sentences(done: Done) -> list[str]:
    """Return what was said to a person; the log's lines are not among it."""
    return [line for line in done.err.splitlines() if not line.startswith("{")]


def logged(done: Done) -> Any:
    """Return the closing line of the log."""
    return json.loads([line for line in done.err.splitlines() if line.startswith("{")][-1])


def document(done: Done) -> Any:
    """Return the one document on standard output."""
    return json.loads(done.out)


@contextmanager
def opened(folder: Path, *, timeout: str = "60s", more: str = "") -> Iterator[House]:
    """Open a house in the morning of the second day."""
    users = [user(key, name, name) for key, name in USERS.items()]
    profiles = [profile(key, name) for key, name in PROFILES.items()]
    wire = Overheard(sandbox_of({"systemusers": users, "mobileofflineprofiles": profiles}))
    with Running(cast("Sandbox", wire)) as running:
        text = CONFIGURATION.format(url=running.url, timeout=timeout)
        (folder / "syncd.toml").write_text(text + more, encoding="utf-8")
        house = House(folder, wire, running.url)
        house.write(BEFORE)
        code, _ = house.office.reconcile(now=FIRST)
        assert (code, house.rows()) == (0, OLD)
        house.write(AFTER)
        yield house

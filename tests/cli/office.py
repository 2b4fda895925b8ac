"""A small company, its sandbox, and the command line as people type it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.app import build
from syncd.sandbox import Running
from syncd.state.documents import plan_json
from tests import warm
from tests.company import CREW, DEPOT, RULES, SOURCE, profile, user
from tests.sandbox.door import sandbox_of

DAY = "2026-03-02T08:00:00Z"
ADA = "10000000-0000-4000-8000-000000000001"
BO = "10000000-0000-4000-8000-000000000002"
CY = "10000000-0000-4000-8000-000000000003"
CY_TOO = "10000000-0000-4000-8000-000000000004"
ROBOT = "10000000-0000-4000-8000-000000000005"
ROWS = "usermobileofflineprofilememberships"


def _row(number: int, whose: str, which: str) -> dict[str, object]:
    return {
        "usermobileofflineprofilemembershipid": f"30000000-0000-4000-8000-00000000000{number}",
        "_systemuserid_value": whose,
        "_mobileofflineprofileid_value": which,
        "name": "by hand",
    }


WORLD: Mapping[str, Sequence[Mapping[str, object]]] = {
    "systemusers": [
        user(ADA, "ada", "E1"),
        user(BO, "bo", "E2"),
        user(CY, "cy", "E3"),
        user(CY_TOO, "cy.old", "E3", internalemailaddress="cy@contoso.com"),
        user(ROBOT, "robot", None, accessmode=4),
    ],
    "mobileofflineprofiles": [
        profile(CREW, "Field Crew"),
        profile(DEPOT, "Depot"),
        profile(CREW[:-1] + "3", "Twin"),
        profile(CREW[:-1] + "4", "Twin"),
        profile(CREW[:-1] + "5", "Draft", componentstate=1, publishedon=None),
    ],
    ROWS: [_row(1, ADA, CREW), _row(2, ADA, DEPOT)],
}  # fmt: skip
"""Ada has two rows, Bo none, two users have Cy's number, and a robot is nobody's account."""

PEOPLE = "EmployeeID;Department\nE1;Field\nE2;Depot\nE3;Field\n"
CONFIGURATION = f"""
[environments.contoso]
url = "{{url}}"
auth = {{{{ method = "none" }}}}
{SOURCE}{RULES}"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document that it printed."""
        return json.loads(self.out)


def syncd(*words: str, folder: Path, **variables: str) -> Done:
    """Run a command in a process of its own, in a folder."""
    done = subprocess.run(
        [*warm.command(), *words],
        check=False,
        cwd=folder,
        env={**environ(), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def environ() -> dict[str, str]:
    """Return the environment of a command: nothing of syncd's own in it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SYNCD_")}
    return {**kept, "PYTHONUTF8": "1", "LOGNAME": "olga"}


@dataclass(frozen=True, slots=True)
class Office:
    """Where somebody types commands."""

    folder: Path
    url: str

    def __call__(self, *words: str, now: str = DAY) -> Done:
        """Run a command with the configuration, at a moment."""
        return syncd("-c", "syncd.toml", *words, folder=self.folder, SYNCD_NOW=now)

    def reconcile(self, environment: str = "contoso", now: str = DAY) -> tuple[int, Any]:
        """Reconcile without starting a process for it; return exit code and plan."""
        app = build(self.folder / "syncd.toml", {"SYNCD_NOW": now})
        with app.database() as database:
            with app.reconciler(database, environment) as reconciler:
                report = reconciler.reconcile()
            with database.read() as tx:
                plan = json.loads("".join(plan_json(tx, str(report.plan))))
        return int(report.exit_code), plan

    def plan(self) -> Any:
        """Reconcile, and return the plan."""
        return self.reconcile()[1]


@contextmanager
def opened(folder: Path, *further: str) -> Iterator[Office]:
    """Open an office; each further environment is a sandbox of its own, with the same rows."""
    with ExitStack() as stack:
        urls = [stack.enter_context(Running(sandbox_of(WORLD))).url for _ in ("", *further)]
        text = CONFIGURATION.format(url=urls[0])
        for name, url in zip(further, urls[1:], strict=True):
            text += f'[environments.{name}]\nurl = "{url}"\nauth.method = "none"\n'
        (folder / "hr.csv").write_text(PEOPLE, encoding="utf-8")
        (folder / "syncd.toml").write_text(text, encoding="utf-8")
        yield Office(folder, urls[0])

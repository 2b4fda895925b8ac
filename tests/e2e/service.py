"""Daemons as processes, on one state database and one sandbox with somebody in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from syncd.sandbox import Running, Sandbox
from tests.cli.office import environ
from tests.company import CREW, DEPOT, RULES, SOURCE, profile, user
from tests.e2e.house import Overheard
from tests.sandbox.door import ROWS, Door, sandbox_of

PATIENCE = 90.0
LEASE = 3
USERS = {f"10000000-0000-4000-8000-{number:012}": f"E{number}" for number in range(1, 31)}
PROFILES = {CREW: "Field Crew", DEPOT: "Depot"}
HEADER = "EmployeeID;Department\n"

CONFIGURATION = f"""
[state]
url = "{{state}}"
{{environments}}
{SOURCE}{RULES}
[policy.gates]
removals = {{{{ percent = 100, absolute = 1000, floor = 1000 }}}}
[daemon]
delta = "{{delta}}"
conflicts = "1d"
jitter = "0s"
lease = "{LEASE}s"
[admin]
listen = "127.0.0.1:0"
"""
ENVIRONMENT = """
[environments.{name}]
url = "{url}"
auth.method = "none"
http = {{ batch_size = 5, lanes = 1, timeout = "20s" }}
"""


def until(what: Callable[[], Any], why: str, patience: float = PATIENCE) -> Any:
    """Ask again and again until the answer is something, and return it."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, f"in vain: {why}"
        time.sleep(0.05)
    return found


@dataclass(slots=True)
class Process:
    """A daemon."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged so far."""
        text = self.log.read_text(encoding="utf-8")
        assert "Traceback" not in text, text
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def said(self, event: str, **facts: object) -> dict[str, Any]:
        """Return the first line about an event, which is waited for."""

        def found() -> Any:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            return next(
                (
                    line
                    for line in self.lines
                    if line["event"] == event and facts.items() <= line.items()
                ),
                None,
            )

        return cast("dict[str, Any]", until(found, f"{event} {facts} in {self.log}"))

    @property
    def url(self) -> str:
        """Return the address of its web server."""
        return f"http://127.0.0.1:{self.said('daemon works')['port']}"

    def get(self, path: str) -> httpx.Response:
        """Ask its web server."""
        return httpx.get(f"{self.url}{path}", timeout=10)

    def keeps(self) -> set[str]:
        """Return the environments for which it works."""
        lines = self.get("/metrics").text.splitlines()
        held = [line for line in lines if line.startswith("syncd_lease_held{")]
        return {line.split('"')[1] for line in held if line.endswith(" 1.0")}

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def end(self, patience: float = 60.0) -> int:
        """Ask it to stop, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(patience)


@dataclass(slots=True)
class Site:
    """A folder, a sandbox for each environment, and the daemons that were started there."""

    folder: Path
    state: str
    wires: dict[str, Overheard]
    urls: dict[str, str]
    delta: str = "1s"
    daemons: list[Process] = field(default_factory=list)

    def configure(self, **more: str) -> None:
        """Write the configuration."""
        named = [ENVIRONMENT.format(name=name, url=url) for name, url in self.urls.items()]
        values = {"state": self.state, "delta": self.delta} | more
        text = CONFIGURATION.format(environments="".join(named), **values)
        (self.folder / "syncd.toml").write_text(text, encoding="utf-8")

    def people(self, departments: dict[str, str]) -> None:
        """Replace the HR file."""
        rows = "".join(f"{key};{department}\n" for key, department in departments.items())
        file = self.folder / "hr.new"
        file.write_text(HEADER + rows, encoding="utf-8")
        file.rename(self.folder / "hr.csv")

    def daemon(self) -> Process:
        """Start another daemon."""
        log = self.folder / f"daemon-{len(self.daemons)}.log"
        with log.open("w", encoding="utf-8") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "syncd", "-c", "syncd.toml", "daemon"],
                cwd=self.folder,
                env=environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
                text=True,
            )
        self.daemons.append(Process(process, log))
        return self.daemons[-1]

    def rows(self, name: str = "contoso") -> dict[str, list[str]]:
        """Return who has which profiles; a row that is there twice is there twice."""
        found: dict[str, list[str]] = {}
        for row in Door(self.wires[name].sandbox).get(ROWS)["value"]:
            key = USERS[row["_systemuserid_value"]]
            found.setdefault(key, []).append(PROFILES[row["_mobileofflineprofileid_value"]])
        return found

    def arrived(self, people: dict[str, str], name: str = "contoso") -> None:
        """Wait until everybody has the one profile of their department."""
        of = {"Field": "Field Crew", "Depot": "Depot"}
        wanted = {key: [of[department]] for key, department in people.items()}
        until(lambda: self.rows(name) == wanted, f"the rows of {name}: {self.rows(name)}")


@contextmanager
def site(folder: Path, state: str, names: tuple[str, ...] = ("contoso",)) -> Iterator[Site]:
    """Open a site; whatever was started there is gone at the end."""
    with ExitStack() as stack:
        wires, urls = {}, {}
        for name in names:
            users = [user(key, number, number) for key, number in USERS.items()]
            profiles = [profile(key, title) for key, title in PROFILES.items()]
            wire = Overheard(sandbox_of({"systemusers": users, "mobileofflineprofiles": profiles}))
            wires[name] = wire
            urls[name] = stack.enter_context(Running(cast("Sandbox", wire))).url
        place = Site(folder, state, wires, urls)
        place.configure()
        try:
            yield place
        finally:
            for daemon in place.daemons:
                daemon.process.kill()
                daemon.process.wait()

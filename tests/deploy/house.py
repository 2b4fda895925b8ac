"""
A company whose daemon a real Prometheus watches, with the configuration and rules that we ship.

Everything goes a few hundred times faster than in life: somebody looks every second.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncd.sandbox import Running, Sandbox
from syncd.sandbox.faults import Fault, FaultKind
from tests.cli.office import environ
from tests.company import CREW, DEPOT, RULES, SOURCE, profile, user
from tests.e2e.service import Process, until
from tests.sandbox.door import ROWS, Door, sandbox_of

__all__ = ["DEPLOY", "Watched", "free_ports", "needed", "watched"]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ENVIRONMENT = "contoso"
TABLE = "usermobileofflineprofilemembership"
USERS = {number: f"10000000-0000-4000-8000-{number:012}" for number in range(1, 61)}
BOUND = f"/mobileofflineprofiles({DEPOT})"

CONFIGURATION = f"""
[state]
url = "sqlite:///syncd.db"
[environments.{ENVIRONMENT}]
url = "{{url}}"
auth.method = "none"
{SOURCE}{RULES}
[policy.gates]
removals = {{{{ percent = 10, absolute = 5, floor = 3 }}}}
[daemon]
delta = "1s"
conflicts = "4s"
jitter = "0s"
[admin]
listen = "127.0.0.1:{{port}}"
"""

Series = tuple[Mapping[str, str], Sequence[tuple[float, float]]]
"""Labels, and values with their moments in seconds since 1970."""


def needed(program: str, package: str) -> str:
    """Return the path of a program; without it a test is skipped, or fails in CI."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed: apt-get install -y --no-install-recommends {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@dataclass(slots=True)
class Watched:
    """A Prometheus that has seen a daemon do this and that."""

    client: httpx.Client
    daemon: Process
    began: float

    def ask(self, path: str, **words: str | float) -> Any:
        """Ask its HTTP interface."""
        answer = self.client.get(f"/api/v1/{path}", params=words).json()
        assert answer["status"] == "success", (words, answer)
        return answer["data"]

    def now(self, query: str) -> list[Series]:
        """Return what a query gives at this moment."""
        found = self.ask("query", query=_concrete(query))["result"]
        return [(one["metric"], _finite([one["value"]])) for one in found]

    def course(self, query: str) -> list[Series]:
        """Return what a query gives for each second since the beginning."""
        span = {"start": self.began, "end": time.time(), "step": 1}
        found = self.ask("query_range", query=_concrete(query), **span)["result"]
        return [(one["metric"], _finite(one["values"])) for one in found]

    def sees(self, query: str) -> None:
        """Wait until a condition holds."""
        until(lambda: self.now(query), query)


def _concrete(query: str) -> str:
    """Put in what Grafana puts in."""
    return query.replace("$__rate_interval", "5s").replace("$environment", ".*")


def _finite(values: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    pairs = [(moment, float(value)) for moment, value in values]
    return [(moment, value) for moment, value in pairs if abs(value) < float("inf")]


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Let a daemon work through its history while Prometheus watches it."""
    program = needed("prometheus", "prometheus")
    sandbox = _company()
    with Running(sandbox) as running, free_ports(2) as ports:
        port, own = ports
        text = CONFIGURATION.format(url=running.url, port=port)
        (folder / "syncd.toml").write_text(text, encoding="utf-8")
        people = {number: "Field" if number % 3 else "Depot" for number in range(1, 31)}
        _deliver(folder, people)
        began = time.time()
        with _daemon(folder) as daemon, _prometheus(folder, program, own, port) as client:
            seen = Watched(client, daemon, began)
            _live(seen, folder, sandbox, people)
            yield seen


@contextmanager
def free_ports(number: int) -> Iterator[list[int]]:
    """Give ports that nobody had a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    yield ports


@contextmanager
def _daemon(folder: Path) -> Iterator[Process]:
    log = folder / "daemon.log"
    with log.open("w", encoding="utf-8") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "syncd", "-c", "syncd.toml", "daemon"],
            cwd=folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
            text=True,
        )
    try:
        yield Process(process, log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def _prometheus(folder: Path, program: str, own: int, target: int) -> Iterator[httpx.Client]:
    """Run Prometheus on the configuration that we ship, only faster and at other ports."""
    shipped = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    faster = shipped.replace("15s", "1s").replace("127.0.0.1:8090", f"127.0.0.1:{target}")
    assert faster.count("1s") == 2, shipped
    assert str(target) in faster, shipped
    (folder / "prometheus.yml").write_text(faster, encoding="utf-8")
    shutil.copy(DEPLOY / "prometheus" / "syncd-rules.yml", folder)
    url = f"http://127.0.0.1:{own}"
    words = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own}",
        f"--web.external-url={url}",
    )
    with (folder / "prometheus.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen([program, *words], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=url, timeout=10) as client:
            until(lambda: _ready(client), f"Prometheus at {url}")
            yield client
    finally:
        process.kill()
        process.wait()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


# --- the company and its history ------------------------------------------------------------------


def _company() -> Sandbox:
    users = [user(key, f"p{number}", f"E{number}") for number, key in USERS.items()]
    profiles = [profile(CREW, "Field Crew"), profile(DEPOT, "Depot")]
    return sandbox_of({"systemusers": users, "mobileofflineprofiles": profiles})


def _deliver(folder: Path, people: Mapping[int, str]) -> None:
    lines = "".join(f"E{number};{department}\n" for number, department in people.items())
    file = folder / "hr.new"
    file.write_text(f"EmployeeID;Department\n{lines}", encoding="utf-8")
    file.rename(folder / "hr.csv")


def _live(seen: Watched, folder: Path, sandbox: Sandbox, people: dict[int, str]) -> None:
    """Let people join and move, be given a second row by hand, be refused, and leave in droves."""
    seen.sees("sum(syncd_profile_users) == 30")
    people.update(dict.fromkeys(range(31, 41), "Field"))
    people[1] = people[2] = "Depot"
    _deliver(folder, people)
    seen.sees("sum(syncd_profile_users) == 40")

    _by_hand(sandbox, USERS[22])
    seen.sees("sum(syncd_conflicts) == 1")

    # One is refused for good (each has an answer of its own in a batch), everybody for a second.
    sandbox.switches.refuse(TABLE, ["CreateMultiple"], 404, "0x8006088a")
    for_good = Fault(
        kind=FaultKind.OPERATION, count=1, status=400, code="0x80040265", method="POST"
    )
    sandbox.misbehave((for_good, Fault(kind=FaultKind.THROTTLE, count=1, retry_after=1)))
    people.update(dict.fromkeys(range(41, 51), "Depot"))
    _deliver(folder, people)
    seen.sees("sum(syncd_escrow_rows) == 1")
    seen.sees("sum(syncd_throttled_seconds_total) >= 1")

    _by_hand(sandbox, USERS[23])
    seen.sees("sum(syncd_conflicts) == 2")

    _deliver(folder, people | dict.fromkeys(range(1, 21), "Elsewhere"))
    seen.sees('ALERTS{alertname="SyncdGateTripped"}')
    seen.sees("environment:syncd_in_sync:bool == 0")
    seen.sees('syncd_last_attempt_timestamp_seconds{task="conflicts"}')
    # A course ends at a full second: what comes in the last one may not be part of it.
    seen.sees(
        'min_over_time(environment_kind:syncd_needs_person:sum{kind="gate tripped"}[3s]) == 1'
    )


def _by_hand(sandbox: Sandbox, whose: str) -> None:
    """Give somebody a second row."""
    row = {
        "SystemUserId@odata.bind": f"/systemusers({whose})",
        "MobileOfflineProfileId@odata.bind": BOUND,
        "name": "by hand",
    }
    assert Door(sandbox).send("POST", ROWS, row).status == 204

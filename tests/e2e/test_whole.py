"""The service in its place: two daemons, PostgreSQL, Prometheus, and HR at work."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.campaign import LONG
from tests.e2e.service import LEASE, Process, site, until
from tests.e2e.test_replicas import BOUND, FEW, MANY, Batches, applied, pair
from tests.postgres import Server

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "syncd-rules.yml"
CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: syncd
    static_configs: [{{targets: [{targets}]}}]
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A real Prometheus."""

    url: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the samples that a query finds now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10)
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def number(self, query: str) -> float | None:
        """Return the one number that a query finds."""
        found = self.ask(query)
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def firing(self) -> list[str]:
        """Return the names of the alerts that fire."""
        return sorted(
            each["metric"]["alertname"] for each in self.ask('ALERTS{alertstate="firing"}')
        )


@contextmanager
def prometheus(folder: Path, daemons: Sequence[Process]) -> Iterator[Prometheus]:
    """Let a Prometheus scrape daemons once a second, under the rules that we ship."""
    program = shutil.which("prometheus")
    if program is None:
        assert not os.environ.get("CI"), "prometheus is not installed"
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    targets = ", ".join(f'"{daemon.url.removeprefix("http://")}"' for daemon in daemons)
    file = folder / "prometheus.yml"
    file.write_text(CONFIGURATION.format(rules=RULES, targets=targets), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        found = Prometheus(f"http://127.0.0.1:{port}")

        def ready() -> bool:
            try:
                return httpx.get(f"{found.url}/-/ready", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(ready, "Prometheus")
            yield found
        finally:
            process.terminate()


@LONG
def test_the_whole_service(tmp_path: Path, postgresql_server: Server) -> None:
    """
    A change in HR arrives and nothing alarms; the leader is killed with a batch on its way.

    The other takes over within its time, everybody ends with one row, nothing was done
    twice, and Prometheus has seen who works for the environment before and after.
    """
    with postgresql_server.database() as state, site(tmp_path, state) as place:
        leader, other = pair(place)
        with prometheus(tmp_path, [leader, other]) as watching:
            held = "sum by (environment) (syncd_lease_held)"
            until(lambda: watching.number(held) == 1, "one that keeps contoso")
            people = 'sum(syncd_people{situation="CONFIRMED"})'
            until(lambda: watching.number(people) == len(FEW), "everybody in step")
            until(lambda: watching.number("syncd_freshness_seconds") == 0, "nothing unapplied")
            assert watching.firing() == []

            batches = place.wires["contoso"].ear = Batches(leader, signal.SIGKILL)
            place.people(MANY)
            assert batches.sent.wait(60)
            until(lambda: "contoso" in other.keeps(), "the other to take over", BOUND)
            place.arrived(MANY)
            until(lambda: watching.number(people) == len(MANY), "everybody in step again")
            taken = watching.number("sum(syncd_lease_takeovers_total)")
            assert taken is not None
            assert taken >= 1
            until(lambda: watching.number(held) == 1, "one that keeps contoso again", 10 * LEASE)
        assert other.end() == 0
        assert applied(state) == []

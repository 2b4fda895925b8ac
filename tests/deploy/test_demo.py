"""
The demo that compose starts, with a real engine: what is shipped, without what a registry has.

The services of this program stand as in the file, but on the network of this machine, which is
the only one that the engine has, and with our PostgreSQL.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.engine import IMAGE, Engine, engine
from tests.deploy.house import free_ports, needed
from tests.deploy.paperwork import DEMO, ROOT, plain
from tests.e2e.service import until

pytestmark = pytest.mark.campaign

OURS = ("sandbox", "company", "syncd")
OTHERS = ("ports", "networks", "network_mode", "build", "pull_policy")


@dataclass(frozen=True, slots=True)
class Demo:
    """A project of compose on an engine."""

    host: str
    file: Path
    url: str

    def compose(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run compose, whatever comes of it."""
        program = needed("docker-compose", "docker-compose")
        return subprocess.run(
            [program, "--project-name", "demo", "--file", self.file, *words],
            env=os.environ | {"DOCKER_HOST": self.host},
            capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip

    def done(self, *words: str) -> str:
        """Run compose, which must go well, and return what it prints."""
        done = self.compose(*words)
        assert done.returncode == 0, (words, done.stdout[-1000:], done.stderr[-1000:])
        return done.stdout

    def status(self) -> str:
        """Return what `syncd status` says in the daemon's container."""
        return self.compose("exec", "-T", "syncd", "syncd", "status").stdout

    def ready(self) -> bool:
        """Say whether the daemon is ready."""
        assert "Up" in self.done("ps", "syncd"), self.compose("logs", "--no-color").stdout[-3000:]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def people(self) -> str:
        """Return what the metrics say about the people."""
        text = httpx.get(f"{self.url}/metrics", timeout=10).text
        return "\n".join(line for line in text.splitlines() if line.startswith("syncd_people{"))


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    """Start one engine for all of these."""
    with engine() as found:
        yield found


@pytest.fixture
def demo(docker: Engine, tmp_path: Path, postgresql_url: str) -> Iterator[Demo]:
    """Lay the demo out for this machine, and take it away afterwards."""
    socket = Path(postgresql_url.partition("?host=")[2])
    socket.chmod(0o711)  # the container's user is another one
    with free_ports(2) as (own, target):
        said = plain(tmp_path, DEMO).read_text(encoding="utf-8")
        text = said.replace("8091", str(target)).replace("0.0.0.0:8090", f"127.0.0.1:{own}")
        file = tmp_path / "here.yaml"
        here = _here(yaml.safe_load(text), postgresql_url, socket)
        file.write_text(yaml.safe_dump(here), encoding="utf-8")
        found = Demo(docker.host, file, f"http://127.0.0.1:{own}")
        try:
            yield found
        finally:
            found.compose("down", "--volumes", "--timeout=5")


def _here(said: dict[str, Any], state: str, socket: Path) -> dict[str, Any]:
    """Leave out what a registry brings, and take the network and the PostgreSQL of this machine."""
    services = {name: said["services"][name] for name in OURS}
    for service in services.values():
        for word in OTHERS:
            service.pop(word, None)
        service |= {"image": IMAGE, "network_mode": "host"}
    del services["syncd"]["depends_on"]["postgres"]
    services["syncd"]["environment"]["SYNCD_STATE__URL"] = state
    services["syncd"]["volumes"].append(f"{socket}:{socket}")
    return {"services": services, "volumes": {"company": {}, "sandbox": {}}}


def _command(word: str) -> str:
    """Return what deploy/README.md tells to do in the made-up company's folder."""
    manual = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    [found] = re.findall(
        rf'compose\.demo\.yaml run --rm company "({word} .*)"$', manual, re.MULTILINE
    )
    return str(found)


def test_the_demo_brings_a_company_in_step_and_shows_a_gate(demo: Demo) -> None:
    """From nothing to a console, then the warehouse is closed; a restart finds all as it was."""
    demo.done("up", "--detach")
    until(demo.ready, "the daemon of the demo is ready")
    until(lambda: "in sync" in demo.status(), "the company is in step")
    assert 'situation="CONFIRMED"' in demo.people()

    demo.done("run", "--rm", "company", _command("sed"))
    until(lambda: "removals" in demo.status(), "a gate holds the warehouse's rows")

    demo.done("stop", "--timeout", "60")
    demo.done("up", "--detach")
    until(demo.ready, "the daemon is ready again")
    assert "removals" in demo.status()
    assert demo.compose("ps", "company").stdout.split()[-1] == "0"

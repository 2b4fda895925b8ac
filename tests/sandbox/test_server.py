"""The sandbox behind HTTP, and the commands."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from syncd.sandbox import Fault, FaultKind, Running, Sandbox, SandboxError, run_dump
from tests.sandbox.door import DEPOT, NEW, ROW, ROWS, SMALL, Door, membership, sandbox_of

SERVE = "from syncd.sandbox.commands import run_serve; from pathlib import Path; run_serve({})"


@dataclass(frozen=True)
class Reply:
    """What came over the wire."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self) -> Any:
        """The content, read."""
        return json.loads(self.content)


def call(url: str, method: str, path: str, body: object = None) -> Reply:
    """Send one request over a connection of its own."""
    host, port = url.partition("//")[2].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    content = None if body is None else json.dumps(body).encode()
    try:
        connection.request(
            method, f"/api/data/v9.2/{path}", content, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def test_the_same_sandbox_answers_over_http() -> None:
    """Addresses in answers are those of the server."""
    with Running(sandbox_of(SMALL)) as running:
        created = call(running.url, "POST", ROWS, membership())
        page = call(running.url, "GET", f"{ROWS}?$select=name&$filter=name%20eq%20'by%20hand'")

    assert created.status == 204
    assert created.headers["OData-EntityId"] == f"{running.url}/api/data/v9.2/{ROWS}({NEW})"
    assert [r["name"] for r in page.json["value"]] == ["by hand"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_brings_no_answer(when: Literal["before", "after"]) -> None:
    """Not even a status line; with `after` the work was done."""
    sandbox = sandbox_of(SMALL)
    sandbox.misbehave([Fault(kind=FaultKind.CUT, when=when)])

    with Running(sandbox) as running:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            call(running.url, "POST", ROWS, membership())
        there = call(running.url, "GET", f"{ROWS}({NEW})").status

    assert there == (404 if when == "before" else 200)


def test_latency_is_waited_for() -> None:
    """The answer comes when the seconds are over."""
    sandbox = Sandbox()
    sandbox.misbehave([Fault(kind=FaultKind.LATENCY, seconds=0.05)])

    with Running(sandbox) as running:
        assert call(running.url, "GET", "WhoAmI").status == 200


def test_a_port_in_use_is_one_clear_sentence() -> None:
    """It names host, port and reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(SandboxError, match=f"127.0.0.1 port {port} cannot be listened on"):
            Running(Sandbox(), port=port)


def test_a_dump_is_what_load_takes() -> None:
    """Loaded again it is the same environment."""
    with Running(sandbox_of(SMALL)) as running:
        dumped = json.loads(run_dump(running.url))

    again = Door(sandbox_of(dumped))
    first = Door()
    assert {name: again.get(name) for name in SMALL} == {name: first.get(name) for name in SMALL}


def test_a_dump_of_nothing_is_one_clear_sentence() -> None:
    """The address is named."""
    with pytest.raises(SandboxError, match=r"http://127\.0\.0\.1:1/.* cannot be reached"):
        run_dump("http://127.0.0.1:1")


@contextmanager
def process(arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `run_serve` with these arguments in a process of its own."""
    started = subprocess.Popen(
        [sys.executable, "-c", SERVE.format(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_and_well(number: signal.Signals, tmp_path: Path) -> None:
    """The first line is the address; a client that stays connected does not hold it up."""
    path = tmp_path / "world.json"
    path.write_text(json.dumps(SMALL))

    with process(f"load=Path({str(path)!r})", SYNCD_NOW="2026-03-01T08:00:00Z") as started:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        created = call(url, "POST", ROWS, membership())
        row = call(url, "GET", f"{ROWS}({NEW})").json
        waiting = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
        started.send_signal(number)
        out, err = started.communicate(timeout=20)
        waiting.close()

    assert created.status == 204
    assert row["createdon"] == "2026-03-01T08:00:00Z"
    assert (started.returncode, out, err) == (0, "", "")


def test_with_tls_the_second_line_is_what_to_trust() -> None:
    """The certificate was made at start, for this address."""
    with process("tls=True") as started:
        assert started.stdout is not None
        url, path = started.stdout.readline().strip(), started.stdout.readline().strip()
        context = ssl.create_default_context(cafile=path)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"{url}/api/data/v9.2/WhoAmI", timeout=30) as answer:
            said = json.loads(answer.read())
        dumped = json.loads(run_dump(url))

    assert url.startswith("https://127.0.0.1:")
    assert said["@odata.context"].startswith(url)
    assert dumped["systemusers"] == []


def test_a_file_is_filled_once(tmp_path: Path) -> None:
    """The same command line after a restart goes on with what the file holds."""
    path, db = tmp_path / "world.json", tmp_path / "sandbox.db"
    path.write_text(json.dumps(SMALL))
    arguments = f"load=Path({str(path)!r}), db=Path({str(db)!r})"

    for expected in (1, 2):
        with process(arguments) as started:
            assert started.stdout is not None
            url = started.stdout.readline().strip()
            found = json.loads(run_dump(url))[ROWS]
            call(url, "POST", ROWS, {"name": "another"})

        assert len(found) == expected


def test_a_served_sandbox_may_take_only_what_the_reference_lists(tmp_path: Path) -> None:
    """Of the user memberships: Associate and Disassociate; reading works all the same."""
    path = tmp_path / "world.json"
    path.write_text(json.dumps(SMALL))
    row, profile = f"{ROWS}({ROW})", {"@odata.id": f"/mobileofflineprofiles({DEPOT})"}

    with process(f"load=Path({str(path)!r}), messages='reference'") as started:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        created = call(url, "POST", ROWS, membership())
        associated = call(url, "PUT", f"{row}/MobileOfflineProfileId/$ref", profile)
        found = call(url, "GET", row).json
        other = call(url, "PATCH", "mobileofflineprofiles(" + DEPOT + ")", {"name": "x"})

    assert created.status == 400
    assert created.json["error"]["code"] == "0x80044824"
    assert (associated.status, other.status) == (204, 204)
    assert found["_mobileofflineprofileid_value"] == DEPOT

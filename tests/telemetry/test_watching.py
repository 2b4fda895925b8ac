"""Runs are measured from the outside in: requests, pauses, phases, and nobody's name."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

from syncd import __version__
from syncd.app import build
from syncd.connectors.auth import NoAuth
from syncd.connectors.dataverse import DataverseTarget, open_target
from syncd.core.errors import TargetIncomplete
from syncd.state import observed
from syncd.state.gauges import gauges, size
from syncd.telemetry.metrics import Metrics
from syncd.telemetry.phases import PHASES, PhaseTimer
from tests.cli.office import DAY, WORLD, Office, opened
from tests.telemetry.scrape import labels, lint, scrape, values

URL = "http://127.0.0.1:5000"
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office in which nothing has been read yet."""
    with opened(tmp_path) as office:
        yield office


def measured(office: Office) -> Metrics:
    """Reconcile as a daemon does, and measure everything."""
    moment = datetime.fromisoformat(DAY).timestamp()
    metrics = Metrics(__version__, clock=lambda: moment)
    app = build(office.folder / "syncd.toml", {"SYNCD_NOW": DAY})
    metrics.keeps("contoso", True)
    metrics.attempt("contoso", "full", moment)
    observe, throttled = metrics.observer("contoso"), partial(metrics.throttled, "contoso")
    timer = PhaseTimer(
        partial(metrics.phase, "contoso"), [each.name for each in app.config.sources]
    )
    with app.database() as database:
        with timer, app.reconciler(database, "contoso", timer, observe, throttled) as reconciler:
            report = reconciler.reconcile()
        with database.begin() as tx:
            env = observed.environment(tx, "contoso", office.url)
            metrics.show("contoso", gauges(tx, env, app.clock()))
            metrics.state(size(tx))
    metrics.gates(
        "contoso", [(g.gate, g.scope.partition(":")[0]) for g in report.gates if g.tripped]
    )
    metrics.finished("contoso", "full", "done", report.seconds, moment, True)
    return metrics


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_is_measured_from_end_to_end(office: Office) -> None:
    """Every request, each coarse phase, and what `syncd status` says of the result."""
    metrics = measured(office)

    said = office("status", "--json").json
    found = {
        name: number for name, number in values(metrics, "people", "situation").items() if number
    }
    conflicts = {n: number for n, number in values(metrics, "conflicts", "code").items() if number}
    assert found == said["situations"]
    assert conflicts == said["needs"]["conflicts"]
    assert values(metrics, "last_full_success_timestamp_seconds") == {
        "": datetime.fromisoformat(said["last_full_success"]).timestamp()
    }
    assert values(metrics, "freshness_seconds") == {"": 0}
    assert values(metrics, "source_rows", "source") == {"hr": 3}
    assert values(metrics, "requests_total", "operation")["batch"] == 1
    assert values(metrics, "requests_total", "operation")["read"] >= 4
    assert set(values(metrics, "phase_duration_seconds_count", "phase")) == set(PHASES)
    assert values(metrics, "state_bytes")[""] > 100_000
    assert lint(metrics.exposition()[0]) == (0, "")


def test_nobody_can_be_found_in_the_numbers(office: Office) -> None:
    """Neither a name, nor an address, nor an id of a person, a user, a row or a profile."""
    metrics = measured(office)
    with closing(sqlite3.connect(office.folder / "syncd.db")) as state:
        people = {key for (key,) in state.execute("SELECT key FROM people")}
    users = WORLD["systemusers"]
    secret = {
        str(row[name]) for row in users for name in ("fullname", "domainname", "systemuserid")
    }

    text = metrics.exposition()[0].decode()

    assert people == {"E1", "E2", "E3"}
    assert len(secret) == 15
    assert not labels(metrics) & (secret | people)
    assert not [word for word in secret | people if re.search(rf"\b{re.escape(word)}\b", text)]
    assert "@" not in text
    assert GUID.search(text) is None


def test_a_second_run_adds_no_series(office: Office) -> None:
    """Not even when everything was new in the first."""
    first, second = measured(office), measured(office)

    assert {key for key in scrape(second) if key[0] == "syncd_profile_users"} == {
        key for key in scrape(first) if key[0] == "syncd_profile_users"
    }
    assert len(scrape(second)) <= len(scrape(first))


# --- requests -------------------------------------------------------------------------------------


Seen = list[tuple[str, str]]


def target(*answers: httpx.Response | Exception) -> tuple[DataverseTarget, Seen, list[float]]:
    """Open a target that gives these answers, and note what is told of each."""
    waiting = list(answers)
    seen: Seen = []
    pauses: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        given = waiting.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def observe(operation: str, status: str, seconds: float) -> None:
        assert seconds >= 0
        seen.append((operation, status))

    opened = open_target(
        url=URL,
        auth=NoAuth(URL),
        transport=httpx.MockTransport(answer),
        clock=iter(range(0, 10**6, 1000)).__next__,
        sleep=lambda _: None,
        observe=observe,
        throttled=pauses.append,
    )
    return opened, seen, pauses


def test_every_try_is_told_once() -> None:
    """Also those that are refused, break off, or are answered after all."""
    way, seen, pauses = target(
        httpx.Response(429, headers={"Retry-After": "17"}),
        httpx.Response(503),
        httpx.ReadError("connection reset"),
        httpx.Response(200, json={"value": []}),
    )

    found = way.profiles()

    assert found == []
    assert seen == [("read", "429"), ("read", "503"), ("read", "lost"), ("read", "200")]
    assert way.requests == len(seen)
    assert pauses == [17]


def test_an_answer_that_breaks_off_is_lost() -> None:
    """Its status came, its end did not."""

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"value": ['
            raise httpx.ReadError("connection reset")

    way, seen, _ = target(*(httpx.Response(200, stream=Broken()) for _ in range(4)))

    with pytest.raises(TargetIncomplete):
        way.profiles()

    assert seen == [("read", "lost")] * 4


def test_whoever_does_not_listen_is_not_told() -> None:
    """Commands run without metrics, and read the same."""
    answer = httpx.Response(200, json={"value": []})
    transport = httpx.MockTransport(lambda _: answer)

    with open_target(url=URL, auth=NoAuth(URL), transport=transport) as silent:
        assert silent.profiles() == []
        assert silent.requests == 1

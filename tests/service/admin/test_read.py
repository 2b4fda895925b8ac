"""What can be read: health, metrics, the API and its description."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncd.service.admin import Server
from syncd.service.admin.words import ended
from syncd.state import lookup, overview
from tests.cli.office import ADA, BO, CY, DAY, environ
from tests.service.admin.house import FakeBoard, boards, client, served, settings

READS = (
    "/api/v1/environments",
    "/api/v1/runs",
    "/api/v1/runs/1",
    "/api/v1/people?query=ada@contoso.com",
    "/api/v1/explain?user=ada@contoso.com",
    "/api/v1/conflicts",
)


Printed = Callable[..., Any]

COMMANDS = """
import contextlib, json, sys
from syncd.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = ["-c", "syncd.toml", *words, "--json"]
    with contextlib.suppress(SystemExit):
        main()
"""


@pytest.fixture(scope="module")
def printed(board: FakeBoard) -> Printed:
    """Give what commands print, each a document on a line, all typed in one process."""
    with board.database.read() as tx:
        plan = overview.runs(tx, [1], 1)[0]["plan"]
    asked = (
        ("status",),
        ("runs",),
        ("runs", "1"),
        ("plan", "--show", plan),
        ("explain", "bo@contoso.com"),
        ("conflicts", "list"),
    )
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(asked)],
        check=True,
        cwd=board.config.folder,
        env={**environ(), "SYNCD_NOW": DAY},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    lines = dict(zip(asked, map(json.loads, done.stdout.splitlines()), strict=True))
    return lambda *words: lines[words]


def _plan(web: httpx.Client) -> str:
    return str(web.get("/api/v1/runs").json()["runs"][0]["plan"])


@pytest.mark.parametrize(
    ("code", "killed", "said"),
    [
        (None, False, "not ended"),
        (0, False, "done (exit code 0)"),
        (70, False, "internal error (exit code 70)"),
        (70, True, "killed (exit code 70)"),
        (143, False, "stopped (exit code 143)"),
    ],
)
def test_the_console_says_how_a_run_ended(code: int | None, *, killed: bool, said: str) -> None:
    """A killed run ended with the code of an internal error, and was none."""
    assert ended({"exit_code": code, "killed": killed}) == said


# --- health and metrics -------------------------------------------------------------------------


def test_a_daemon_whose_threads_work_is_alive(web: httpx.Client, board: FakeBoard) -> None:
    """A stuck one is restarted by whoever watches it."""
    alive = web.get("/healthz")
    board.beats = False
    stuck = web.get("/healthz")
    board.beats = True

    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (stuck.status_code, stuck.json()) == (503, {"status": "stuck"})


def test_a_daemon_is_ready_when_every_check_is_well(web: httpx.Client, board: FakeBoard) -> None:
    """One that is not says which check failed."""
    ready = web.get("/readyz")
    board.well = False
    unready = web.get("/readyz")
    board.well = True

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert unready.status_code == 503
    assert [each["ok"] for each in unready.json()["checks"]] == [True, False]


def test_metrics_are_what_the_daemon_counts(web: httpx.Client) -> None:
    """The content type is the one that the metrics came with."""
    answer = web.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4"
    assert b"syncd_state_bytes 1" in answer.content


# --- the same facts as the commands -------------------------------------------------------------


def test_the_api_says_of_an_environment_what_status_prints(
    web: httpx.Client, printed: Printed
) -> None:
    """Beside it stands how the daemon is placed to it."""
    (found,) = web.get("/api/v1/environments").json()["environments"]

    assert found["status"] == printed("status")
    assert found["next"] == {"delta": "2026-03-02T08:05:00Z"}
    assert found["kept_here"] is True


def test_the_api_gives_the_runs_that_the_command_lists(web: httpx.Client, printed: Printed) -> None:
    """A single one has more: certificates and what was done."""
    listed = web.get("/api/v1/runs?environment=contoso&limit=5").json()["runs"]
    one = web.get("/api/v1/runs/1").json()

    assert listed == [printed("runs")]
    assert one == printed("runs", "1")


def test_the_api_gives_a_plan_as_the_command_prints_it(web: httpx.Client, printed: Printed) -> None:
    """The beginning of the id is enough."""
    plan = _plan(web)

    assert web.get(f"/api/v1/plans/{plan}").json() == printed("plan", "--show", plan)
    assert web.get(f"/api/v1/plans/{plan[:8]}").json()["changes"]


def test_the_api_explains_as_the_command_does(web: httpx.Client, printed: Printed) -> None:
    """It judges anew by what the last run read, and remembers nothing."""
    (found,) = web.get("/api/v1/explain?user=BO@contoso.com").json()["explanations"]

    assert found == printed("explain", "bo@contoso.com")


def test_the_api_gives_the_conflicts_that_the_command_lists(
    web: httpx.Client, printed: Printed
) -> None:
    """By environment."""
    found = web.get("/api/v1/conflicts").json()["environments"]

    assert found == [printed("conflicts", "list")]


@pytest.mark.parametrize(
    ("asked", "persons", "user"),
    [("ada@contoso.com", ["E1"], ADA), ("E2", ["E2"], BO), (CY, [], CY)],
)
def test_people_are_found_by_name_key_and_id(
    web: httpx.Client, asked: str, persons: list[str], user: str
) -> None:
    """A user whom nobody explains is found, too."""
    found = web.get("/api/v1/people", params={"query": asked}).json()["people"]

    assert [(each["persons"], each["user"]["id"]) for each in found] == [(persons, user)]


# --- its description ----------------------------------------------------------------------------


def test_the_description_fits_what_is_answered(web: httpx.Client) -> None:
    """Every address is described, and every answer has what its description promises."""
    description = web.get("/api/v1/openapi.json").json()
    reads = [*READS, f"/api/v1/plans/{_plan(web)}", "/api/v1/runs?limit=nonsense"]
    seen = set()
    for path in reads:
        answer = web.get(path)
        address = _described(description, path.partition("?")[0])
        seen.add(address)
        schema = description["paths"][address]["get"]["responses"][str(answer.status_code)]
        shape = schema["content"]["application/json"]["schema"]

        assert list(_misfits(description, shape, answer.json(), path)) == []

    rest = {"/api/v1/openapi.json", "/api/v1/environments/{environment}/run"}
    assert seen | rest == set(description["paths"])


def test_every_reference_of_the_description_leads_somewhere(web: httpx.Client) -> None:
    """A client generator would stumble."""
    description = web.get("/api/v1/openapi.json").json()
    text = json.dumps(description)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert names == set(description["components"]["schemas"])


def _described(description: Any, path: str) -> str:
    """Return the described address that a path belongs to."""
    parts = path.split("/")
    for address in description["paths"]:
        pairs = list(zip(address.split("/"), parts, strict=False))
        same = all(a.startswith("{") or a == b for a, b in pairs)
        if same and len(address.split("/")) == len(parts):
            return str(address)
    raise AssertionError(path)


def _misfits(description: Any, schema: Any, value: Any, place: str) -> Iterator[str]:
    """Give every place at which a value is not what its schema says."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from _misfits(description, description["components"]["schemas"][name], value, place)
    for part in schema.get("allOf", ()):
        yield from _misfits(description, part, value, place)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if (
        kinds
        and _kind(value) not in kinds
        and not (_kind(value) == "integer" and "number" in kinds)
    ):
        yield f"{place} is {_kind(value)}, not {kinds}"
    if isinstance(value, dict):
        yield from (f"{place}.{name} is missing" for name in schema.get("required", ())
                    if name not in value)  # fmt: skip
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _misfits(description, inner, value[name], f"{place}.{name}")
    if isinstance(value, list):
        for each in value:
            yield from _misfits(description, schema.get("items", {}), each, f"{place}[]")


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array",
             dict: "object", type(None): "null"}  # fmt: skip
    return kinds[type(value)]


# --- what is not there --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/v1/runs/77", 404, "no run 77"),
        ("/api/v1/runs/99999999999999999999999", 404, "no run"),
        ("/api/v1/runs/x", 404, "nothing at this address"),
        ("/api/v1/runs?environment=nope", 404, "there are contoso"),
        ("/api/v1/runs?limit=0", 400, "from 1 to 500"),
        ("/api/v1/runs?limit=%C2%B2", 400, "from 1 to 500"),
        ("/api/v1/plans/zzz", 404, "no such plan"),
        ("/api/v1/people", 400, "say who"),
        ("/api/v1/people?query=%00", 400, "must be a name"),
        ("/api/v1/people?query=" + "x" * 500, 400, "must be a name"),
        ("/api/v1/explain?user=nobody", 404, "know anybody"),
        ("/api/v1/explain?user=E3&environment=contoso%00", 400, "must be a name"),
        ("/api/v1/nothing", 404, "nothing at this address"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(
    web: httpx.Client, path: str, status: int, says: str
) -> None:
    """In JSON, for programs."""
    answer = web.get(path)

    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert says in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


def test_the_state_database_is_not_written_by_reading(
    web: httpx.Client, board: FakeBoard, server: Server
) -> None:
    """Whatever is read, the tables stay as they are."""
    with board.database.read() as tx:
        before = lookup.sizes(tx)
    answers = [web.get(path).status_code for path in (*READS, "/", "/runs", "/conflicts")]
    with board.database.read() as tx:
        after = lookup.sizes(tx)

    assert set(answers) == {200}
    assert after == before
    assert server.port > 0


@pytest.mark.parametrize("further", [(), ("fabrikam",)], ids=["one", "two"])
def test_everything_can_be_read_from_postgresql(
    postgresql_url: str, tmp_path: Path, further: tuple[str, ...]
) -> None:
    """From one environment or from several, in which the same people are."""
    with (
        boards(tmp_path, *further, state=postgresql_url) as board,
        served(board, settings()) as server,
        client(server) as web,
    ):
        codes = {path: web.get(path).status_code for path in (*READS, "/", "/runs", "/conflicts")}
        found = web.get("/api/v1/explain?user=ada@contoso.com").json()["explanations"]
        shown = web.get("/explain?user=ada@contoso.com")

    assert set(codes.values()) == {200}
    assert [each["environment"] for each in found] == ["contoso", *further]
    assert shown.status_code == 200

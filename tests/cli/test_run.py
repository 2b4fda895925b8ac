"""plan, apply, reconcile, typed as people type them, against a sandbox."""

from __future__ import annotations

import fcntl
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from syncd.sandbox import Fault, FaultKind, Running, Sandbox, Store, world
from tests.cli.office import CONFIGURATION, PEOPLE, WORLD, Office, environ, opened

LATER = "2026-03-04T09:00:00Z"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office in which nothing has been read yet."""
    with opened(tmp_path) as office:
        yield office


def logged(err: str) -> list[dict[str, Any]]:
    """Return the log lines on standard error."""
    return [json.loads(line) for line in err.splitlines() if line.startswith("{")]


def test_a_plan_changes_nothing_and_can_be_applied(office: Office) -> None:
    """What `apply` does is what `plan` showed; a beginning of the id is enough."""
    planned = office("plan", "--json").json
    untouched = office("plan", "--json").json
    applied = office("apply", planned["plan"], "--json").json

    assert planned["schema"] == "syncd.plan/1"
    assert untouched["changes"] == planned["changes"]
    assert applied["plan"]["changes"] == planned["changes"]
    assert applied["outcomes"]["applied"] == len(planned["changes"]) > 0
    assert applied["exit_code"] == 0


def test_the_beginning_of_an_id_names_a_plan(office: Office) -> None:
    """Where several plans begin so, more of it is asked for."""
    first = office("plan", "--json").json["plan"]
    second = office("plan", "--json").json["plan"]

    unclear = office("apply", first[:15])
    applied = office("apply", second[:-1])

    assert (unclear.code, applied.code) == (64, 0)
    assert first in unclear.err
    assert second in applied.out


def test_a_plan_that_is_not_there_is_64(office: Office) -> None:
    """The sentence says how to make one."""
    done = office("apply", "never")

    assert done.code == 64
    assert done.err.splitlines() == ["syncd: there is no saved plan never; make one: syncd plan"]


def test_a_saved_plan_can_be_shown_again(office: Office) -> None:
    """Before it is applied, and afterwards with what became of it."""
    plan = office("plan", "--json").json["plan"]
    before = office("plan", "--show", plan)
    office("apply", plan)
    after = office("plan", "--show", plan)

    assert "staging" in before.out
    assert f"Next: syncd apply {plan}" in before.out
    assert "live" in after.out
    assert "done" in after.out
    assert office("plan", "--show", plan, "--json").json["plan"] == plan


def test_a_dry_run_leaves_nothing_behind(office: Office) -> None:
    """`reconcile --dry-run` shows what `reconcile` would do, and saves not even the plan."""
    dry = office("reconcile", "--dry-run", "--json").json
    unknown = office("apply", dry["plan"]["plan"])
    done = office("reconcile", "--json").json

    assert unknown.code == 64
    assert "outcomes" not in dry
    assert sum(done["outcomes"].values()) == len(done["plan"]["changes"])
    assert dry["plan"]["changes"] == done["plan"]["changes"] != []


def test_as_of_answers_for_another_day(office: Office) -> None:
    """A day is its first moment in UTC."""
    day = office("plan", "--json", "--as-of", "2026-05-01").json
    moment = office("plan", "--json", "--as-of", "2026-05-01T06:30:00+02:00").json

    assert day["created_at"] == "2026-05-01T00:00:00Z"
    assert moment["created_at"] == "2026-05-01T04:30:00Z"
    assert office("plan", "--as-of", "someday").code == 64


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-14:00"])
def test_days_at_the_ends_of_the_calendar_are_refused(day: str, office: Office) -> None:
    """Nobody plans for them, and days are counted on from them and back."""
    asked = office("plan", "--as-of", day)
    fixed = office("status", now=day)

    assert (asked.code, fixed.code) == (64, 64)
    assert "of the years 1900 to 9000" in asked.err
    assert fixed.err.startswith(f"syncd: SYNCD_NOW: '{day}' is not a moment")


def test_exit_code_tells_whether_changes_are_waiting(office: Office) -> None:
    """With `--exit-code` a plan that would change something ends with 2."""
    plain = office("plan").code
    waiting = office("plan", "--exit-code").code
    office("reconcile")
    settled = office("plan", "--exit-code").code

    assert (plain, waiting, settled) == (0, 2, 0)


def test_the_text_says_first_what_came_of_it(office: Office) -> None:
    """Line 1 names the environment, the mode and the verdict; names stand in the text."""
    first = office("reconcile")
    again = office("reconcile")

    assert first.out.startswith("contoso · live · ")
    assert "bo@contoso.com" in first.out
    assert "nothing to do" in again.out.splitlines()[0]
    assert max(map(len, first.out.splitlines())) <= 80


def test_a_run_ends_with_one_line_in_the_log(office: Office) -> None:
    """It has all counts that sum up, and no name of anybody."""
    done = office("reconcile", "--json")

    (line,) = logged(done.err)
    results = ("applied", "already", "moved", "failed", "held")
    assert line["event"] == "run finished"
    assert (line["environment"], line["run"], line["exit_code"]) == ("contoso", 1, 0)
    assert sum(line[result] for result in results) == line["planned"]
    assert sum(line["situations"].values()) == sum(done.json["plan"]["situations"].values())
    assert "@" not in done.err
    assert "ada" not in done.err


def test_one_environment_failing_does_not_stop_the_rest(tmp_path: Path) -> None:
    """Each has its document, in the order of the configuration; the code is the gravest."""
    with opened(tmp_path, "fabrikam") as office:
        text = (tmp_path / "syncd.toml").read_text(encoding="utf-8")
        gone = text.replace(office.url, "http://127.0.0.1:1", 1)
        (tmp_path / "syncd.toml").write_text(gone, encoding="utf-8")
        done = office("reconcile", "--json")
        plan = office("plan", "--json")

    first, second = (json.loads(line) for line in done.out.splitlines())
    assert done.code == plan.code == 5
    assert (first["environment"], first["plan"], first["exit_code"]) == ("contoso", None, 5)
    assert "could not be reached" in first["problem"]
    assert (second["environment"], second["exit_code"]) == ("fabrikam", 0)
    assert [json.loads(line)["environment"] for line in plan.out.splitlines()] == [
        "contoso",
        "fabrikam",
    ]


def test_another_run_holds_the_lease(office: Office) -> None:
    """The second one does nothing, says so, and ends with 6."""
    with (office.folder / "syncd.db.contoso.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = office("reconcile", "--json")

    assert done.code == done.json["exit_code"] == 6
    assert done.json["plan"] is None
    assert "another run" in done.err.splitlines()[0]


def test_a_source_that_is_not_believed_is_4_and_named(office: Office) -> None:
    """The first line says that removals are withheld."""
    office("reconcile")
    (office.folder / "hr.csv").write_text("EmployeeID;Department\n", encoding="utf-8")

    done = office("reconcile", now=LATER)

    assert done.code == 4
    assert "hr was not believed, removals withheld" in " ".join(done.out.split())
    assert "Next: mend hr" in done.out
    assert "sources accept" not in done.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_who_is_asked_to_stop_says_in_what_state_things_are(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """What is in flight lands; then the process ends as shells expect it."""
    slow = Fault(kind=FaultKind.LATENCY, method="POST", seconds=1.0, count=None)
    store = Store()
    world.fill(store, WORLD, "2026-01-01T00:00:00Z")
    with Running(Sandbox(store, faults=(slow,))) as running:
        (tmp_path / "hr.csv").write_text(PEOPLE, encoding="utf-8")
        text = CONFIGURATION.format(url=running.url)
        (tmp_path / "syncd.toml").write_text(text, encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "syncd", "-c", "syncd.toml", "reconcile", "--json"],
            cwd=tmp_path,
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            _until_a_batch_is_on_its_way(tmp_path / "syncd.db")
            process.send_signal(number)
            out, err = process.communicate(timeout=60)

    assert process.returncode == code
    document = json.loads(out)
    assert (document["stopped"], document["exit_code"]) == (True, code)
    assert "contoso: stopped: " in err
    assert logged(err)[-1]["exit_code"] == code


def _until_a_batch_is_on_its_way(database: Path) -> None:
    """Wait until the journal of a run has an attempt."""
    end = monotonic() + 60
    while monotonic() < end:
        try:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
                if connection.execute("SELECT 1 FROM journal").fetchone():
                    return
        except sqlite3.OperationalError:
            continue
    raise TimeoutError("no batch left within a minute")

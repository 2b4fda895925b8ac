"""explain, status, runs, audit: what people look at."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.campaign import LONG
from tests.cli.office import ADA, BO, CY, CY_TOO, Office, opened, syncd

HUGE = "9" * 20


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give an office in which nothing has been read yet."""
    with opened(tmp_path) as office:
        yield office


@pytest.fixture
def settled(office: Office) -> Office:
    """Give an office after its first run."""
    assert office("reconcile").code == 0
    return office


def explained(office: Office, asked: str, *words: str) -> Any:
    """Return what is said of the one who is asked for."""
    return office("explain", asked, *words, "--json").json


# --- explain ---------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["E2", "bo@contoso.com", " BO@Contoso.com ", BO, f"{{{BO}}}"])
def test_somebody_is_found_by_any_name(asked: str, settled: Office) -> None:
    """By the person's key, user name, address or id, however it is written."""
    said = explained(settled, asked)

    assert [person["key"] for person in said["persons"]] == ["E2"]
    assert said["user"]["id"] == BO


def test_the_whole_story_is_told(settled: Office) -> None:
    """What the source says, which rule decides, who was found how, and what is there."""
    said = explained(settled, "E2")

    (person,) = said["persons"]
    assert person["sources"][0]["source"] == "hr"
    assert person["sources"][0]["attributes"] == {"department": "Depot"}
    assert (person["rules"]["rule"], person["rules"]["profile"]) == ("depot", "Depot")
    assert person["finding"] == "linked"
    assert {rung["rung"]: len(rung["users"]) for rung in person["rungs"]}["employee_id"] == 1
    assert person["links"][0]["origin"] == "created"
    assert [(row["profile"], row["ours"]) for row in said["user"]["rows"]] == [("Depot", "created")]
    assert [judged["situation"] for judged in said["judged"]] == ["CONFIRMED"]
    assert said["audit"][0]["what"] == "create"


DIRECTORY = """
[[sources]]
name = "directory"
type = "csv"
path = "directory.csv"
rank = 5
[sources.person]
key = "number"
mail = "mail"
enabled = "enabled"
attributes = { department = "department", site = "site" }
"""
LISTED = """number,mail,enabled,department,site
E1,ada@contoso.com,true,Depot,Lyon
E2,bo@contoso.com,false,Depot,Lyon
"""


@pytest.fixture
def two(office: Office) -> Office:
    """Give an office with a second source of a higher rank, after a run."""
    with (office.folder / "syncd.toml").open("a", encoding="utf-8") as file:
        file.write(DIRECTORY)
    (office.folder / "directory.csv").write_text(LISTED, encoding="utf-8")
    assert office("reconcile").code == 0
    return office


def test_of_several_sources_it_is_said_who_said_what(two: Office) -> None:
    """For each field whose value counts, by which rank or rule, and what the others said."""
    (person,) = explained(two, "E1")["persons"]

    counts = {each.pop("field"): each for each in person["counts"]}
    assert [each["source"] for each in person["sources"]] == ["hr", "directory"]
    assert counts == {
        "employee_id": {"value": "E1", "source": "hr", "rank": 1, "by": "only", "others": []},
        "mail": {
            "value": "ada@contoso.com", "source": "directory", "rank": 5, "by": "only",
            "others": [],
        },
        "enabled": {"value": True, "source": "directory", "rank": 5, "by": "only", "others": []},
        "department": {
            "value": "Field", "source": "hr", "rank": 1, "by": "rank",
            "others": [{"source": "directory", "rank": 5, "value": "Depot"}],
        },
        "site": {"value": "Lyon", "source": "directory", "rank": 5, "by": "only", "others": []},
    }  # fmt: skip
    said = two("explain", "E1").out
    assert re.search(r"^ +hr +directory\n +rank 1 +rank 5 +counts$", said, re.MULTILINE)
    assert re.search(r"^ +department +Field +Depot +Field \(hr\)$", said, re.MULTILINE)


def test_a_source_that_was_not_believed_is_stale(two: Office) -> None:
    """With the time of its last certified picture; what it says still counts."""
    (two.folder / "directory.csv").unlink()
    failed = two("reconcile", now="2026-03-04T08:00:00Z")

    said = explained(two, "E2")
    told = two("explain", "E2").out
    hr, directory = said["persons"][0]["sources"]
    assert failed.code == 4
    assert (hr["stale"], hr["certified_at"]) == (False, "2026-03-04T08:00:00Z")
    assert (directory["stale"], directory["certified_at"]) == (True, "2026-03-02T08:00:00Z")
    assert len(directory["findings"]) == 1
    assert said["judged"][0]["presence"] == "left"
    assert "directory, stale" in told
    assert "stale  directory: its last certified picture is of 2026-03-02 08:00" in told


@LONG
def test_a_source_read_just_now_is_of_now(two: Office) -> None:
    """`--fresh` belongs to no run, and what it read and believed is of this moment."""
    (two.folder / "directory.csv").write_text("", encoding="utf-8")
    now = "2026-03-04T08:00:00Z"
    said = two("explain", "E1", "--fresh", "--json", now=now).json

    sources = said["persons"][0]["sources"]
    assert [(each["stale"], each["certified_at"]) for each in sources] == [
        (False, now),
        (True, "2026-03-02T08:00:00Z"),
    ]


def test_explain_judges_as_a_run_would(settled: Office) -> None:
    """Everybody's situation is that of the next plan."""
    plan = settled("plan", "--json").json
    situations = [
        judged["situation"]
        for key in ("E1", "E2", "E3")
        for judged in explained(settled, key)["judged"]
    ]

    assert sorted(situations) == sorted(
        name for name, number in plan["situations"].items() for _ in range(number)
    )


def test_evidence_that_contradicts_itself_is_shown(settled: Office) -> None:
    """Two users have Cy's number: both are named, and neither is taken."""
    said = explained(settled, "E3")

    rungs = {rung["rung"]: rung["users"] for rung in said["persons"][0]["rungs"]}
    assert {user["user"] for user in rungs["employee_id"]} == {CY, CY_TOO}
    assert said["user"] is None
    assert said["judged"][0]["situation"] == "AMBIGUOUS"


def test_fresh_reads_anew_and_leaves_nothing_behind(settled: Office) -> None:
    """Without `--fresh` the picture of the last run counts, and it stays what it was."""
    hr = "EmployeeID;Department\nE1;Field\nE2;Field\nE3;Field\n"
    (settled.folder / "hr.csv").write_text(hr, encoding="utf-8")

    fresh = explained(settled, "E2", "--fresh")
    kept = explained(settled, "E2")

    assert fresh["judged"][0]["situation"] == "MISPLACED"
    assert [change["action"] for change in fresh["judged"][0]["changes"]] == ["move"]
    assert kept["judged"][0]["situation"] == "CONFIRMED"


@pytest.mark.parametrize("words", [(), ("--fresh",)])
def test_whoever_asks_does_not_wait_for_a_run(words: tuple[str, ...], settled: Office) -> None:
    """A run holds the database for writing; what was committed is explained, and nothing kept."""
    settled("holds", "add", BO, "--reason", "so that everybody must be correlated anew")
    hr = "EmployeeID;Department\nE1;Field\nE2;Depot\nE9;Field\n"
    (settled.folder / "hr.csv").write_text(hr, encoding="utf-8")
    with closing(sqlite3.connect(settled.folder / "syncd.db", isolation_level=None)) as run:
        before = list(run.iterdump())
        run.execute("BEGIN IMMEDIATE")
        run.execute("DELETE FROM people")

        held = settled("explain", "E2", *words, "--json", now="2026-03-05T08:00:00Z")
        new = settled("explain", "E9", *words)

        run.execute("ROLLBACK")
        after = list(run.iterdump())

    assert held.err == ""
    assert held.json["judged"][0]["situation"] == "HELD"
    assert new.code == (0 if words else 64)
    assert after == before


def test_nobody_of_that_name_is_64(settled: Office) -> None:
    """The sentence says what to do."""
    done = settled("explain", "nobody@contoso.com")

    assert done.code == 64
    assert done.out == ""
    assert "explain --fresh" in done.err


def test_several_of_one_name_are_listed(settled: Office) -> None:
    """Two users have this address: name one of them by its id."""
    done = settled("explain", "cy@contoso.com")

    assert done.code == 64
    assert CY in done.err
    assert CY_TOO in done.err
    assert explained(settled, CY)["user"]["id"] == CY


def test_what_operators_decided_is_part_of_it(settled: Office) -> None:
    """A hold names who, why and until when."""
    settled("holds", "add", "bo@contoso.com", "--reason", "works council")

    said = explained(settled, "E2")

    assert said["judged"][0]["situation"] == "HELD"
    assert [(each["kind"], each["reason"]) for each in said["decisions"]] == [
        ("hold", "works council")
    ]
    assert "works council" in settled("explain", "E2").out


def test_the_story_fits_80_columns(settled: Office) -> None:
    """Its first lines say who it is, and how they are judged."""
    lines = settled("explain", ADA).out.splitlines()

    assert max(map(len, lines)) <= 80
    assert "ada@contoso.com" in lines[0]
    assert lines[1].startswith("SURPLUS: ")


# --- status --------------------------------------------------------------------------------------


def test_before_the_first_run_status_says_where_to_begin(office: Office) -> None:
    """There is nothing to tell yet."""
    assert "no run yet" in office("status").out
    assert office("status", "--json").json["known"] is False


def test_status_answers_its_four_questions(settled: Office) -> None:
    """Is a run going on, when did one succeed, is it in sync, what needs a person."""
    said = settled("status", "--json").json

    assert said["running"] is None
    assert said["last_success"] == said["last_full_success"] == "2026-03-02T08:00:00Z"
    assert said["in_sync"] is True
    assert said["needs"]["conflicts"] == {"MULTI_PROFILE_DIRECT": 1}
    assert said["needs"]["reports"]["AMBIGUOUS"] == 1


def test_a_run_that_never_ended_is_not_called_running(settled: Office) -> None:
    """Only one that holds the lease is."""
    with sqlite3.connect(settled.folder / "syncd.db") as database:
        database.execute(
            "INSERT INTO runs (env, command, started) "
            "VALUES (1, 'reconcile', '2026-03-02T09:00:00Z')"
        )

    said = settled("status", "--json").json

    assert said["running"] is None
    assert [run["run"] for run in said["needs"]["interrupted"]] == [2]
    assert "interrupted: run 2" in settled("status").out


def test_a_run_that_reached_nobody_changes_nothing_of_what_is_known(settled: Office) -> None:
    """Conflicts and reports of the last run that judged people still need a person."""
    before = settled("status", "--json").json
    with sqlite3.connect(settled.folder / "syncd.db") as database:
        database.execute(
            "INSERT INTO runs (env, command, started, finished, exit_code, document) VALUES (1, "
            "'reconcile', '2026-03-02T09:00:00Z', '2026-03-02T09:00:00Z', 5, '{\"seconds\": 0.1}')"
        )

    after = settled("status", "--json").json
    shown = " ".join(settled("status").out.split())

    assert (after["in_sync"], after["last_attempt"]["run"], after["judged"]) == (False, 2, 1)
    assert after["situations"] == before["situations"]
    assert after["needs"] == before["needs"]
    assert "; as of run 1 " in shown
    assert "1 open conflict MULTI_PROFILE_DIRECT" in shown


def test_a_killed_run_is_not_called_an_internal_error(settled: Office) -> None:
    """Its process did not live to say how it ended; the next run closes it."""
    with sqlite3.connect(settled.folder / "syncd.db") as database:
        database.execute(
            "INSERT INTO runs (env, command, started) "
            "VALUES (1, 'reconcile', '2026-03-02T09:00:00Z')"
        )
    settled.reconcile(now="2026-03-02T10:00:00Z")

    listed, shown = settled("runs").out, settled("runs", "2").out

    assert "70 killed" in listed
    assert "internal" not in listed
    assert "run 2 · contoso · reconcile · killed (exit code 70)" in shown
    assert "nobody knows when; noticed 2026-03-02 10:00 UTC" in shown


def test_failed_certificates_are_shown_with_their_findings(settled: Office) -> None:
    """A source that was not believed needs a person."""
    (settled.folder / "hr.csv").write_text("EmployeeID;Department\n", encoding="utf-8")
    settled("reconcile", now="2026-03-03T08:00:00Z")

    said = settled("status", "--json").json

    assert [each["source"] for each in said["needs"]["certificates"]] == ["hr"]
    assert said["in_sync"] is False
    assert said["last_success"] == "2026-03-02T08:00:00Z"
    assert "no row was read" in settled("status").out


# --- runs and audit ------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(settled: Office) -> None:
    """And `--limit` says how many."""
    settled("reconcile")

    numbers = [json.loads(line)["run"] for line in settled("runs", "--json").out.splitlines()]

    assert numbers == [2, 1]
    assert len(settled("runs", "--limit", "1").out.splitlines()) == 2


def test_one_run_can_be_looked_at(settled: Office) -> None:
    """With what it did, and how to see its plan."""
    said = settled("runs", "1", "--json").json

    assert {each["action"]: each["count"] for each in said["actions"]}["create"] == 1
    assert said["certificates"][0]["certified"] is True
    assert f"syncd plan --show {said['plan']}" in settled("runs", "1").out
    assert settled("runs", "99").code == 64


def test_the_audit_log_says_who_did_what_why_and_with_which_result(settled: Office) -> None:
    """Adoptions are in it, and profiles are shown by name."""
    lines = [json.loads(line) for line in settled("audit", "--json").out.splitlines()]

    done = {(line["what"], line["person"]): line for line in lines}
    created, adopted = done["create", "E2"], done["adopt", "E1"]
    assert created["profile_after"] == "Depot"
    assert (created["who"], created["run"], created["result"]) == ("syncd", 1, "applied")
    assert created["why"] == "ABSENT: rule depot"
    assert adopted["profile_after"] == "Field Crew"
    assert adopted["why"] == "SURPLUS: found by employee_id"


def test_only_profiles_are_shown_as_profiles(settled: Office) -> None:
    """How much a pass lets through and whose user somebody is stand elsewhere in the line."""
    why = ("--reason", "why")
    settled("passes", "grant", "--scope", "run", "--max", "7", "--expires", "2h", *why)
    settled("links", "set", "E2", BO, *why)
    settled("conflicts", "resolve", "ada@contoso.com", "--profile", "Depot", *why)
    lines = [json.loads(line) for line in settled("audit", "--json").out.splitlines()]

    done = {line["what"]: line for line in lines}
    granted, linked, chosen = done["pass set"], done["link set"], done["profile set"]
    assert (granted["profile_after"], granted["why"]) == (None, "run, at most 7: why")
    assert (linked["profile_after"], linked["user"]) == (None, BO)
    assert chosen["profile_after"] == "Depot"


@pytest.mark.parametrize(
    "words",
    [
        ("runs", HUGE),
        ("runs", "--limit", HUGE),
        ("audit", "--run", HUGE),
        ("audit", "--limit", HUGE),
        ("upcoming", "--limit", HUGE),
        ("passes", "revoke", HUGE, "--reason", "x"),
        ("passes", "grant", "--scope", "run", "--max", HUGE, "--expires", "2h", "--reason", "x"),
        ("sources", "preview", "hr", "--rows", HUGE),
    ],
    ids=" ".join,
)
def test_a_number_that_no_database_holds_is_wrong_usage(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """It is refused before anything is asked."""
    done = syncd(*words, folder=tmp_path)

    assert done.code == 64
    assert "1000000000" in done.err


def test_the_audit_log_can_be_narrowed(settled: Office) -> None:
    """By user, person, run and day, also all at once."""
    settled("holds", "add", "bo@contoso.com", "--reason", "why", now="2026-03-05T08:00:00Z")

    def lines(*words: str) -> list[str]:
        said = settled("audit", "--json", *words).out.splitlines()
        return [json.loads(line)["what"] for line in said]

    assert lines("--user", "bo@contoso.com") == ["hold set", "create"]
    assert lines("--person", "E2") == ["create"]
    assert lines("--since", "2026-03-05") == ["hold set"]
    assert lines("--run", "1", "--user", BO, "--limit", "1") == ["create"]
    assert lines("--run", "7") == []


def test_the_audit_log_can_be_given_to_a_spreadsheet(settled: Office) -> None:
    """As CSV with a head, and everything in it."""
    lines = list(csv.DictReader(io.StringIO(settled("audit", "--csv").out)))

    assert {"create", "adopt", "flag"} <= {line["what"] for line in lines}
    assert all(line["environment"] == "contoso" for line in lines)
